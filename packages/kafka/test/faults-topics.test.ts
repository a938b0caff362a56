/** What befalls topics while they are read, or between two runs: rows 56 and 63 of the faults, and the guard K4. */

import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { expect, it } from 'vitest';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const SOON = { timeout: 20_000, interval: 50 };

const count = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, n) => first + n);

describeWithKafka('KafkaSource, and topics that change', (brokers) => {
  const { addPartitions, committed, deleteRecords, produce, run, source, take, withAdmin } = reading(brokers);

  /** A run that waits in its first write, while most of the topic is still to be fetched. */
  const beginSlowly = async (onOutOfRange: 'fail' | 'earliest' | 'latest') => {
    const topics = await brokers().topic();
    await produce(topics, 50);
    await take(50, { topics });
    // Batches that are fetched one by one.
    for (let at = 1; at < 40; at += 1) await produce(topics, 50, { first: at * 50 });
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reader = run(
      { topics, onOutOfRange, buffer: { maxItems: 50, maxBytes: 1 << 14 } },
      { write: () => gate, bufferSize: 10 },
    );
    await expect.poll(() => reader.source.lag()[0]?.highWatermark, SOON).toBe('2000');
    return { topics, reader, go };
  };

  it('56 fails where what it has not fetched yet is deleted; the group keeps its offset (K4)', async () => {
    const { topics, reader, go } = await beginSlowly('fail');
    await deleteRecords(topics, '1990');
    go();
    await expect(reader.done).rejects.toMatchObject({
      code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE',
      topic: topics,
      partition: 0,
      message: expect.stringContaining('1990'),
    });
    // Those that it had come in order, and kafkajs did not move the group to where it likes.
    const values = numbers(reader.records);
    expect(values).toEqual(count(50, 50 + values.length));
    const [offset] = await committed(topics, topics);
    expect(Number(offset)).toBeGreaterThanOrEqual(50);
    expect(Number(offset)).toBeLessThan(1990);
    await expect(take(1, { topics })).rejects.toMatchObject({ code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE' });
  });

  it("56 goes on at the first that is there, with onOutOfRange: 'earliest'", async () => {
    const { topics, reader, go } = await beginSlowly('earliest');
    await deleteRecords(topics, '1990');
    go();
    await expect.poll(() => numbers(reader.records).at(-1), SOON).toBe(1999);
    await reader.end();
    const values = numbers(reader.records);
    expect(values.slice(-10)).toEqual(count(1990, 2000));
    expect(values.slice(0, -10)).toEqual(count(50, 40 + values.length));
    expect(await committed(topics, topics)).toEqual(['2000']);
  });

  it('56 fails where the topic was made anew and is shorter than the place that it stood at', async () => {
    const topics = await brokers().topic();
    await produce(topics, 20);
    await take(20, { topics });
    const positions = await committed(topics, topics);
    expect(positions).toEqual(['20']);
    await withAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [topics] });
      await expect
        .poll(
          () =>
            admin.createTopics({ topics: [{ topic: topics }], waitForLeaders: true }).then(
              () => true,
              () => false,
            ),
          SOON,
        )
        .toBe(true);
    });
    await produce(topics, 5);
    // The offsets of a group go with the topic; a store keeps them.
    const store = new MemoryCheckpointStore();
    store.save('kept', new Map([[`${topics}/0`, { offset: '20', groupId: null }]]));
    const failing = new ConcurrentPipeline(source({ topics }), () => {}).checkpoint(store, 'kept').run();
    await expect(failing).rejects.toMatchObject({ code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE' });
  });

  it('56 waits at an offset that lies behind an open transaction, and does not take it for one that is gone', async () => {
    const topics = await brokers().topic();
    await produce(topics, 10);
    const producer = brokers()
      .kafka()
      .producer({ transactionalId: topics, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic: topics, messages: [{ value: 'value 10' }] });
    await produce(topics, 10, { first: 11 });
    const lane = `${topics}/0`;
    // All that is committed ends at 10 for now.
    const reader = run({ topics, from: { [lane]: 15 } });
    await expect.poll(() => reader.source.lag()[0]?.offset, SOON).toBe('15');
    await transaction.commit();
    await producer.disconnect();
    await reader.until(6);
    await reader.end();
    expect(numbers(reader.records)).toEqual(count(15, 21));
    await expect(run({ topics, groupId: `${topics}-2`, from: { [lane]: 500 } }).done).rejects.toMatchObject({
      code: 'SW_KAFKA_OFFSET_OUT_OF_RANGE',
    });
  });

  it('63 reads partitions that are added from their beginning, also with from: latest', async () => {
    const topics = await brokers().topic();
    await produce(topics, 5);
    const reader = run({ topics, from: 'latest', metadataMaxAgeMs: 500 });
    await expect.poll(() => committed(topics, topics), SOON).toEqual(['5']);
    await addPartitions(topics, 2);
    // Even numbers go to the first, which is read from what comes next.
    await produce(topics, 10, { first: 10, partitions: 2 });
    await expect.poll(() => new Set(numbers(reader.records)).size, SOON).toBe(10);
    await reader.end();
    expect(numbers(reader.records).sort((a, b) => a - b)).toEqual(count(10, 20));
  });

  it('63 reads partitions that were added from their beginning with from: latest, whoever reads them first', async () => {
    const topics = await brokers().topic();
    await produce(topics, 5);
    const first = run({ topics, from: 'latest' });
    await expect.poll(() => committed(topics, topics), SOON).toEqual(['5']);
    await first.end();
    await addPartitions(topics, 2);
    await produce(topics, 10, { first: 10, partitions: 2 });
    const second = run({ topics, from: 'latest' });
    await expect.poll(() => new Set(numbers(second.records)).size, SOON).toBe(10);
    await second.end();
  });

  it('63 fails where its topic is deleted while it is read', async () => {
    const topics = await brokers().topic({ partitions: 2 });
    await produce(topics, 10, { partitions: 2 });
    const reader = run({ topics, metadataMaxAgeMs: 1000 });
    await reader.until(10);
    await withAdmin((admin) => admin.deleteTopics({ topics: [topics] }));
    await expect(reader.done).rejects.toMatchObject({ code: 'SW_KAFKA_TOPIC_UNKNOWN', topic: topics });
    // And it is not made again by whoever looks for it.
    expect(await withAdmin((admin) => admin.listTopics())).not.toContain(topics);
  });

  it('63 fails where its topic is not there', async () => {
    await expect(run({ topics: 'nowhere' }).done).rejects.toMatchObject({
      code: 'SW_KAFKA_TOPIC_UNKNOWN',
      topic: 'nowhere',
    });
    expect(await withAdmin((admin) => admin.listTopics())).not.toContain('nowhere');
  });
});
