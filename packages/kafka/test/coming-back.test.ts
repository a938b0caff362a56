/** A member that has to come back: into topics that are others by now, and while there is more than one reason to. */

import { expect, it } from 'vitest';
import { openClient } from '../src/client-kafkajs.ts';
import { checkReach } from '../src/options.ts';
import { answering, HEARTBEAT, JOIN, LOADING, NOT_COORDINATOR } from './answering.ts';
import { holdClient } from './held-client.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const SOON = { timeout: 30_000, interval: 20 };

const count = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, n) => first + n);

describeWithKafka('KafkaSource, coming back', (brokers) => {
  const { produce, run, withAdmin } = reading(brokers);

  const makeAnew = (topic: string): Promise<void> =>
    withAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await expect
        .poll(
          () =>
            admin.createTopics({ topics: [{ topic }], waitForLeaders: true }).then(
              () => true,
              () => false,
            ),
          SOON,
        )
        .toBe(true);
    });

  /** A topic that is read to its end, and then made anew with more than it had. */
  const readAndMakeAnew = async (onOutOfRange: 'fail' | 'earliest') => {
    const topics = await brokers().topic();
    await produce(topics, 50);
    const reader = run({ topics, onOutOfRange });
    await reader.until(50);
    await makeAnew(topics);
    await produce(topics, 200, { first: 1000 });
    return { topics, reader };
  };

  it('56 fails where its topic was made anew while it is read, though its offset is there again', async () => {
    const { topics, reader } = await readAndMakeAnew('fail');
    await expect(reader.done).rejects.toMatchObject({
      topic: topics,
      code: expect.stringMatching(/^SW_KAFKA_(OFFSET_OUT_OF_RANGE|TOPIC_UNKNOWN)$/),
    });
    expect(numbers(reader.records)).toEqual(count(0, 50));
  });

  it("56 begins at the first record of a topic that was made anew, with onOutOfRange: 'earliest'", async () => {
    const topics = await brokers().topic();
    await produce(topics, 50);
    // An expression finds none for a while, where a name would fail.
    const reader = run({ topics: new RegExp(`^${topics}$`), groupId: topics, onOutOfRange: 'earliest' });
    await reader.until(50);
    await makeAnew(topics);
    await produce(topics, 200, { first: 1000 });
    await reader.until(250);
    await reader.end();
    expect(numbers(reader.records)).toEqual([...count(0, 50), ...count(1000, 1200)]);
  });

  it('can be drained, or aborted, while it still waits to join', async () => {
    const topics = await brokers().topic();
    await produce(topics, 5);
    for (const end of ['drain', 'abort'] as const) {
      const held = holdClient(openClient(checkReach({ brokers: brokers().brokers }, 'test')));
      held.holdNext();
      const reader = run({ client: held.client, topics });
      await expect.poll(() => held.isHeld, SOON).toBe(true);
      if (end === 'drain') await reader.pipeline.drain();
      else await reader.pipeline.abort();
      await Promise.allSettled([reader.done]);
      expect(reader.records).toEqual([]);
      expect(held.open).toBe(0);
      held.letGo();
    }
  });

  it('can be drained while it waits to join again, and what it had is written', async () => {
    const topics = await brokers().topic();
    await produce(topics, 20);
    const held = holdClient(openClient(checkReach({ brokers: brokers().brokers }, 'test')));
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reader = run({ client: held.client, topics, drainMs: 300 }, { write: () => gate });
    await expect.poll(() => reader.source.lag()[0]?.offset, SOON).toBe('20');
    held.holdNext();
    held.lose(Object.assign(new Error('The connection ended.'), { code: 'ECONNRESET' }));
    await expect.poll(() => held.isHeld, SOON).toBe(true);
    go();
    await reader.pipeline.drain();
    await reader.done;
    expect(numbers(reader.records)).toEqual(count(0, 20));
    expect(held.open).toBe(0);
    held.letGo();
  });

  it('is one member, also where a topic comes while it joins again', async () => {
    const prefix = `${await brokers().topic()}-`;
    const [first, second] = [`${prefix}first`, `${prefix}second`];
    const make = (topic: string): Promise<unknown> =>
      withAdmin((admin) => admin.createTopics({ topics: [{ topic }], waitForLeaders: true }));
    await make(first);
    await produce(first, 10);

    const held = holdClient(openClient(checkReach({ brokers: brokers().brokers }, 'test')));
    const reader = run({
      client: held.client,
      topics: new RegExp(`^${prefix}`),
      groupId: prefix,
      metadataMaxAgeMs: 200,
    });
    await reader.until(10);
    expect(held.open).toBe(1);
    held.holdNext();
    held.lose(Object.assign(new Error('The connection ended.'), { code: 'ECONNRESET' }));
    await expect.poll(() => held.isHeld, SOON).toBe(true);
    await make(second);
    // It has looked, and knows.
    const looks = held.looks;
    await expect.poll(() => held.looks, SOON).toBeGreaterThan(looks + 2);
    held.letGo();
    await produce(second, 10, { first: 10 });
    await reader.until(20);
    await expect.poll(() => held.open, SOON).toBe(1);
    await reader.end();
    expect(held.open).toBe(0);
    expect(numbers(reader.records).toSorted((a, b) => a - b)).toEqual(count(0, 20));
  });

  it('51 joins again until it has, where the coordinator changes and still loads the group', async () => {
    const topics = await brokers().topic();
    await produce(topics, 10);
    const broker = answering();
    const client = brokers().kafka({ socketFactory: broker.socketFactory });
    const reader = run({ client, topics, sessionTimeoutMs: 6000 });
    await reader.until(10);
    broker.refuse(HEARTBEAT, NOT_COORDINATOR);
    broker.refuse(JOIN, LOADING);
    await expect.poll(() => broker.left, SOON).toBe(0);
    await produce(topics, 10, { first: 10 });
    await reader.until(20);
    await reader.end();
    expect(numbers(reader.records)).toEqual(count(0, 20));
  });
});
