import { ConcurrentPipeline } from '@streamweld/core';
import net from 'node:net';
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
    const one = sink.has(1);
    await notify('one');
    await one;
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

  it('fails when reconnectMs has passed, though the server that does not answer was given longer to connect', async () => {
    const { hostname, port } = new URL(database().url);
    let isDumb = false;
    const sockets: net.Socket[] = [];
    const relay = net.createServer((client) => {
      client.on('error', () => {});
      sockets.push(client);
      if (isDumb) return;
      const server = net.connect({ host: hostname, port: Number(port || 5432) });
      server.on('error', () => {});
      client.pipe(server).pipe(client);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const url = new URL(database().url);
    url.hostname = '127.0.0.1';
    url.port = String((relay.address() as net.AddressInfo).port);
    try {
      const source = new PostgresNotificationSource({
        connection: url.href,
        channel: 'dumb',
        name: 'dumb',
        reconnectMs: 400,
      });
      const sink = counting();
      const heard = sink.has(1);
      const running = new ConcurrentPipeline(source, sink).run();
      running.catch(() => {});
      await expect
        .poll(() => database().query("select 1 as n from pg_stat_activity where query like 'listen%dumb%'"))
        .toEqual([{ n: 1 }]);
      await database().query("notify dumb, 'one'");
      await heard;
      isDumb = true;
      const began = performance.now();
      for (const socket of sockets) socket.destroy();
      const error = (await running.catch((thrown: unknown) => thrown)) as Error;
      expect(error).toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true });
      expect(error.message).toMatch(/^dumb lost its connection, .* 400 ms .*reconnectMs/);
      expect(performance.now() - began).toBeLessThan(5000);
    } finally {
      for (const socket of sockets) socket.destroy();
      relay.close();
    }
  });
});
