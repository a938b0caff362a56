/** Domains, over each other and within arrays, are what they stand for: to the sink, a query, a snapshot and a stream. */

import { collect, ConcurrentPipeline } from '@streamweld/core';
import { expect, it } from 'vitest';
import type { Change } from '../src/changes.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('domains', (database) => {
  it('are written, and read by a query, a snapshot and a stream, as the types that they stand for', async () => {
    await database().query(`
      create domain doc as jsonb;
      create domain paper as doc;
      create domain small as int4;
      create domain tiny as small check (value < 100);
      create domain raw as bytea;
      create domain blob as raw;
      create domain numbers as tiny[];
      create domain papers as paper[];
      create domain tables as numbers[];
      create table domains (id int primary key, d doc, p paper, ps paper[], ds doc[], t tiny, ts tiny[], n numbers, b blob, i8 int8,
        ns numbers[], pss papers[], ms int[][], tt tables[])`);
    const row = {
      d: { a: 1 },
      p: { b: [1, null] },
      ps: [{ c: '"' }, null],
      ds: [{ d: 1 }],
      t: 7,
      ts: [1, 2, null],
      n: [3, 4],
      b: new Uint8Array([0, 255]),
      i8: '9223372036854775807',
      ns: [[1, 2], [3], [], null],
      pss: [[{ e: '"\\' }, null], null],
      ms: [
        [1, 2],
        [3, 4],
      ],
      tt: [[[5, 6], [7]], null, [[8]]],
    };
    const plain = ({ b, ...others }: Record<string, unknown>): object => ({
      ...others,
      b: [...(b as Uint8Array)],
    });
    const connection = database().url;
    const modes = ['copy', 'insert', 'upsert'] as const;
    const write = async (mode: (typeof modes)[number], id: number): Promise<void> => {
      const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };
      await new ConcurrentPipeline(
        [{ id, ...row }],
        new PostgresSink<object>({ connection, table: 'domains', ...how }),
      ).run();
    };
    for (const [id, mode] of modes.entries()) await write(mode, id);
    const expected = [0, 1, 2].map((id) => plain({ id, ...row }));

    const read = collect<Record<string, unknown>>();
    await new ConcurrentPipeline(
      new PostgresSource({ connection, query: 'select * from domains order by id' }),
      read,
    ).run();
    expect(read.items.map(plain)).toEqual(expected);

    const changes: Change[] = [];
    const source = new PostgresChangeSource({
      connection,
      slot: 'domains',
      publication: 'domains',
      tables: ['domains'],
    });
    const pipeline = new ConcurrentPipeline(
      source,
      (batch: readonly Change[]) => void changes.push(...batch),
    );
    const running = pipeline.run();
    const came = (count: number) =>
      Promise.race([expect.poll(() => changes.length, { timeout: 10_000 }).toBe(count), running]);
    await came(3);
    await write('copy', 3);
    await came(4);
    await pipeline.drain();
    await running;
    expect(changes.map((change) => plain(change.new as Record<string, unknown>))).toEqual([
      ...expected,
      plain({ id: 3, ...row }),
    ]);
    await database().query("select pg_drop_replication_slot('domains')");
  });
});
