/** Members of one group in one process, and who gets what. */

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assignPartitions } from '../src/assigner.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const SOON = { timeout: 30_000, interval: 20 };

describe('assignPartitions', () => {
  const share = (members: Readonly<Record<string, string[]>>, partitions: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      assignPartitions(
        Object.entries(members).map(([id, topics]) => ({ id, topics: new Set(topics) })),
        (topic) => Array.from({ length: partitions[topic] ?? 0 }, (_, n) => n),
      ),
    );

  it('gives each as many as any other, or one less', () => {
    expect(share({ a: ['t'], b: ['t'], c: ['t'] }, { t: 5 })).toEqual({
      a: { t: [0, 3] },
      b: { t: [1, 4] },
      c: { t: [2] },
    });
  });

  it('gives a topic to those who have subscribed to it alone', () => {
    expect(share({ a: ['t', 'u'], b: ['u'] }, { t: 2, u: 2 })).toEqual({
      a: { t: [0, 1], u: [1] },
      b: { u: [0] },
    });
  });

  it('answers the same whatever the order of the members, and nothing where there are no partitions', () => {
    expect(share({ b: ['t'], a: ['t'] }, { t: 3 })).toEqual(share({ a: ['t'], b: ['t'] }, { t: 3 }));
    expect(share({ a: ['t'] }, {})).toEqual({ a: {} });
    expect(share({}, {})).toEqual({});
  });
});

describeWithKafka('members of one group', (brokers) => {
  const { committed, produce, run } = reading(brokers);

  it('share a client that was lent, and each knows only its own offsets', async () => {
    const topics = await brokers().topic({ partitions: 2 });
    await produce(topics, 1000, { partitions: 2 });
    const client = brokers().kafka();
    const first = run({ topics, client });
    await first.until(1);
    const second = run({ topics, client });
    await expect.poll(() => second.source.lag().length, SOON).toBe(1);
    for (let more = 0; more < 5; more += 1) {
      await produce(topics, 100, { first: 1000 + more * 100, partitions: 2 });
      await expect
        .poll(() => first.records.length + second.records.length, SOON)
        .toBeGreaterThanOrEqual(1100 + more * 100);
    }
    await first.end();
    await second.end();
    const all = [...numbers(first.records), ...numbers(second.records)];
    expect(new Set(all).size).toBe(1500);
    expect(all).toHaveLength(1500);
    expect(await committed(topics, topics)).toEqual(['750', '750']);
  });

  it('need not have subscribed to the same topics', async () => {
    const [one, two] = [await brokers().topic({ partitions: 2 }), await brokers().topic({ partitions: 2 })];
    const shared = { groupId: randomUUID(), client: brokers().kafka(), sessionTimeoutMs: 3000 };
    const first = run({ topics: one, ...shared });
    const both = run({ topics: [one, two], ...shared });
    await expect.poll(() => both.source.lag().length, SOON).toBeGreaterThan(1);
    await produce(one, 100, { partitions: 2 });
    await produce(two, 100, { partitions: 2, first: 100 });
    await expect.poll(() => first.records.length + both.records.length, SOON).toBe(200);
    expect(first.records.every(({ topic }) => topic === one)).toBe(true);
    expect(both.records.filter(({ topic }) => topic === two)).toHaveLength(100);
    // Others of one topic come and go: what they forget of the other one the members of that keep.
    for (let more = 0; more < 6; more += 1) {
      const third = run({ topics: one, ...shared });
      await expect.poll(() => third.source.lag().length + first.source.lag().length, SOON).toBeGreaterThan(0);
      await produce(two, 10, { partitions: 2, first: 200 + more * 10 });
      await expect
        .poll(() => both.records.filter(({ topic }) => topic === two).length, SOON)
        .toBe(110 + more * 10);
      await third.end();
    }
    await first.end();
    await both.end();
  });
});
