/** Exactly once from Kafka to Kafka: whatever fails, a reader of committed records finds each once, and in order. */

import { randomUUID } from 'node:crypto';
import {
  collect,
  ConcurrentPipeline,
  type DeadLetter,
  from,
  MemoryCheckpointStore,
  range,
} from '@streamweld/core';
import { type FaultProxy, LeakCheck, openFaultProxy } from '@streamweld/testing';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import type { KafkaPosition } from '../src/position.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSink } from '../src/sink.ts';
import type { KafkaSinkOptions } from '../src/sink-options.ts';
import { KafkaSource } from '../src/source.ts';
import { describeWithKafka } from './service.ts';

let proxy: FaultProxy | undefined;
afterAll(() => proxy?.close());
afterEach(() => proxy?.restore());

function through(): FaultProxy {
  if (proxy === undefined) throw new Error('There is a proxy while a test runs.');
  return proxy;
}

/** Requests that a transaction is made of, by their number in Kafka's protocol. */
const REQUESTS = {
  Produce: 0,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;

function isRequest(name: keyof typeof REQUESTS): (request: Uint8Array) => boolean {
  return (request) => request.length > 6 && Buffer.from(request).readInt16BE(4) === REQUESTS[name];
}

describeWithKafka(
  'exactly once',
  (brokers) => {
    const leaks = new LeakCheck({ deadlineMs: 5000 });
    beforeEach(() => leaks.begin());
    afterEach(() => leaks.end());

    async function seed(partitions: number, count: number): Promise<string> {
      const topic = await brokers().topic({ partitions });
      await new ConcurrentPipeline(
        range(0, count),
        new KafkaSink<number>({ brokers: brokers().brokers, topic, partition: (n) => n % partitions }),
      )
        .bufferSize(10_000)
        .run();
      return topic;
    }

    function sinkOf(
      topic: string,
      options: Partial<KafkaSinkOptions<KafkaRecord>> = {},
    ): KafkaSink<KafkaRecord> {
      return new KafkaSink<KafkaRecord>({
        brokers: brokers().service.at('proxied'),
        topic,
        partition: ({ partition }) => partition,
        value: ({ value }) => value,
        transactionalId: `twin-of-${topic}`,
        ...options,
      });
    }

    interface Copy {
      readonly input: string;
      readonly output: string;
      readonly groupId: string;
      readonly options?: Partial<KafkaSinkOptions<KafkaRecord>>;
      /** Called with each number that comes along. */
      readonly onItem?: (n: number) => unknown;
    }

    /** Reads until so many came along in this run, and ends. */
    async function copy({ input, output, groupId, options, onItem }: Copy, count: number): Promise<void> {
      let seen = 0;
      const source = new KafkaSource({
        brokers: brokers().brokers,
        topics: [input],
        groupId,
        commitBy: 'sink',
      });
      const flow = from(source).map(async (record) => {
        seen += 1;
        await onItem?.(Number(record.value));
        if (seen === count) void pipeline.drain();
        return record;
      });
      const pipeline = new ConcurrentPipeline(flow, sinkOf(output, options))
        .bufferSize(100)
        .checkpoint(new MemoryCheckpointStore(), 'copy');
      await pipeline.run();
    }

    /** Each number once, in the order of its partition. */
    async function expectAll(output: string, partitions: number, count: number): Promise<void> {
      const read = await brokers().read(output);
      for (let at = 0; at < partitions; at++) {
        const values = read.filter(({ partition }) => partition === at).map(({ value }) => Number(value));
        expect(values).toEqual(
          Array.from({ length: count }, (_, n) => n).filter((n) => n % partitions === at),
        );
      }
    }

    it('commits the offsets of the reader with what it wrote, and another run goes on from there', async () => {
      const [input, output, groupId] = [
        await seed(3, 600),
        await brokers().topic({ partitions: 3 }),
        randomUUID(),
      ];
      await copy({ input, output, groupId }, 300);
      const first = (await brokers().values(output)).length;
      expect(first).toBeGreaterThanOrEqual(300);
      const admin = brokers().kafka().admin();
      await admin.connect();
      const [committed] = await admin.fetchOffsets({ groupId, topics: [input] });
      await admin.disconnect();
      expect(committed?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)).toBe(
        first,
      );
      if (first < 600) await copy({ input, output, groupId }, 600 - first);
      await expectAll(output, 3, 600);
    });

    it.each(Object.keys(REQUESTS) as (keyof typeof REQUESTS)[])(
      'K2 finds out what became of a transaction where the answer to %s was lost',
      async (name) => {
        const [input, output, groupId] = [
          await seed(2, 400),
          await brokers().topic({ partitions: 2 }),
          randomUUID(),
        ];
        const dropped = through().counts.repliesDropped;
        // The first of all, and two on the way.
        through().dropReply(isRequest(name));
        await copy(
          {
            input,
            output,
            groupId,
            onItem: (n) => {
              if (n === 150 || n === 301) through().dropReply(isRequest(name));
            },
          },
          400,
        );
        expect(through().counts.repliesDropped - dropped).toBeGreaterThanOrEqual(
          name === 'InitProducerId' ? 1 : 2,
        );
        await expectAll(output, 2, 400);
      },
    );

    it('61 begins a transaction again that took so long that the brokers aborted it', async () => {
      const [input, output, groupId] = [await seed(1, 200), await brokers().topic(), randomUUID()];
      const before = through().counts.swallowed;
      let isHeld = false;
      await copy(
        {
          input,
          output,
          groupId,
          options: { transactionTimeoutMs: 500, requestTimeoutMs: 60_000 },
          onItem: async (n) => {
            if (n !== 100 || isHeld) return;
            isHeld = true;
            through().dropReply((request) => {
              if (!isRequest('TxnOffsetCommit')(request)) return false;
              // It is held up when all but the offset is in the transaction, and goes on when that was aborted.
              through().delay(3000, { direction: 'reply' });
              setTimeout(() => through().restore(), 2500);
              return false;
            });
          },
        },
        200,
      );
      expect(isHeld).toBe(true);
      expect(through().counts.swallowed).toBe(before);
      expect(through().counts.delayed).toBeGreaterThan(0);
      await expectAll(output, 1, 200);
    });

    it('62 fences a writer whose partition another has taken, and nothing of it is seen', async () => {
      const output = await brokers().topic();
      const [input, groupId] = [await seed(1, 100), randomUUID()];
      const { signal } = new AbortController();
      const context = { signal, attempt: 1, defer: undefined as never };
      const failures: unknown[] = [];
      const open = async (): Promise<KafkaSink<KafkaRecord>> => {
        const sink = sinkOf(output);
        await sink.open({ signal, checkpoint: 'copy', fail: (error) => failures.push(error) });
        return sink;
      };
      const records = (...values: string[]): KafkaRecord[] =>
        values.map((value) => ({ partition: 0, value: Buffer.from(value) }) as unknown as KafkaRecord);
      const at = (offset: number, since: number): ReadonlyMap<string, KafkaPosition> =>
        new Map([[`${input}/0`, { offset: String(offset), groupId, since: String(since) }]]);
      const old = await open();
      await old.write(records('1', '2'), { ...context, positions: at(2, 0) });
      const young = await open();
      await young.write(records('3'), { ...context, positions: at(3, 2) });
      await expect(old.write(records('3'), { ...context, positions: at(3, 0) })).rejects.toMatchObject({
        code: 'SW_CHECKPOINT_FENCED',
      });
      expect(failures).toHaveLength(1);
      // It was fenced without being told, and begins anew from where it thinks it stands.
      await expect(old.write(records('3'), { ...context, positions: at(3, 0) })).rejects.toMatchObject({
        code: 'SW_CHECKPOINT_FENCED',
      });
      // One that began to read before the other had committed.
      const late = await open();
      await expect(late.write(records('3'), { ...context, positions: at(3, 2) })).rejects.toMatchObject({
        code: 'SW_CHECKPOINT_FENCED',
      });
      // None of them is in the way of the one that is right.
      await young.write(records('4'), { ...context, positions: at(4, 2) });
      await Promise.all([old, young, late].map((sink) => sink.close()));
      expect(await brokers().values(output)).toEqual(['1', '2', '3', '4']);
    });

    it('59 isolates a record that is refused, and writes the others and their offsets once', async () => {
      const [input, groupId] = [await seed(1, 200), randomUUID()];
      const output = await brokers().topic({ config: { 'max.message.bytes': '20000' } });
      const letters = collect<DeadLetter<KafkaRecord>>();
      let seen = 0;
      const source = new KafkaSource({
        brokers: brokers().brokers,
        topics: [input],
        groupId,
        commitBy: 'sink',
      });
      const flow = from(source).tap(() => {
        seen += 1;
        if (seen === 200) void pipeline.drain();
      });
      const sink = sinkOf(output, {
        value: ({ value }) => (Number(value) % 70 === 69 ? 'x'.repeat(30_000) : value),
      });
      const pipeline = new ConcurrentPipeline(flow, sink)
        .bufferSize(100)
        .deadLetter(letters)
        .checkpoint(new MemoryCheckpointStore(), 'copy');
      await pipeline.run();
      expect(letters.items.map(({ item }) => Number(item.value))).toEqual([69, 139]);
      expect((await brokers().values(output)).map(Number)).toEqual(
        Array.from({ length: 200 }, (_, n) => n).filter((n) => n % 70 !== 69),
      );
    });

    it('keeps the offsets of what nothing was written for', async () => {
      const [input, output, groupId] = [await seed(1, 100), await brokers().topic(), randomUUID()];
      let seen = 0;
      const source = new KafkaSource({
        brokers: brokers().brokers,
        topics: [input],
        groupId,
        commitBy: 'sink',
      });
      const flow = from(source)
        .tap(() => {
          seen += 1;
          if (seen === 100) void pipeline.drain();
        })
        .filter(({ value }) => Number(value) < 10);
      const pipeline = new ConcurrentPipeline(flow, sinkOf(output)).checkpoint(
        new MemoryCheckpointStore(),
        'copy',
      );
      await pipeline.run();
      expect(await brokers().values(output)).toHaveLength(10);
      const admin = brokers().kafka().admin();
      await admin.connect();
      const [committed] = await admin.fetchOffsets({ groupId, topics: [input] });
      await admin.disconnect();
      expect(committed?.partitions).toMatchObject([{ partition: 0, offset: '100' }]);
    });

    it('K3 refuses a write of what was read from several partitions: one producer cannot be fenced for both', async () => {
      const [input, output] = [await seed(2, 2), await brokers().topic()];
      const failures: unknown[] = [];
      const { signal } = new AbortController();
      const sink = sinkOf(output);
      await sink.open({ signal, checkpoint: 'copy', fail: (error) => failures.push(error) });
      const position: KafkaPosition = { offset: '1', groupId: randomUUID() };
      const positions = new Map([0, 1].map((partition) => [`${input}/${partition}`, position]));
      const written = sink.write([], { signal, attempt: 1, positions, defer: undefined as never });
      await expect(written).rejects.toMatchObject({ code: 'SW_EXACTLY_ONCE_IMPOSSIBLE' });
      expect(failures).toHaveLength(1);
      await sink.close();
    });

    it.each([
      ['another source', 'SW_EXACTLY_ONCE_IMPOSSIBLE', 'no'],
      ['a KafkaSource that commits by itself', 'SW_EXACTLY_ONCE_IMPOSSIBLE', 'source'],
      ['no checkpoint', 'SW_EXACTLY_ONCE_IMPOSSIBLE', 'none'],
    ] as const)('refuses %s', async (_, code, kind) => {
      const [input, output] = [await seed(1, 10), await brokers().topic()];
      const sink = sinkOf(output, { partition: () => 0, value: () => 'x' }) as KafkaSink<unknown>;
      const source =
        kind === 'no'
          ? range(0, 10)
          : new KafkaSource({
              brokers: brokers().brokers,
              topics: [input],
              groupId: randomUUID(),
              commitBy: kind === 'source' ? 'source' : 'sink',
            });
      const pipeline = new ConcurrentPipeline<unknown>(source, sink);
      if (kind !== 'none') pipeline.checkpoint(new MemoryCheckpointStore(), 'copy');
      await expect(pipeline.run()).rejects.toMatchObject({ code });
      expect(await brokers().values(output)).toEqual([]);
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
