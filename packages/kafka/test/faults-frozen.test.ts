/**
 * A broker that stands still and goes on: row 51 of the faults, for whoever reads, writes, and copies exactly once.
 *
 * Ten seconds with every run of the tests; `pnpm crash:kafka` takes the 45 of the row.
 */

import { ConcurrentPipeline, from, MemoryCheckpointStore, range } from '@streamweld/core';
import { Deferred } from '@streamweld/core/connector';
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

const SOON = { timeout: 60_000, interval: 5 };

/** Halfway they wait for each other, so that it comes over all of them. */
class Meeting {
  readonly #all = new Deferred();
  #missing: number;

  constructor(members: number) {
    this.#missing = members;
  }

  /** @param n how far one of them is. */
  pass(n: number): Promise<void> | undefined {
    if (n !== TOTAL / 2) return undefined;
    this.#missing -= 1;
    if (this.#missing === 0) this.#all.resolve();
    return this.#all.promise;
  }
}

describeWithKafka(
  'a broker that stands still',
  (brokers) => {
    const { produce, readToEnd, run } = reading(brokers);
    /** Requests are given up meanwhile, and what was asked is asked again. */
    const reach = () => ({ brokers: brokers().brokers, requestTimeoutMs: 3000 });
    /** What is fetched at once is less than there is. */
    const group = { sessionTimeoutMs: 6000, buffer: { maxItems: 600, maxBytes: 1 << 16 } };

    const write = (topic: string, meeting: Meeting): Work => {
      let done = 0;
      const numbered = from(range(0, TOTAL))
        .throttle(20, { perMs: 10 })
        .tap((n) => {
          done = n;
          return meeting.pass(n);
        });
      const sink = new KafkaSink<number>({ ...reach(), topic, batching: { maxItems: 100 } });
      return { done: () => done, ended: new ConcurrentPipeline(numbered, sink).bufferSize(200).run() };
    };

    /** Its transactions may take less than the broker stands still, and end in between. */
    const copy = (input: string, output: string, meeting: Meeting): Work => {
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
        .tap(() => meeting.pass(++seen));
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
        const meeting = new Meeting(3);
        let taken = 0;
        const reader = run(
          { ...reach(), topics: input, ...group },
          {
            write: async (batch) => {
              await sleep(2);
              for (let n = 0; n < batch.length; n += 1) await meeting.pass(++taken);
            },
            bufferSize: 10,
          },
        );
        const works = [
          { done: () => reader.records.length, ended: reader.done },
          write(written, meeting),
          copy(input, copied, meeting),
        ];
        const done = (): number[] => works.map((work) => work.done());
        await expect.poll(() => Math.min(...done()), SOON).toBeGreaterThan(TOTAL / 2 + 100);
        expect(Math.max(...done())).toBeLessThan(TOTAL - 500);
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
        const twins = numbers(await readToEnd(copied, PARTITIONS));
        expect(twins.toSorted((a, b) => a - b)).toEqual(count(TOTAL));
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          const of = twins.filter((n) => n % PARTITIONS === partition);
          expect(of).toEqual(of.toSorted((a, b) => a - b));
        }
      },
      FREEZE_MS + 180_000,
    );
  },
  { from: ['docker', 'java'] },
);
