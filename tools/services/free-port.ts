import { once } from 'node:events';
import net from 'node:net';

/**
 * A port of loopback on which nothing listens. It lies below those that systems give to connections that go out: while a
 * server that was crashed is down, none of them takes its port, nor does a client that tries to reach it reach itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = net.createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
