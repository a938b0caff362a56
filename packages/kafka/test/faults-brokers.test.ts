/** Writing to several brokers of which one goes away: what each partition has, it has once. */

import { ConcurrentPipeline } from '@streamweld/core';
import { expect, it } from 'vitest';
import type { OutgoingBatch } from '../src/client.ts';
import { openClient } from '../src/client-kafkajs.ts';
import { checkReach } from '../src/options.ts';
import { KafkaSink } from '../src/sink.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka(
  'several brokers',
  (brokers) => {
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
