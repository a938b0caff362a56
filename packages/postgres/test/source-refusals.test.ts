/** What a PostgresSource refuses, or would lose without a word: queries that are none, and keys that tie in ways of their own. */

import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import type { PostgresSourceOptions } from '../src/options.ts';
import { PostgresSource } from '../src/source.ts';
import { startPostgres } from '../../../tools/services/postgres.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

const connection = 'postgres://localhost/nothing';

describe('PostgresSource options', () => {
  it.each([
    [
      'a null to resume from',
      { query: 'select 1', resumeKey: 'id', resumeFrom: null as never },
      'resumeFrom',
    ],
    [
      'an object to resume from',
      { query: 'select 1', resumeKey: 'id', resumeFrom: {} as never },
      'resumeFrom',
    ],
    ['a parameter without a value', { query: 'select $1, $2', values: [1] }, 'values'],
    [
      'a parameter of its own in the place of the key',
      { query: 'select * from t where a = $1 and b = $2', resumeKey: 'id' },
      'values',
    ],
    [
      'a password that is a number',
      { connection: { password: 4711 as never }, query: 'select 1' },
      'password',
    ],
    [
      'a URL as the host',
      { connection: { host: 'postgres://me:hunter2@there/shop' }, query: 'select 1' },
      'connection.host',
    ],
  ] as const)('refuse %s', (_, options, named) => {
    let error: Error | undefined;
    try {
      new PostgresSource({ connection, ...options });
    } catch (thrown) {
      error = thrown as Error;
    }
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', message: expect.stringContaining(named) });
    expect(error?.message).not.toMatch(/4711|hunter2/);
  });
});

describeWithPostgres('what a PostgresSource is asked', (database) => {
  const run = (options: Omit<PostgresSourceOptions, 'connection'>): Promise<unknown> =>
    new ConcurrentPipeline(new PostgresSource({ connection: database().url, ...options }), () => {}).run();

  it.each([
    ['copy (select 1) to stdout', /COPY/],
    ['copy streamweld_kept from stdin', /only reads/],
    ['insert into streamweld_kept values (1)', /only reads/],
    ['select 1 as a, 2 as a', /"a"/],
  ])('refuses %s', async (query, message) => {
    await database().query('create table if not exists streamweld_kept (id int)');
    await expect(run({ query })).rejects.toMatchObject({
      code: 'SW_POSTGRES_QUERY_INVALID',
      message: expect.stringMatching(message),
    });
    expect(await database().query('select * from streamweld_kept')).toEqual([]);
  });

  it('tells that it was closed, where it is run again', async () => {
    const source = new PostgresSource({ connection: database().url, query: 'select 1' });
    await new ConcurrentPipeline(source, () => {}).run();
    await expect(new ConcurrentPipeline(source, () => {}).run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_CONNECTION_LOST',
      isTransient: false,
      message: expect.stringContaining('make another one'),
    });
  });

  it('tells where the server wants a password and none is given, or the function for it throws', async () => {
    const server = await startPostgres({
      from: ['local', 'embedded'],
      access: ['host all all 127.0.0.1/32 scram-sha-256', 'local all all trust'],
    });
    try {
      const { hostname, port } = new URL(server.url);
      const ask = (password?: () => string): Promise<unknown> => {
        const reach = { host: hostname, port: Number(port), user: 'postgres', password };
        return new ConcurrentPipeline(
          new PostgresSource({ connection: reach, query: 'select 1' }),
          () => {},
        ).run();
      };
      await expect(ask()).rejects.toMatchObject({
        code: 'SW_POSTGRES_DENIED',
        message: expect.stringContaining('asks for a password, and none was given'),
      });
      const failure = new Error('the vault is shut');
      const failing = ask(() => {
        throw failure;
      });
      await expect(failing).rejects.toMatchObject({
        code: 'SW_POSTGRES_DENIED',
        message: expect.stringContaining('connection.password'),
        cause: failure,
      });
    } finally {
      await server.stop();
    }
  });

  it.each([
    ['numeric', `(1, 'x'), (2.0, 'a'), (2.00, 'b'), (3, 'd'), (3.0, 'e')`],
    ['float8', `(1, 'x'), ('NaN', 'a'), ('NaN', 'b')`],
  ])('loses no row where keys of type %s are written differently and are the same', async (type, values) => {
    await database().query(`drop table if exists streamweld_tied; create table streamweld_tied (k ${type}, who text);
      insert into streamweld_tied values ${values}`);
    const store = new MemoryCheckpointStore();
    const seen: unknown[] = [];
    for (let runs = 0; runs < 6; runs++) {
      const source = new PostgresSource<Row>({
        connection: database().url,
        table: 'streamweld_tied',
        resumeKey: 'k',
      });
      const pipeline = new ConcurrentPipeline<Row>(source, (batch) => {
        seen.push(...batch.map(({ who }) => who));
        void pipeline.drain();
      }).bufferSize(4);
      await pipeline.checkpoint(store, type).run();
    }
    const { all } = (
      await database().query('select array_agg(who order by who) as all from streamweld_tied')
    )[0] as {
      all: unknown;
    };
    expect([...new Set(seen)].map(String).toSorted((a, b) => a.localeCompare(b))).toEqual(all);
  });

  it.each([
    ['interval', undefined],
    ['text', 'streamweld_blind'],
  ])(
    'refuses a key of type %s, collation %s, whose equality only the server knows',
    async (type, collation) => {
      await database().query(`drop table if exists streamweld_blurred;
      create collation if not exists streamweld_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table streamweld_blurred (k ${type} ${collation === undefined ? '' : `collate ${collation}`})`);
      await expect(run({ table: 'streamweld_blurred', resumeKey: 'k' })).rejects.toMatchObject({
        code: 'SW_POSTGRES_KEY_INVALID',
        column: 'k',
      });
    },
  );

  it('takes enums, and texts of ordinary collations, as keys', async () => {
    await database().query(`create type streamweld_size as enum ('s', 'm', 'l');
      create table streamweld_sized (k streamweld_size, t text collate "C", v varchar);
      insert into streamweld_sized values ('s', 'a', 'b'), ('l', 'b', 'c')`);
    await expect(run({ table: 'streamweld_sized', resumeKey: ['k', 't', 'v'] })).resolves.toMatchObject({
      read: 2,
    });
  });
});
