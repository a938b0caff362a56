/**
 * What writing to Kafka costs, and copying in it exactly once: `pnpm bench:kafka`, which goes on with reading (`read.ts`).
 * Rivals take turns on one broker with the same settings; medians of the rounds are printed: records a second by the clock on
 * the wall, and the processor time of this process. A ratio is the median of the ratios of each round; `--check` exits with 1
 * where one is below its aim. `ROUNDS=1 RECORDS=100000 ONLY=keyed` shortens it.
 *
 * All of them make their records within the time, wait for acks of all replicas, and are idempotent. Kafka's own tool sends the
 * same bytes over and over, in a JVM whose start does not count.
 */

import {
  ConcurrentPipeline,
  from,
  MemoryCheckpointStore,
  type Positioned,
  type SinkLike,
  type Source,
} from '@streamweld/core';
import { Kafka, logLevel, type Message, Partitioners } from 'kafkajs';
import { startKafka } from '../../../tools/services/kafka.ts';
import { findJavaTools } from './java-tools.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSink } from '../src/sink.ts';
import { KafkaSource } from '../src/source.ts';

interface Item {
  readonly id: string;
  readonly n: number;
}

interface Shape {
  readonly partitions: number;
  readonly key: ((item: Item) => string) | undefined;
  readonly value: (item: Item) => string;
}

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const RECORDS = Number(process.env['RECORDS'] ?? 300_000);
const PAD = 'x'.repeat(80);

const SHAPES: Readonly<Record<string, Shape>> = {
  'keyed, 6 partitions': {
    partitions: 6,
    key: ({ id }) => id,
    value: ({ n }) => `${n} ${PAD}`,
  },
  'one partition': { partitions: 1, key: undefined, value: ({ n }) => `${n} ${PAD}` },
  'JSON, keyed, 6 partitions': {
    partitions: 6,
    key: ({ id }) => id,
    value: ({ n, id }) =>
      JSON.stringify({ n, id, name: `item ${n}`, at: 1_700_000_000_000 + n, note: 'of no interest' }),
  },
};

function itemAt(n: number): Item {
  return { id: `key-${n % 10_000}`, n };
}

/** With positions, as what can be gone on from has. */
class Built implements Source<Item, number> {
  readonly name = 'built items';
  #at = 0;

  pull(demand: number): Positioned<Item, number> | undefined {
    const length = Math.min(demand, RECORDS - this.#at);
    if (length === 0) return undefined;
    const from = this.#at;
    this.#at += length;
    return { items: Array.from({ length }, (_, index) => itemAt(from + index)), position: this.#at };
  }
}

const service = await startKafka({ from: ['docker', 'java'] });
const java = await findJavaTools(service.brokers);
const kafka = new Kafka({
  brokers: service.brokers,
  logLevel: logLevel.NOTHING,
  // On a busy machine a topic takes a while to be there.
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
});
const admin = kafka.admin();
await admin.connect();

async function bySink(topic: string, { key, value }: Shape, writers: number, write: number): Promise<void> {
  const sink = new KafkaSink<Item>({ brokers: service.brokers, topic, key, value });
  await new ConcurrentPipeline(new Built(), sink)
    .bufferSize(write * (writers + 1))
    .maxConcurrency(writers)
    .checkpoint(new MemoryCheckpointStore(), 'bench')
    .run();
}

/** One send after the other, as many records in each. */
async function byKafkajs(topic: string, { key, value }: Shape, size: number): Promise<void> {
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < RECORDS; from += size) {
    const messages = Array.from({ length: Math.min(size, RECORDS - from) }, (_, index): Message => {
      const item = itemAt(from + index);
      return key === undefined ? { value: value(item) } : { key: key(item), value: value(item) };
    });
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

/** Answers milliseconds. */
async function byJava(topic: string, { value }: Shape): Promise<number> {
  return (RECORDS / (await java.produce(topic, RECORDS, value(itemAt(RECORDS)).length))) * 1000;
}

/** Two sends at once by two producers. */
async function byTwo(topic: string, shape: Shape, size: number): Promise<void> {
  const { key, value } = shape;
  let from = 0;
  await Promise.all(
    [0, 1].map(async () => {
      const producer = kafka.producer({
        idempotent: true,
        createPartitioner: Partitioners.DefaultPartitioner,
      });
      await producer.connect();
      while (from < RECORDS) {
        const begin = from;
        from += size;
        const messages = Array.from({ length: Math.min(size, RECORDS - begin) }, (_, index): Message => {
          const item = itemAt(begin + index);
          return key === undefined ? { value: value(item) } : { key: key(item), value: value(item) };
        });
        await producer.send({ topic, messages });
      }
      await producer.disconnect();
    }),
  );
}

/** All of a topic, and then the end: with a group of its own each time. */
async function copy(input: string, sink: SinkLike<KafkaRecord>, commitBy: 'source' | 'sink'): Promise<void> {
  const source = new KafkaSource({
    brokers: service.brokers,
    topics: [input],
    groupId: `bench-${topics++}`,
    commitBy,
  });
  let left = RECORDS;
  const counted = from(source).through({
    process(batch: readonly KafkaRecord[]) {
      left -= batch.length;
      if (left === 0) void pipeline.drain();
      return batch;
    },
  });
  const pipeline = new ConcurrentPipeline(counted, sink).bufferSize(12_000);
  if (commitBy === 'sink') pipeline.checkpoint(new MemoryCheckpointStore(), 'bench');
  await pipeline.run();
}

function copyTo(topic: string, transactionalId?: string): KafkaSink<KafkaRecord> {
  return new KafkaSink<KafkaRecord>({
    brokers: service.brokers,
    topic,
    key: ({ key }) => key,
    value: ({ value }) => value,
    ...(transactionalId === undefined ? undefined : { transactionalId }),
  });
}

type Aim = readonly [name: string, of: readonly string[], least?: number];

let topics = 0;

/**
 * @param rivals one that answers a number has taken so many milliseconds
 * @param lastOffsets what the ends of the topic add up to when all is written; null where transactions end in it
 */
async function compare(
  title: string,
  shape: Shape,
  rivals: Readonly<Record<string, (topic: string) => Promise<number | void>>>,
  aims: readonly Aim[],
  lastOffsets: number | null = RECORDS,
): Promise<void> {
  if (!title.includes(process.env['ONLY'] ?? '')) return;
  const all = new Map<string, { wall: number; client: number }[]>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(rivals)) {
      const topic = `bench-${topics++}`;
      await admin.createTopics({
        topics: [{ topic, numPartitions: shape.partitions }],
        waitForLeaders: true,
      });
      globalThis.gc?.();
      const before = process.cpuUsage();
      const begun = performance.now();
      const told = await run(topic);
      const wall = told ?? performance.now() - begun;
      const { user, system } = process.cpuUsage(before);
      const written = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
      if (lastOffsets !== null && written !== lastOffsets)
        throw new Error(`${title}, ${name}: ${written} records were written.`);
      await admin.deleteTopics({ topics: [topic] });
      // The first round warms up.
      if (round === 0) continue;
      const times = all.get(name) ?? [];
      times.push({ wall, client: (user + system) / 1000 });
      all.set(name, times);
    }
  }
  console.log(`\n${title}, ${RECORDS} records`);
  for (const [name, times] of all) {
    const rate = `${(RECORDS / median(times.map(({ wall }) => wall))).toFixed(0)} k/s`.padStart(10);
    console.log(
      `  ${name.padEnd(42)}${rate}   client ${median(times.map(({ client }) => client)).toFixed(0)} ms`,
    );
  }
  for (const [name, of, least] of aims) {
    const ours = all.get(name) ?? [];
    // Against the best of them, in each round.
    const ratio = median(
      ours.map(
        ({ wall }, round) => Math.min(...of.map((rival) => all.get(rival)?.[round]?.wall ?? 0)) / wall,
      ),
    );
    const isBelow = least !== undefined && ratio < least;
    const aim = least === undefined ? '' : `, aim ${least}${isBelow ? ': below it' : ''}`;
    console.log(`  ${name} / the best of ${of.join(' | ')}: ${ratio.toFixed(2)}${aim}`);
    if (isBelow && process.argv.includes('--check')) process.exitCode = 1;
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

try {
  for (const [title, shape] of Object.entries(SHAPES)) {
    const bare = {
      'kafkajs, 1,000 a send': 1000,
      'kafkajs, 2,000 a send': 2000,
      'kafkajs, 6,000 a send': 6000,
    };
    await compare(
      title,
      shape,
      {
        'KafkaSink, one writer': (topic) => bySink(topic, shape, 1, 6000),
        'KafkaSink, two writers': (topic) => bySink(topic, shape, 2, 6000),
        ...Object.fromEntries(
          Object.entries(bare).map(([name, size]) => [
            name,
            (topic: string) => byKafkajs(topic, shape, size),
          ]),
        ),
        'kafkajs, two producers, 2,000 a send': (topic) => byTwo(topic, shape, 2000),
        "Kafka's ProducerPerformance (Java)": (topic) => byJava(topic, shape),
      },
      [
        ['KafkaSink, one writer', Object.keys(bare), 0.95],
        ['KafkaSink, two writers', ['kafkajs, two producers, 2,000 a send']],
        ['KafkaSink, two writers', ["Kafka's ProducerPerformance (Java)"]],
      ],
    );
  }
  const shape = SHAPES['keyed, 6 partitions'] as Shape;
  const input = 'bench-input';
  await admin.createTopics({ topics: [{ topic: input, numPartitions: 6 }], waitForLeaders: true });
  await bySink(input, shape, 2, 6000);
  await compare(
    'Kafka to Kafka, 6 partitions',
    shape,
    {
      'at least once': (topic) => copy(input, copyTo(topic), 'source'),
      'exactly once': (topic) => copy(input, copyTo(topic, topic), 'sink'),
    },
    [['exactly once', ['at least once']]],
    null,
  );
} finally {
  await admin.disconnect();
  await service.stop();
}
