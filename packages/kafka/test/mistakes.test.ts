/** What users get wrong, and what they are told. */

import { collect, ConcurrentPipeline, count, MemoryCheckpointStore, type Source } from '@streamweld/core';
import { OptionError } from '@streamweld/core/connector';
import { describe, expect, it } from 'vitest';
import type { KafkaPosition } from '../src/position.ts';
import { KafkaSink } from '../src/sink.ts';
import { KafkaSource } from '../src/source.ts';
import { reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

describe('KafkaSource options', () => {
  it('have no offsets in topics that are not read', () => {
    const options = { brokers: 'a:1', groupId: 'g', topics: ['orders', /^logs-/] };
    for (const lane of ['order/0', 'ordersx/0', 'my-logs-1/0'])
      expect(() => new KafkaSource({ ...options, from: { [lane]: 3 } })).toThrow(OptionError);
    for (const lane of ['orders/0', 'logs-1/7'])
      expect(() => new KafkaSource({ ...options, from: { [lane]: 3 } })).not.toThrow();
  });
});

describeWithKafka('KafkaSource', (brokers) => {
  const { produce, run, source } = reading(brokers);

  it("refuses commitBy: 'sink' where nobody would commit", async () => {
    const topics = await brokers().topic();
    await produce(topics, 3);
    await expect(
      new ConcurrentPipeline(source({ topics, commitBy: 'sink' }), count()).run(),
    ).rejects.toMatchObject({
      code: 'SW_EXACTLY_ONCE_IMPOSSIBLE',
      message: expect.stringContaining('checkpoint'),
    });
    // The store keeps them.
    const sink = collect<unknown>();
    const pipeline = new ConcurrentPipeline(source({ topics, commitBy: 'sink' }), sink).checkpoint(
      new MemoryCheckpointStore(),
      'kept',
    );
    const done = pipeline.run();
    await expect.poll(() => sink.items.length, { timeout: 20_000 }).toBe(3);
    await pipeline.drain();
    await done;
  });

  it('says that exactly once needs one cluster', async () => {
    const topic = await brokers().topic();
    const elsewhere: Source<string, KafkaPosition> = {
      pull: () => ({
        items: ['a'],
        lane: 'elsewhere/0',
        position: { offset: '5', groupId: 'g', since: '0' },
      }),
    };
    const sink = new KafkaSink<string>({ brokers: brokers().brokers, topic, transactionalId: topic });
    await expect(
      new ConcurrentPipeline(elsewhere, sink).checkpoint(new MemoryCheckpointStore(), 'copy').run(),
    ).rejects.toMatchObject({
      code: 'SW_EXACTLY_ONCE_IMPOSSIBLE',
      message: expect.stringContaining('across clusters'),
    });
    expect(await brokers().read(topic)).toEqual([]);
  });

  it('says which sessions the brokers allow', async () => {
    const topics = await brokers().topic();
    await expect(run({ topics, sessionTimeoutMs: 10 }).done).rejects.toMatchObject({
      message: expect.stringContaining('group.min.session.timeout.ms'),
    });
  });
});
