/** Sessions, as the sources, the sink and the store use them. */

import { ConcurrentPipeline } from '@streamweld/core';
import net from 'node:net';
import { expect, it, vi } from 'vitest';
import { Replication } from '../src/replication.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

/** ReadyForQuery, outside a transaction. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');

/** Passes a connection on, and keeps back that the server is ready until it has ended the session: both come at once. */
async function openRelay(target: { readonly host: string; readonly port: number }): Promise<net.Server> {
  const relay = net.createServer((client) => {
    const server = net.connect(target);
    let held: Buffer | undefined;
    client.pipe(server);
    server.on('data', (bytes) => {
      if (held !== undefined) held = Buffer.concat([held, bytes]);
      else if (bytes.subarray(-READY.length).equals(READY)) held = bytes;
      else client.write(bytes);
    });
    server.on('end', () => client.end(held ?? ''));
    for (const socket of [client, server]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return relay;
}

describeWithPostgres('sessions', (database) => {
  it('[fault 78] fail, and do not end the process, where one is terminated in the moment in which it is ready', async () => {
    const url = new URL(database().url);
    const relay = await openRelay({ host: url.hostname, port: Number(url.port) });
    try {
      url.hostname = '127.0.0.1';
      url.port = String((relay.address() as net.AddressInfo).port);
      const source = new PostgresSource({ connection: url.href, query: 'select 1 as n', name: 'ended' });
      const running = new ConcurrentPipeline(source, () => {}).run();
      await Promise.all([
        expect
          .poll(
            () =>
              database().query(
                "select pg_terminate_backend(pid) as done from pg_stat_activity where application_name like 'streamweld%' and datname = current_database()",
              ),
            { timeout: 10_000, interval: 5 },
          )
          .toEqual([{ done: true }]),
        expect(running).rejects.toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST' }),
      ]);
    } finally {
      await new Promise((resolve) => relay.close(resolve));
    }
  });

  it('have the system see whether the other side is still there, also for changes', async () => {
    const keepAlive = vi.spyOn(net.Socket.prototype, 'setKeepAlive');
    const url = new URL(database().url);
    const options = {
      host: url.hostname,
      port: Number(url.port),
      user: 'postgres',
      database: url.pathname.slice(1),
    };
    try {
      for (const connection of [url.href, options]) {
        keepAlive.mockClear();
        const source = new PostgresSource({ connection, query: 'select 1 as n' });
        await new ConcurrentPipeline(source, () => {}).run();
        expect(keepAlive).toHaveBeenCalledWith(true, 30_000);
        keepAlive.mockClear();
        const replication = new Replication(connection, 'kept alive');
        await replication.connect();
        await replication.close();
        expect(keepAlive).toHaveBeenCalledWith(true, 30_000);
      }
    } finally {
      keepAlive.mockRestore();
    }
  });
});
