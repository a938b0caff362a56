/** Writing while brokers and connections go away, by the numbers of the table of faults. Each test sees that the fault fired. */

import { ConcurrentPipeline, type Flow, from, range } from '@streamweld/core';
import { type FaultProxy, LeakCheck, openFaultProxy } from '@streamweld/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KafkaClient, KafkaProducer } from '../src/client.ts';
import type { KafkaError } from '../src/errors.ts';
import { KafkaSink } from '../src/sink.ts';
import type { KafkaSinkOptions } from '../src/sink-options.ts';
import { describeWithKafka } from './service.ts';

/** The numbers of requests in Kafka's protocol, which stand behind the length. */
const PRODUCE = 0;
const INIT_PRODUCER_ID = 22;

let proxy: FaultProxy | undefined;
afterAll(() => proxy?.close());
afterEach(() => proxy?.restore());

function through(): FaultProxy {
  if (proxy === undefined) throw new Error('There is a proxy while a test runs.');
  return proxy;
}

function isRequest(key: number): (request: Uint8Array) => boolean {
  return (request) => request.length > 6 && Buffer.from(request).readInt16BE(4) === key;
}

/** Counts requests of this kind that pass from now on, until the proxy is restored. */
function counting(key: number): { count: number } {
  const counted = { count: 0 };
  through().dropReply((request) => {
    if (isRequest(key)(request)) counted.count += 1;
    return false;
  });
  return counted;
}

/** Each number once, in order. */
function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, n) => String(n));
}

describeWithKafka(
  'faults of writing',
  (brokers) => {
    const leaks = new LeakCheck({ deadlineMs: 5000 });
    beforeEach(() => leaks.begin());
    afterEach(() => leaks.end());

    function sink(topic: string, options: Partial<KafkaSinkOptions<number>> = {}): KafkaSink<number> {
      return new KafkaSink<number>({
        brokers: brokers().service.at('proxied'),
        topic,
        batching: { maxItems: 100 },
        ...options,
      });
    }

    /** Tells how far a run is, and resolves when it is there. */
    function watched(count: number): { flow: Flow<number>; reached(n: number): Promise<void> } {
      let at = 0;
      const waiting: { n: number; resolve: () => void }[] = [];
      const flow = from(range(0, count)).map((n) => {
        at = n;
        for (const each of waiting) if (each.n <= at) each.resolve();
        return n;
      });
      return {
        flow,
        reached: (n) =>
          new Promise((resolve) => {
            waiting.push({ n, resolve });
          }),
      };
    }

    it('50 the broker is killed while it is written to, and comes back: everything is there once, in order', async () => {
      const topic = await brokers().topic();
      const { flow, reached } = watched(20_000);
      const running = new ConcurrentPipeline(flow, sink(topic)).bufferSize(200).run();
      await reached(4000);
      await brokers().service.crash();
      await brokers().service.restart();
      await running;
      expect(await brokers().values(topic)).toEqual(numbers(20_000));
    });

    it('51 the broker stands still for longer than a request may take: nothing is lost or there twice', async () => {
      const topic = await brokers().topic();
      const { flow, reached } = watched(4000);
      const running = new ConcurrentPipeline(flow, sink(topic, { requestTimeoutMs: 500 }))
        .bufferSize(200)
        .run();
      await reached(1000);
      const produced = counting(PRODUCE);
      brokers().service.freeze();
      // The same is asked again, more than once.
      await expect.poll(() => produced.count, { timeout: 20_000 }).toBeGreaterThan(3);
      brokers().service.thaw();
      await running;
      expect(await brokers().values(topic)).toEqual(numbers(4000));
    });

    describe('52 K1 an answer is lost when all was written', () => {
      it('nothing is lost or there twice, however often that happens', async () => {
        const topic = await brokers().topic({ partitions: 3 });
        const { flow, reached } = watched(12_000);
        const dropped = through().counts.repliesDropped;
        const running = new ConcurrentPipeline(flow, sink(topic, { key: (n) => String(n % 10) }))
          .bufferSize(200)
          .run();
        for (let at = 1000; at < 12_000; at += 1000) {
          await reached(at);
          through().dropReply(isRequest(PRODUCE));
        }
        await running;
        expect(through().counts.repliesDropped - dropped).toBeGreaterThan(8);
        const read = await brokers().read(topic);
        expect(read.map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual(
          numbers(12_000).map(Number),
        );
        const last = new Map<string, number>();
        for (const { key, value } of read) {
          expect(Number(value)).toBeGreaterThan(last.get(String(key)) ?? -1);
          last.set(String(key), Number(value));
        }
      });

      it('so too where several write into one partition at once', async () => {
        const topic = await brokers().topic();
        const { flow, reached } = watched(12_000);
        const dropped = through().counts.repliesDropped;
        const running = new ConcurrentPipeline(flow, sink(topic, { writers: 4 }))
          .bufferSize(500)
          .maxConcurrency(4)
          .run();
        for (let at = 1000; at < 12_000; at += 1000) {
          await reached(at);
          through().dropReply(isRequest(PRODUCE));
        }
        await running;
        expect(through().counts.repliesDropped - dropped).toBeGreaterThan(8);
        const read = (await brokers().values(topic)).map(Number).sort((a, b) => a - b);
        expect(read).toEqual(numbers(12_000).map(Number));
      });

      it('a producer that failed is thrown away: another, with another identity, writes what was in doubt', async () => {
        const topic = await brokers().topic();
        const { signal } = new AbortController();
        const context = { signal, attempt: 1, defer: undefined as never };
        const writing = sink(topic, { deliveryTimeoutMs: 300, requestTimeoutMs: 200 });
        await writing.open({ signal, fail() {} });
        await writing.write([0], context);
        through().blackhole('reply');
        const failure = (await writing.write([1], context).catch((error: unknown) => error)) as KafkaError;
        expect(failure.code).toMatch(/^SW_KAFKA_(CONNECTION_LOST|TIMEOUT|UNREACHABLE)$/);
        expect(failure.isTransient).toBe(true);
        through().restore();
        through().reset();
        const identities = counting(INIT_PRODUCER_ID);
        await writing.write([1], { ...context, attempt: 2 });
        await writing.write([2], context);
        expect(identities.count).toBe(1);
        await writing.close();
        const values = await brokers().values(topic);
        // It was in doubt, and so may be there twice; but nothing that came after it is missing.
        expect(values.filter((value, at) => values.indexOf(value) === at)).toEqual(['0', '1', '2']);
      });
    });

    it('closed while it writes, it begins nothing more', async () => {
      const topic = await brokers().topic();
      const { signal } = new AbortController();
      const failures: unknown[] = [];
      const writing = sink(topic, { maxBatchBytes: 20_000 });
      await writing.open({ signal, fail: (error) => failures.push(error) });
      const produced = counting(PRODUCE);
      through().delay(50, { direction: 'reply' });
      const items = Array.from({ length: 50_000 }, (_, n) => n);
      const written = writing.write(items, { signal, attempt: 1, defer: undefined as never });
      await expect.poll(() => produced.count, { interval: 1 }).toBeGreaterThan(2);
      const begun = counting(INIT_PRODUCER_ID);
      const closed = writing.close(new Error('The run was aborted.'));
      await expect(written).rejects.toMatchObject({ code: 'SW_KAFKA_CONNECTION_LOST' });
      await closed;
      expect([begun.count, failures]).toEqual([0, []]);
    });

    it('a bit of a batch is flipped on the way: the broker refuses it, and it is sent again', async () => {
      const topic = await brokers().topic();
      const { flow, reached } = watched(4000);
      const running = new ConcurrentPipeline(flow, sink(topic)).bufferSize(200).run();
      await reached(1000);
      // Behind the head of the request, in its records.
      through().flipAfter(900, 'request');
      await running;
      expect(through().counts.flipped).toBeGreaterThan(0);
      expect(await brokers().values(topic)).toEqual(numbers(4000));
    });

    it('65 over a slow line it waits, and asks for no more than goes through in time', async () => {
      const topic = await brokers().topic();
      const pad = 'x'.repeat(1000);
      through().limit(100_000, { direction: 'request' });
      const produced = counting(PRODUCE);
      // As one request it would take six seconds, which is twice what a request may take.
      await new ConcurrentPipeline(
        range(0, 600),
        sink(topic, { value: (n) => `${n} ${pad}`, requestTimeoutMs: 3000, batching: { maxItems: 1000 } }),
      )
        .bufferSize(2000)
        .run();
      expect(through().counts.limited).toBeGreaterThan(0);
      expect(produced.count).toBeLessThan(40);
      expect((await brokers().values(topic)).map((value) => value?.split(' ')[0])).toEqual(numbers(600));
    });

    it('K17 settles soon when its run is aborted, also with a client that it cannot cut off', async () => {
      const topic = await brokers().topic();
      const client = brokers().kafka({
        brokers: brokers().service.at('proxied'),
        retry: { retries: 1 },
        requestTimeout: 1000,
      });
      const writing = new KafkaSink<number>({ client, topic });
      const controller = new AbortController();
      const { signal } = controller;
      await writing.open({ signal, fail() {} });
      through().blackhole();
      const reason = new Error('The run was aborted.');
      const written = writing.write([1], { signal, attempt: 1, defer: undefined as never });
      const before = through().counts.swallowed;
      await expect.poll(() => through().counts.swallowed, { interval: 1 }).toBeGreaterThan(before);
      const begun = performance.now();
      controller.abort(reason);
      await expect(written).rejects.toBe(reason);
      expect(performance.now() - begun).toBeLessThan(500);
      through().restore();
      through().reset();
      await writing.close(reason);
    });

    describe('K9 what may hang is given up', () => {
      it('a broker that never answers, when it is connected to', async () => {
        const topic = await brokers().topic();
        through().blackhole();
        const begun = performance.now();
        const running = new ConcurrentPipeline(range(0, 1), sink(topic, { connectTimeoutMs: 400 })).run();
        await expect(running).rejects.toMatchObject({
          code: expect.stringMatching(/^SW_KAFKA_(TIMEOUT|UNREACHABLE)$/) as string,
        });
        expect(performance.now() - begun).toBeLessThan(5000);
      });

      it('a client that never answers, when it connects, writes and closes', async () => {
        const never = new Promise<never>(() => {});
        let made = 0;
        let abandoned = 0;
        const producer = (): KafkaProducer => {
          const isFirst = made++ === 0;
          return {
            connect: () => (isFirst ? Promise.resolve() : never),
            send: () => never,
            begin: () => never,
            close: () => never,
            abandon: () => {
              abandoned += 1;
            },
          };
        };
        const client: KafkaClient = {
          createProducer: producer,
          createConsumer: () => {
            throw new Error('It does not read.');
          },
          createAdmin: () => ({
            connect: async () => {},
            topics: async () => [],
            partitions: async () => 1,
            watermarks: () => never,
            offsetsAt: () => never,
            committed: () => never,
            close: async () => {},
          }),
        };
        const writing = new KafkaSink<number>({
          client,
          topic: 'any',
          deliveryTimeoutMs: 1,
          connectTimeoutMs: 1,
        });
        const { signal } = new AbortController();
        const context = { signal, attempt: 1, defer: undefined as never };
        await writing.open({ signal, fail() {} });
        for (let time = 0; time < 2; time++) {
          await expect(writing.write([1], context)).rejects.toMatchObject({
            code: 'SW_KAFKA_TIMEOUT',
            isTransient: true,
          });
        }
        expect([made, abandoned >= 2]).toEqual([2, true]);
        await writing.close();
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
