/**
 * A broker that stands still and goes on: row 51 of the faults, for whoever reads, writes, and copies exactly once.
 *
 * Ten seconds with every run of the tests; `pnpm crash:kafka` takes the 45 of the row.
 */

import { ConcurrentPipeline, from, MemoryCheckpointStore, range } from '@streamweld/core';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSink } from '../src/sink.ts';
import { KafkaSource } from '../src/source.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const FREEZE_MS = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0) > 0 ? 45_000 : 10_000;
const TOTAL = 10_000;
const PARTITIONS = 3;

const count = (end: number): number[] => Array.from({ length: end }, (_, n) => n);

/** Something that goes on while the broker stands still. */
interface Work {
  /** Items that are done. */
  readonly done: () => number;
  readonly ended: Promise<unknown>;
}

const SOON = { timeout: 60_000, interval: 20 };

describeWithKafka(
  'a broker that stands still',
  (brokers) => {
    const { produce, run } = reading(brokers);
    /** Requests are given up meanwhile, and what was asked is asked again. */
    const reach = () => ({ brokers: brokers().brokers, requestTimeoutMs: 3000 });
    /** What is fetched at once is less than there is. */
    const group = { sessionTimeoutMs: 6000, buffer: { maxItems: 600, maxBytes: 1 << 16 } };

    const write = (topic: string): Work => {
      let done = 0;
      const numbered = from(range(0, TOTAL))
        .throttle(20, { perMs: 10 })
        .tap((n) => (done = n));
      const sink = new KafkaSink<number>({ ...reach(), topic, batching: { maxItems: 100 } });
      return { done: () => done, ended: new ConcurrentPipeline(numbered, sink).bufferSize(200).run() };
    };

    /** Its transactions may take less than the broker stands still, and end in between. */
    const copy = (input: string, output: string): Work => {
      let seen = 0;
      const source = new KafkaSource({
        ...reach(),
        topics: input,
        groupId: randomUUID(),
        commitBy: 'sink',
        ...group,
      });
      const sink = new KafkaSink<KafkaRecord>({
        ...reach(),
        topic: output,
        partition: ({ partition }) => partition,
        value: ({ value }) => value,
        transactionalId: output,
        transactionTimeoutMs: FREEZE_MS / 2,
      });
      const paced = from(source)
        .throttle(20, { perMs: 10 })
        .tap(() => void (seen += 1));
      const pipeline = new ConcurrentPipeline(paced, sink)
        .bufferSize(200)
        .checkpoint(new MemoryCheckpointStore(), 'copy');
      const ended = pipeline.run();
      const watch = setInterval(() => {
        const lags = source.lag();
        if (lags.length < PARTITIONS || lags.some(({ lag }) => lag > 0)) return;
        clearInterval(watch);
        void pipeline.drain();
      }, 50);
      return { done: () => seen, ended };
    };

    it(
      `51 for ${FREEZE_MS / 1000} s: nothing is lost, and nothing is written twice`,
      async () => {
        const input = await brokers().topic({ partitions: PARTITIONS });
        await produce(input, TOTAL, { partitions: PARTITIONS });
        const [written, copied] = [
          await brokers().topic(),
          await brokers().topic({ partitions: PARTITIONS }),
        ];
        const reader = run(
          { ...reach(), topics: input, ...group },
          { write: () => sleep(2), bufferSize: 10 },
        );
        const works = [
          { done: () => reader.records.length, ended: reader.done },
          write(written),
          copy(input, copied),
        ];
        const done = (): number[] => works.map((work) => work.done());
        await expect.poll(() => Math.min(...done()), SOON).toBeGreaterThan(1000);
        expect(Math.max(...done())).toBeLessThan(TOTAL - 1000);
        brokers().service.freeze();
        try {
          await sleep(FREEZE_MS);
          // All of them were caught by it.
          expect(Math.max(...done())).toBeLessThan(TOTAL - 500);
        } finally {
          brokers().service.thaw();
        }
        await expect.poll(() => new Set(numbers(reader.records)).size, SOON).toBe(TOTAL);
        await reader.end();
        await Promise.all(works.map(({ ended }) => ended));

        const read = numbers(reader.records);
        const twice = read.length - new Set(read).size;
        console.log(`${FREEZE_MS / 1000} s: ${TOTAL} read, ${twice} of them twice`);
        expect(twice).toBe(0);
        expect((await brokers().values(written)).map(Number)).toEqual(count(TOTAL));
        const twins = await readBack(copied);
        expect(twins.toSorted((a, b) => a - b)).toEqual(count(TOTAL));
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          const of = twins.filter((n) => n % PARTITIONS === partition);
          expect(of).toEqual(of.toSorted((a, b) => a - b));
        }
      },
      FREEZE_MS + 180_000,
    );

    /** Not by bare kafkajs, which takes what was aborted for committed where several transactions lie in one fetch. */
    async function readBack(topics: string): Promise<number[]> {
      const reader = run({ topics });
      await expect.poll(() => reader.source.lag().length, SOON).toBe(PARTITIONS);
      await expect.poll(() => reader.source.lag().some(({ lag }) => lag > 0), SOON).toBe(false);
      await reader.end();
      return reader.records
        .toSorted((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
        .map(({ value }) => Number(String(value).slice('value '.length)));
    }
  },
  { from: ['docker', 'java'] },
);
