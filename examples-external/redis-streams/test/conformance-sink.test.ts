/** The shared rules of sinks, put to that of Redis Streams. A test begins with the number of the rule. */

import { test } from 'node:test';
import { openFaultProxy, sinkSuite } from '@streamweld/testing';
import { RedisStreamSink } from '../src/index.ts';
import { freshStream, type Numbered, numbered, readBack, startService } from './service.ts';

const service = await startService();
const proxy = await openFaultProxy({ target: { port: service.port } });
test.after(() => proxy.close());
const throughProxy = { connection: service.url.replace(`:${service.port}`, `:${proxy.port}`) };
const runner = { describe: (_title: string, body: () => void) => body(), test };

const open = new Set<RedisStreamSink<Numbered>>();
const create = (stream: string): RedisStreamSink<Numbered> => {
  const sink = new RedisStreamSink<Numbered>({ ...throughProxy, stream });
  open.add(sink);
  return sink;
};

sinkSuite<Numbered, string>(runner, 'RedisStreamSink', {
  prepare: () => freshStream(),
  create,
  createKeeping: create,
  largeCount: 30_000,
  item: numbered,
  read: (stream) => readBack(service, stream),
  createDenied: (_stream, secret) =>
    new RedisStreamSink<Numbered>({
      connection: `redis://:${secret}@127.0.0.1:${service.port}`,
      stream: 'hits',
    }),
  badItem: (secret) => ({ n: { secret } as never, text: secret }),
  interrupt: () => proxy.dropReply(() => true),
  stall() {
    proxy.blackhole();
    return () => {
      proxy.restore();
      proxy.reset();
    };
  },
  kill() {
    proxy.reset();
    // What is left of them in this process goes as well.
    for (const sink of open) sink.close();
    open.clear();
  },
});
