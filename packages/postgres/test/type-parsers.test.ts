/** What the application has `pg` make of values is its own affair: what is asked of the server here does not depend on it. */

import { collect, ConcurrentPipeline, from, MemoryCheckpointStore } from '@streamweld/core';
import pg from 'pg';
import { expect, it } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { PostgresSink } from '../src/sink.ts';
import { type Change, PostgresChangeSource, PostgresSource } from '../src/index.ts';
import { describeWithPostgres } from './service.ts';

/** bool bytea name int8 int2 int4 text oid float8 varchar timestamptz numeric, and arrays of bool, int4, text and oid. */
const OIDS = [16, 17, 19, 20, 21, 23, 25, 26, 701, 1043, 1184, 1700, 1000, 1007, 1009, 1028];

describeWithPostgres('parsers of types', (database) => {
  it('that the application has set for all of pg change nothing', async () => {
    const connection = database().url;
    await database().query(`create table parsed_from as
        select n as id, n::bigint as big, array[n, 2] as a, n::text as t, n % 2 = 0 as even, '\\x00ff'::bytea as b
          from generate_series(1, 100) as n;
      alter table parsed_from add primary key (id);
      create table parsed (like parsed_from including all); create table followed (like parsed_from including all)`);
    const before = OIDS.map((oid) => pg.types.getTypeParser(oid));
    for (const oid of OIDS) pg.types.setTypeParser(oid as never, () => ({ theirs: oid }));
    const items = collect<Record<string, unknown>>();
    const changes = collect<Change>();
    try {
      const source = () =>
        new PostgresSource({ connection, table: 'parsed_from', resumeKey: 'id', readers: 2 });
      await new ConcurrentPipeline(from(source()), items).run();
      for (const how of [{}, { mode: 'upsert', key: 'id' }] as const) {
        await new ConcurrentPipeline(source(), new PostgresSink({ connection, table: 'parsed', ...how }))
          .checkpoint(new MemoryCheckpointStore(), `parsed ${Object.keys(how).length}`)
          .run();
      }
      await using store = new PostgresCheckpointStore({ connection });
      await new ConcurrentPipeline(source(), () => {}).checkpoint(store, 'stored').run();
      expect((await store.load('stored')).size).toBe(2);
      const following = new PostgresChangeSource({
        connection,
        slot: `parsed_${process.pid}`,
        publication: 'parsed',
        tables: ['parsed_from'],
        temporary: true,
      });
      await new ConcurrentPipeline(from(following).take(100), changes).run();
    } finally {
      for (const [at, oid] of OIDS.entries()) pg.types.setTypeParser(oid as never, before[at] as never);
    }
    const first = { id: 1, big: '1', a: [1, 2], t: '1', even: false, b: Buffer.from([0, 255]) };
    expect(items.items.length).toBe(100);
    expect(items.items.find(({ id }) => id === 1)).toEqual(first);
    expect(changes.items.find(({ new: row }) => row?.['id'] === 1)?.new).toEqual(first);
    expect(
      await database().query(
        'select count(*)::int as n from parsed p join parsed_from f using (id, big, a, t, even, b)',
      ),
    ).toEqual([{ n: 100 }]);
  });
});
