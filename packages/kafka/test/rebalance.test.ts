/** Partitions that come and go: row 53 of the faults, and the guard K7. */

import { describe, expect, it } from 'vitest';
import { Random } from '@streamweld/testing';
import type { KafkaRecord } from '../src/record.ts';
import { type Reader, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

/** How long the storm lasts, in milliseconds. */
const STORM_MS = Number(process.env['STREAMWELD_STORM_MS'] ?? 8000);

const PARTITIONS = 6;
const KEYS = 30;

describeWithKafka('a group', (brokers) => {
  const { run } = reading(brokers);

  describe('53 members join and leave every two seconds', () => {
    it(
      'nothing is lost, each key stays in order, and only what was in flight comes twice',
      async () => {
        const topics = await brokers().topic({ partitions: PARTITIONS });
        const random = new Random(53);
        const producer = brokers().kafka().producer({ idempotent: true, maxInFlightRequests: 1 });
        await producer.connect();
        let produced = 0;
        let isOver = false;
        const producing = (async () => {
          while (!isOver) {
            const messages = Array.from({ length: 50 }, () => {
              const n = produced++;
              const key = n % KEYS;
              return { key: `key ${key}`, value: `value ${n}`, partition: key % PARTITIONS };
            });
            await producer.send({ topic: topics, messages });
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        })();
        /** What was written by any of them, in that order. */
        const written: { readonly member: number; readonly record: KafkaRecord }[] = [];
        const members: { readonly number: number; readonly reader: Reader }[] = [];
        let joined = 0;
        const join = (): void => {
          const number = joined++;
          const write = async (batch: readonly KafkaRecord[]): Promise<void> => {
            await new Promise((resolve) => setTimeout(resolve, random.integer(0, 10)));
            for (const record of batch) written.push({ member: number, record });
          };
          const reader = run({ topics, sessionTimeoutMs: 6000 }, { write, bufferSize: 100 });
          members.push({ number, reader });
        };
        const leave = async (): Promise<void> => {
          const [left] = members.splice(random.integer(0, members.length - 1), 1);
          await left?.reader.end();
        };
        join();
        join();
        let changes = 0;
        for (const until = performance.now() + STORM_MS; performance.now() < until; changes += 1) {
          await new Promise((resolve) => setTimeout(resolve, 2000));
          if (members.length < 2 || (members.length < 4 && random.chance(0.5))) join();
          else await leave();
        }
        isOver = true;
        await producing;
        await producer.disconnect();
        const seen = (): number => new Set(written.map(({ record }) => String(record.value))).size;
        await expect.poll(seen, { timeout: 40_000, interval: 50 }).toBe(produced);
        await Promise.all(members.map(({ reader }) => reader.end()));

        const inOrder = new Map<string, number>();
        const firsts = new Set<number>();
        let duplicates = 0;
        for (const { record } of written) {
          const n = Number(String(record.value).slice('value '.length));
          if (firsts.has(n)) {
            duplicates += 1;
            continue;
          }
          firsts.add(n);
          const key = String(record.key);
          expect(n).toBeGreaterThan(inOrder.get(key) ?? -1);
          inOrder.set(key, n);
        }
        console.log(`${produced} records, ${joined} members, ${changes} changes, ${duplicates} came twice`);
        // Of each change, at most what the buffers of the members held.
        expect(duplicates).toBeLessThanOrEqual(changes * 4 * 100);
      },
      STORM_MS + 60_000,
    );
  });
});
