/** Writing to several brokers of which one goes away, also in transactions: what each partition has, it has once. */

import { ConcurrentPipeline, from, MemoryCheckpointStore } from '@streamweld/core';
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { OutgoingBatch } from '../src/client.ts';
import { openClient } from '../src/client-kafkajs.ts';
import { checkReach } from '../src/options.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSink } from '../src/sink.ts';
import { KafkaSource } from '../src/source.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka(
  'several brokers',
  (brokers) => {
    const { produce, readToEnd } = reading(brokers);

    it('writes what is for several brokers to each of them, once, while leaders move', async () => {
      const topic = await brokers().topic({ partitions: 6, copies: 3 });
      const count = 12_000;
      let crashes = 0;
      async function* items(): AsyncGenerator<number> {
        for (let n = 0; n < count; n++) {
          yield n;
          const broker = Math.ceil(n / 4000);
          // What comes before is still being written; what comes after, while one is away.
          if (n % 4000 === 1000) {
            await brokers().service.crash(broker);
            crashes += 1;
          }
          if (n % 4000 === 3000) await brokers().service.restart(broker);
        }
      }
      const sink = new KafkaSink<number>({
        brokers: brokers().brokers,
        topic,
        key: (n) => String(n % 60),
        batching: { maxItems: 200 },
      });
      await new ConcurrentPipeline(items(), sink).bufferSize(400).run();
      expect(crashes).toBe(3);
      const read = await brokers().read(topic);
      expect(read).toHaveLength(count);
      const last = new Map<string, number>();
      for (const { key, value } of read) {
        expect(Number(value)).toBeGreaterThan(last.get(String(key)) ?? -1);
        last.set(String(key), Number(value));
      }
      expect(read.map(({ value }) => Number(value)).reduce((sum, n) => sum + n, 0)).toBe(
        (count * (count - 1)) / 2,
      );
    }, 180_000);

    it('50 copies exactly once while one broker after the other is killed and comes back', async () => {
      const partitions = 6;
      const [input, output] = [
        await brokers().topic({ partitions, copies: 3 }),
        await brokers().topic({ partitions, copies: 3 }),
      ];
      const count = 12_000;
      await produce(input, count, { partitions });
      const source = new KafkaSource({
        brokers: brokers().brokers,
        topics: input,
        groupId: randomUUID(),
        commitBy: 'sink',
      });
      const sink = new KafkaSink<KafkaRecord>({
        brokers: brokers().brokers,
        topic: output,
        partition: ({ partition }) => partition,
        value: ({ value }) => value,
        transactionalId: output,
      });
      let seen = 0;
      let crashes = 0;
      const { service } = brokers();
      const flow = from(source).map(async (record) => {
        const broker = Math.ceil(++seen / 4000);
        // What comes before is still being written; what comes after, while one is away.
        if (seen % 4000 === 1000) {
          await service.crash(broker);
          crashes += 1;
        }
        if (seen % 4000 === 3000) await service.restart(broker);
        if (seen === count) void pipeline.drain();
        return record;
      });
      const pipeline = new ConcurrentPipeline(flow, sink)
        .bufferSize(200)
        .checkpoint(new MemoryCheckpointStore(), 'copy');
      await pipeline.run();
      expect(crashes).toBe(3);
      const copied = await readToEnd(output, partitions);
      for (let partition = 0; partition < partitions; partition += 1)
        expect(numbers(copied.filter((record) => record.partition === partition))).toEqual(
          Array.from({ length: count / partitions }, (_, n) => n * partitions + partition),
        );
    }, 180_000);

    it('tells what is for a partition that is not there, and writes the rest', async () => {
      const topic = await brokers().topic({ partitions: 2, copies: 3 });
      const client = openClient(checkReach({ brokers: brokers().brokers }, 'test'));
      const producer = client.createProducer({
        isIdempotent: true,
        transactionalId: undefined,
        transactionTimeoutMs: 60_000,
        acks: -1,
        compression: 'none',
        deliveryTimeoutMs: 10_000,
      });
      const batch = (partition: number): OutgoingBatch => ({
        topic,
        partition,
        records: [
          { key: null, value: Buffer.from(`for ${partition}`), headers: undefined, timestamp: undefined },
        ],
      });
      await producer.connect();
      // kafkajs says nothing of it.
      const failures = await producer.send([batch(0), batch(7), batch(1)]);
      await producer.close();
      expect(failures.map(({ partition, error }) => [partition, error.code])).toEqual([
        [7, 'SW_KAFKA_TOPIC_UNKNOWN'],
      ]);
      expect(await brokers().values(topic)).toEqual(['for 0', 'for 1']);
    });
  },
  { from: ['docker', 'java'], brokers: 3 },
);
