/** KafkaSource against a real broker: what it reads, where it begins, what it commits. */

import { expect, it } from 'vitest';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka('KafkaSource', (brokers) => {
  const { committed, produce, take } = reading(brokers);

  it('reads a topic, commits what is done, and goes on there', async () => {
    const topics = await brokers().topic({ partitions: 3 });
    await produce(topics, 1000, { partitions: 3 });
    const first = await take(1000, { topics });
    expect(new Set(numbers(first)).size).toBe(1000);
    expect(await committed(topics, topics)).toEqual(['334', '333', '333']);
    await produce(topics, 10, { first: 1000, partitions: 3 });
    expect(new Set(numbers(await take(10, { topics })))).toEqual(
      new Set(Array.from({ length: 10 }, (_, n) => 1000 + n)),
    );
  });
});
