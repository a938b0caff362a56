/** Changes behind a dispatcher, to several sinks that keep where they stand: each goes on from its own place. */

import { ConcurrentPipeline, DispatchedPipelineBuilder, from } from '@streamweld/core';
import { expect, it } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { describeWithPostgres } from './service.ts';

interface Row {
  readonly id: number | string;
  readonly isGone: boolean;
}

describeWithPostgres('changes, to several sinks', (database) => {
  const query = (text: string) => database().query(text);

  async function follow(
    table: string,
  ): Promise<{ readonly abort: (why: Error) => void; readonly running: Promise<unknown> }> {
    const { url } = database();
    const source = new PostgresChangeSource({
      connection: url,
      slot: table,
      publication: table,
      tables: [table],
    });
    const dispatcher = new DispatchedPipelineBuilder<Row>({
      name: 'copies',
      checkpoint: table,
      bufferSize: 1000,
    }).broadcast();
    for (const name of ['left', 'right']) {
      const options = {
        connection: url,
        table: `${table}_${name}`,
        mode: 'upsert',
        key: ['id'],
        columns: ['id'],
        delete: (row: Row) => row.isGone,
      } as const;
      await dispatcher.subscribeSink(new PostgresSink<Row>(options), undefined, { name });
    }
    const controller = new AbortController();
    const rows = from(source).map((change): Row => {
      const row = change.kind === 'delete' ? change.old : change.new;
      return { id: row?.['id'] as Row['id'], isGone: change.kind === 'delete' };
    });
    const running = new ConcurrentPipeline(rows, dispatcher.createSink(100))
      .checkpoint(new PostgresCheckpointStore({ connection: url }), table)
      .run({ signal: controller.signal });
    return { abort: (why) => controller.abort(why), running };
  }

  it('passes by no row of the snapshot, though rows before it are deleted between two runs', async () => {
    const table = 'kept';
    await query(`create table kept as select n as id from generate_series(1, 3000) as n`);
    await query(`alter table kept add primary key (id); create table kept_left (like kept including indexes);
      create table kept_right (like kept including indexes)`);
    const client = await database().pool.connect();
    try {
      await client.query('begin; lock table kept_left in share mode');
      const first = await follow(table);
      await Promise.race([
        first.running,
        expect
          .poll(() => query(`select count(*) >= 500 as is from kept_right`), { timeout: 20_000 })
          .toEqual([{ is: true }]),
      ]);
      first.abort(new Error('killed'));
      await expect(first.running).rejects.toThrow(/^killed$/);
    } finally {
      client.release(true);
    }
    expect(await query(`select count(*)::int as n from kept_left`)).toEqual([{ n: 0 }]);

    await query(`delete from kept where id <= 300; insert into kept values (-1)`);
    const second = await follow(table);
    await Promise.race([
      second.running,
      expect
        .poll(
          async () =>
            Promise.all(
              ['left', 'right'].map((side) => query(`select 1 as n from kept_${side} where id = -1`)),
            ),
          { timeout: 20_000 },
        )
        .toEqual([[{ n: 1 }], [{ n: 1 }]]),
    ]);
    second.abort(new Error('seen'));
    await expect(second.running).rejects.toThrow(/^seen$/);
    for (const side of ['kept_left', 'kept_right']) {
      const differing = (one: string, other: string) =>
        query(`select count(*)::int as n, min(id) from (table ${one} except table ${other}) as rows`);
      const none = [{ n: 0, min: null }];
      expect(await differing('kept', side), `missing in ${side}`).toEqual(none);
      expect(await differing(side, 'kept'), `too much in ${side}`).toEqual(none);
    }
    await query(`select pg_drop_replication_slot('kept')`);
  });
});
