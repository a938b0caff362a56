import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { type FaultProxy, openFaultProxy } from '../src/fault-proxy.ts';
import { withLeakCheck } from '../src/leak-check.ts';

/** Answers what it is sent, and remembers it. */
async function openEcho(): Promise<{
  readonly port: number;
  readonly received: Buffer[];
  close(): Promise<void>;
}> {
  const received: Buffer[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      received.push(bytes);
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    received,
    async close() {
      if (!server.listening) return;
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Client {
  readonly got: Buffer;
  readonly isReset: boolean;
  send(bytes: string | Buffer): void;
  /** Until so many bytes came back. */
  has(bytes: number): Promise<void>;
  closed(): Promise<void>;
  end(): void;
  destroy(): void;
}

function connect(port: number): Client {
  const socket = net.connect(port, '127.0.0.1');
  let got = Buffer.alloc(0);
  let isReset = false;
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
  });
  socket.on('error', () => {
    isReset = true;
  });
  socket.on('data', (bytes) => {
    got = Buffer.concat([got, bytes]);
    socket.emit('grown');
  });
  return {
    get got() {
      return got;
    },
    get isReset() {
      return isReset;
    },
    send: (bytes) => void socket.write(bytes),
    async has(bytes) {
      while (got.length < bytes) await once(socket, 'grown');
    },
    closed: () => gone,
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}

async function withProxy(
  body: (proxy: FaultProxy, echo: Awaited<ReturnType<typeof openEcho>>) => Promise<void>,
): Promise<void> {
  await withLeakCheck(async () => {
    const echo = await openEcho();
    const proxy = await openFaultProxy({ target: { port: echo.port }, seed: 7 });
    try {
      await body(proxy, echo);
    } finally {
      await proxy.close();
      await echo.close();
    }
  });
}

describe('openFaultProxy', () => {
  it('passes megabytes both ways, byte for byte, and an end', () =>
    withProxy(async (proxy) => {
      const sent = Buffer.from(Uint8Array.from({ length: 5_000_000 }, (_, i) => (i * 31) % 251));
      const client = connect(proxy.port);
      client.send(sent);
      await client.has(sent.length);
      expect(client.got.equals(sent)).toBe(true);
      client.end();
      await client.closed();
      expect(client.isReset).toBe(false);
      expect(Object.values(proxy.counts).every((count) => count === 0)).toBe(true);
      await expect.poll(() => proxy.connections).toBe(0);
    }));

  it('cuts a reply behind its nth byte', () =>
    withProxy(async (proxy, echo) => {
      proxy.cutAfter(5);
      const client = connect(proxy.port);
      client.send('0123456789');
      await client.closed();
      // Whether what was sent before is followed by a reset or by an end is the system's.
      expect(client.got.toString()).toBe('01234');
      expect(Buffer.concat(echo.received).toString()).toBe('0123456789');
      expect(proxy.counts.cut).toBe(1);
    }));

  it('cuts a request behind its nth byte', () =>
    withProxy(async (proxy, echo) => {
      proxy.cutAfter(5, 'request');
      const client = connect(proxy.port);
      client.send('0123456789');
      await client.closed();
      await expect.poll(() => Buffer.concat(echo.received).toString()).toBe('01234');
      expect(proxy.counts.cut).toBe(1);
    }));

  it('drops the reply alone: the request arrives, and the connection is reset', () =>
    withProxy(async (proxy, echo) => {
      proxy.dropReply((request) => request.includes(0x63));
      const client = connect(proxy.port);
      client.send('ab');
      await client.has(2);
      client.send('commit');
      await client.closed();
      expect([client.got.toString(), client.isReset]).toEqual(['ab', true]);
      expect(Buffer.concat(echo.received).toString()).toBe('abcommit');
      expect(proxy.counts.repliesDropped).toBe(1);
      // It was for that one request: others go on.
      const other = connect(proxy.port);
      other.send('commit');
      await other.has(6);
      other.end();
      await other.closed();
    }));

  it('flips one bit of one byte', () =>
    withProxy(async (proxy) => {
      proxy.flipAfter(3);
      const client = connect(proxy.port);
      client.send('0000000');
      await client.has(7);
      const wrong = [...client.got].flatMap((byte, at) => (byte === 0x30 ? [] : [[at, byte ^ 0x30]]));
      expect(wrong).toHaveLength(1);
      const [at, bits] = wrong[0] as [number, number];
      expect(at).toBe(3);
      expect(Math.log2(bits) % 1).toBe(0);
      expect(proxy.counts.flipped).toBe(1);
      client.end();
      await client.closed();
    }));

  it('holds pieces back in order, and keeps to a bandwidth', () =>
    withProxy(async (proxy) => {
      proxy.delay(30, { jitterMs: 20 });
      const client = connect(proxy.port);
      const start = performance.now();
      client.send('a');
      await client.has(1);
      // There and back.
      expect(performance.now() - start).toBeGreaterThanOrEqual(59);
      expect(proxy.counts.delayed).toBe(2);
      proxy.restore();
      proxy.limit(20_000, { direction: 'reply' });
      const before = performance.now();
      client.send(Buffer.alloc(4000, 'b'));
      await client.has(4001);
      expect(performance.now() - before).toBeGreaterThanOrEqual(150);
      expect(proxy.counts.limited).toBeGreaterThan(5);
      client.end();
      await client.closed();
    }));

  it('swallows everything while it is a black hole, and passes what comes after', () =>
    withProxy(async (proxy, echo) => {
      const client = connect(proxy.port);
      client.send('a');
      await client.has(1);
      proxy.blackhole('request');
      client.send('lost');
      await expect.poll(() => proxy.counts.swallowed).toBe(4);
      proxy.restore();
      client.send('b');
      await client.has(2);
      expect([client.got.toString(), Buffer.concat(echo.received).toString()]).toEqual(['ab', 'ab']);
      client.end();
      await client.closed();
    }));

  it('refuses new connections, resets those there are, and lets them in again', () =>
    withProxy(async (proxy) => {
      const first = connect(proxy.port);
      first.send('a');
      await first.has(1);
      proxy.refuse();
      const second = connect(proxy.port);
      await second.closed();
      proxy.reset();
      await first.closed();
      expect([first.isReset, proxy.counts.refused, proxy.counts.cut]).toEqual([true, 1, 1]);
      proxy.restore();
      const third = connect(proxy.port);
      third.send('c');
      await third.has(1);
      third.end();
      await third.closed();
    }));

  it('leaves no handle where a connection is reset while an end is passed on', () =>
    withProxy(async (proxy, echo) => {
      const client = connect(proxy.port);
      client.send('hello');
      await client.has(5);
      // The moment is short: the end has been handed to the system, which has not done it yet.
      const end = vi.spyOn(net.Socket.prototype, 'end').mockImplementation(function (this: net.Socket) {
        end.mockRestore();
        this.end();
        process.nextTick(() => process.nextTick(() => proxy.reset()));
        return this;
      });
      client.destroy();
      await client.closed();
      await expect.poll(() => proxy.connections).toBe(0);
      expect([proxy.counts.cut, echo.received.length]).toEqual([1, 1]);
    }));

  it('is gone from the client where the target is', () =>
    withProxy(async (proxy, echo) => {
      await echo.close();
      const client = connect(proxy.port);
      await client.closed();
      await expect.poll(() => proxy.connections).toBe(0);
    }));
});
