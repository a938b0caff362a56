import { collect, ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { expect, it } from 'vitest';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('PostgresSource', (database) => {
  it('reads what a query answers, in its order', async () => {
    const rows = collect<{ n: number }>();
    const source = new PostgresSource<{ n: number }>({
      connection: database().url,
      query: 'select n, n::text as t from generate_series(1, 12345) as n',
    });
    const report = await new ConcurrentPipeline(source, rows).run();
    expect(report.written).toBe(12_345);
    expect(rows.items.map(({ n }) => n)).toEqual(Array.from({ length: 12_345 }, (_, i) => i + 1));
  });

  it('resumes behind the last key that was committed', async () => {
    await database().query('create table orders as select n as id from generate_series(1, 5000) as n');
    const store = new MemoryCheckpointStore();
    const read = async (): Promise<number[]> => {
      const rows = collect<{ id: number }>();
      const source = new PostgresSource<{ id: number }>({
        connection: database().url,
        query: 'select * from orders where id > $1',
        resumeKey: 'id',
      });
      await new ConcurrentPipeline(source, rows).checkpoint(store, 'orders').run();
      return rows.items.map(({ id }) => id);
    };
    expect(await read()).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
    expect(await read()).toEqual([]);
    await database().query('insert into orders values (5001), (5002)');
    expect(await read()).toEqual([5001, 5002]);
  });

  it('reads with several readers, each in order, and leaves no connection', async () => {
    await database().query('create table wide as select n as id from generate_series(1, 30000) as n');
    const rows = collect<{ id: number }>();
    const source = new PostgresSource<{ id: number }>({
      connection: database().url,
      table: 'wide',
      resumeKey: 'id',
      readers: 4,
    });
    const report = await new ConcurrentPipeline(source, rows).run();
    expect(rows.items.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 30_000 }, (_, i) => i + 1),
    );
    expect([...report.positions.keys()].toSorted()).toEqual(['1', '2', '3', '4']);
    const left = await database().query(
      "select 1 from pg_stat_activity where application_name like 'streamweld%'",
    );
    expect(left).toEqual([]);
  });
});
