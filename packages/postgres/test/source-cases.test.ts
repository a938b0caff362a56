/** Queries and keys of a PostgresSource that are easily got wrong. */

import { collect, ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import type { PostgresSourceOptions } from '../src/options.ts';
import { PostgresSource } from '../src/source.ts';
import { parametersOf } from '../src/sql-parameters.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

describe('parametersOf', () => {
  it.each([
    ['select $1, $23', [1, 23]],
    ["select '$1', 'it''s $2', $3", [3]],
    ["select E'\\'$1', $2", [2]],
    ['select "$1", "a""$2", $3', [3]],
    ['select 1 -- $1\n, $2', [2]],
    ['select 1 /* $1 /* $2 */ $3 */, $4', [4]],
    ['select $$ $1 $$, $tag$ $2 $$ $3 $tag$, $4', [4]],
    ['select a$1 from t where b=$2', [2]],
    ["select e'x' || 'y$1", []],
  ])('%s', (sql, found) => {
    expect([...parametersOf(sql)]).toEqual(found);
  });
});

describeWithPostgres('queries and keys of a PostgresSource', (database) => {
  const read = async (options: Omit<PostgresSourceOptions, 'connection'>, buffer = 1000): Promise<Row[]> => {
    const rows = collect<Row>();
    const source = new PostgresSource<Row>({ connection: database().url, ...options });
    await new ConcurrentPipeline(source, rows).bufferSize(buffer).run();
    return [...rows.items];
  };

  it('binds the key and the values of the query, wherever they are', async () => {
    await database().query(
      `create table pairs as select n % 3 as a, n as b, 'costs $1' as t from generate_series(1, 30) as n`,
    );
    const expected = await database().query('select * from pairs where b > 4 order by a, b');
    const ids = (rows: readonly Row[]) => rows.map(({ b }) => b);
    const key = ['a', 'b'];
    const query = `select * from pairs where b > $3 and t <> '$1' -- the last line is a comment`;
    expect(ids(await read({ query, values: [4], resumeKey: key }))).toEqual(ids(expected));
    const asked = 'select * from pairs where (a, b) > ($1, $2) and b > $3;';
    expect(ids(await read({ query: asked, values: [4], resumeKey: key }))).toEqual(ids(expected));
    expect(ids(await read({ query: asked, values: [4], resumeKey: key, resumeFrom: [1, 10] }))).toEqual(
      ids(expected.filter(({ a, b }) => Number(a) > 1 || (a === 1 && Number(b) > 10))),
    );
    // One of two columns is asked for.
    const half = 'select * from pairs where a >= $1 and b > $3';
    expect(ids(await read({ query: half, values: [4], resumeKey: key }))).toEqual(ids(expected));
    expect(ids(await read({ query: 'select * from pairs where b > $1 order by a, b', values: [4] }))).toEqual(
      ids(expected),
    );
    const read4 = await read({
      query: 'select * from pairs where b > $2',
      values: [4],
      resumeKey: 'b',
      readers: 3,
    });
    expect(ids(read4).toSorted((x, y) => Number(x) - Number(y))).toEqual(
      Array.from({ length: 26 }, (_, at) => at + 5),
    );
  });

  it('hands out ties of a key that are longer than a pull, and moves on behind them', async () => {
    await database().query('create table ties as select n / 2500 as k, n from generate_series(0, 9999) as n');
    const store = new MemoryCheckpointStore();
    const rows = collect<Row>();
    const run = () =>
      new ConcurrentPipeline(
        new PostgresSource<Row>({ connection: database().url, table: 'ties', resumeKey: 'k' }),
        rows,
      )
        .bufferSize(64)
        .checkpoint(store, 'ties')
        .run();
    await run();
    expect(new Set(rows.items.map(({ n }) => n)).size).toBe(10_000);
    expect(store.load('ties').get('')).toEqual({ key: [3], types: [23] });
    expect((await run()).written).toBe(0);
  });

  it('refuses nulls in a key, in whichever column', async () => {
    await database().query(
      `create table holes (a int, b int); insert into holes values (1, 1), (1, null), (2, 1), (null, 1)`,
    );
    for (const options of [
      { query: 'select * from holes where a is not null', resumeKey: ['a', 'b'] },
      { table: 'holes', resumeKey: 'a' },
      { table: 'holes', resumeKey: 'a', readers: 3 },
    ]) {
      await expect(read(options)).rejects.toMatchObject({ code: 'SW_POSTGRES_KEY_INVALID' });
    }
  });

  it('reads empty tables, tables without columns, views and partitions', async () => {
    await database().query(`
      create table nothing (id int); create table bare (); insert into bare default values;
      create view v as select 1 as id; create table p (id int) partition by list (id);
      create table p1 partition of p for values in (1); insert into p values (1)`);
    expect(await read({ table: 'nothing', resumeKey: 'id' })).toEqual([]);
    expect(await read({ table: 'nothing', resumeKey: 'id', readers: 4 })).toEqual([]);
    expect(await read({ table: 'bare' })).toEqual([{}]);
    expect(await read({ table: 'v', resumeKey: 'id' })).toEqual([{ id: 1 }]);
    expect(await read({ table: 'p', resumeKey: 'id' })).toEqual([{ id: 1 }]);
  });

  it('asks for fewer rows where they are large', async () => {
    await database().query(
      `create table large as select n as id, repeat('x', 2000000) as t from generate_series(1, 150) as n`,
    );
    const peak = { bytes: 0 };
    const source = new PostgresSource<{ id: number; t: string }>({
      connection: database().url,
      table: 'large',
      resumeKey: 'id',
    });
    let count = 0;
    await new ConcurrentPipeline(source, (batch: readonly { t: string }[]) => {
      count += batch.length;
      peak.bytes = Math.max(
        peak.bytes,
        batch.reduce((sum, { t }) => sum + t.length, 0),
      );
    })
      .bufferSize(10_000)
      .run();
    expect(count).toBe(150);
    // The first are asked for before it is known how large they are.
    expect(peak.bytes).toBeLessThanOrEqual(51 * 2_000_000);
  });
});
