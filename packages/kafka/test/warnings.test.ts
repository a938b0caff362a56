/** Nothing is warned of that nobody can mend. On a Node that warns of negative timers, this shows that it is kept back. */

import { ConcurrentPipeline, range } from '@streamweld/core';
import { expect, it } from 'vitest';
import { KafkaSink } from '../src/sink.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka('K10 timers of kafkajs that are due already', (brokers) => {
  it('are not warned of, and those of others are', async () => {
    // Node warns once in a process: what the test itself does with kafkajs comes later.
    const sink = new KafkaSink<number>({ brokers: brokers().brokers, topic: 'there-later' });
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    await expect(new ConcurrentPipeline(range(0, 100), sink).run()).rejects.toMatchObject({
      code: 'SW_KAFKA_TOPIC_UNKNOWN',
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    process.emitWarning('of somebody else', 'TimeoutNegativeWarning');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual(['TimeoutNegativeWarning']);
  });
});
