/** The shared rules of sinks, put to S3Sink. A test begins with the number of the rule. */

import { type FaultProxy, openFaultProxy, sinkSuite } from '@streamweld/testing';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import { isCommitted } from '../src/ledger.ts';
import { S3Sink } from '../src/sink.ts';
import { Killable } from './killable.ts';
import { describeWithS3 } from './service.ts';
import { type Item, objectKeys, readLedger, readObject } from './writing.ts';

describeWithS3('the rules', (buckets) => {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await openFaultProxy({ target: { port: buckets().service.port } });
  });
  afterAll(() => proxy.close());

  const alive = new Map<S3Sink<Item>, Killable>();
  afterEach(() => alive.clear());
  let places = 0;
  const reach = () => ({ ...buckets().reach, endpoint: `http://127.0.0.1:${proxy.port}` });
  const options = (prefix: string) => ({
    bucket: buckets().bucket,
    key: `${prefix}{sequence}.ndjson`,
    ledger: `${prefix}ledger.json`,
    format: 'ndjson' as const,
    // So that there is something to wait for.
    maxOpen: 2,
    roll: { maxItems: 400 },
  });
  const create = (prefix: string): S3Sink<Item> => {
    const killable = new Killable(reach());
    const sink = new S3Sink<Item>({ client: killable.store, ...options(prefix) });
    alive.set(sink, killable);
    const close = sink.close.bind(sink);
    sink.close = async (reason) => {
      await close(reason).finally(() => killable.close());
    };
    return sink;
  };
  /** By the rule for readers: what is not committed, or void, is not there. */
  const read = async (prefix: string): Promise<Item[]> => {
    const keys = await objectKeys(buckets(), prefix);
    if (keys.length === 0) return [];
    const ledger = await readLedger(buckets(), `${prefix}ledger.json`);
    const found: Item[] = [];
    for (const key of keys) {
      const sequence = Number(/(\d+)\.ndjson$/.exec(key)?.[1]);
      if (ledger.checkpoint !== null && !isCommitted(ledger, sequence)) continue;
      found.push(...(await readObject(buckets(), key)));
    }
    return found;
  };

  sinkSuite<Item, string>({ describe: (_title, body) => body(), test }, 'S3Sink', {
    prepare: () => `place-${places++}/`,
    create,
    createKeeping: create,
    item: (index) => ({ id: index, text: `an item told apart ${index}` }),
    read,
    createDenied: (prefix, secret) =>
      new S3Sink<Item>({
        ...reach(),
        ...options(prefix),
        credentials: { ...buckets().service.credentials, secretAccessKey: secret },
      }),
    badItem: (secret) => ({ id: 1n as unknown as number, text: secret }),
    interrupt: () => proxy.dropReply(() => true),
    stall() {
      proxy.blackhole();
      return () => {
        proxy.restore();
        proxy.reset();
      };
    },
    async kill() {
      const killed = [...alive];
      alive.clear();
      for (const [, killable] of killed) killable.kill();
      // What is left of them in this process goes as well.
      await Promise.all(killed.map(([sink]) => sink.close(new Error('killed'))));
    },
  });
});
