import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { expect, it } from 'vitest';
import type { Change } from '../src/changes.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('PostgresChangeSource', (database) => {
  it('hands out what is there, then what changes, and goes on behind it in the next run', async () => {
    const { url } = database();
    await database().query('create table products (id int primary key, name text, price numeric)');
    await database().query("insert into products select n, 'p' || n, n from generate_series(1, 2500) as n");
    const store = new MemoryCheckpointStore();
    const replica = new Map<number, unknown>();
    const seen: Change[] = [];
    const run = async (until: (count: number) => boolean, act: () => Promise<void>): Promise<void> => {
      let count = 0;
      let done = (): void => {};
      const reached = new Promise<void>((resolve) => {
        done = resolve;
      });
      const source = new PostgresChangeSource({
        connection: url,
        slot: 'products',
        publication: 'products',
        tables: ['products'],
      });
      const pipeline = new ConcurrentPipeline(source, (batch: readonly Change[]) => {
        for (const change of batch) {
          seen.push(change);
          if (change.old !== null) replica.delete((change.old as { id: number }).id);
          if (change.new !== null) replica.set((change.new as { id: number }).id, change.new);
          if (change.kind === 'truncate') replica.clear();
        }
        count += batch.length;
        if (until(count)) done();
      }).checkpoint(store, 'products');
      const running = pipeline.run();
      await Promise.race([act(), running]);
      await Promise.race([reached, running]);
      await pipeline.drain();
      await running;
    };
    await run(
      (count) => count >= 2502,
      async () => {
        await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2500);
        await database().query('update products set price = price + 0.5 where id = 7');
        await database().query('delete from products where id = 8');
      },
    );
    expect(seen.at(-2)).toMatchObject({ kind: 'update', table: 'products', new: { id: 7, price: '7.5' } });
    expect(seen.at(-1)).toMatchObject({ kind: 'delete', old: { id: 8 } });
    await database().query("insert into products values (9000, 'late', 1)");
    const before = seen.length;
    await run(
      (count) => count >= 1,
      () => Promise.resolve(),
    );
    expect(seen.length).toBe(before + 1);
    const rows = await database().query<{ id: number }>(
      'select id, name, price::text as price from products',
    );
    expect(new Map(rows.map((row) => [row.id, row]))).toEqual(replica);
    await expect
      .poll(() =>
        database().query("select 1 from pg_stat_activity where application_name like 'streamweld%'"),
      )
      .toEqual([]);
    expect(
      await database().query("select active from pg_replication_slots where slot_name = 'products'"),
    ).toEqual([{ active: false }]);
    await database().query("select pg_drop_replication_slot('products')");
  });
});
