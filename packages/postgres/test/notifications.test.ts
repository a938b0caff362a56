import { ConcurrentPipeline } from '@streamweld/core';
import { expect, it } from 'vitest';
import { type Notification, PostgresNotificationSource } from '../src/source-notifications.ts';
import { describeWithPostgres } from './service.ts';

/** A sink that tells when it has got so many items. */
function counting(): {
  readonly items: Notification[];
  write(batch: readonly Notification[]): void;
  has(count: number): Promise<void>;
} {
  const items: Notification[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    items,
    write(batch) {
      items.push(...batch);
      for (const { count, resolve } of waiting) if (items.length >= count) resolve();
    },
    has: (count) => new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

describeWithPostgres('PostgresNotificationSource', (database) => {
  it('hands out what is notified, marks the gap after a lost connection, and leaves nothing', async () => {
    const source = new PostgresNotificationSource({
      connection: database().url,
      channel: 'Or"ders',
      name: 'orders',
    });
    const sink = counting();
    const pipeline = new ConcurrentPipeline(source, sink);
    const three = sink.has(3);
    const run = pipeline.run();
    const listener = "select pid from pg_stat_activity where application_name = 'streamweld orders'";
    const notify = (payload: string) => database().query('select pg_notify($1, $2)', ['Or"ders', payload]);
    await expect
      .poll(() =>
        database()
          .query(listener)
          .then((rows) => rows.length),
      )
      .toBe(1);
    await expect.poll(() => pipeline.state).toBe('running');
    await notify('one');
    const reconnected = sink.has(2);
    await database().query(`select pg_terminate_backend(pid) from (${listener}) as l`);
    await reconnected;
    await notify('two');
    await three;
    await pipeline.drain();
    expect((await run).written).toBe(3);
    expect(sink.items).toEqual([
      { channel: 'Or"ders', payload: 'one' },
      { channel: 'Or"ders', payload: undefined, gap: 'reconnected' },
      { channel: 'Or"ders', payload: 'two' },
    ]);
    await expect.poll(() => database().query(listener)).toEqual([]);
  });
});
