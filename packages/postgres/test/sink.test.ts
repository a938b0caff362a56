import { collect, ConcurrentPipeline, type DeadLetter, from, MemoryCheckpointStore } from '@streamweld/core';
import { expect, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('PostgresSink', (database) => {
  for (const mode of ['copy', 'insert'] as const) {
    it(`writes rows by ${mode}, whatever is in them`, async () => {
      const table = `rows_${mode}`;
      await database().query(
        `create table ${table} (id int primary key, t text, j jsonb, a text[], d timestamptz default '2000-01-01')`,
      );
      const texts = [
        'plain',
        'tab\there',
        'line\nbreak',
        'back\\slash',
        '\\N',
        '',
        'NULL',
        '{"a"}',
        'a"b',
        '漢字',
      ];
      const items = texts.map((t, id) => ({ id, t, j: { t, n: [1, null] }, a: [t, null] }));
      const sink = new PostgresSink({ connection: database().url, table, mode });
      const report = await new ConcurrentPipeline(items, sink).run();
      expect(report.written).toBe(texts.length);
      const rows = await database().query(`select id, t, j, a, d::text as d from ${table} order by id`);
      expect(rows).toEqual(items.map((item) => ({ ...item, d: '2000-01-01 00:00:00+00' })));
    });
  }

  for (const mode of ['copy', 'insert', 'upsert'] as const) {
    it(`writes nothing of a batch of which a row could not be made, then or later: ${mode}`, async () => {
      const table = `unmade_${mode}`;
      await database().query(`create table ${table} (id int ${mode === 'upsert' ? 'unique' : ''}, t text)`);
      const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };
      const letters = collect<DeadLetter<unknown>>();
      const items = ['a', 'b', 'c', 'd', {}, 'f'].map((t, id) => ({ id, t }));
      const sink = new PostgresSink({
        connection: database().url,
        table,
        batching: { maxItems: 3 },
        ...how,
      });
      await new ConcurrentPipeline(items, sink).deadLetter(letters).run();
      expect(letters.items.map(({ item }) => item)).toEqual([items[4]]);
      expect(await database().query(`select * from ${table} order by id`)).toEqual(
        items.filter(({ id }) => id !== 4),
      );
    });
  }

  it('keeps of a key what the last row of it leaves out, and nothing of what was deleted before', async () => {
    await database().query("create table parts (id int primary key, a text default 'new', b text)");
    await database().query(
      "insert into parts values (1, 'old', 'old'), (2, 'old', 'old'), (3, 'old', 'old')",
    );
    interface Part {
      readonly id: number;
      readonly a?: string;
      readonly b?: string;
      readonly isGone?: boolean;
    }
    const sink = new PostgresSink<Part>({
      connection: database().url,
      table: 'parts',
      mode: 'upsert',
      key: 'id',
      delete: ({ isGone }) => isGone === true,
    });
    const items: readonly Part[] = [
      { id: 1, a: 'x', b: 'large' },
      { id: 1, a: 'y' },
      { id: 2, b: 'z', a: 'z' },
      { id: 2, isGone: true },
      { id: 2, b: 'anew' },
      { id: 3, b: 'z' },
      { id: 3, a: 'z' },
      { id: 3, isGone: true },
      { id: 4, isGone: true },
      { id: 4, a: 'x', b: 'x' },
      { id: 4, b: 'y', a: 'y' },
    ];
    await new ConcurrentPipeline(items, sink).run();
    expect(await database().query('select * from parts order by id')).toEqual([
      { id: 1, a: 'y', b: 'large' },
      { id: 2, a: 'new', b: 'anew' },
      { id: 4, a: 'y', b: 'y' },
    ]);
  });

  it('takes the last of each key, and deletes what is to be deleted', async () => {
    await database().query('create table users (id int primary key, name text)');
    await database().query(`insert into users values (1, 'old'), (9, 'stays'), (3, 'goes')`);
    const sink = new PostgresSink<{ id: number; name: string }>({
      connection: database().url,
      table: 'users',
      mode: 'upsert',
      key: 'id',
      delete: ({ name }) => name === '',
    });
    const items = [
      { id: 1, name: 'a' },
      { id: 2, name: 'b' },
      { id: 1, name: 'c' },
      { id: 3, name: '' },
    ];
    await new ConcurrentPipeline(items, sink).run();
    expect(await database().query('select * from users order by id')).toEqual([
      { id: 1, name: 'c' },
      { id: 2, name: 'b' },
      { id: 9, name: 'stays' },
    ]);
  });

  it('sends the rows that the server refuses to the dead letter, each with the code of the server', async () => {
    await database().query('create table strict (id int primary key, n int check (n < 100))');
    const items = Array.from({ length: 1000 }, (_, id) => ({
      id: id === 700 ? 0 : id,
      n: id % 250 === 7 ? 100 : 1,
    }));
    const letters = collect<DeadLetter<unknown>>();
    const sink = new PostgresSink<{ id: number; n: number }>({ connection: database().url, table: 'strict' });
    const report = await new ConcurrentPipeline(items, sink).retry({ attempts: 2 }).deadLetter(letters).run();
    expect([report.written, report.deadLettered]).toEqual([995, 5]);
    const codes = letters.items.map(({ error }) => /SQLSTATE (\w+)/.exec(error.message)?.[1] ?? '');
    expect(codes.toSorted((a, b) => a.localeCompare(b))).toEqual([
      '23505',
      '23514',
      '23514',
      '23514',
      '23514',
    ]);
  });

  it('writes nothing by COPY where a trigger leaves rows out, and by insert what it leaves', async () => {
    await database().query(`create table skipped (id int);
      create function skip() returns trigger language plpgsql as $$ begin
        if new.id = 2 then return null; end if; return new; end $$;
      create trigger skip before insert on skipped for each row execute function skip()`);
    const items = [{ id: 1 }, { id: 2 }, { id: 3 }];
    const letters = collect<DeadLetter<unknown>>();
    await expect(
      new ConcurrentPipeline(items, new PostgresSink({ connection: database().url, table: 'skipped' }))
        .retry({ attempts: 2 })
        .deadLetter(letters)
        .run(),
    ).rejects.toMatchObject({
      code: 'SW_POSTGRES_TABLE_INVALID',
      message: expect.stringMatching(/^COPY took 2 of 3 rows: a trigger .*mode: 'insert'/),
    });
    expect(letters.items).toEqual([]);
    expect(await database().query('select * from skipped')).toEqual([]);
    await new ConcurrentPipeline(
      items,
      new PostgresSink({ connection: database().url, table: 'skipped', mode: 'insert' }),
    ).run();
    expect(await database().query('select * from skipped')).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it('copies a table exactly once, run after run', async () => {
    await database().query(
      'create table a as select n as id, n::text as t from generate_series(1, 20000) as n',
    );
    await database().query('create table b (id int, t text)');
    const store = new MemoryCheckpointStore();
    const run = () =>
      new ConcurrentPipeline(
        from(new PostgresSource({ connection: database().url, table: 'a', resumeKey: 'id' })),
        new PostgresSink({ connection: database().url, table: 'b' }),
      )
        .checkpoint(store, 'a to b')
        .run();
    expect((await run()).written).toBe(20_000);
    expect((await run()).written).toBe(0);
    await database().query(`insert into a values (20001, 'x')`);
    expect((await run()).written).toBe(1);
    expect(await database().query('select count(*)::int as n, count(distinct id)::int as d from b')).toEqual([
      { n: 20_001, d: 20_001 },
    ]);
  });
});
