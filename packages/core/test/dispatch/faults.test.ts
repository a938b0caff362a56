/** The dispatcher's rows of the table of faults, each with proof that the fault took place. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, numbers, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();
const builder = <T>(bufferSize?: number): DispatchedPipelineBuilder<T> =>
  new DispatchedPipelineBuilder<T>({ logger: null, bufferSize });

/** A range that counts what was pulled from it. */
function counted(end: number) {
  const source = range(0, end);
  const { pull } = source;
  const counter = {
    pulled: 0,
    source: {
      ...source,
      pull: (demand: number) => {
        const answer = pull.call(source, demand);
        counter.pulled += answer?.items.length ?? 0;
        return answer;
      },
    },
  };
  return counter;
}

describe('The faults of dispatchers', () => {
  it('[fault 18] a broadcast sink that stalls holds the others at its pace, within every bound', async () => {
    const dispatcher = builder<number>().broadcast();
    const [stalled, quick] = [new GatedSink<number>('stalled', { maxItems: 10 }), new Recorder<number>()];
    await dispatcher.subscribeSink(stalled, undefined, { bufferSize: 30 });
    await dispatcher.subscribeSink(quick, undefined, { bufferSize: 30 });
    const counter = counted(Number.POSITIVE_INFINITY);
    const pipeline = new ConcurrentPipeline(counter.source, dispatcher.createSink(10)).bufferSize(50);
    const run = rejection(pipeline.run());
    await time().advance(60_000);
    expect([stalled.waiting.length, quick.items.length]).toEqual([1, 30]);
    expect(counter.pulled).toBeLessThanOrEqual(30 + 50);
    expect(dispatcher.snapshot().demand).toBe(0);
    for (const { highWaterMark } of dispatcher.sinks()) expect(highWaterMark).toBeLessThanOrEqual(30);
    await stalled.release();
    await time().settle();
    expect(quick.items.length).toBe(40);
    expect(counter.pulled).toBeLessThanOrEqual(40 + 50);
    const aborting = pipeline.abort(new Error('seen'));
    await stalled.releaseAll();
    await time().run(aborting);
    await run;
    expect(time().activeTimers).toBe(0);
  });

  it('[fault 18] unless it is told to drop, to fail or to detach', async () => {
    for (const policy of [
      { overflow: 'dropOldest' },
      { overflow: 'dropNewest' },
      { overflow: 'fail', onError: 'detach' },
    ] as const) {
      const dispatcher = builder<number>().broadcast();
      const [stalled, quick] = [new GatedSink<number>('stalled', { maxItems: 10 }), new Recorder<number>()];
      await dispatcher.subscribeSink(stalled, undefined, { bufferSize: 30, ...policy });
      await dispatcher.subscribeSink(quick);
      const run = new ConcurrentPipeline(range(0, 1000), dispatcher.createSink(10)).bufferSize(50).run();
      await time().settle();
      expect(quick.items).toHaveLength(1000);
      const status = dispatcher.sinks().find(({ name }) => name === 'stalled');
      expect(Math.max(status?.dropped ?? 0, status?.failed ?? 0)).toBeGreaterThan(0);
      expect(status?.highWaterMark).toBeLessThanOrEqual(30);
      await stalled.releaseAll();
      expect((await time().run(run)).positions.get('')).toBe(1000);
    }
  });

  it('[fault 19] the slowest of a broadcast leaves, and the others go on at once', async () => {
    for (const how of ['unsubscribe', 'detach'] as const) {
      const dispatcher = builder<number>().broadcast();
      const [slowest, quick] = [new GatedSink<number>('slowest', { maxItems: 5 }), new Recorder<number>()];
      const subscription = await dispatcher.subscribeSink(slowest, undefined, {
        bufferSize: 5,
        onError: 'detach',
      });
      await dispatcher.subscribeSink(quick);
      const run = new ConcurrentPipeline(range(0, 1000), dispatcher.createSink(10)).bufferSize(50).run();
      await time().settle();
      expect([quick.items.length, dispatcher.snapshot().demand]).toEqual([5, 0]);
      if (how === 'unsubscribe') void subscription.unsubscribe();
      else slowest.context?.fail(new Error('dead'));
      await time().settle();
      // Its own write has not ended yet: nobody waits for that.
      expect([quick.items.length, slowest.waiting.length]).toEqual([1000, 1]);
      await slowest.release();
      expect((await time().run(run)).positions.get('')).toBe(1000);
    }
  });

  it('[fault 20] a sink joins a broadcast, and sees a contiguous suffix', async () => {
    const dispatcher = builder<number>(20).broadcast();
    const first = new Recorder<number>({ delayMs: 1, clock: time(), maxItems: 7 });
    await dispatcher.subscribeSink(first);
    const run = new ConcurrentPipeline(range(0, 2000), dispatcher.createSink(10)).bufferSize(40).run();
    const joined: Recorder<number>[] = [];
    for (let at = 0; at < 20; at++) {
      await time().advance(7);
      const sink = new Recorder<number>({ delayMs: (at % 4) + 1, clock: time(), maxItems: 7 });
      joined.push(sink);
      await dispatcher.subscribeSink(sink);
    }
    await time().run(run);
    expect(first.items).toEqual(numbers(2000));
    for (const { items } of joined) {
      expect(items.length).toBeGreaterThan(0);
      expect(items.length).toBeLessThan(2000);
      expect(items).toEqual(numbers(items.length, 2000 - items.length));
    }
  });

  it('[fault 21] a sink of demand dies with what it was given: others get it, or it is reported', async () => {
    for (const onError of ['fail', 'detach'] as const) {
      const dispatcher = builder<number>().demand();
      const feed = new HandFeed(dispatcher);
      const [dying, other] = [new GatedSink<number>('dying', { maxItems: 3 }), new Recorder<number>()];
      const subscription = await dispatcher.subscribeSink(dying, undefined, { bufferSize: 12, onError });
      await dispatcher.subscribeSink(other, undefined, { bufferSize: 1 });
      const write = await feed.write(...numbers(12));
      await dying.release();
      await dying.fail(new Error('dead'));
      if (onError === 'detach') {
        expect(subscription.status).toMatchObject({ delivered: 3, failed: 3 });
        expect([...dying.items, ...other.items].toSorted((a, b) => a - b)).toEqual(
          numbers(12).filter((n) => n < 3 || n > 5),
        );
        expect(write.receipt).toBe('settled');
      } else {
        expect(feed.failures).toMatchObject([{ cause: { message: 'dead' } }]);
        expect(write.receipt).not.toBe('settled');
        expect(other.items).toEqual([]);
      }
    }
  });

  it('[fault 22] nobody can ask for nothing, for less, for a part or for more than there can be', async () => {
    const dispatcher = builder<number>().demand();
    for (const bufferSize of [0, -1, 1.5, 2 ** 60, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(
        await rejection(dispatcher.subscribeSink(new Recorder<number>(), undefined, { bufferSize })),
      ).toMatchObject({ code: 'SW_OPTION_INVALID', option: 'subscribeSink.bufferSize' });
    }
    expect(dispatcher.snapshot()).toMatchObject({ demand: 0, sinks: [] });
    await dispatcher.subscribeSink(new Recorder<number>(), undefined, {
      bufferSize: Number.MAX_SAFE_INTEGER,
    });
    expect(dispatcher.snapshot().demand).toBe(Number.MAX_SAFE_INTEGER);
    expect((await new HandFeed(dispatcher).write(1)).receipt).toBe('settled');
  });

  it('[fault 23] a route that throws, NaN, or an unknown partition concerns its item alone', async () => {
    let thrown = 0;
    const lost = new Recorder<number>();
    const dispatcher = builder<number>().partition(
      ['a', 'b'],
      (n) => {
        if (n % 10 === 3) {
          thrown += 1;
          throw new Error('no');
        }
        return (n % 10 === 5 ? Number.NaN : n % 10 === 7 ? 'c' : n % 2 === 0 ? 'a' : 'b') as 'a';
      },
      { onUnknown: lost },
    );
    const [a, b] = [new Recorder<number>(), new Recorder<number>()];
    await dispatcher.subscribeSink(a, 'a');
    await dispatcher.subscribeSink(b, 'b');
    const report = await time().run(new ConcurrentPipeline(range(0, 100), dispatcher.createSink(9)).run());
    const isLost = (n: number): boolean => [3, 5, 7].includes(n % 10);
    expect([report.positions.get(''), thrown]).toEqual([100, 10]);
    expect(lost.items).toEqual(numbers(100).filter(isLost));
    expect(a.items).toEqual(numbers(100).filter((n) => n % 2 === 0));
    expect(b.items).toEqual(numbers(100).filter((n) => n % 2 === 1 && !isLost(n)));
  });

  it('[fault 23] unless the policy is to fail', async () => {
    const error = new Error('no');
    const dispatcher = builder<number>().partition(['a'], (n) => {
      if (n === 50) throw error;
      return 'a';
    });
    await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 100), dispatcher.createSink(9)).run()),
    );
    expect(failure).toMatchObject({ code: 'SW_PARTITION_UNKNOWN', cause: error });
  });

  it('[fault 24] one hot key among 99 idle ones keeps its order, its bound, and starves nobody', async () => {
    const dispatcher = builder<{ key: number; n: number }>().partition(1, () => 0, { key: ({ key }) => key });
    const idle = new Set(numbers(99, 1));
    let lastIdleAt = 0;
    const hot: number[] = [];
    let hotInFlight = 0;
    const sink = {
      write: async (batch: readonly { key: number; n: number }[]): Promise<void> => {
        const isHot = batch.some(({ key }) => key === 0);
        if (isHot) expect(++hotInFlight).toBe(1);
        await time().sleep(isHot ? 50 : 1);
        if (isHot) hotInFlight -= 1;
        for (const { key, n } of batch) {
          if (key === 0) hot.push(n);
          else if (idle.delete(key)) lastIdleAt = time().elapsed;
        }
      },
    };
    const subscription = await dispatcher.subscribeSink(sink, 0, { maxConcurrency: 4, bufferSize: 200 });
    // All of the idle keys come behind a hundred of the hot one.
    const items = numbers(1000).map((n) => ({ key: n >= 100 && n < 199 ? n - 99 : 0, n }));
    await time().run(new ConcurrentPipeline(items, dispatcher.createSink(10)).bufferSize(50).run());
    expect(hot).toEqual(items.filter(({ key }) => key === 0).map(({ n }) => n));
    expect([idle.size, lastIdleAt < time().elapsed / 2]).toEqual([0, true]);
    expect(subscription.status.highWaterMark).toBeLessThanOrEqual(200);
  });

  it('[fault 24] nor where there is a single seat: slots take turns', async () => {
    const dispatcher = builder<number>().partition(1, () => 0, { key: (n) => n < 0 });
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('one seat', { maxItems: 2 });
    await dispatcher.subscribeSink(sink, 0);
    await feed.write(...numbers(20), -1);
    await sink.release(2);
    expect([...sink.items, ...sink.held]).toContain(-1);
    await sink.releaseAll();
    expect(sink.items.filter((n) => n >= 0)).toEqual(numbers(20));
  });

  it('[fault 24] a hot partition stops the source only when its own buffer is full', async () => {
    const dispatcher = builder<number>().partition(['hot', 'idle'], (n) => (n % 100 === 99 ? 'idle' : 'hot'));
    const [hot, idle] = [new GatedSink<number>('hot', { maxItems: 10 }), new Recorder<number>()];
    await dispatcher.subscribeSink(hot, 'hot', { bufferSize: 500 });
    await dispatcher.subscribeSink(idle, 'idle', { bufferSize: 10 });
    const counter = counted(2000);
    const run = new ConcurrentPipeline(counter.source, dispatcher.createSink(10)).bufferSize(50).run();
    await time().settle();
    expect([dispatcher.sinks()[0]?.demand, dispatcher.sinks()[0]?.highWaterMark]).toEqual([0, 500]);
    expect(idle.items).toEqual([99, 199, 299, 399, 499]);
    expect(counter.pulled).toBeLessThanOrEqual(505 + 50);
    await hot.releaseAll();
    await time().run(run);
    expect([hot.items.length, idle.items.length]).toEqual([1980, 20]);
  });

  it('[fault 25] the partition of an absent sink buffers to its bound, then the source waits', async () => {
    const lines: string[] = [];
    const dispatcher = new DispatchedPipelineBuilder<number>({
      bufferSize: 20,
      logger: { warn: (line) => lines.push(line) },
    }).partition(2, (n) => n % 2);
    const present = new Recorder<number>();
    await dispatcher.subscribeSink(present, 0);
    const counter = counted(1000);
    const run = new ConcurrentPipeline(counter.source, dispatcher.createSink(10)).bufferSize(30).run();
    await time().advance(60_000);
    expect(present.items.length).toBeGreaterThanOrEqual(20);
    expect(present.items.length).toBeLessThanOrEqual(21);
    expect(counter.pulled).toBeLessThanOrEqual(40 + 1 + 30);
    expect(lines.length).toBeGreaterThan(0);
    const late = new Recorder<number>();
    await dispatcher.subscribeSink(late, 1);
    await time().run(run);
    await tick();
    expect([present.items.length, late.items]).toEqual([500, numbers(500).map((n) => n * 2 + 1)]);
    expect(time().activeTimers).toBe(0);
  });
});
