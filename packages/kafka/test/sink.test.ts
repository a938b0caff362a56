/** What KafkaSink writes: bytes as they are, partitions as Java's client chooses them, batches that a topic takes. */

import { ConcurrentPipeline } from '@streamweld/core';
import { expect, it } from 'vitest';
import { KafkaSink } from '../src/sink.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka('KafkaSink', (brokers) => {
  it('writes items as JSON, text and bytes as they are, in the order of the source', async () => {
    const topic = await brokers().topic();
    const items = [{ id: 1, name: 'Überführung' }, 'text', Buffer.from([0, 255, 128]), 7, [1, 2], true];
    await new ConcurrentPipeline(items, new KafkaSink({ brokers: brokers().brokers, topic })).run();
    const read = await brokers().read(topic);
    expect(read.map(({ value }) => value)).toEqual([
      Buffer.from('{"id":1,"name":"Überführung"}'),
      Buffer.from('text'),
      Buffer.from([0, 255, 128]),
      Buffer.from('7'),
      Buffer.from('[1,2]'),
      Buffer.from('true'),
    ]);
  });
});
