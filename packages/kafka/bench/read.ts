/**
 * What reading from Kafka costs: the second half of `pnpm bench:kafka`.
 * Rivals take turns on one broker and one topic: medians of the rounds are printed, from the first record to the last: records
 * a second by the clock on the wall, and by the processor time of this process, which a busy machine disturbs less; and how long
 * it took to the first record, and from the last to the end. A ratio is the median of the ratios of each round to the bare loop
 * in it; `--check` exits with 1 where it is below its aim by both. `ROUNDS=1 RECORDS=100000` shortens it.
 *
 * The bare loop counts what kafkajs hands it, and kafkajs commits. KafkaSource runs through a ConcurrentPipeline into a sink
 * that counts, and commits what is done. Kafka's own tool counts too, in a JVM whose start does not count.
 */

import { randomBytes } from 'node:crypto';
import { ConcurrentPipeline, from } from '@streamweld/core';
import { Kafka, logLevel } from 'kafkajs';
import { startKafka } from '../../../tools/services/kafka.ts';
import { findJavaTools } from './java-tools.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSource } from '../src/source.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const RECORDS = Number(process.env['RECORDS'] ?? 1_000_000);
const PARTITIONS = 4;
const BYTES = 100;
const AIM = 0.9;

const service = await startKafka();
const java = await findJavaTools(service.brokers);
const kafka = new Kafka({ brokers: service.brokers, logLevel: logLevel.NOTHING });
const topic = `bench-${Date.now()}`;

async function fill(): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] });
  await admin.disconnect();
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const value = randomBytes(BYTES);
  for (let at = 0; at < RECORDS; at += 8000) {
    const count = Math.min(8000, RECORDS - at);
    const messages = Array.from({ length: count }, (_, n) => ({
      key: `${at + n}`,
      value,
      partition: n % PARTITIONS,
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

/** In milliseconds. */
interface Times {
  /** From the first record to the last. */
  readonly wall: number;
  /** Meanwhile, of this process. */
  readonly cpu: number;
  readonly toFirst: number;
  readonly fromLast: number;
}

/** Counts to the last record, from the first on. */
class Watch {
  readonly #opened = performance.now();
  #count = 0;
  #begun = 0;
  #done = 0;
  #cpu = process.cpuUsage();
  /** Resolves with the last record. */
  readonly last: Promise<void>;
  #resolve!: () => void;

  constructor() {
    this.last = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  add(count: number): void {
    if (this.#count === 0) {
      this.#begun = performance.now();
      this.#cpu = process.cpuUsage();
    }
    this.#count += count;
    if (this.#count !== RECORDS) return;
    this.#done = performance.now();
    this.#cpu = process.cpuUsage(this.#cpu);
    this.#resolve();
  }

  /** When all is closed. */
  times(): Times {
    const { user, system } = this.#cpu;
    return {
      wall: this.#done - this.#begun,
      cpu: (user + system) / 1000,
      toFirst: this.#begun - this.#opened,
      fromLast: performance.now() - this.#done,
    };
  }
}

let groups = 0;

async function bare(): Promise<Times> {
  const watch = new Watch();
  const consumer = kafka.consumer({ groupId: `${topic}-${groups++}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: ({ batch }) => {
      watch.add(batch.messages.length);
      return Promise.resolve();
    },
  });
  await watch.last;
  await consumer.disconnect();
  return watch.times();
}

async function bySource(bufferSize: number | undefined): Promise<Times> {
  const watch = new Watch();
  const source = new KafkaSource({
    brokers: service.brokers,
    topics: topic,
    groupId: `${topic}-${groups++}`,
  });
  const pipeline = new ConcurrentPipeline(from(source), (batch: readonly KafkaRecord[]) =>
    watch.add(batch.length),
  );
  if (bufferSize !== undefined) pipeline.bufferSize(bufferSize);
  const running = pipeline.run();
  await watch.last;
  await pipeline.drain();
  await running;
  return watch.times();
}

const rivals: Readonly<Record<string, () => Promise<Times>>> = {
  'bare eachBatch': bare,
  'KafkaSource, a buffer of 10,000': () => bySource(10_000),
  'KafkaSource, the default buffer': () => bySource(undefined),
  "Kafka's ConsumerPerformance (Java)": byJava,
};

async function byJava(): Promise<Times> {
  const wall = (RECORDS / (await java.consume(topic, RECORDS))) * 1000;
  return { wall, cpu: Number.NaN, toFirst: Number.NaN, fromLast: Number.NaN };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

await fill();
const times = new Map<string, Times[]>(Object.keys(rivals).map((name) => [name, []]));
// The first of all warms up, and counts for nothing.
for (let round = 0; round <= ROUNDS; round += 1) {
  const names = Object.keys(rivals);
  for (let turn = 0; turn < names.length; turn += 1) {
    const name = names[(turn + round) % names.length] as string;
    globalThis.gc?.();
    const taken = await (rivals[name] as () => Promise<Times>)();
    if (round > 0) times.get(name)?.push(taken);
  }
}
await service.stop();

const base = times.get('bare eachBatch') as Times[];
let isSlow = false;
console.log(`\nreading, ${PARTITIONS} partitions, ${RECORDS} records`);
for (const [name, own] of times) {
  const ratios = (['wall', 'cpu'] as const).map((what) =>
    median(own.map((each, round) => (base[round] as Times)[what] / each[what])),
  );
  isSlow ||= name.startsWith('KafkaSource') && ratios.every((ratio) => ratio < AIM);
  const [rate, first, last] = [
    RECORDS / median(own.map(({ wall }) => wall)),
    median(own.map(({ toFirst }) => toFirst)),
    median(own.map(({ fromLast }) => fromLast)),
  ].map((figure) => (Number.isNaN(figure) ? '-' : figure.toFixed(0)));
  const [wall, cpu] = ratios.map((ratio) => (Number.isNaN(ratio) ? '-' : ratio.toFixed(2)));
  console.log(
    `  ${name.padEnd(36)}${rate?.padStart(5)} k/s   ${wall} of bare (${cpu} by processor time)   first after ${first} ms, end after ${last} ms`,
  );
}
if (isSlow && process.argv.includes('--check')) process.exitCode = 1;
