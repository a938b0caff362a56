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

  it('does not resume behind the end of the log, where the server would pass by what comes and say nothing', async () => {
    await database().query('create table restored (id int primary key)');
    const store = new MemoryCheckpointStore();
    const run = async (): Promise<unknown> => {
      const source = new PostgresChangeSource({
        connection: database().url,
        slot: 'restored',
        publication: 'restored',
        tables: ['restored'],
        snapshot: false,
      });
      let drain = (): void => {};
      const pipeline = new ConcurrentPipeline(source, () => drain()).checkpoint(store, 'restored');
      drain = () => void pipeline.drain();
      const running = pipeline.run();
      const isStreaming = expect
        .poll(
          () =>
            database().query("select 1 from pg_replication_slots where slot_name = 'restored' and active"),
          { timeout: 10_000 },
        )
        .toHaveLength(1);
      await Promise.race([isStreaming, running]);
      await database().query('insert into restored select coalesce(max(id), 0) + 1 from restored');
      return await running;
    };
    await run();
    store.save('restored', new Map([['', { lsn: 'FFFFFFF/0' }]]));
    await expect(run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_SLOT_INVALID',
      message: expect.stringContaining("FFFFFFF/0, lies behind the end of the server's log"),
    });
    await database().query("select pg_drop_replication_slot('restored')");
  });
});
