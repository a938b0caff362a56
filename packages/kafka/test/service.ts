/** The real brokers that the tests of this package run against, and topics of their own for each test. */

import { randomUUID } from 'node:crypto';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import {
  findKafka,
  type KafkaService,
  type KafkaServiceOptions,
  KafkaUnavailable,
} from '../../../tools/services/kafka.ts';

/** A record as bare kafkajs reads it. */
interface ReadRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly timestamp: string;
}

export interface Brokers {
  readonly service: KafkaService;
  readonly brokers: string[];
  /** kafkajs itself, which says nothing. */
  kafka(options?: Partial<KafkaConfig>): Kafka;
  /** A topic that nobody else has. */
  topic(options?: {
    /** Default: a name that no other has. */
    readonly topic?: string;
    partitions?: number;
    copies?: number;
    config?: Readonly<Record<string, string>>;
  }): Promise<string>;
  /** All that is in a topic now, in the order of partitions and offsets; what was aborted is not in it. */
  read(topic: string): Promise<ReadRecord[]>;
  /** Their values, as text. */
  values(topic: string): Promise<(string | undefined)[]>;
}

/** Describes tests that need brokers. Where there are none they are skipped, and say why; in CI that is a failure. */
export function describeWithKafka(
  name: string,
  body: (brokers: () => Brokers) => void,
  options?: KafkaServiceOptions,
): void {
  describe(name, async () => {
    const found = await findKafka(options);
    if (found instanceof KafkaUnavailable) {
      console.warn(`Skipped: ${name}. ${found.message}`);
      describe.skip(found.message, () =>
        body(() => {
          throw found;
        }),
      );
      return;
    }
    afterAll(() => found.stop());
    let brokers: Brokers | undefined;
    beforeAll(() => {
      brokers = open(found);
    });
    body(() => {
      if (brokers === undefined) throw new Error('The brokers are there while a test runs.');
      return brokers;
    });
  });
}

/** Waits until a broker knows the topic, and who leads each partition. */
async function known(kafka: Kafka, topic: string, partitions: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await vi.waitFor(
      async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        expect(topics[0]?.partitions.filter(({ leader }) => leader >= 0)).toHaveLength(partitions);
      },
      { timeout: 30_000, interval: 20 },
    );
  } finally {
    await admin.disconnect();
  }
}

function open(service: KafkaService): Brokers {
  const kafka = (options?: Partial<KafkaConfig>): Kafka =>
    new Kafka({
      brokers: service.brokers,
      clientId: 'test',
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
      ...options,
    });
  const read = (topic: string): Promise<ReadRecord[]> => readAll(kafka(), topic);
  return {
    service,
    brokers: service.brokers,
    kafka,
    async topic({ topic = `test-${randomUUID()}`, partitions = 1, copies = 1, config = {} } = {}) {
      const admin = kafka().admin();
      await admin.connect();
      await admin.createTopics({
        // Where another broker than the one that made it has not heard of the topic yet, kafkajs throws and does not wait.
        waitForLeaders: false,
        topics: [
          {
            topic,
            numPartitions: partitions,
            replicationFactor: copies,
            configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
          },
        ],
      });
      await Promise.all(
        service.brokers.map((broker) => known(kafka({ brokers: [broker] }), topic, partitions)),
      );
      // A leader may hear later than others that it is one.
      await vi.waitFor(() => admin.fetchTopicOffsets(topic), { timeout: 30_000, interval: 20 });
      await admin.disconnect();
      return topic;
    },
    read,
    values: async (topic) => (await read(topic)).map(({ value }) => value?.toString()),
  };
}

async function readAll(kafka: Kafka, topic: string): Promise<ReadRecord[]> {
  const consumer = kafka.consumer({ groupId: `reader-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const open = new Map(
    ends.filter(({ high, low }) => high !== low).map(({ partition, high }) => [partition, BigInt(high)]),
  );
  const records: ReadRecord[] = [];
  const seen = new Set<string>();
  if (open.size === 0) return records;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatchAutoResolve: true,
    // The end of a transaction takes an offset that no record has.
    eachBatch: async ({ batch }) => {
      for (const { key, value, headers, timestamp, offset } of batch.messages) {
        if (BigInt(offset) >= (open.get(batch.partition) ?? 0n)) continue;
        // A reader that has to join its group again begins again: what counts is what lies in the topic.
        const at = `${batch.partition}/${offset}`;
        if (seen.has(at)) continue;
        seen.add(at);
        records.push({ partition: batch.partition, offset, key, value, headers: headers ?? {}, timestamp });
      }
      if (BigInt(batch.lastOffset()) + 1n >= (open.get(batch.partition) ?? 0n)) open.delete(batch.partition);
    },
  });
  await expect.poll(() => open.size, { timeout: 30_000, interval: 20 }).toBe(0);
  await consumer.disconnect();
  return records.sort((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)));
}
