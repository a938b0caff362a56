/** Values, names and shapes that a sink has to write as they are, or refuse by row and column. */

import { collect, ConcurrentPipeline, type DeadLetter } from '@streamweld/core';
import { Random } from '@streamweld/testing';
import { expect, it } from 'vitest';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

describeWithPostgres('values of a PostgresSink', (database) => {
  const write = (items: readonly Row[], options: Omit<PostgresSinkOptions<Row>, 'connection'>) =>
    new ConcurrentPipeline(items, new PostgresSink<Row>({ connection: database().url, ...options }));

  for (const mode of ['copy', 'insert', 'upsert'] as const) {
    const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };

    it(`[fault 87] keeps every type by ${mode}, and a source reads it back`, async () => {
      const table = `types_${mode}`;
      await database().query(`
        do $$ begin create type mood as enum ('sad', 'so "so"'); exception when duplicate_object then null; end $$;
        do $$ begin create domain short as varchar(3) check (value <> 'bad'); exception when duplicate_object then null; end $$;
        create table ${table} (id int primary key, i8 bigint, num numeric, f float8, ts timestamptz, d date, iv interval,
          b bytea, j jsonb, js jsonb[], e mood, es mood[], dom short, ints int[][], texts text[], c char(3), v varchar(3), u uuid,
          plain timestamp, bo boolean)`);
      const row = {
        id: 1,
        i8: '9007199254740993',
        num: '123456789012345678901234567890.123456789',
        f: Number.POSITIVE_INFINITY,
        ts: 'infinity',
        d: '-infinity',
        iv: '1 year 2 mons 3 days 04:05:06.789',
        b: new Uint8Array([0, 255, 92, 10]),
        j: { a: [1, null, 'x\ty\\z"'] },
        js: [{ a: '"' }, null],
        e: 'so "so"',
        es: ['sad', 'so "so"', null],
        dom: 'abc',
        ints: [
          [1, 2],
          [3, 4],
        ],
        texts: ['', 'NULL', 'a,b', '{}', '\\', '"', null, 'tab\tnew\nline'],
        c: 'ab ',
        v: 'abc',
        u: '6f9619ff-8b86-d011-b42d-00c04fc964ff',
        plain: '2026-01-02 03:04:05.678901',
        bo: false,
      };
      const nulls = Object.fromEntries(Object.keys(row).map((name) => [name, name === 'id' ? 2 : null]));
      await write([row, nulls], { table, ...how }).run();
      const rows = collect<Row>();
      await new ConcurrentPipeline(
        new PostgresSource<Row>({ connection: database().url, table, resumeKey: 'id' }),
        rows,
      ).run();
      expect(
        rows.items.map((item) => ({
          ...item,
          b: item['b'] === null ? null : [...(item['b'] as Uint8Array)],
        })),
      ).toEqual([{ ...row, b: [0, 255, 92, 10] }, nulls]);
    });

    it(`does not cut off by ${mode} what is too long for its column`, async () => {
      const table = `cut_${mode}`;
      await database().query(`create table ${table} (id int primary key, v varchar(3), d short, c char(2))`);
      const letters = collect<DeadLetter<Row>>();
      const items = [
        { id: 1, v: 'abcd' },
        { id: 2, v: 'abc' },
        { id: 3, d: 'abcd' },
        { id: 4, c: 'abc' },
      ];
      const report = await write(items, { table, ...how })
        .deadLetter(letters)
        .run();
      expect([report.written, report.deadLettered]).toEqual([1, 3]);
      expect(letters.items.map(({ item }) => (item as { id: number }).id).toSorted((a, b) => a - b)).toEqual([
        1, 3, 4,
      ]);
    });

    it(`refuses by ${mode} NUL and halves of pairs, and names row and column`, async () => {
      const table = `nul_${mode}`;
      await database().query(`create table ${table} (id int primary key, t text, j jsonb, a text[])`);
      const letters = collect<DeadLetter<Row>>();
      const items = [
        { id: 0, t: 'good' },
        { id: 1, t: 'a\0b' },
        { id: 2, t: '\ud800' },
        { id: 3, j: { t: 'a\0b' } },
        { id: 4, j: ['\udc00'] },
        { id: 5, a: ['x', '\0'] },
        { id: 6, j: { t: '\\u0000 is what it says' } },
      ];
      const report = await write(items, { table, ...how, columns: ['id', 't', 'j', 'a'] })
        .deadLetter(letters)
        .run();
      expect([report.written, report.deadLettered]).toEqual([2, 5]);
      const columns = letters.items.map(({ error }) => /column "(\w)"/.exec(error.message)?.[1]);
      expect(columns).toEqual(['t', 't', 'j', 'j', 'a']);
      expect(letters.items.every(({ error }) => error.message.startsWith('Row '))).toBe(true);
      expect(await database().query(`select id from ${table} order by id`)).toEqual([{ id: 0 }, { id: 6 }]);
    });

    it(`takes names for data by ${mode}`, async () => {
      const table = `a"b'; drop table innocent; -- ${mode} 漢`;
      await database().query('create table if not exists innocent (id int)');
      const columns = { '"; drop table innocent': 'int primary key', Ünï: 'text', select: 'text' };
      const items = [{ '"; drop table innocent': 1, Ünï: "'; drop table innocent; --", select: '\\' }];
      const key = mode === 'upsert' ? { mode, key: '"; drop table innocent' } : { mode };
      await write(items, { table, create: columns, ...key }).run();
      const rows = collect<Row>();
      await new ConcurrentPipeline(
        new PostgresSource<Row>({ connection: database().url, table, resumeKey: '"; drop table innocent' }),
        rows,
      ).run();
      expect(rows.items).toEqual(items);
      expect(await database().query('select count(*)::int as n from innocent')).toEqual([{ n: 0 }]);
    });

    it(`writes by ${mode} rows of many columns, and a value of 50 MB`, async () => {
      const table = `wide_${mode}`;
      const names = Array.from({ length: 12 }, (_, at) => `c${at}`);
      await database().query(
        `create table ${table} (id int primary key, ${names.map((name) => `${name} text`).join(', ')})`,
      );
      const items: Row[] = Array.from({ length: 9000 }, (_, id) => ({
        id,
        ...Object.fromEntries(names.map((name) => [name, `${name} ${id}`])),
      }));
      items[17] = { ...items[17], c0: 'x'.repeat(50_000_000) };
      await write(items, { table, ...how })
        .bufferSize(10_000)
        .run();
      expect(
        await database().query(`select count(*)::int as n, max(length(c0))::int as l from ${table}`),
      ).toEqual([{ n: 9000, l: 50_000_000 }]);
    });
  }

  it('writes into views, partitions, generated and identity columns', async () => {
    await database().query(`
      create table parts (id int generated always as identity, k int, twice int generated always as (k * 2) stored) partition by range (k);
      create table parts_1 partition of parts for values from (0) to (10);
      create table parts_2 partition of parts for values from (10) to (20);
      create view seen as select k from parts`);
    for (const mode of ['copy', 'insert'] as const)
      await write([{ k: 1 }, { k: 11 }], { table: 'parts', mode }).run();
    await write([{ k: 12 }], { table: 'seen', mode: 'insert' }).run();
    expect(await database().query('select id, k, twice from parts order by id')).toEqual([
      { id: 1, k: 1, twice: 2 },
      { id: 2, k: 11, twice: 22 },
      { id: 3, k: 1, twice: 2 },
      { id: 4, k: 11, twice: 22 },
      { id: 5, k: 12, twice: 24 },
    ]);
    await expect(write([{ k: 1, twice: 3 }], { table: 'parts' }).run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_COLUMN_UNKNOWN',
    });
    const letters = collect<DeadLetter<Row>>();
    await write([{ k: 99 }, { k: 2 }], { table: 'parts' })
      .deadLetter(letters)
      .run();
    expect(letters.items.map(({ error }) => error.code)).toEqual(['SW_POSTGRES_DATA_INVALID']);
  });

  it('upserts keys that are one to the server and two as texts, nulls, and what takes the place of a deleted row', async () => {
    await database().query('create table keyed (k numeric unique, t text unique)');
    await database().query(`insert into keyed values (7, 'taken')`);
    const items = [
      { k: '1.0', t: 'a' },
      { k: '1.00', t: 'b' },
      { k: null, t: 'null 1' },
      { k: null, t: 'null 2' },
      { k: 7, t: '' },
      { k: 8, t: 'taken' },
    ];
    await write(items, { table: 'keyed', mode: 'upsert', key: 'k', delete: ({ t }) => t === '' }).run();
    expect(await database().query('select k::text as k, t from keyed order by t')).toEqual([
      { k: '1.00', t: 'b' },
      { k: null, t: 'null 1' },
      { k: null, t: 'null 2' },
      { k: '8', t: 'taken' },
    ]);
    await database().query('create table texts (k text primary key, n int)');
    await write(
      [
        { k: '', n: 1 },
        { k: 'x', n: 2 },
      ],
      { table: 'texts', mode: 'upsert', key: 'k' },
    ).run();
    expect(await database().query('select * from texts order by k')).toEqual([
      { k: '', n: 1 },
      { k: 'x', n: 2 },
    ]);
  });

  it('takes dates of every era, and a bigint inside JSON with its digits', async () => {
    await database().query('create table dated (id int, at timestamptz, j jsonb)');
    const dates = ['2026-01-02T03:04:05.678Z', '+012026-01-02T03:04:05.000Z', '-000043-03-15T00:00:00.000Z'];
    const hasRawJson = 'rawJSON' in JSON;
    await write(
      dates.map((at, id) => ({ id, at: new Date(at), j: hasRawJson ? { n: 2n ** 60n + 1n } : { n: 1n } })),
      { table: 'dated' },
    ).run();
    const rows = await database().query(
      `select to_char(at at time zone 'UTC', 'YYYY-MM-DD BC') as at, j->>'n' as n from dated order by id`,
    );
    const n = hasRawJson ? '1152921504606846977' : '1';
    expect(rows).toEqual([
      { at: '2026-01-02 AD', n },
      { at: '12026-01-02 AD', n },
      { at: '0044-03-15 BC', n },
    ]);
  });

  it('writes by copy what insert writes: texts of every length and alphabet, numbers, dates and nulls', async () => {
    const random = new Random(11);
    const pick = <V>(values: readonly V[]): V => values[random.integer(0, values.length - 1)] as V;
    const letters = [
      'a',
      'Z',
      ' ',
      '\\',
      '\t',
      '\n',
      '\r',
      '"',
      '\b',
      '\x7f',
      '\x80',
      'ü',
      '\u07ff',
      '\u0800',
      '漢',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '🙂',
      '\u{10ffff}',
    ];
    const numbers = [
      0,
      -0,
      9,
      10,
      99,
      100,
      2 ** 31 - 1,
      -(2 ** 31),
      2 ** 31,
      -(2 ** 31) - 1,
      1e21,
      5e-324,
      0.1,
      -1.5,
    ];
    // Some longer than what is encoded by hand, some longer than a message.
    const lengths = [0, 1, 2, 5, 20, 47, 48, 49, 100, 1000, 70_000];
    const items = Array.from({ length: 600 }, (_, id) => ({
      id,
      t: Array.from({ length: id % 60 === 0 ? pick(lengths) : random.integer(0, 59) }, () =>
        random.chance(0.5) ? pick(letters) : 'x',
      ).join(''),
      f: random.chance(0.5) ? pick(numbers) : random.integer(0, 2 ** 32 - 1) - 2 ** 31,
      as: pick(numbers),
      flag: random.chance(0.5),
      at: random.chance(0.2) ? null : new Date(random.integer(0, 2 ** 32 - 1) * 1000),
      j: random.chance(0.5) ? { [pick(letters)]: pick(letters) } : undefined,
    }));
    for (const mode of ['copy', 'insert'] as const) {
      await database().query(
        `create table same_${mode} (id int, t text, f float8, "as" text, flag boolean, at timestamptz, j jsonb)`,
      );
      await write(items, { table: `same_${mode}`, mode }).run();
    }
    expect(
      await database().query(
        '(select * from same_copy except select * from same_insert) union all (select * from same_insert except select * from same_copy)',
      ),
    ).toEqual([]);
    const rows = await database().query('select id, t, f, flag, "as" from same_copy order by id');
    // -0 is written as JavaScript writes it.
    expect(rows).toEqual(
      items.map(({ id, t, f, flag, as }) => ({ id, t, f: f === 0 ? 0 : f, flag, as: String(as) })),
    );
  });

  it('refuses NUL and halves of pairs by copy in texts of every length', async () => {
    await database().query('create table halves (id int, t text)');
    const bad = ['\0', '\ud800', '\udc00', '\udc00\ud800', '\ud800\ud800\udc00'].flatMap((half) =>
      ['', 'x', 'x'.repeat(100)].flatMap((other) => [half + other, other + half, other + half + other]),
    );
    const letters = collect<DeadLetter<Row>>();
    const report = await write(
      bad.map((t, id) => ({ id, t })),
      { table: 'halves' },
    )
      .deadLetter(letters)
      .run();
    expect([report.written, report.deadLettered]).toEqual([0, bad.length]);
    // By the sink: the server would blame the text of the whole batch.
    expect(letters.items.every(({ error }) => error.message.startsWith('Row '))).toBe(true);
  });

  it('inserts types whose arrays are written in another way, or become columns, or whose name is short for a length', async () => {
    await database().query(`create type pair as (a int, b text);
      create table odd (id int, bx box, p point, b3 bit(3), vb varbit, c "char", pr pair, prs pair[])`);
    const row = {
      id: 1,
      bx: '(3,4),(1,2)',
      p: '(1,2)',
      b3: '101',
      vb: '10110',
      c: 'x',
      pr: '(1,"a,b")',
      prs: '{"(1,x)",NULL}',
    };
    await write([row, { ...row, id: 2, bx: null }], { table: 'odd', mode: 'insert' }).run();
    expect(
      await database().query(
        'select id, bx::text, p::text, b3::text, vb::text, c, pr::text, prs::text from odd order by id',
      ),
    ).toEqual([row, { ...row, id: 2, bx: null }]);
  });

  it('blames no row for what a trigger cannot help, and the right one for what it refuses', async () => {
    await database().query(`
      create table guarded (id int);
      create function guard() returns trigger language plpgsql as $$ begin
        if new.id % 10 = 3 then raise exception 'refused %', new.id; end if; return new; end $$;
      create trigger guard before insert on guarded for each row execute function guard()`);
    const letters = collect<DeadLetter<Row>>();
    const report = await write(
      Array.from({ length: 50 }, (_, id) => ({ id })),
      { table: 'guarded' },
    )
      .deadLetter(letters)
      .run();
    expect([report.written, report.deadLettered]).toEqual([45, 5]);
    expect(letters.items.map(({ error }) => error.message).join()).not.toContain('refused 3');
  });
});
