/** The three rules past one process: what each subscriber gets, while others come and go. */

import { collect, ConcurrentPipeline, OptionError, range, type Sink } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import { KafkaDispatchedPipelineBuilder } from '../src/dispatched-pipeline-builder.ts';
import type { KafkaDispatcher } from '../src/dispatcher.ts';
import { describeWithKafka } from './service.ts';

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, at) => from + at);

describeWithKafka('KafkaDispatcher', (brokers) => {
  let topic: string;

  const build = async (partitions: number): Promise<KafkaDispatchedPipelineBuilder<number>> => {
    topic = await brokers().topic({ partitions });
    return new KafkaDispatchedPipelineBuilder<number>({
      brokers: brokers().brokers,
      topic,
      name: `hub-${topic}`,
      logger: null,
    });
  };
  const feed = (dispatcher: KafkaDispatcher<number>, from: number, to: number): Promise<unknown> =>
    new ConcurrentPipeline(range(from, to), dispatcher.createSink()).run();
  const sorted = (items: readonly number[]): number[] => items.toSorted((a, b) => a - b);

  it('broadcasts every item to each name, and shares what a name gets among its sinks', async () => {
    const dispatcher = (await build(4)).broadcast();
    const [audit, one, two] = [collect<number>(), collect<number>(), collect<number>()];
    await dispatcher.subscribeSink(audit, undefined, { name: 'audit' });
    await dispatcher.subscribeSink(one, undefined, { name: 'index' });
    await dispatcher.subscribeSink(two, undefined, { name: 'index' });
    await feed(dispatcher, 0, 3000);
    await expect
      .poll(() => [audit.items.length, one.items.length + two.items.length], { timeout: 20_000 })
      .toEqual([3000, 3000]);
    expect(sorted(audit.items)).toEqual(numbers(3000));
    expect(sorted([...one.items, ...two.items])).toEqual(numbers(3000));
    expect(dispatcher.sinks()).toMatchObject([
      { name: 'audit', groupId: `hub-${topic}.audit`, delivered: 3000 },
      { name: 'index', groupId: `hub-${topic}.index` },
      { name: 'index' },
    ]);
    await dispatcher.close();
    expect(dispatcher.sinks()).toEqual([]);
  });

  it('gives each item to one of those who demand, and more to whoever is faster', async () => {
    const dispatcher = (await build(4)).demand();
    const [first, second] = [collect<number>(), collect<number>()];
    const one = await dispatcher.subscribeSink(first, undefined, { name: 'first' });
    await dispatcher.subscribeSink(second, undefined, { name: 'second' });
    await expect
      .poll(() => dispatcher.sinks().map(({ partitions }) => partitions.length), { timeout: 20_000 })
      .toEqual([2, 2]);
    await feed(dispatcher, 0, 2000);
    await expect.poll(() => first.items.length + second.items.length, { timeout: 20_000 }).toBe(2000);
    // Who leaves has written what it read, and its share is the other's.
    await one.unsubscribe();
    await feed(dispatcher, 2000, 3000);
    await expect.poll(() => first.items.length + second.items.length, { timeout: 20_000 }).toBe(3000);
    expect(sorted([...first.items, ...second.items])).toEqual(numbers(3000));
    expect((await one.ended).written).toBe(first.items.length);
    await dispatcher.close();
  });

  it('keeps the order of each key, while its partition moves to who has come', async () => {
    const dispatcher = (await build(4)).partition(4, (n) => n % 10);
    const seen: { readonly who: string; readonly n: number }[] = [];
    const sink = (who: string): Sink<number> => ({
      name: who,
      write: (batch) => {
        for (const n of batch) seen.push({ who, n });
      },
    });
    const one = await dispatcher.subscribeSink(sink('one'), undefined, { maxConcurrency: 4 });
    await feed(dispatcher, 0, 2000);
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(2000);
    await dispatcher.subscribeSink(sink('two'));
    await feed(dispatcher, 2000, 4000);
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(4000);
    for (let key = 0; key < 10; key++) {
      const ofKey = seen.filter(({ n }) => n % 10 === key).map(({ n }) => n);
      expect(ofKey, `key ${key}`).toEqual(ofKey.toSorted((a, b) => a - b));
      expect(new Set(ofKey).size).toBe(400);
    }
    expect(new Set(seen.map(({ who }) => who))).toEqual(new Set(['one', 'two']));
    expect(one.status.partitions.length).toBeLessThan(4);
    await dispatcher.close();
  });

  it('ends a subscription that fails alone, and tells of it', async () => {
    const lines: string[] = [];
    topic = await brokers().topic({ partitions: 1 });
    const dispatcher = new KafkaDispatchedPipelineBuilder<number>({
      brokers: brokers().brokers,
      topic,
      name: `hub-${topic}`,
      logger: { warn: (line) => lines.push(line) },
    }).broadcast();
    const good = collect<number>();
    await dispatcher.subscribeSink(good, undefined, { name: 'good' });
    const failing = await dispatcher.subscribeSink(
      () => {
        throw new Error('full');
      },
      undefined,
      { name: 'bad' },
    );
    await feed(dispatcher, 0, 10);
    await expect(failing.ended).rejects.toMatchObject({ code: 'SW_SINK_FAILED' });
    await expect.poll(() => good.items.length, { timeout: 10_000 }).toBe(10);
    expect(lines).toMatchObject([expect.stringContaining("'bad'")]);
    await dispatcher.close();
  });

  it('fails, drops, or puts aside what cannot be decoded', async () => {
    const kafka = brokers().kafka().producer();
    await kafka.connect();
    const letters = collect<{ item: { offset: string } }>();
    for (const onInvalid of ['fail', 'drop', () => letters] as const) {
      topic = await brokers().topic({ partitions: 1 });
      await kafka.send({ topic, messages: [{ value: '1' }, { value: '{' }, { value: '2' }] });
      const dispatcher = new KafkaDispatchedPipelineBuilder<number>({
        brokers: brokers().brokers,
        topic,
        name: `hub-${topic}`,
        logger: null,
        onInvalid: onInvalid as 'fail',
      }).broadcast();
      const sink = collect<number>();
      const subscription = await dispatcher.subscribeSink(sink, undefined, { name: 'sink' });
      if (onInvalid === 'fail') {
        await expect(subscription.ended).rejects.toMatchObject({ code: 'SW_ITEM_INVALID' });
      } else {
        await expect.poll(() => sink.items, { timeout: 10_000 }).toEqual([1, 2]);
        await dispatcher.close();
      }
    }
    expect(letters.items).toMatchObject([{ item: { offset: '1' } }]);
    await kafka.disconnect();
  });

  it('refuses a topic of another number of partitions, and one that is not there', async () => {
    const builder = await build(3);
    await expect(builder.partition(4, (n) => n).subscribeSink(collect<number>())).rejects.toMatchObject({
      code: 'SW_KAFKA_TOPIC_INVALID',
      message: expect.stringContaining('has 3 partitions'),
    });
    const missing = new KafkaDispatchedPipelineBuilder<number>({
      brokers: brokers().brokers,
      topic: 'nobody-made-it',
      name: 'hub',
      connectTimeoutMs: 1000,
    });
    for (const dispatcher of [missing.broadcast(), missing.partition(2, (n) => n)])
      await expect(dispatcher.subscribeSink(collect<number>())).rejects.toMatchObject({
        code: 'SW_KAFKA_TOPIC_UNKNOWN',
      });
  });

  it('is closed once, and refuses what comes then, the same sink twice, and a partition', async () => {
    const dispatcher = (await build(1)).broadcast();
    const sink = collect<number>();
    await dispatcher.subscribeSink(sink, undefined, { name: 'sink' });
    await expect(dispatcher.subscribeSink(sink)).rejects.toMatchObject({ code: 'SW_SUBSCRIPTION_EXISTS' });
    await expect(dispatcher.subscribeSink(collect<number>(), 1 as never)).rejects.toThrow(OptionError);
    await dispatcher.close();
    await dispatcher.close();
    expect(() => dispatcher.createSink()).toThrow(expect.objectContaining({ code: 'SW_DISPATCHER_CLOSED' }));
    await expect(dispatcher.subscribeSink(collect<number>())).rejects.toMatchObject({
      code: 'SW_DISPATCHER_CLOSED',
    });
  });

  it('gives two sinks no share of one name by accident', async () => {
    const dispatcher = (await build(1)).broadcast();
    for (const nameless of [() => {}, { write: () => {} }])
      await expect(dispatcher.subscribeSink(nameless)).rejects.toThrow(OptionError);
    const [first, second] = [collect<number>(), collect<number>()];
    await dispatcher.subscribeSink(first);
    await expect(dispatcher.subscribeSink(second)).rejects.toMatchObject({
      code: 'SW_SUBSCRIPTION_EXISTS',
      message: expect.stringContaining('name'),
    });
    // What is said is meant.
    await dispatcher.subscribeSink(second, undefined, { name: first.name as string });
    await dispatcher.close();
    const shared = (await build(1)).demand();
    await shared.subscribeSink(() => {});
    await shared.subscribeSink(() => {});
    await shared.close();
  });

  it('opens a sink once, also where it is subscribed twice at once', async () => {
    const dispatcher = (await build(1)).broadcast();
    const sink = collect<number>();
    const both = await Promise.allSettled([dispatcher.subscribeSink(sink), dispatcher.subscribeSink(sink)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(dispatcher.sinks()).toHaveLength(1);
    await dispatcher.close();
  });

  it('ends what is joining when it is closed', async () => {
    for (const rule of ['broadcast', 'partition'] as const) {
      const builder = await build(1);
      const dispatcher = rule === 'broadcast' ? builder.broadcast() : builder.partition(1, (n) => n);
      const subscribing = dispatcher.subscribeSink(collect<number>());
      const refused = expect(subscribing).rejects.toMatchObject({ code: 'SW_DISPATCHER_CLOSED' });
      await dispatcher.close();
      await refused;
      expect(dispatcher.sinks()).toEqual([]);
    }
  });

  it('writes into no topic of another number of partitions', async () => {
    const builder = await build(3);
    await expect(
      feed(
        builder.partition(4, (n) => n),
        0,
        10,
      ),
    ).rejects.toMatchObject({
      code: 'SW_KAFKA_TOPIC_INVALID',
    });
    expect(await brokers().read(topic)).toEqual([]);
    await feed(
      builder.partition(3, (n) => n),
      0,
      10,
    );
    expect(await brokers().read(topic)).toHaveLength(10);
  });
});

describe('KafkaDispatchedPipelineBuilder', () => {
  it.each([
    [{ topic: '', name: 'a' }],
    [{ topic: 'a', name: '' }],
    [{ topic: 'a', name: 'a', onInvalid: 'ignore' }],
    [{ topic: 'a', name: 'a', encode: 'json' }],
    [{ topic: 'a', name: 'a', from: 'now' }],
    [{ topic: 'a', name: 'a', sessionTimeoutMs: 0 }],
    [{ topic: 'a', name: 'a', logger: 5 }],
    [{ topic: 'a', name: 'a', surplus: 1 }],
  ])('refuses %o', (options) => {
    expect(() => new KafkaDispatchedPipelineBuilder({ brokers: 'here:1', ...options } as never)).toThrow(
      OptionError,
    );
  });
});
