/** The shared rules of sources, sinks and stores, put to those of Postgres. A test begins with the number of the rule. */

import { checkpointSuite, sinkSuite, sourceSuite } from '@streamweld/testing';
import { test } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresSource } from '../src/source.ts';
import { places } from './places.ts';
import { describeWithPostgres } from './service.ts';

interface Row {
  readonly id: number;
  readonly t: string;
}

const describe = (_title: string, body: () => void): void => body();

describeWithPostgres('the rules', (database) => {
  const { table, denied, interrupt, stall, kill } = places(database);
  for (const readers of [1, 3]) {
    sourceSuite<Row, unknown>({ describe, test }, `PostgresSource with ${readers} readers`, {
      async seed(count) {
        const place = await table(
          `select n as id, 'a row told apart ' || n as t from generate_series(1, ${count}) as n`,
        );
        const items = await database().query(`select * from ${place} order by id`);
        const create = () =>
          new PostgresSource<Row>({ connection: database().url, table: place, resumeKey: 'id', readers });
        return { items, create, cleanUp: () => void database().query(`drop table ${place}`) };
      },
      absurdPositions: () => [
        { key: ['no number'], types: [23] },
        { key: [1, 2], types: [23, 23] },
        { key: [], types: [] },
        { key: 5 },
      ],
      createDenied: (_place, secret) =>
        new PostgresSource<Row>({ connection: denied(secret), table: 'nothing' }),
      seedDamaged: async (secret) => {
        const place = await table(
          `select n as id, case when n < 20 then n::text else '${secret}' end as t from generate_series(1, 30) as n`,
        );
        const query = `select id, t::int from ${place}`;
        return {
          items: [],
          create: () => new PostgresSource<Row>({ connection: database().url, query, resumeKey: 'id' }),
        };
      },
    });
  }
  for (const how of [{ mode: 'copy' }, { mode: 'insert' }, { mode: 'upsert', key: 'id' }] as const) {
    const made = new Set<PostgresSink<Row>>();
    const create = (place: string) => {
      const options = {
        connection: database().url,
        table: place,
        positionsTable: `positions_${place}`,
        writers: 1,
      };
      const sink = new PostgresSink<Row>({ ...options, ...how });
      made.add(sink);
      return sink;
    };
    sinkSuite<Row, string>({ describe, test }, `PostgresSink by ${how.mode}`, {
      prepare: () =>
        table(
          `select 0 as id, '' as t where false`,
          how.mode === 'upsert' ? 'at serial, primary key (id)' : 'at serial',
        ),
      create,
      createKeeping: create,
      item: (index) => ({ id: index, t: `a row told apart ${index}` }),
      read: (place) => database().query(`select id, t from ${place} order by at`),
      createDenied: (_place, secret) =>
        new PostgresSink<Row>({ connection: denied(secret), table: 'nothing' }),
      badItem: (secret) => ({ id: secret as never, t: secret }),
      interrupt,
      stall,
      async kill() {
        await kill();
        for (const sink of made) await sink.close();
        made.clear();
      },
    });
  }
  checkpointSuite({ describe, test }, 'PostgresCheckpointStore', {
    secrets: ['h1dden-p4ssword'],
    async prepare() {
      const place = `store_${await table('select 1 as id')}`;
      const open = () => new PostgresCheckpointStore({ connection: database().url, table: place });
      const openBroken = () => new PostgresCheckpointStore({ connection: denied('h1dden-p4ssword') });
      return { open, openBroken, crash: () => kill() };
    },
  });
});
