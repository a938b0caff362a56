/** What could not be decoded, or written, in a topic of dead letters. */

import { collect, ConcurrentPipeline, type DeadLetter, from, WriteError } from '@streamweld/core';
import { expect, it } from 'vitest';
import { deadLetterRecords } from '../src/dead-letters.ts';
import { decoding } from '../src/record.ts';
import { KafkaSink } from '../src/sink.ts';
import { reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

interface Order {
  readonly id: number;
}

describeWithKafka('deadLetterRecords', (brokers) => {
  const { send, source, take } = reading(brokers);
  const text = (bytes: Uint8Array | readonly Uint8Array[] | undefined): string =>
    Buffer.from(bytes as Uint8Array).toString();

  const poison = Buffer.from([0xff, 0x00, 0x7b]);

  async function run(topics: string, topic: string, refused: number): Promise<number[]> {
    const sink = collect<Order>();
    const read = from(source({ topics })).validate(
      decoding(({ value }) => JSON.parse(String(value)) as Order),
      { onInvalid: 'deadLetter' },
    );
    let seen = 0;
    const pipeline = new ConcurrentPipeline(read, {
      name: 'orders',
      atomic: true,
      write(batch: readonly Order[]) {
        const failed = batch.flatMap(({ id }, index) => (id === refused ? [index] : []));
        if (failed.length > 0) throw new WriteError('No such customer.', { failed, retryable: false });
        sink.items.push(...batch);
        seen += batch.length;
        if (seen === 2) void pipeline.drain();
      },
    }).deadLetter(new KafkaSink<DeadLetter>({ brokers: brokers().brokers, topic, ...deadLetterRecords }));
    await pipeline.run();
    return sink.items.map(({ id }) => id);
  }

  it('keep what was read byte for byte, and say in headers where it was and what was wrong', async () => {
    const [topics, topic] = [await brokers().topic(), await brokers().topic()];
    await send(topics, [
      { value: '{"id":1}' },
      {
        key: Buffer.from([1, 0xfe]),
        value: poison,
        headers: { trace: Buffer.from([0, 255]), both: ['a', 'b'] },
      },
      { value: '{"id":2}' },
      { value: '{"id":3}' },
    ]);
    expect(await run(topics, topic, 2)).toEqual([1, 3]);
    const letters = await take(2, { topics: topic });
    expect(letters.map(({ value }) => value)).toEqual([poison, Buffer.from('{"id":2}')]);
    const [undecoded, refused] = letters;
    expect(undecoded?.key).toEqual(Buffer.from([1, 0xfe]));
    expect(undecoded?.headers['trace']).toEqual(Buffer.from([0, 255]));
    expect(undecoded?.headers['both']).toEqual([Buffer.from('a'), Buffer.from('b')]);
    const told = (record: typeof undecoded, name: string): string =>
      text(record?.headers[`dead-letter.${name}`]);
    expect(['topic', 'partition', 'offset', 'error'].map((name) => told(undecoded, name))).toEqual([
      topics,
      '0',
      '1',
      'SW_ITEM_INVALID',
    ]);
    expect(['topic', 'partition', 'stage', 'attempts', 'message'].map((name) => told(refused, name))).toEqual(
      [topics, '0', 'orders', '1', 'No such customer.'],
    );
    expect(Number(told(refused, 'up-to'))).toBeGreaterThan(2);
    expect(refused?.headers['dead-letter.offset']).toBeUndefined();

    // What is read from there, and fails again, is told anew.
    const again = await brokers().topic();
    const flow = from(source({ topics: topic, groupId: again })).validate(
      decoding(() => {
        throw new Error('never');
      }),
      { onInvalid: 'deadLetter' },
    );
    const pipeline = new ConcurrentPipeline(flow, () => {}).deadLetter(
      new KafkaSink<DeadLetter>({ brokers: brokers().brokers, topic: again, ...deadLetterRecords }),
    );
    const done = pipeline.run();
    const [second] = await take(2, { topics: again, groupId: `${again}-reader` });
    await pipeline.drain();
    await done;
    expect([told(second, 'topic'), told(second, 'offset')]).toEqual([topic, '0']);
    expect(second?.headers['trace']).toEqual(Buffer.from([0, 255]));
  });
});
