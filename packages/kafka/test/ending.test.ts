/** How sources and sinks end: soon, also where nothing comes, and with nothing left of them, however often they come and go. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { type FaultProxy, listenersOf, openFaultProxy, withLeakCheck } from '@streamweld/testing';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { KafkaSink } from '../src/sink.ts';
import { reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

/** Of a request of the protocol: it stands behind the length. */
const FETCH = 1;

let proxy: FaultProxy;
afterAll(() => proxy?.close());
afterEach(() => proxy?.restore());

/** Settles when the next fetch comes by: from then on the broker waits for records. */
function nextFetch(): Promise<void> {
  return new Promise((resolve) => {
    proxy.dropReply((request) => {
      if (request.length > 6 && Buffer.from(request).readInt16BE(4) === FETCH) resolve();
      return false;
    });
  });
}

describeWithKafka(
  'what ends',
  (brokers) => {
    const { produce, run, source } = reading(brokers);
    const reach = () => ({ brokers: brokers().service.at('proxied') });

    describe('while a fetch waits on a topic where nothing comes', () => {
      const { signal } = new AbortController();
      const open = async (topics: string) => {
        const own = source({ topics, groupId: randomUUID(), ...reach() });
        await own.open({
          positions: new Map(),
          signal,
          settled: () => Promise.resolve(),
          endLane: () => {},
          fail: () => {},
        });
        return own;
      };

      it.each<[string, (topics: string) => Promise<() => Promise<unknown>>]>([
        [
          'drain()',
          async (topics) => {
            const reader = run({ topics, groupId: randomUUID(), ...reach() });
            await reader.until(10);
            return () => reader.end();
          },
        ],
        [
          'abort()',
          async (topics) => {
            const reader = run({ topics, groupId: randomUUID(), ...reach() });
            await reader.until(10);
            return () => reader.pipeline.abort(new Error('over'));
          },
        ],
        [
          'the signal of the run',
          async (topics) => {
            const controller = new AbortController();
            let seen = 0;
            const own = source({ topics, groupId: randomUUID(), ...reach() });
            const done = new ConcurrentPipeline(from(own), (batch: readonly unknown[]) => {
              seen += batch.length;
            }).run({ signal: controller.signal });
            done.catch(() => {});
            await expect.poll(() => seen, { interval: 5 }).toBe(10);
            return () => {
              controller.abort(new Error('over'));
              return done.catch(() => {});
            };
          },
        ],
        [
          'stop() and close() of the source, with a pull that waits',
          async (topics) => {
            const own = await open(topics);
            let seen = 0;
            while (seen < 10) seen += (await own.pull(10))?.items.length ?? 0;
            const pull = own.pull(10);
            return async () => {
              own.stop();
              expect(await pull).toBeUndefined();
              await own.close();
            };
          },
        ],
      ])('%s ends within a second, and leaves nothing behind', async (_, begin) => {
        const topics = await brokers().topic();
        await produce(topics, 10);
        const took: number[] = [];
        for (let time = 0; time < 3; time += 1) {
          await withLeakCheck(async () => {
            const end = await begin(topics);
            await nextFetch();
            const begun = performance.now();
            await end();
            took.push(performance.now() - begun);
          });
          expect(proxy.connections).toBe(0);
        }
        // A machine may be busy once.
        expect(Math.min(...took)).toBeLessThan(1000);
      });
    });

    it('comes and goes a hundred times: handles, listeners and connections do not add up', async () => {
      const topics = await brokers().topic();
      const groupId = randomUUID();
      await produce(topics, 1);
      await withLeakCheck(async (leaks) => {
        const { signal } = leaks.controller();
        /** What there is after each. */
        const left: { handles: number; listeners: number; connections: number }[] = [];
        for (let time = 0; time < 100; time += 1) {
          const sink = new KafkaSink<string>({ ...reach(), topic: topics });
          await sink.open({ signal, fail() {} });
          await sink.write([`value ${time}`], { signal, attempt: 1, defer: undefined as never });
          await sink.close();
          const own = source({ ...reach(), topics, groupId });
          await own.open({
            positions: new Map(),
            signal,
            settled: () => Promise.resolve(),
            endLane: () => {},
            fail: () => {},
          });
          const answer = await own.pull(10);
          await own.commit(new Map([[`${topics}/0`, answer?.position as never]]));
          own.stop();
          await own.close();
          // A socket that was closed is gone a turn later.
          await expect.poll(() => proxy.connections, { interval: 1 }).toBe(0);
          left.push({
            handles: process.getActiveResourcesInfo().length,
            listeners:
              listenersOf(signal) +
              process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
            connections: proxy.connections,
          });
        }
        const most = (of: typeof left, what: keyof (typeof left)[number]): number =>
          Math.max(...of.map((each) => each[what]));
        // What came and stayed would be there ninety times over; a timer of somebody else comes and goes.
        for (const what of ['handles', 'listeners', 'connections'] as const)
          expect(most(left.slice(-10), what), what).toBeLessThan(most(left.slice(0, 10), what) + 10);
        expect(listenersOf(signal)).toBe(0);
      });
    });
  },
  {
    from: ['docker', 'java'],
    async proxy(port) {
      proxy = await openFaultProxy({ target: { port } });
      return proxy.port;
    },
  },
);
