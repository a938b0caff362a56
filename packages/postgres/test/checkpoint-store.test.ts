import { expect, it } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('PostgresCheckpointStore', (database) => {
  it('keeps positions, and fences whoever had the name before', async () => {
    await using store = new PostgresCheckpointStore({ connection: database().url });
    const first = await store.acquire('orders');
    await first.save(
      'orders',
      new Map<string, unknown>([
        ['a', 1n << 60n],
        ['b', new Date(5)],
      ]),
    );
    const second = await store.acquire('orders');
    await expect(first.save('orders', new Map([['a', 2]]))).rejects.toMatchObject({
      code: 'SW_CHECKPOINT_FENCED',
    });
    expect(await second.load('orders')).toEqual(
      new Map<string, unknown>([
        ['a', 1n << 60n],
        ['b', new Date(5)],
      ]),
    );
  });
});
