/** Sinks that come and go while items flow. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, numbers, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();
const builder = <T>(bufferSize?: number): DispatchedPipelineBuilder<T> =>
  new DispatchedPipelineBuilder<T>({ logger: null, bufferSize });

describe('Dispatcher.subscribeSink', () => {
  it('answers when the sink is open, and brings it nothing before', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const first = new Recorder<number>();
    await dispatcher.subscribeSink(first);
    const late = new Recorder<number>({ open: () => time().sleep(50) });
    const subscribing = dispatcher.subscribeSink(late);
    await feed.write(1);
    await time().run(subscribing);
    await feed.write(2);
    expect([first.items, late.items]).toEqual([[1, 2], [2]]);
  });

  it('gives a newcomer a contiguous suffix, from the middle of a write too', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const slow = new GatedSink<number>('slow', { maxItems: 2 });
    await dispatcher.subscribeSink(slow, undefined, { bufferSize: 2 });
    await feed.write(1, 2, 3, 4, 5, 6);
    await slow.release();
    const late = new Recorder<number>();
    await dispatcher.subscribeSink(late);
    await slow.releaseAll();
    expect([slow.items, late.items]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [5, 6],
    ]);
  });

  it('takes a function again and again, and names it', async () => {
    const dispatcher = builder<number>().demand();
    const work = (): void => {};
    await dispatcher.subscribeSink(work);
    await dispatcher.subscribeSink(work, undefined, { name: 'second' });
    expect(dispatcher.sinks().map(({ name }) => name)).toEqual(['work', 'second']);
  });

  it('takes back a sink that had unsubscribed', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink: Sink<number> = { write: () => {} };
    await (await dispatcher.subscribeSink(sink)).unsubscribe();
    await dispatcher.subscribeSink(sink);
    expect(dispatcher.sinks().map(({ state }) => state)).toEqual(['open', 'closed']);
  });

  it('refuses what is no sink, and options that cannot work, by name', async () => {
    const dispatcher = builder<number>().broadcast();
    const refusal = (options: object): Promise<unknown> =>
      rejection(dispatcher.subscribeSink(new Recorder<number>(), undefined, options));
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 60, '10', null]) {
      for (const option of ['bufferSize', 'maxConcurrency']) {
        expect(await refusal({ [option]: size })).toMatchObject({ option: `subscribeSink.${option}` });
      }
      expect(() => dispatcher.createSink(size as number)).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID', option: 'createSink batchSize' }),
      );
    }
    expect(await refusal({ overflow: 'drop' })).toMatchObject({ option: 'subscribeSink.overflow' });
    expect(await refusal({ onError: 'ignore' })).toMatchObject({ option: 'subscribeSink.onError' });
    expect(await refusal({ onDrop: 1 })).toMatchObject({ option: 'subscribeSink.onDrop' });
    expect(await refusal({ name: '' })).toMatchObject({ option: 'subscribeSink.name' });
    expect(await refusal({ buffersize: 1 })).toMatchObject({ option: 'subscribeSink.buffersize' });
    expect(await rejection(dispatcher.subscribeSink({} as Sink<number>))).toMatchObject({
      code: 'SW_SINK_INVALID',
    });
    expect(await rejection(dispatcher.subscribeSink(new Recorder<number>(), 'x' as never))).toMatchObject({
      code: 'SW_PARTITION_UNKNOWN',
    });
    expect(dispatcher.sinks()).toEqual([]);
  });

  it('refuses options that would break the rule of the dispatcher', async () => {
    const sink = new Recorder<number>();
    const selector = (): boolean => true;
    expect(
      await rejection(builder<number>().demand().subscribeSink(sink, undefined, { selector })),
    ).toMatchObject({
      option: 'subscribeSink.selector',
    });
    const plain = builder<number>().partition(2, (n) => n);
    expect(await rejection(plain.subscribeSink(sink, 0, { maxConcurrency: 2 }))).toMatchObject({
      option: 'subscribeSink.maxConcurrency',
    });
    const keyed = builder<number>().partition(2, (n) => n, { key: (n) => n });
    expect(await rejection(keyed.subscribeSink(sink, 0, { overflow: 'dropNewest' }))).toMatchObject({
      option: 'subscribeSink.overflow',
    });
    await keyed.subscribeSink(sink, 0, { maxConcurrency: 2, overflow: 'wait' });
  });

  it('leaves the buffer of a partition as it was when the sink cannot be opened', async () => {
    const dispatcher = builder<number>(50).partition(1, () => 0, { key: (n) => n });
    await dispatcher.subscribeSink(new Recorder<number>(), 0);
    const error = new Error('no');
    const bad = new Recorder<number>({
      open: () => {
        throw error;
      },
    });
    expect(await rejection(dispatcher.subscribeSink(bad, 0, { bufferSize: 1 }))).toMatchObject({
      cause: error,
    });
    expect(dispatcher.sinks()).toMatchObject([{ bufferSize: 50 }]);
  });
});

describe('Subscription.unsubscribe', () => {
  it('leaves a trace of the last hundred alone', async () => {
    const dispatcher = builder<number>().broadcast();
    for (let at = 0; at < 250; at++) {
      const subscription = await dispatcher.subscribeSink(() => {}, undefined, { name: `sink ${at}` });
      await subscription.unsubscribe();
    }
    await dispatcher.subscribeSink(() => {}, undefined, { name: 'here' });
    const names = dispatcher.sinks().map(({ name }) => name);
    expect(names).toEqual(['here', ...numbers(100, 150).map((at) => `sink ${at}`)]);
  });

  it('gives the sink what is in its buffer, then flushes and closes it, while items flow on', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [leaving, staying] = [new GatedSink<number>('leaving', { maxItems: 1 }), new Recorder<number>()];
    const subscription = await dispatcher.subscribeSink(leaving);
    await dispatcher.subscribeSink(staying);
    await feed.write(1, 2, 3);
    const left = subscription.unsubscribe();
    expect(subscription.status).toMatchObject({ state: 'draining', demand: 0 });
    await feed.write(4, 5);
    await leaving.releaseAll();
    await left;
    expect([leaving.items, staying.items]).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4, 5],
    ]);
    expect(leaving.calls).toEqual(['open', 'flush', 'close']);
    expect(subscription.status).toMatchObject({ state: 'closed', delivered: 3, buffered: 0, inFlight: 0 });
    await subscription.unsubscribe();
    expect(leaving.calls).toHaveLength(3);
  });

  it('does not wait for a write to fill up', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new Recorder<number>({ maxItems: 10, lingerMs: 60_000 });
    const subscription = await dispatcher.subscribeSink(sink);
    await feed.write(1, 2);
    expect(sink.items).toEqual([]);
    await subscription.unsubscribe();
    expect([sink.items, time().elapsed, time().activeTimers]).toEqual([[1, 2], 0, 0]);
  });

  it('works from within the write of the sink itself, and from that of another', async () => {
    for (const kind of ['broadcast', 'demand'] as const) {
      const dispatcher = builder<number>()[kind]();
      let leaveFirst = (): void => {};
      const first = new Recorder<number>({ name: 'first', maxItems: 2, check: () => leaveFirst() });
      const second = new Recorder<number>({ name: 'second', maxItems: 2, check: () => leaveFirst() });
      const subscription = await dispatcher.subscribeSink(first, undefined, { bufferSize: 4 });
      await dispatcher.subscribeSink(second, undefined, { bufferSize: 4 });
      const leaving: Promise<void>[] = [];
      leaveFirst = () => {
        if (first.items.length + second.items.length >= 4) leaving.push(subscription.unsubscribe());
      };
      const report = await time().run(
        new ConcurrentPipeline(range(0, 40), dispatcher.createSink(10)).bufferSize(20).run(),
      );
      await Promise.all(leaving);
      expect(report.positions).toEqual(new Map([['', 40]]));
      expect(first.isClosed).toBe(true);
      const sum = (items: readonly number[]): number => items.reduce((total, n) => total + n, 0);
      if (kind === 'broadcast') {
        expect(second.items).toEqual(numbers(40));
        expect(first.items).toEqual(numbers(first.items.length));
      } else {
        expect(sum(first.items) + sum(second.items)).toBe(sum(numbers(40)));
      }
    }
  });

  it('brings what a dispatch that is under way still gives it', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const leaver = new GatedSink<number>('leaver', { maxItems: 1 });
    const leaving: Promise<void>[] = [];
    const first = new Recorder<number>({ check: () => leaving.push(subscription.unsubscribe()) });
    await dispatcher.subscribeSink(first);
    const subscription = await dispatcher.subscribeSink(leaver);
    const write = await feed.write(1, 2, 3);
    await leaver.releaseAll();
    await Promise.all(leaving);
    expect([leaver.items, leaver.calls, write.receipt]).toEqual([
      [1, 2, 3],
      ['open', 'flush', 'close'],
      'settled',
    ]);
  });

  it('is over where the sink is detached on its way out, and does not flush it', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('leaver', { maxItems: 1 });
    const subscription = await dispatcher.subscribeSink(sink, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(new Recorder<number>());
    const write = await feed.write(1, 2, 3);
    const leaving = subscription.unsubscribe();
    await sink.release();
    await sink.fail(new Error('no'));
    await leaving;
    await tick();
    expect([sink.calls, subscription.status.state, subscription.status.failed, write.receipt]).toEqual([
      ['open', 'close: reason'],
      'detached',
      2,
      'settled',
    ]);
  });

  it('leaves with the last sink, and what comes then waits for another', async () => {
    const dispatcher = builder<number>().demand();
    const feed = new HandFeed(dispatcher);
    const first = new GatedSink<number>('first');
    const subscription = await dispatcher.subscribeSink(first, undefined, { bufferSize: 2 });
    const write = await feed.write(1, 2, 3);
    const leaving = subscription.unsubscribe();
    await first.release();
    await leaving;
    const second = new Recorder<number>();
    await dispatcher.subscribeSink(second);
    expect([first.items, second.items, write.receipt]).toEqual([[1, 2], [3], 'settled']);
  });

  it('holds a flush until the leaver is closed', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>();
    const subscription = await dispatcher.subscribeSink(sink);
    await feed.write(1);
    const leaving = subscription.unsubscribe();
    const flush = feed.flush();
    await tick();
    expect(flush.isDone).toBe(false);
    await sink.release();
    await leaving;
    await flush.promise;
    expect(sink.calls).toEqual(['open', 'flush', 'close']);
  });

  it('in the midst of a flush has that wait until what the sink accepted is durable', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    let makeDurable = (): void => {};
    const durable = new Promise<void>((resolve) => {
      makeDurable = resolve;
    });
    const sink: Sink<number> = { write: () => Promise.resolve({ durable }) };
    const subscription = await dispatcher.subscribeSink(sink);
    const write = await feed.write(1);
    const flush = feed.flush();
    await tick();
    const leaving = subscription.unsubscribe();
    await tick();
    expect([flush.isDone, write.receipt]).toEqual([false, 'open']);
    makeDurable();
    await Promise.all([flush.promise, leaving]);
    expect([flush.error, write.receipt]).toEqual([undefined, 'settled']);
  });

  it('is over, and the sink closed once, when the dispatcher is aborted meanwhile', async () => {
    for (const items of [1, 3]) {
      const dispatcher = builder<number>().broadcast();
      const feed = new HandFeed(dispatcher);
      const sink = new GatedSink<number>('slow', { maxItems: 1 });
      const subscription = await dispatcher.subscribeSink(sink);
      await feed.write(...numbers(items));
      const leaving = subscription.unsubscribe();
      const aborting = dispatcher.abort(new Error('enough'));
      await sink.release();
      await aborting;
      await leaving.catch(() => {});
      expect(sink.calls).toEqual(['open', 'close: reason']);
      expect(subscription.status.state).toBe('closed');
    }
  });

  it('is over, and the sink closed once, when another sink fails meanwhile', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [slow, bad] = [new GatedSink<number>('slow', { maxItems: 1 }), new GatedSink<number>('bad')];
    const subscription = await dispatcher.subscribeSink(slow);
    await dispatcher.subscribeSink(bad);
    await feed.write(1, 2, 3);
    const leaving = subscription.unsubscribe();
    await bad.fail(new Error('no'));
    await slow.release();
    await feed.close(feed.failures[0]);
    await leaving.catch(() => {});
    expect([slow.calls, bad.calls]).toEqual([
      ['open', 'close: reason'],
      ['open', 'close: reason'],
    ]);
  });

  it.each(['flush', 'close'] as const)(
    'rejects when the %s fails, closes once, and fails the dispatcher',
    async (step) => {
      const error = new Error(step);
      for (const onError of ['fail', 'detach'] as const) {
        const dispatcher = builder<number>().broadcast();
        const feed = new HandFeed(dispatcher);
        let closes = 0;
        const sink = new Recorder<number>({
          [step]: (reason: unknown) => {
            if (reason === undefined) throw error;
          },
        });
        const close = sink.close.bind(sink);
        sink.close = (reason) => {
          closes += 1;
          return close(reason);
        };
        const subscription = await dispatcher.subscribeSink(sink, undefined, { onError });
        await feed.write(1);
        expect(await rejection(subscription.unsubscribe())).toMatchObject({
          code: 'SW_SINK_FAILED',
          cause: error,
        });
        expect(dispatcher.snapshot().state).toBe(onError === 'fail' ? 'failed' : 'open');
        await feed.close(feed.failures[0]).catch(() => {});
        expect([onError, closes]).toEqual([onError, 1]);
      }
    },
  );
});

describe('A partition', () => {
  const byParity = {
    names: ['even', 'odd'] as const,
    route: (n: number) => (n % 2 === 0 ? 'even' : 'odd') as 'even',
  };

  it('goes to the next sink with all that waits, when the former one has finished writing', async () => {
    const dispatcher = builder<number>().partition(byParity.names, byParity.route);
    const feed = new HandFeed(dispatcher);
    const former = new GatedSink<number>('former', { maxItems: 2 });
    const subscription = await dispatcher.subscribeSink(former, 'even');
    await feed.write(0, 2, 4, 6);
    const leaving = subscription.unsubscribe();
    const next = new Recorder<number>({ name: 'next' });
    let isSubscribed = false;
    const subscribing = dispatcher.subscribeSink(next, 'even').then(() => {
      isSubscribed = true;
    });
    await feed.write(8, 10);
    await former.release();
    expect([isSubscribed, next.begun]).toEqual([false, []]);
    await former.release();
    await subscribing;
    await leaving;
    expect([former.items, next.items]).toEqual([
      [0, 2, 4, 6],
      [8, 10],
    ]);
  });

  it('starts the next sink only when the write of one that was detached has ended', async () => {
    const dispatcher = builder<number>().partition(byParity.names, byParity.route);
    const feed = new HandFeed(dispatcher);
    const former = new GatedSink<number>('former', { maxItems: 1 });
    await dispatcher.subscribeSink(former, 'even', { onError: 'detach' });
    await feed.write(0, 2, 4);
    former.context?.fail(new Error('half dead'));
    const next = new Recorder<number>({ name: 'next' });
    const subscribing = dispatcher.subscribeSink(next, 'even');
    await tick();
    expect(next.items).toEqual([]);
    await former.release();
    await subscribing;
    expect([former.items, next.items]).toEqual([[0], [2, 4]]);
  });

  it('has one sink where it is the key, also while that one is being opened', async () => {
    const dispatcher = builder<number>().partition(byParity.names, byParity.route);
    const opening = dispatcher.subscribeSink(new Recorder<number>({ open: () => time().sleep(5) }), 'even');
    expect(await rejection(dispatcher.subscribeSink(new Recorder<number>(), 'even'))).toMatchObject({
      code: 'SW_PARTITION_TAKEN',
    });
    await time().run(opening);
  });

  it('closes a sink that waits for its predecessor when the dispatcher ends first', async () => {
    const dispatcher = builder<number>().partition(byParity.names, byParity.route);
    const feed = new HandFeed(dispatcher);
    const former = new GatedSink<number>('former');
    const subscription = await dispatcher.subscribeSink(former, 'even');
    await feed.write(0);
    const leaving = subscription.unsubscribe();
    const next = new Recorder<number>({ name: 'next' });
    const refusal = rejection(dispatcher.subscribeSink(next, 'even'));
    await tick();
    const error = new Error('enough');
    const aborting = dispatcher.abort(error);
    await former.release();
    await aborting;
    expect(await refusal).toBe(error);
    await leaving.catch(() => {});
    expect(next.calls).toEqual(['open', 'close: reason']);
    expect(next.reason).toBe(error);
  });

  it('waits under its own policy when a sink that dropped has left, and counts its drops no further', async () => {
    const dispatcher = builder<number>().partition(1, () => 0);
    const feed = new HandFeed(dispatcher);
    const dropped: number[] = [];
    const former = new GatedSink<number>('former', { maxItems: 1 });
    const subscription = await dispatcher.subscribeSink(former, 0, {
      bufferSize: 2,
      overflow: 'dropNewest',
      onDrop: (items) => dropped.push(...items),
    });
    await feed.write(1, 2, 3);
    const leaving = subscription.unsubscribe();
    await former.releaseAll();
    await leaving;
    expect([dropped, subscription.status.dropped]).toEqual([[3], 1]);
    const write = await feed.write(4, 5, 6, 7);
    expect([write.state, dropped]).toEqual(['waiting', [3]]);
    const next = new Recorder<number>();
    const after = await dispatcher.subscribeSink(next, 0);
    await tick();
    expect([next.items, after.status.dropped]).toEqual([[4, 5, 6, 7], 0]);
  });
});

describe('A keyed partition', () => {
  const keyOf = (item: string): string => item[0] as string;

  it('K2 lets a second sink join while keys are in flight, and keeps each key with whoever writes it', async () => {
    const dispatcher = builder<string>().partition(1, () => 0, { key: keyOf });
    const feed = new HandFeed(dispatcher);
    const [first, second] = [
      new GatedSink<string>('1', { maxItems: 1 }),
      new GatedSink<string>('2', { maxItems: 1 }),
    ];
    await dispatcher.subscribeSink(first, 0);
    await feed.write('a1', 'b1', 'a2', 'b2');
    expect(first.held).toEqual(['a1']);
    await dispatcher.subscribeSink(second, 0);
    await tick();
    expect([first.held, second.held]).toEqual([['a1'], ['b1']]);
    // Both keys are in flight: neither sink may have any more.
    await second.release();
    expect([first.held, second.held]).toEqual([['a1'], ['b2']]);
    await first.release();
    expect(first.held).toEqual(['a2']);
    await first.release();
    await second.release();
    expect([first.items, second.items]).toEqual([
      ['a1', 'a2'],
      ['b1', 'b2'],
    ]);
  });

  it('K2 gives each of several seats other keys, and never a key to two', async () => {
    const dispatcher = builder<string>().partition(1, () => 0, { key: keyOf });
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<string>('seats', { maxItems: 1 });
    await dispatcher.subscribeSink(sink, 0, { maxConcurrency: 3 });
    await feed.write('a1', 'a2', 'b1', 'b2', 'c1', 'd1');
    expect(sink.held.toSorted()).toEqual(['a1', 'b1', 'c1']);
    expect(dispatcher.sinks()).toMatchObject([{ inFlight: 3, buffered: 3, demand: 994 }]);
    await sink.releaseAll();
    expect(sink.items.filter((item) => item.startsWith('a'))).toEqual(['a1', 'a2']);
  });

  it('spreads the keys of each of many partitions over its seats', async () => {
    for (const partitions of [2, 8, 64]) {
      const dispatcher = builder<number>().partition(partitions, (n) => n, { key: (n) => n });
      const feed = new HandFeed(dispatcher);
      const sinks = numbers(partitions).map(() => new GatedSink<number>('seats', { maxItems: 4 }));
      for (const [at, sink] of sinks.entries())
        await dispatcher.subscribeSink(sink, at, { maxConcurrency: 4 });
      await feed.write(...numbers(partitions * 100));
      expect([partitions, sinks.map(({ waiting }) => waiting.length)]).toEqual([
        partitions,
        sinks.map(() => 4),
      ]);
    }
  });

  it('leaves the items of a leaving seat to the others, when it has finished writing', async () => {
    const dispatcher = builder<string>().partition(1, () => 0, { key: keyOf });
    const feed = new HandFeed(dispatcher);
    const [first, second] = [
      new GatedSink<string>('1', { maxItems: 1 }),
      new GatedSink<string>('2', { maxItems: 1 }),
    ];
    const subscription = await dispatcher.subscribeSink(first, 0);
    await dispatcher.subscribeSink(second, 0);
    await feed.write('a1', 'a2', 'a3', 'b1');
    expect([first.held, second.held]).toEqual([['a1'], ['b1']]);
    const leaving = subscription.unsubscribe();
    await second.release();
    expect(second.held).toEqual([]);
    await first.release();
    await leaving;
    expect([first.calls, first.items, second.held]).toEqual([['open', 'flush', 'close'], ['a1'], ['a2']]);
    await second.releaseAll();
    expect(second.items).toEqual(['b1', 'a2', 'a3']);
  });

  it('is drained by the last of its sinks when that leaves', async () => {
    const dispatcher = builder<string>().partition(1, () => 0, { key: keyOf });
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<string>('last', { maxItems: 1 });
    const subscription = await dispatcher.subscribeSink(sink, 0, { maxConcurrency: 2 });
    const write = await feed.write('a1', 'a2', 'b1', 'a3', 'c1');
    const leaving = subscription.unsubscribe();
    await sink.releaseAll();
    await leaving;
    expect([sink.items.length, write.receipt]).toEqual([5, 'settled']);
    expect(sink.items.filter((item) => item.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  });
});
