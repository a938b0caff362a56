/** What a database refuses in its own way, and tables that cannot be written as they were asked to be. */

import { collect, ConcurrentPipeline, type DeadLetter } from '@streamweld/core';
import { expect, it } from 'vitest';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

describeWithPostgres('refusals of a PostgresSink', (database) => {
  const write = async (
    items: readonly Row[],
    options: Partial<PostgresSinkOptions<Row>> & { table: string },
  ) => {
    const letters = collect<DeadLetter<unknown>>();
    const sink = new PostgresSink<Row>({ connection: database().url, ...options });
    await new ConcurrentPipeline(items, sink).deadLetter(letters).run();
    return letters.items;
  };

  it.each(['MY001', '99001', 'P0002', '42501', '55000', '22012'])(
    'isolates a row that a trigger refuses by a code of its own, and quotes nothing: %s',
    async (sqlState) => {
      await database().query(`drop table if exists raised; create table raised (id int);
        create or replace function refuse() returns trigger language plpgsql as $$ begin
          if new.id = 2 then raise exception 'secret-value' using errcode = '${sqlState}'; end if; return new; end $$;
        create trigger refuse before insert on raised for each row execute function refuse()`);
      const letters = await write([{ id: 1 }, { id: 2 }, { id: 3 }], { table: 'raised' });
      expect(letters).toMatchObject([
        { item: { id: 2 }, error: { code: 'SW_POSTGRES_DATA_INVALID', details: { sqlState } } },
      ]);
      expect(letters[0]?.error.message).not.toContain('secret-value');
      expect(await database().query('select id from raised order by id')).toEqual([{ id: 1 }, { id: 3 }]);
    },
  );

  it('tries again what a trigger says is passing', async () => {
    await database().query(`create table passing (id int); create sequence tries;
      create function once() returns trigger language plpgsql as $$ begin
        if nextval('tries') < 3 then raise exception 'later' using errcode = '40001'; end if; return new; end $$;
      create trigger once before insert on passing for each statement execute function once()`);
    const letters = collect<DeadLetter<unknown>>();
    const sink = new PostgresSink({ connection: database().url, table: 'passing' });
    await new ConcurrentPipeline([{ id: 1 }, { id: 2 }], sink)
      .retry({ attempts: 5, backoff: { firstMs: 1, maxMs: 1 } })
      .deadLetter(letters)
      .run();
    expect(letters.items).toEqual([]);
    expect(await database().query('select count(*)::int as n from passing')).toEqual([{ n: 2 }]);
  });

  it('isolates a row that a policy does not allow, and fails the run where the privilege is missing', async () => {
    const role = `writer_${new URL(database().url).pathname.slice(1)}`;
    await database().query(`create table policed (id int primary key, n int);
      alter table policed enable row level security;
      create policy small on policed using (true) with check (id < 10);
      create table forbidden (id int);
      create role ${role} login password 'writer'; grant insert, select, update on policed to ${role}`);
    const url = new URL(database().url);
    url.username = role;
    url.password = 'writer';
    const connection = url.href;
    try {
      const items = [{ id: 1 }, { id: 20 }, { id: 2 }];
      for (const how of [{ mode: 'insert' }, { mode: 'upsert', key: 'id' }] as const) {
        const letters = await write(items, { table: 'policed', connection, ...how });
        expect(letters).toMatchObject([
          { item: { id: 20 }, error: { code: 'SW_POSTGRES_DATA_INVALID', details: { sqlState: '42501' } } },
        ]);
        expect(letters[0]?.error.message).toMatch(/policy of row level security/);
        expect(await database().query('select id from policed order by id')).toEqual([{ id: 1 }, { id: 2 }]);
        if (how.mode === 'insert') await database().query('truncate policed');
      }
      await expect(write(items, { table: 'forbidden', connection })).rejects.toMatchObject({
        code: 'SW_POSTGRES_DENIED',
        message: expect.stringMatching(/GRANT/),
      });
      await expect(write(items, { table: 'policed', connection })).rejects.toMatchObject({
        code: 'SW_POSTGRES_TABLE_INVALID',
        sqlState: '0A000',
        message: expect.stringMatching(/mode: 'insert'/),
      });
    } finally {
      await database().query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('says what to do where a table cannot be written in this mode', async () => {
    await database().query(`create table plain (id int, t text); create view seen as select * from plain;
      create materialized view kept as select 1 as id`);
    await expect(
      write([{ id: 1, t: 'x' }], { table: 'plain', mode: 'upsert', key: ['t', 'id'] }),
    ).rejects.toMatchObject({
      code: 'SW_POSTGRES_TABLE_INVALID',
      sqlState: '42P10',
      message: expect.stringMatching(/"plain" has no unique index of exactly the key \("t", "id"\)/),
    });
    await expect(write([{ id: 1 }], { table: 'seen' })).rejects.toMatchObject({
      code: 'SW_POSTGRES_TABLE_INVALID',
      sqlState: '42809',
      message: expect.stringMatching(/"seen" .*mode: 'insert'/),
    });
    await expect(write([{ id: 1 }], { table: 'kept', mode: 'insert' })).rejects.toMatchObject({
      code: 'SW_POSTGRES_TABLE_INVALID',
      sqlState: '42809',
      message: expect.stringMatching(/"kept" is no table/),
    });
  });
});
