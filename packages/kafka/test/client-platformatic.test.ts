/**
 * What the adapter of `@platformatic/kafka` does by itself. What the connector does with it, the project `kafka-platformatic`
 * shows with the tests of this folder. P1 to P9 are defects of that client, by the list in the README.
 */

import * as platformatic from '@platformatic/kafka';
import { openFaultProxy } from '@streamweld/testing';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { KafkaClient, ProducerOptions } from '../src/client.ts';
import {
  platformaticClient,
  type PlatformaticModule,
  type PlatformaticOptions,
} from '../src/client-platformatic.ts';
import { toRecords } from '../src/client-platformatic-batches.ts';
import type { FetchedBatch } from '../src/client-platformatic-requests.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../src/group-protocol.ts';
import { encodeBatch } from '../src/record-batch.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const SECRET = 'h1dden-p4ssword';

describe('platformaticClient', () => {
  const good = { bootstrapBrokers: ['a:1'] };
  it.each([
    ['bootstrapBrokers', { bootstrapBrokers: [] }],
    ['bootstrapBrokers', { bootstrapBrokers: [`kafka://user:${SECRET}@host:9092`] }],
    ['tls', { ...good, tls: SECRET }],
    ['sasl', { ...good, sasl: SECRET }],
    ['clientId', { ...good, clientId: '' }],
    ['platformaticClient.retries', { ...good, retries: 5 }],
  ])('checks %s', (option, options) => {
    const open = () => platformaticClient(platformatic, options as unknown as PlatformaticOptions);
    expect(open).toThrow(expect.objectContaining({ code: 'SW_OPTION_INVALID', option }) as Error);
    expect(open).not.toThrow(SECRET);
  });

  it('says what it wants instead of another module', () => {
    const open = () => platformaticClient({} as PlatformaticModule, good);
    expect(open).toThrow(/import \* as platformatic from '@platformatic\/kafka'/);
  });
});

describe('what members of a group tell each other', () => {
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  const userData = Buffer.alloc(0);

  it('is what those of kafkajs do', () => {
    const topics = ['orders', 'Überführungen'];
    const assignment = { orders: [0, 2, 70_000], Überführungen: [] };
    expect(encodeSubscription(topics)).toEqual(MemberMetadata.encode({ version: 0, topics, userData }));
    expect(encodeAssignment(assignment)).toEqual(
      MemberAssignment.encode({ version: 0, assignment, userData }),
    );
  });

  it('can be read again, and from members that say nothing', () => {
    expect(decodeSubscription(encodeSubscription(['a', 'ß']))).toEqual(['a', 'ß']);
    expect(decodeSubscription(null)).toEqual([]);
    expect(decodeAssignment(encodeAssignment({ a: [1, 0], b: [2] }))).toEqual([
      { topic: 'a', partition: 1 },
      { topic: 'a', partition: 0 },
      { topic: 'b', partition: 2 },
    ]);
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
  });
});

describe('what is written', () => {
  const codec = { bitmask: 0, compress: (bytes: Buffer) => bytes, crc32c: platformatic.crc32c };
  const by = { producerId: 7n, producerEpoch: 3, isTransactional: true };

  it('P10 P11 is a batch that can be read, whatever the times, the headers and the sizes', () => {
    const bytes = (size: number): Buffer => Buffer.alloc(size, 'x');
    const twice = { name: [bytes(1), bytes(0)], '': bytes(2) };
    const given = [
      { timestamp: 981_173_106_789, key: null, value: bytes(63), headers: twice },
      { timestamp: 86_400_000, key: bytes(0), value: null, headers: {} },
      { timestamp: 4_102_444_800_123, key: bytes(64), value: bytes(8191), headers: undefined },
      { timestamp: 981_173_106_788, key: bytes(8192), value: bytes(1 << 20), headers: undefined },
    ];
    const batch = platformatic.readRecordsBatch(platformatic.Reader.from(encodeBatch(given, by, 41, codec)));
    expect(batch).toMatchObject({
      firstOffset: 0n,
      magic: 2,
      attributes: 1 << 4,
      lastOffsetDelta: 3,
      firstTimestamp: 981_173_106_789n,
      maxTimestamp: 4_102_444_800_123n,
      ...{ producerId: 7n, producerEpoch: 3, firstSequence: 41 },
    });
    expect(batch.length).toBe(encodeBatch(given, by, 41, codec).length - 12);
    expect(
      batch.records.map(({ timestampDelta, offsetDelta, key, value, headers }) => ({
        offsetDelta,
        timestamp: Number(batch.firstTimestamp + timestampDelta),
        key,
        value,
        headers: headers.map(([name, each]) => [String(name), each]),
      })),
    ).toEqual(
      given.map(({ timestamp, key, value }, offsetDelta) => ({
        offsetDelta,
        timestamp,
        key,
        value,
        headers:
          offsetDelta > 0
            ? []
            : [
                ['name', bytes(1)],
                ['name', bytes(0)],
                ['', bytes(2)],
              ],
      })),
    );
  });
});

describe('what was fetched', () => {
  const CONTROL = 0x30;
  const TRANSACTIONAL = 0x10;
  const place = { topic: 't', partition: 0 };
  const batch = (
    firstOffset: number,
    attributes: number,
    producer: number,
    values: readonly (string | Buffer)[],
    more: Partial<FetchedBatch> = {},
  ): FetchedBatch => ({
    firstOffset: BigInt(firstOffset),
    attributes,
    producerId: BigInt(producer),
    lastOffsetDelta: values.length - 1,
    firstTimestamp: 1000n,
    maxTimestamp: 5000n,
    records: values.map((value, offsetDelta) => ({
      offsetDelta,
      timestampDelta: BigInt(offsetDelta),
      key: attributes === CONTROL ? (value as Buffer) : null,
      value: Buffer.from(value),
      headers: [],
    })),
    ...more,
  });
  const end = (at: number, producer: number, isCommit: boolean): FetchedBatch =>
    batch(at, CONTROL, producer, [Buffer.from([0, 0, 0, isCommit ? 1 : 0])]);
  const read = (
    first: number,
    records: readonly FetchedBatch[],
    aborted: readonly (readonly [producer: number, first: number])[] = [],
  ) =>
    toRecords(place, BigInt(first), {
      errorCode: 0,
      partitionIndex: 0,
      highWatermark: 100n,
      abortedTransactions: aborted.map(([producer, at]) => ({
        producerId: BigInt(producer),
        firstOffset: BigInt(at),
      })),
      records,
    });
  const values = ({ records }: ReturnType<typeof read>): string[] =>
    records.map(({ value }) => String(value));

  it('P7 holds nothing of any transaction that was aborted, however many lie in it, and whether or not it ends there', () => {
    const fetched = read(
      0,
      [
        batch(0, TRANSACTIONAL, 1, ['no']),
        batch(1, TRANSACTIONAL, 2, ['yes']),
        end(2, 1, false),
        batch(3, TRANSACTIONAL, 1, ['neither']),
        batch(4, 0, 1, ['yes, in none']),
        end(5, 1, false),
        end(6, 2, true),
        batch(7, TRANSACTIONAL, 1, ['yes, committed']),
        end(8, 1, true),
        batch(9, TRANSACTIONAL, 2, ['nor that']),
      ],
      [
        [2, 9],
        [1, 3],
        [1, 0],
      ],
    );
    expect(values(fetched)).toEqual(['yes', 'yes, in none', 'yes, committed']);
    expect(fetched.next).toBe(10n);
  });

  it('begins in the middle of a batch, and goes on behind what was compacted away', () => {
    const fetched = read(6, [batch(5, 0, -1, ['before', 'first', 'second'], { lastOffsetDelta: 9 })]);
    expect(fetched.records.map(({ offset, value }) => [offset, String(value)])).toEqual([
      ['6', 'first'],
      ['7', 'second'],
    ]);
    expect(fetched.next).toBe(15n);
    expect(read(6, [])).toEqual({ records: [], next: 6n });
  });

  it('P8 has the time of the broker where the topic keeps that', () => {
    const time = (attributes: number) =>
      read(0, [batch(0, attributes, -1, ['a', 'b'])]).records.map(({ timestamp }) => timestamp);
    expect(time(0)).toEqual([1000, 1001]);
    expect(time(1 << 3)).toEqual([5000, 5000]);
  });

  it('keeps headers of one name, whatever the name', () => {
    const headers = ['a', '__proto__', 'a'].map(
      (name, at) => [Buffer.from(name), at === 1 ? null : Buffer.from(String(at))] as const,
    );
    const [given] = batch(0, 0, -1, ['x']).records;
    const [record] = read(0, [batch(0, 0, -1, ['x'], { records: [{ ...given!, headers }] })]).records;
    expect(Object.entries(record?.headers ?? {})).toEqual([
      ['a', [Buffer.from('0'), Buffer.from('2')]],
      ['__proto__', Buffer.alloc(0)],
    ]);
  });
});

describeWithKafka('@platformatic/kafka', (brokers) => {
  const { committed, produce, run } = reading(brokers);
  const open = (bootstrapBrokers: readonly string[] = brokers().brokers): KafkaClient =>
    platformaticClient(platformatic, { bootstrapBrokers });
  const alone = (at: readonly string[], requestTimeoutMs: number): KafkaClient =>
    open(at).forStage?.({ name: 'test', connectTimeoutMs: 2000, requestTimeoutMs }) as KafkaClient;

  it('shares a group with kafkajs, whoever leads it', async () => {
    for (const isFirst of [true, false]) {
      const topics = await brokers().topic({ partitions: 4 });
      await produce(topics, 400, { partitions: 4 });
      const one = run({ topics, ...(isFirst ? { client: open() } : undefined) });
      await one.until(1);
      const other = run({ topics, ...(isFirst ? undefined : { client: open() }) });
      await expect
        .poll(() => [one, other].map(({ source }) => source.lag().length), { timeout: 30_000 })
        .toEqual([2, 2]);
      await produce(topics, 400, { first: 400, partitions: 4 });
      await expect.poll(() => one.records.length + other.records.length, { timeout: 30_000 }).toBe(800);
      await one.end();
      await other.end();
      const all = [...numbers(one.records), ...numbers(other.records)];
      expect(new Set(all).size).toBe(800);
      expect(await committed(topics, topics)).toEqual(['200', '200', '200', '200']);
    }
  });

  it('P1 asks over another connection where an answer was late', async () => {
    const [host, port] = (brokers().brokers[0] as string).split(':') as [string, string];
    const proxy = await openFaultProxy({ target: { host, port: Number(port) } });
    const admin = alone([`127.0.0.1:${proxy.port}`], 300).createAdmin();
    try {
      await admin.connect();
      proxy.delay(1000, { direction: 'reply' });
      await expect(admin.topics()).rejects.toMatchObject({ code: 'SW_KAFKA_TIMEOUT', stage: 'test' });
      proxy.restore();
      expect(await admin.topics()).toContain('__consumer_offsets');
    } finally {
      await admin.close();
      await proxy.close();
    }
  });

  it('P2 outlives a connection that fails while it is used', async () => {
    // The process would end: Vitest tells of what nobody catches.
    const server = net.createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const admin = alone([`127.0.0.1:${port}`], 500).createAdmin();
    await expect(admin.connect()).rejects.toMatchObject({ code: 'SW_KAFKA_CONNECTION_LOST' });
    await admin.close();
    server.close();
  });

  it('P4 refuses brokers that do not know the requests which it can read the answers of', async () => {
    const fetchV13 = { api: Object.assign(() => {}, { key: 1, version: 99 }) };
    const client = platformaticClient({ ...platformatic, fetchV13 } as PlatformaticModule, {
      bootstrapBrokers: brokers().brokers,
    });
    const admin = client.createAdmin();
    await expect(admin.connect()).rejects.toMatchObject({
      code: 'SW_KAFKA_FAILED',
      message: expect.stringContaining('does not know fetchV13') as string,
    });
    await admin.close();
  });

  const options: ProducerOptions = {
    isIdempotent: true,
    transactionalId: undefined,
    transactionTimeoutMs: 10_000,
    acks: -1,
    compression: 'none',
    deliveryTimeoutMs: 10_000,
  };
  const batchOf = (topic: string, values: readonly string[]) => ({
    topic,
    partition: 0,
    records: values.map((value) => ({
      key: null,
      value: Buffer.from(value),
      headers: undefined,
      timestamp: undefined,
    })),
  });

  it('P5 writes on under the same numbers behind what a broker has refused', async () => {
    const topic = await brokers().topic({ config: { 'max.message.bytes': '2000' } });
    const producer = open().createProducer(options);
    await producer.connect();
    expect(await producer.send([batchOf(topic, ['a', 'b'])])).toEqual([]);
    const refused = await producer.send([batchOf(topic, ['x'.repeat(5000)])]);
    expect(refused).toMatchObject([{ error: { code: 'SW_KAFKA_RECORD_TOO_LARGE', retryable: false } }]);
    expect(await producer.send([batchOf(topic, ['c'])])).toEqual([]);
    await producer.close();
    expect(await brokers().values(topic)).toEqual(['a', 'b', 'c']);
  });

  it('P6 takes over a transactional id that was used before, and fences who used it', async () => {
    const topic = await brokers().topic();
    const transactionalId = randomUUID();
    const begin = async () => {
      const producer = open().createProducer({ ...options, transactionalId });
      await producer.connect();
      return { producer, transaction: await producer.begin() };
    };
    // Of an id that is not the first of the broker: what the client asks for by itself would be right for that.
    const others = open().createProducer({ ...options, transactionalId: randomUUID() });
    await others.connect();
    await (await others.begin()).abort();
    await others.close();
    const first = await begin();
    expect(await first.transaction.send([batchOf(topic, ['of the first'])])).toEqual([]);
    const second = await begin();
    expect(await second.transaction.send([batchOf(topic, ['of the second'])])).toEqual([]);
    await expect(first.transaction.commit()).rejects.toMatchObject({ code: 'SW_CHECKPOINT_FENCED' });
    await second.transaction.commit();
    await first.producer.close();
    await second.producer.close();
    expect(await brokers().values(topic)).toEqual(['of the second']);
  });
});
