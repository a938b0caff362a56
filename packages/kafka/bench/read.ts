/**
 * What reading from Kafka costs: `node --expose-gc --conditions=@streamweld/source --import tsx packages/kafka/bench/read.ts`.
 * Rivals take turns on one broker and one topic: medians of the rounds are printed, from the first record to the last: records
 * a second by the clock on the wall, and by the processor time of this process, which a busy machine disturbs less. A ratio is
 * the median of the ratios of each round to the bare loop in it; `--check` exits with 1 where it is below its aim by both.
 * `ROUNDS=1 RECORDS=100000` shortens it.
 *
 * The bare loop counts what kafkajs hands it, and kafkajs commits. KafkaSource runs through a ConcurrentPipeline into a sink
 * that counts, and commits what is done.
 */

import { randomBytes } from 'node:crypto';
import { ConcurrentPipeline, from } from '@streamweld/core';
import { Kafka, logLevel } from 'kafkajs';
import { startKafka } from '../../../tools/services/kafka.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSource } from '../src/source.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const RECORDS = Number(process.env['RECORDS'] ?? 1_000_000);
const PARTITIONS = 4;
const BYTES = 100;
const AIM = 0.9;

const service = await startKafka();
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

/** Both in milliseconds. */
interface Times {
  readonly wall: number;
  readonly cpu: number;
}

/** Counts to the last record, from the first on. */
class Watch {
  #count = 0;
  #begun = 0;
  readonly done: Promise<Times>;
  #resolve!: (times: Times) => void;
  #cpu = process.cpuUsage();

  constructor() {
    this.done = new Promise((resolve) => {
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
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#resolve({ wall: performance.now() - this.#begun, cpu: (user + system) / 1000 });
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
  const times = await watch.done;
  await consumer.disconnect();
  return times;
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
  const times = await watch.done;
  await pipeline.drain();
  await running;
  return times;
}

const rivals: Readonly<Record<string, () => Promise<Times>>> = {
  'bare eachBatch': bare,
  'KafkaSource, a buffer of 10,000': () => bySource(10_000),
  'KafkaSource, the default buffer': () => bySource(undefined),
};

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
for (const [name, own] of times) {
  const columns = (['wall', 'cpu'] as const).map((what) => {
    const rate = Math.round((RECORDS / median(own.map((each) => each[what]))) * 1000);
    const ratio = median(own.map((each, round) => (base[round] as Times)[what] / each[what]));
    return { ratio, text: `${rate.toLocaleString('en').padStart(10)}/s ${what} ${ratio.toFixed(2)}` };
  });
  isSlow ||= columns.every(({ ratio }) => ratio < AIM);
  console.log(name.padEnd(34), ...columns.map(({ text }) => text));
}
if (isSlow && process.argv.includes('--check')) process.exitCode = 1;
