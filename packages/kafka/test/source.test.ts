/** KafkaSource against a real broker: what it reads, where it begins, what it commits. */

import { ConcurrentPipeline, from, MemoryCheckpointStore } from '@streamweld/core';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decoding, type KafkaRecord } from '../src/record.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const count = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, n) => first + n);

const SOON = { timeout: 20_000, interval: 50 };

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

describeWithKafka('KafkaSource', (brokers) => {
  const { committed, deleteRecords, produce, run, send, source, take } = reading(brokers);

  it('reads a topic, commits what is done, and goes on there', async () => {
    const topics = await brokers().topic({ partitions: 3 });
    await produce(topics, 1000, { partitions: 3 });
    expect(sorted(numbers(await take(1000, { topics })))).toEqual(count(0, 1000));
    expect(await committed(topics, topics)).toEqual(['334', '333', '333']);
    await produce(topics, 10, { first: 1000, partitions: 3 });
    expect(sorted(numbers(await take(10, { topics })))).toEqual(count(1000, 1010));
  });

  it('is read by one run after another, each from where the one before it stood', async () => {
    const topics = await brokers().topic();
    const again = source({ topics });
    for (const first of [0, 10]) {
      await produce(topics, 10, { first });
      const read: number[] = [];
      const pipeline = new ConcurrentPipeline(again, (records: readonly KafkaRecord[]) => {
        read.push(...numbers(records));
      });
      const ended = pipeline.run();
      await expect.poll(() => read.length, SOON).toBe(10);
      await pipeline.drain();
      await ended;
      expect(read).toEqual(count(first, first + 10));
    }
  });

  it('K5 commits nothing that is only handed on', async () => {
    const topics = await brokers().topic();
    await produce(topics, 100);
    let go = (): void => {};
    let gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    let writes = 0;
    const reader = run(
      { topics },
      {
        bufferSize: 40,
        write: () => {
          writes += 1;
          return gate;
        },
      },
    );
    await expect.poll(() => writes, SOON).toBe(1);
    // All of it was fetched long ago, and so was what comes now: the client had every occasion to commit it.
    for (const more of [100, 101]) {
      await produce(topics, 1, { first: more });
      await expect.poll(() => reader.source.lag()[0]?.highWatermark, SOON).toBe(String(more + 1));
    }
    expect(await committed(topics, topics)).toEqual(['-1']);
    const first = go;
    gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    first();
    await expect.poll(() => writes, SOON).toBe(2);
    await expect.poll(() => committed(topics, topics), SOON).toEqual([String(reader.records.length)]);
    expect(reader.records.length).toBeLessThan(41);
    go();
    await reader.until(102);
    await reader.end();
    expect(await committed(topics, topics)).toEqual(['102']);
  });

  it('58 keeps keys, values and headers byte for byte', async () => {
    const topics = await brokers().topic({ config: { 'max.message.bytes': '2000000' } });
    const megabyte = randomBytes(1 << 20);
    const bytes = Buffer.from([0, 255, 128, 10]);
    await send(topics, [
      { key: bytes, value: megabyte, timestamp: '1600000000123' },
      { key: null, value: '' },
      { key: '', value: null },
      { key: 'tombstone', value: null, headers: { a: ['1', bytes], b: '', c: bytes } },
    ]);
    const [first, second, third, fourth] = await take(4, { topics });
    expect(first).toMatchObject({ topic: topics, partition: 0, offset: '0', timestamp: 1_600_000_000_123 });
    expect(bytes.equals(first?.key as Uint8Array)).toBe(true);
    expect(megabyte.equals(first?.value as Uint8Array)).toBe(true);
    expect(first?.headers).toEqual({});
    expect(second).toMatchObject({ offset: '1', key: null, value: Buffer.alloc(0) });
    expect(third).toMatchObject({ offset: '2', key: Buffer.alloc(0), value: null });
    expect(fourth?.headers).toEqual({ a: [Buffer.from('1'), bytes], b: Buffer.alloc(0), c: bytes });
  });

  it('57 sends what cannot be decoded to the dead letter, which knows topic, partition and offset', async () => {
    const topics = await brokers().topic();
    await send(topics, [{ value: '{"n":1}' }, { value: 'kestrel, no JSON' }, { value: '{"n":3}' }]);
    const written: { n: number }[] = [];
    const letters: Record<string, unknown>[] = [];
    const decoder = decoding(({ value }) => JSON.parse(String(value)) as { n: number });
    const pipeline = new ConcurrentPipeline(
      from(source({ topics })).validate(decoder, { onInvalid: 'deadLetter' }),
      (batch: readonly { n: number }[]) => {
        written.push(...batch);
        if (written.at(-1)?.n === 3) void pipeline.drain();
      },
    ).deadLetter((batch: readonly unknown[]) => {
      letters.push(...(batch as Record<string, unknown>[]));
    });
    await pipeline.run();
    expect(written).toEqual([{ n: 1 }, { n: 3 }]);
    expect(letters).toMatchObject([
      {
        item: { topic: topics, partition: 0, offset: '1', value: Buffer.from('kestrel, no JSON') },
        lane: `${topics}/0`,
        error: { code: 'SW_ITEM_INVALID', message: expect.stringContaining(`${topics}.0.1`) },
      },
    ]);
    expect(JSON.stringify(letters[0]?.['error'])).not.toContain('kestrel');
    expect(await committed(topics, topics)).toEqual(['3']);
  });

  it('60 does not see what was aborted, and gets past it, and past the ends of transactions', async () => {
    const topics = await brokers().topic();
    const producer = brokers().kafka().producer({
      transactionalId: randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const transact = async (value: string, ends: 'commit' | 'abort'): Promise<void> => {
      const transaction = await producer.transaction();
      await transaction.send({ topic: topics, messages: [{ value }] });
      await transaction[ends]();
    };
    await transact('value 0', 'commit');
    await transact('value 1', 'abort');
    await transact('value 2', 'commit');
    await transact('value 3', 'abort');
    const reader = run({ topics });
    await reader.until(2);
    // Each has its record and its end.
    await expect.poll(() => committed(topics, topics), SOON).toEqual(['8']);
    await transact('value 4', 'abort');
    await expect.poll(() => committed(topics, topics), SOON).toEqual(['10']);
    expect(reader.source.lag()).toMatchObject([{ offset: '10', lag: 0 }]);
    await reader.end();
    expect(numbers(reader.records)).toEqual([0, 2]);
    const all = await take(5, { topics, groupId: randomUUID(), readUncommitted: true });
    expect(numbers(all)).toEqual([0, 1, 2, 3, 4]);
    await producer.disconnect();
  });

  it('60 does not see what was aborted either, where transactions overlap and keys look like the end of one', async () => {
    const topics = await brokers().topic();
    const open = async () => {
      const producer = brokers()
        .kafka()
        .producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      return { producer, transaction: await producer.transaction() };
    };
    const both = [await open(), await open()];
    // Four zero bytes, as the number 0, are the key of a marker that a transaction was aborted.
    for (const key of [Buffer.alloc(4), 'other'])
      for (const { transaction } of both)
        await transaction.send({ topic: topics, messages: [{ key, value: 'aborted' }] });
    for (const { transaction } of both) await transaction.abort();
    await send(topics, [{ key: Buffer.alloc(4), value: 'value 1' }]);
    await Promise.all(both.map(({ producer }) => producer.disconnect()));
    expect((await take(1, { topics })).map(({ value }) => String(value))).toEqual(['value 1']);
    // Begun in the middle, where both are open.
    const middle = { topics, groupId: randomUUID(), from: { [`${topics}/0`]: 2 } };
    expect((await take(1, middle)).map(({ value }) => String(value))).toEqual(['value 1']);
  });

  describe('begins, where nothing is committed', () => {
    it("'latest': at what comes next, and in a second run with what came in between", async () => {
      const topics = await brokers().topic();
      await produce(topics, 10);
      const reader = run({ topics, from: 'latest' });
      await expect.poll(() => committed(topics, topics), SOON).toEqual(['10']);
      await reader.end();
      expect(reader.records).toEqual([]);
      await produce(topics, 5, { first: 10 });
      expect(numbers(await take(5, { topics, from: 'latest' }))).toEqual(count(10, 15));
    });

    it('a Date: at the first record of that time or later', async () => {
      const topics = await brokers().topic();
      const at = Date.now() - 10_000;
      await send(
        topics,
        count(0, 10).map((n) => ({ value: `value ${n}`, timestamp: String(at + n * 10) })),
      );
      expect(numbers(await take(5, { topics, from: new Date(at + 45) }))).toEqual(count(5, 10));
    });

    it('offsets by lane', async () => {
      const topics = await brokers().topic({ partitions: 2 });
      await produce(topics, 20, { partitions: 2 });
      const records = await take(15, { topics, from: { [`${topics}/1`]: 5 } });
      expect(sorted(numbers(records))).toEqual(count(0, 20).filter((n) => n % 2 === 0 || n > 10));
    });
  });

  it('goes on where a store says, not where the group does', async () => {
    const topics = await brokers().topic();
    await produce(topics, 30);
    const store = new MemoryCheckpointStore();
    const read = async (until: number): Promise<number[]> => {
      const records: KafkaRecord[] = [];
      const pipeline = new ConcurrentPipeline(from(source({ topics })), (batch: readonly KafkaRecord[]) => {
        records.push(...batch);
        if (records.length >= until) void pipeline.drain();
      }).checkpoint(store, 'here');
      await pipeline.run();
      return numbers(records);
    };
    await read(30);
    store.save('here', new Map([[`${topics}/0`, { offset: '20', groupId: null }]]));
    expect(await committed(topics, topics)).toEqual(['30']);
    expect(await read(10)).toEqual(count(20, 30));
  });

  it('finds topics by an expression, and those that come later', async () => {
    const name = `found-${randomUUID()}`;
    const create = (topic: string): Promise<string> => brokers().topic({ topic });
    await create(`${name}-1`);
    await create(`other-${name}`);
    await produce(`${name}-1`, 5);
    await produce(`other-${name}`, 5);
    const reader = run({
      topics: new RegExp(`^${name}`),
      groupId: name,
      from: 'latest',
      metadataMaxAgeMs: 300,
    });
    await expect.poll(() => committed(name, `${name}-1`), SOON).toEqual(['5']);
    await create(`${name}-2`);
    await produce(`${name}-2`, 5, { first: 5 });
    // What is new is read from its beginning, also with 'latest'.
    await reader.until(5);
    await produce(`${name}-1`, 1, { first: 10 });
    await reader.until(6);
    await reader.end();
    expect(sorted(numbers(reader.records))).toEqual([...count(5, 10), 10]);
  });

  it('waits for the first topic that an expression finds', async () => {
    const name = `awaited-${randomUUID()}`;
    const reader = run({ topics: new RegExp(`^${name}`), groupId: name, metadataMaxAgeMs: 200 });
    await brokers().topic({ topic: name });
    await produce(name, 5);
    await reader.until(5);
    await reader.end();
    expect(await committed(name, name)).toEqual(['5']);
    // And one that finds none ends when it is told to.
    await run({ topics: /^nothing-at-all$/ }).end();
  });

  it('tells how far it is behind', async () => {
    const topics = await brokers().topic();
    await produce(topics, 100);
    const own = source({ topics });
    await own.open({
      positions: new Map(),
      signal: new AbortController().signal,
      settled: () => Promise.resolve(),
      endLane: () => {},
      fail: () => {},
    });
    const answer = await own.pull(30);
    expect(answer?.position).toEqual({ offset: '30', groupId: null });
    expect(own.lag()).toEqual([
      { lane: `${topics}/0`, topic: topics, partition: 0, offset: '30', highWatermark: '100', lag: 70 },
    ]);
    await own.close();
    expect(own.lag()).toEqual([]);
  });

  it('56 fails where what comes next was deleted, and names the place', async () => {
    const topics = await brokers().topic();
    await produce(topics, 20);
    await take(5, { topics, buffer: { maxItems: 1 } });
    const before = await committed(topics, topics);
    await produce(topics, 20, { first: 20 });
    await deleteRecords(topics, '35');
    const reader = run({ topics });
    await expect(reader.done).rejects.toMatchObject({
      code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE',
      topic: topics,
      partition: 0,
    });
    // It stays so until somebody says what is to be done.
    expect(await committed(topics, topics)).toEqual(before);
    await expect(run({ topics }).done).rejects.toMatchObject({ code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE' });
    expect(numbers(await take(5, { topics, onOutOfRange: 'earliest' }))).toEqual(count(35, 40));
  });
});
