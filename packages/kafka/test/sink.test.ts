/** What KafkaSink writes: bytes as they are, partitions as Java's client chooses them, batches that a topic takes. */

import { collect, ConcurrentPipeline, type DeadLetter, from, range, type SourceLike } from '@streamweld/core';
import { installRuntime } from '@streamweld/core/connector';
import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { KafkaRecordError } from '../src/errors.ts';
import { murmur2 } from '../src/murmur2.ts';
import { KafkaSink } from '../src/sink.ts';
import type { KafkaSinkOptions } from '../src/sink-options.ts';
import { describeWithKafka } from './service.ts';

/** As Kafka's own tests have them. */
const HASHES: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
];

it.each(HASHES)('hashes %s as Java does', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

it('gives keys of any length the partition that kafkajs and Java give them', () => {
  const partition = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  for (let length = 0; length < 40; length++) {
    const key = Buffer.from(Array.from({ length }, (_, at) => (length * 37 + at * 101) % 256));
    const theirs = partition({ topic: 't', partitionMetadata, message: { key, value: null } });
    expect((murmur2(key) & 0x7fffffff) % 7).toBe(theirs);
  }
});

describeWithKafka('KafkaSink', (brokers) => {
  async function write<T>(
    items: SourceLike<T>,
    options: Omit<KafkaSinkOptions<T>, 'brokers'>,
    bufferSize = 1000,
  ): Promise<readonly DeadLetter<T>[]> {
    const letters = collect<DeadLetter<T>>();
    const sink = new KafkaSink<T>({ brokers: brokers().brokers, ...options });
    await new ConcurrentPipeline(items, sink).bufferSize(bufferSize).deadLetter(letters).run();
    return letters.items;
  }

  it('writes items as JSON, text and bytes as they are, in the order of the source', async () => {
    const topic = await brokers().topic();
    await write<unknown>(
      [{ id: 1, name: 'Überführung' }, 'text', Buffer.from([0, 255, 128]), 7, [1, 2], true, null],
      { topic },
    );
    expect((await brokers().read(topic)).map(({ value }) => value)).toEqual([
      Buffer.from('{"id":1,"name":"Überführung"}'),
      Buffer.from('text'),
      Buffer.from([0, 255, 128]),
      Buffer.from('7'),
      Buffer.from('[1,2]'),
      Buffer.from('true'),
      null,
    ]);
  });

  it('58 keeps tombstones, null keys, empty values, large values and headers of one name to the byte', async () => {
    const topic = await brokers().topic({ config: { 'max.message.bytes': '3000000' } });
    const large = Buffer.alloc(1 << 20, 'x\u0000ß');
    interface Given {
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly headers: Readonly<Record<string, Uint8Array | readonly Uint8Array[]>>;
    }
    const items: Given[] = [
      { key: Buffer.from('gone'), value: null, headers: {} },
      { key: null, value: Buffer.alloc(0), headers: {} },
      { key: Buffer.alloc(0), value: Buffer.from('of an empty key'), headers: {} },
      { key: null, value: large, headers: { large: large.subarray(0, 5000) } },
      {
        key: Uint8Array.of(255, 0, 128),
        // Part of a larger piece of memory, and no Buffer.
        value: new Uint8Array(Uint8Array.of(9, 1, 2, 3, 9).buffer, 1, 3),
        headers: {
          twice: [Uint8Array.of(1), Uint8Array.of(255, 254)],
          empty: Buffer.alloc(0),
          ['überschrift']: Buffer.from('ü'),
        },
      },
    ];
    await write(items, {
      topic,
      key: ({ key }) => key,
      value: ({ value }) => value,
      headers: ({ headers }) => headers,
    });
    const read = await brokers().read(topic);
    const [, , , huge] = read;
    expect(huge?.value?.equals(large)).toBe(true);
    expect(read.filter((each) => each !== huge).map(({ key, value }) => [key, value])).toEqual(
      items
        .filter(({ value }) => value !== large)
        .map(({ key, value }) => [
          key === null ? null : Buffer.from(key),
          value === null ? null : Buffer.from(value),
        ]),
    );
    expect(read[3]?.headers).toEqual({ large: large.subarray(0, 5000) });
    const { twice, empty, überschrift } = (read[4]?.headers ?? {}) as Record<string, unknown>;
    expect(twice).toEqual([Buffer.of(1), Buffer.of(255, 254)]);
    expect(empty).toEqual(Buffer.alloc(0));
    expect(überschrift).toEqual(Buffer.from('ü'));
  });

  it('keeps the time of an item, or tells its own', async () => {
    const topic = await brokers().topic();
    const before = Date.now();
    await write([new Date('2001-02-03T04:05:06.789Z'), 86_400_000, undefined], {
      topic,
      value: () => 'x',
      timestamp: (at) => at,
    });
    const read = await brokers().read(topic);
    expect(read.slice(0, 2).map(({ timestamp }) => timestamp)).toEqual([
      String(Date.UTC(2001, 1, 3, 4, 5, 6, 789)),
      '86400000',
    ]);
    expect(Number(read[2]?.timestamp)).toBeGreaterThanOrEqual(before);
  });

  it('puts records of a key into its partition in order, and others into all of them', async () => {
    const topic = await brokers().topic({ partitions: 5 });
    await write(range(0, 10_000), { topic, key: (n) => (n % 2 === 0 ? String(n % 20) : null) });
    const read = await brokers().read(topic);
    expect(read).toHaveLength(10_000);
    const partition = kafkajs.Partitioners.DefaultPartitioner();
    const partitionMetadata = [0, 1, 2, 3, 4].map((partitionId) => ({
      partitionId,
      partitionErrorCode: 0,
      leader: 1,
      replicas: [1],
      isr: [1],
    }));
    const last = new Map<string, number>();
    for (const { key, value, partition: at } of read) {
      const n = Number(value);
      if (key === null) continue;
      expect(at).toBe(partition({ topic, partitionMetadata, message: { key, value } }));
      expect(n).toBeGreaterThan(last.get(String(key)) ?? -1);
      last.set(String(key), n);
    }
    const keyless = read.filter(({ key }) => key === null);
    expect(new Set(keyless.map(({ partition: at }) => at)).size).toBe(5);
  });

  it('takes the topic and the partition of each item', async () => {
    const [one, two] = [await brokers().topic({ partitions: 3 }), await brokers().topic({ partitions: 3 })];
    const letters = await write(range(0, 12), {
      topic: (n) => (n % 2 === 0 ? one : two),
      partition: (n) => (n < 9 ? n % 3 : 99),
    });
    expect((await brokers().read(one)).map(({ partition, value }) => [partition, Number(value)])).toEqual([
      [0, 0],
      [0, 6],
      [1, 4],
      [2, 2],
      [2, 8],
    ]);
    expect(await brokers().values(two)).toEqual(['3', '1', '7', '5']);
    expect(letters.map(({ item }) => item)).toEqual([9, 10, 11]);
    expect(letters[0]?.error).toMatchObject({ code: 'SW_KAFKA_RECORD_INVALID' });
  });

  it('sends items of topics that are not there to the dead letter, and the others to theirs', async () => {
    const topic = await brokers().topic();
    const letters = await write(range(0, 10), { topic: (n) => (n === 4 ? 'nowhere' : n === 7 ? '' : topic) });
    expect(await brokers().values(topic)).toEqual(['0', '1', '2', '3', '5', '6', '8', '9']);
    expect(letters.map(({ item, error }) => [item, error.code])).toEqual([
      [4, 'SW_KAFKA_TOPIC_UNKNOWN'],
      [7, 'SW_KAFKA_RECORD_INVALID'],
    ]);
  });

  it('cuts batches so that a topic takes them, whatever it takes', async () => {
    const [usual, small] = [
      await brokers().topic(),
      await brokers().topic({ config: { 'max.message.bytes': '20000' } }),
    ];
    // kafkajs would send it as one batch, which is refused.
    await write(range(0, 10_000), { topic: usual, value: (n) => `${n} `.padEnd(1000, '.') }, 20_000);
    // Nobody told the sink: it learns it, and no record is to blame.
    await write(range(0, 2000), { topic: small, value: (n) => `${n} `.padEnd(500, '.') }, 4000);
    for (const [topic, count] of [
      [usual, 10_000],
      [small, 2000],
    ] as const) {
      expect((await brokers().values(topic)).map((value) => Number(value?.split(' ')[0]))).toEqual(
        Array.from({ length: count }, (_, n) => n),
      );
    }
  });

  it('59 isolates a record that is too large, and writes the other 499 once', async () => {
    const topic = await brokers().topic({ partitions: 3, config: { 'max.message.bytes': '100000' } });
    const letters = await write(range(0, 500), {
      topic,
      key: (n) => String(n),
      value: (n) => (n === 250 ? 'ß'.repeat(100_000) : String(n)),
    });
    expect(letters.map(({ item }) => item)).toEqual([250]);
    expect(letters[0]?.error).toMatchObject({
      code: 'SW_KAFKA_RECORD_TOO_LARGE',
      details: { kafkaError: 'MESSAGE_TOO_LARGE', topic },
    });
    const read = (await brokers().values(topic)).map(Number).sort((a, b) => a - b);
    expect(read).toEqual(Array.from({ length: 500 }, (_, n) => n).filter((n) => n !== 250));
  });

  it('names the items that are refused, and takes the rest that comes again as written', async () => {
    const topic = await brokers().topic({ partitions: 2, config: { 'max.message.bytes': '50000' } });
    const sink = new KafkaSink<string>({ brokers: brokers().brokers, topic });
    const { signal } = new AbortController();
    const defer = (): never => {
      throw new Error('It does not defer.');
    };
    await sink.open({ signal, fail() {} });
    const items = ['a', 'b'.repeat(60_000), 'c', 'd'.repeat(60_000), 'e'];
    const failure = await sink.write(items, { signal, attempt: 1, defer }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KafkaRecordError);
    expect(failure).toMatchObject({ failed: [1, 3], retryable: false });
    await sink.write(['a', 'c', 'e'], { signal, attempt: 2, defer });
    expect(new Set(await brokers().values(topic))).toEqual(new Set(['a', 'c', 'e']));
    // It is no rest of anything: it is written.
    await sink.write(['a', 'c', 'e'], { signal, attempt: 2, defer });
    expect(await brokers().values(topic)).toHaveLength(6);
    await sink.close();
  });

  it('refuses items that have no JSON, and keeps what they hold to itself', async () => {
    const topic = await brokers().topic();
    const circle: Record<string, unknown> = { secret: 'h1dden' };
    circle['again'] = circle;
    const letters = await write<unknown>([1, circle, 2n, undefined, () => 'h1dden', 3], { topic });
    expect(await brokers().values(topic)).toEqual(['1', '3']);
    expect(letters.map(({ error }) => error.code)).toEqual(
      Array.from({ length: 4 }, () => 'SW_KAFKA_RECORD_INVALID'),
    );
    expect(JSON.stringify(letters.map(({ error }) => error))).not.toContain('h1dden');
  });

  it('fails with what a function of the user throws', async () => {
    const topic = await brokers().topic();
    const thrown = new Error('no key here');
    const sink = new KafkaSink<number>({
      brokers: brokers().brokers,
      topic,
      key() {
        throw thrown;
      },
    });
    const failure = await new ConcurrentPipeline([1], sink).run().catch((error: unknown) => error);
    expect([failure, (failure as Error).cause]).toContain(thrown);
  });

  it.each(['gzip', 'snappy', 'lz4'] as const)('compresses by %s', async (compression) => {
    const topic = await brokers().topic({ config: { 'compression.type': 'producer' } });
    await write(range(0, 1000), { topic, compression, value: (n) => `${n} `.padEnd(100, '.') });
    expect((await brokers().values(topic)).map((value) => Number(value?.split(' ')[0]))).toEqual(
      Array.from({ length: 1000 }, (_, n) => n),
    );
  });

  it('says which package a compression needs, before anything is written', async () => {
    const topic = await brokers().topic();
    const written = write([1], { topic, compression: 'zstd' });
    if ('zstdCompressSync' in (await import('node:zlib'))) {
      await written;
      return;
    }
    await expect(written).rejects.toMatchObject({
      code: 'SW_KAFKA_COMPRESSION_MISSING',
      message: expect.stringMatching(/the package zstd-napi|'zstd' it takes that of Node/) as string,
    });
  });

  it('writes with a client of the user, and leaves it as it was', async () => {
    const topic = await brokers().topic();
    const client = brokers().kafka();
    await new ConcurrentPipeline(range(0, 100), new KafkaSink<number>({ client, topic })).run();
    await new ConcurrentPipeline(range(100, 200), new KafkaSink<number>({ client, topic })).run();
    expect(await brokers().values(topic)).toEqual(Array.from({ length: 200 }, (_, n) => String(n)));
  });

  it('writes to partitions that a topic gains while it is written to', async () => {
    const topic = await brokers().topic({ partitions: 1 });
    const sink = new KafkaSink<number>({ brokers: brokers().brokers, topic, key: (n) => String(n) });
    const { signal } = new AbortController();
    const context = { signal, attempt: 1, defer: undefined as never };
    await sink.open({ signal, fail() {} });
    await sink.write([0, 1, 2, 3], context);
    const admin = brokers().kafka().admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    await expect
      .poll(async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length)
      .toBe(4);
    await admin.disconnect();
    // It looks after five minutes; what kafkajs knows of the topic is older then.
    const takeBack = installRuntime({
      now: () => performance.now() + 400_000,
      setTimer: (callback, ms) => setTimeout(callback, ms),
      clearTimer: (timer) => clearTimeout(timer as number),
      random: () => Math.random(),
      yield: (callback) => setImmediate(callback),
    });
    try {
      await sink.write([4, 5, 6, 7, 8, 9, 10, 11], context);
    } finally {
      takeBack();
    }
    await sink.close();
    const read = await brokers().read(topic);
    expect(read.map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]);
    expect(new Set(read.map(({ partition }) => partition)).size).toBeGreaterThan(2);
  });

  it('writes at several places at once, each by a producer of its own', async () => {
    const topic = await brokers().topic({ partitions: 4 });
    const sink = new KafkaSink<number>({ brokers: brokers().brokers, topic, writers: 3 });
    await new ConcurrentPipeline(from(range(0, 20_000)), sink).bufferSize(2000).maxConcurrency(3).run();
    const read = (await brokers().values(topic)).map(Number).sort((a, b) => a - b);
    expect(read).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
  });

  it.each([
    { acks: 'leader', idempotent: false },
    { acks: 'none' },
    { acks: 'all', idempotent: false },
  ] as const)('writes with %o', async (options) => {
    const topic = await brokers().topic();
    await write(range(0, 100), { topic, ...options });
    await expect.poll(async () => (await brokers().values(topic)).length).toBe(100);
  });
});
