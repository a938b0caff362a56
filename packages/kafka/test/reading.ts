/** What the tests of reading share: topics that are filled, what a group has committed, and runs that tell what they read. */

import { randomUUID } from 'node:crypto';
import { ConcurrentPipeline, from, type RunReport } from '@streamweld/core';
import type { Admin, Message } from 'kafkajs';
import { expect } from 'vitest';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSource } from '../src/source.ts';
import type { KafkaSourceOptions } from '../src/source-options.ts';
import type { Brokers } from './service.ts';

type Given = Partial<KafkaSourceOptions> & { readonly topics: KafkaSourceOptions['topics'] };

/** One that runs. */
export interface Reader {
  readonly source: KafkaSource;
  readonly pipeline: ConcurrentPipeline<KafkaRecord>;
  /** What was written, in order. */
  readonly records: KafkaRecord[];
  readonly done: Promise<RunReport>;
  /** Waits until so many are written. */
  until(count: number): Promise<void>;
  /** Drains it. */
  end(): Promise<void>;
}

interface ReaderOptions {
  /** Is waited for after each write. */
  readonly write?: (batch: readonly KafkaRecord[]) => Promise<void> | void;
  readonly bufferSize?: number;
}

export interface Reading {
  send(topic: string, messages: readonly Message[]): Promise<void>;
  /** Writes `value n` under `key n`, n from `first` on, by turns to so many partitions. */
  produce(topic: string, count: number, options?: { first?: number; partitions?: number }): Promise<void>;
  /** Deletes what lies before an offset. */
  deleteRecords(topic: string, offset: string, partition?: number): Promise<void>;
  /** Adds partitions, and waits until the brokers know them: kafkajs sends nothing to those that it does not know, and says nothing. */
  addPartitions(topic: string, count: number): Promise<void>;
  /** Lends an admin client of kafkajs. */
  withAdmin<R>(use: (admin: Admin) => Promise<R>): Promise<R>;
  /** What the group has committed, by partition; `-1` where that is nothing. */
  committed(groupId: string, topic: string): Promise<string[]>;
  /** Of a group that is named for its topic, if nothing else is said. */
  source(options: Given): KafkaSource;
  run(options: Given, more?: ReaderOptions): Reader;
  /** Reads so many, and ends. */
  take(count: number, options: Given): Promise<KafkaRecord[]>;
  /**
   * All that is in a topic now, in the order of partitions and offsets. Not by bare kafkajs, which takes what was aborted for
   * committed where several transactions lie in one fetch.
   */
  readToEnd(topic: string, partitions: number): Promise<KafkaRecord[]>;
}

export function reading(brokers: () => Brokers): Reading {
  const send = async (topic: string, messages: readonly Message[]): Promise<void> => {
    // One that is not idempotent writes twice, where only some partitions of a new topic have a leader.
    const producer = brokers().kafka().producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (let at = 0; at < messages.length; at += 2000)
      await producer.send({ topic, messages: messages.slice(at, at + 2000) });
    await producer.disconnect();
  };
  const withAdmin = async <R>(use: (admin: Admin) => Promise<R>): Promise<R> => {
    const admin = brokers().kafka().admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  };
  const source = (options: Given): KafkaSource =>
    new KafkaSource({
      groupId: String(options.topics),
      ...(options.client === undefined ? { brokers: brokers().brokers } : undefined),
      ...options,
    });
  const run = (options: Given, { write, bufferSize = 1000 }: ReaderOptions = {}): Reader => {
    const own = source(options);
    const records: KafkaRecord[] = [];
    const pipeline = new ConcurrentPipeline(from(own), async (batch: readonly KafkaRecord[]) => {
      await write?.(batch);
      records.push(...batch);
    }).bufferSize(bufferSize);
    const done = pipeline.run();
    done.catch(() => {});
    return {
      source: own,
      pipeline,
      records,
      done,
      until: (count) =>
        Promise.race([
          expect.poll(() => records.length, { timeout: 50_000, interval: 5 }).toBeGreaterThanOrEqual(count),
          done.then(() => {}),
        ]),
      async end() {
        await pipeline.drain();
        await done;
      },
    };
  };
  return {
    send,
    source,
    run,
    produce: (topic, count, { first = 0, partitions = 1 } = {}) =>
      send(
        topic,
        Array.from({ length: count }, (_, index) => {
          const n = first + index;
          return { key: `key ${n}`, value: `value ${n}`, partition: n % partitions };
        }),
      ),
    withAdmin,
    addPartitions: (topic, count) =>
      withAdmin(async (admin) => {
        await admin.createPartitions({ topicPartitions: [{ topic, count }] });
        await expect
          .poll(async () => (await admin.fetchTopicOffsets(topic)).length, { timeout: 20_000, interval: 20 })
          .toBe(count);
      }),
    deleteRecords: (topic, offset, partition = 0) =>
      withAdmin(async (admin) => {
        // It has to know the topic before.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
      }),
    committed: (groupId, topic) =>
      withAdmin(async (admin) => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
        return [...(found?.partitions ?? [])]
          .sort((a, b) => a.partition - b.partition)
          .map(({ offset }) => offset);
      }),
    async take(count, options) {
      const reader = run(options);
      await reader.until(count);
      await reader.end();
      return reader.records;
    },
    async readToEnd(topics, partitions) {
      const reader = run({ topics, groupId: randomUUID() });
      const lags = () => reader.source.lag();
      await expect
        .poll(() => lags().length === partitions && lags().every(({ lag }) => lag === 0), { timeout: 30_000 })
        .toBe(true);
      await reader.end();
      return reader.records.toSorted(
        (a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)),
      );
    },
  };
}

/** Their values, as numbers. */
export function numbers(records: readonly KafkaRecord[]): number[] {
  return records.map(({ value }) => Number(String(value).slice('value '.length)));
}
