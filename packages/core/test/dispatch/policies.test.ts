/** What a full buffer drops, and where items go that fit nowhere. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder, type PartitionOptions } from '../../src/dispatch/builder.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, numbers, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();
const builder = <T>(bufferSize?: number): DispatchedPipelineBuilder<T> =>
  new DispatchedPipelineBuilder<T>({ logger: null, bufferSize });

describe('overflow', () => {
  async function overflowing(overflow: 'dropOldest' | 'dropNewest', writes: readonly number[][]) {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('slow', { maxItems: 2 });
    const told: number[][] = [];
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      bufferSize: 5,
      overflow,
      onDrop: (items) => told.push([...items]),
    });
    const made = [];
    for (const items of writes) made.push(await feed.write(...items));
    const states = made.map(({ state }) => state);
    const { highWaterMark, dropped } = subscription.status;
    await sink.releaseAll();
    return {
      items: sink.items,
      told,
      states,
      highWaterMark,
      dropped,
      receipts: made.map(({ receipt }) => receipt),
    };
  }

  it("'dropOldest' drops what has waited longest, and never what is being written", async () => {
    expect(await overflowing('dropOldest', [[1, 2, 3, 4], [5, 6, 7], [8]])).toEqual({
      items: [1, 2, 6, 7, 8],
      told: [[3, 4], [5]],
      states: ['accepted', 'accepted', 'accepted'],
      highWaterMark: 5,
      dropped: 3,
      receipts: ['settled', 'settled', 'settled'],
    });
  });

  it("'dropOldest' keeps the end of a write that is larger than the room there can be", async () => {
    expect(await overflowing('dropOldest', [[1], numbers(10, 10)])).toMatchObject({
      items: [1, 16, 17, 18, 19],
      told: [numbers(6, 10)],
      highWaterMark: 5,
      dropped: 6,
      receipts: ['settled', 'settled'],
    });
  });

  it("'dropOldest' drops what comes where all of the buffer is being written", async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('slow', { maxItems: 3 });
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      bufferSize: 3,
      overflow: 'dropOldest',
    });
    await feed.write(1, 2, 3);
    const write = await feed.write(4, 5);
    expect([write.receipt, subscription.status.dropped]).toEqual(['settled', 2]);
    await sink.releaseAll();
    expect(sink.items).toEqual([1, 2, 3]);
  });

  it("'dropNewest' drops what finds no room", async () => {
    expect(await overflowing('dropNewest', [[1, 2, 3, 4], [5, 6, 7], [8]])).toEqual({
      items: [1, 2, 3, 4, 5],
      told: [[6, 7], [8]],
      states: ['accepted', 'accepted', 'accepted'],
      highWaterMark: 5,
      dropped: 3,
      receipts: ['settled', 'settled', 'settled'],
    });
  });

  it("'fail' fails the dispatcher, and says what to do", async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('slow', { maxItems: 2 });
    await dispatcher.subscribeSink(sink, undefined, { bufferSize: 3, overflow: 'fail' });
    expect((await feed.write(1, 2, 3)).state).toBe('accepted');
    expect((await feed.write(4)).receipt).toBe('failed');
    expect(feed.failures).toMatchObject([{ code: 'SW_CHANNEL_FULL', stage: 'slow' }]);
    expect((feed.failures[0] as Error).message).toContain('bufferSize');
  });

  it("'fail' with onError 'detach' ends that branch alone", async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [slow, good] = [new GatedSink<number>('slow', { maxItems: 1 }), new Recorder<number>()];
    const subscription = await dispatcher.subscribeSink(slow, undefined, {
      bufferSize: 3,
      overflow: 'fail',
      onError: 'detach',
    });
    await dispatcher.subscribeSink(good);
    const writes = [await feed.write(1, 2), await feed.write(3, 4), await feed.write(5)];
    await slow.release();
    expect(subscription.status).toMatchObject({
      state: 'detached',
      failed: 3,
      delivered: 1,
      error: { code: 'SW_CHANNEL_FULL' },
    });
    expect(writes.map(({ receipt }) => receipt)).toEqual(['settled', 'settled', 'settled']);
    expect(good.items).toEqual([1, 2, 3, 4, 5]);
  });

  it('counts what went to a dead letter that takes its time, also when the sink has left', async () => {
    const dispatcher = builder<number>().broadcast();
    const letters = new Recorder<DeadLetter>({ name: 'letters', delayMs: 50, clock: time() });
    const fails = { name: 'fails', write: () => Promise.reject(new Error('no')) };
    await dispatcher.subscribeSink(fails, undefined, { onError: 'detach', deadLetter: letters });
    const good = new Recorder<number>();
    await dispatcher.subscribeSink(good);
    await time().run(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run());
    const left = dispatcher.sinks().find(({ name }) => name === 'fails');
    expect(letters.items).toHaveLength(10);
    expect(left).toMatchObject({ state: 'detached', delivered: 0, deadLettered: 10, failed: 0 });
    expect(good.items).toHaveLength(10);
  });

  it('does not hold the others up, and the run reports everything as done', async () => {
    const dispatcher = builder<number>().broadcast();
    const [slow, quick] = [
      new Recorder<number>({ delayMs: 100, clock: time(), maxItems: 5 }),
      new Recorder<number>(),
    ];
    await dispatcher.subscribeSink(slow, undefined, { bufferSize: 10, overflow: 'dropOldest' });
    await dispatcher.subscribeSink(quick);
    const report = await time().run(
      new ConcurrentPipeline(range(0, 1000), dispatcher.createSink(50)).bufferSize(100).run(),
    );
    expect([report.positions.get(''), quick.items]).toEqual([1000, numbers(1000)]);
    expect(slow.items.length + (dispatcher.sinks()[0]?.dropped ?? 0)).toBe(1000);
    expect(slow.items.at(-1)).toBe(999);
    expect(time().elapsed).toBeLessThan(1000);
  });

  it.each(['fail', 'detach'] as const)(
    'takes an onDrop that throws for a failure of the sink: onError %s',
    async (onError) => {
      const error = new Error('no');
      for (const overflow of ['dropOldest', 'dropNewest'] as const) {
        const dispatcher = builder<number>().broadcast();
        const feed = new HandFeed(dispatcher);
        const sink = new GatedSink<number>('slow', { maxItems: 1 });
        await dispatcher.subscribeSink(sink, undefined, {
          bufferSize: 3,
          overflow,
          onError,
          onDrop: () => {
            throw error;
          },
        });
        await dispatcher.subscribeSink(new Recorder<number>());
        const write = await feed.write(1, 2, 3, 4);
        await sink.release();
        expect(dispatcher.sinks()).toEqual(
          expect.arrayContaining([expect.objectContaining({ name: 'slow', dropped: 1 })]),
        );
        if (onError === 'fail') {
          expect(feed.failures).toMatchObject([{ code: 'SW_SINK_FAILED', stage: 'slow', cause: error }]);
        } else {
          expect([write.receipt, write.pieces, feed.failures]).toEqual(['settled', 0, []]);
        }
      }
    },
  );
});

describe('onUnknown', () => {
  const route = (n: number): 'a' => {
    if (n === 13) throw new Error('unlucky');
    return (n < 10 ? 'a' : '?') as 'a';
  };
  const dispatcherFor = (options?: PartitionOptions<number>, bufferSize?: number) =>
    builder<number>(bufferSize).partition(['a'], route, options);

  it("'fail', the default, fails the run, and lets the position stop before the item", async () => {
    for (const [end, cause] of [
      [12, undefined],
      [14, new Error('unlucky')],
    ] as const) {
      const dispatcher = builder<number>().partition(['a'], (n) => (n === 11 && end > 12 ? 'a' : route(n)));
      await dispatcher.subscribeSink(new Recorder<number>(), 'a');
      const source = range(end === 12 ? 0 : 11, end);
      const failure = await time().run(
        rejection(new ConcurrentPipeline(end === 12 ? source : [0, 13], dispatcher.createSink()).run()),
      );
      expect(failure).toMatchObject({ code: 'SW_PARTITION_UNKNOWN', stage: 'partition' });
      expect((failure as Error).message).toContain("'a'");
      expect((failure as Error).cause).toEqual(cause);
    }
  });

  it('does not tell what the item was', async () => {
    const dispatcher = builder<string>().partition(['a'], (secret) => secret as 'a');
    const feed = new HandFeed(dispatcher);
    await feed.write('hunter2');
    expect(JSON.stringify(feed.failures) + String(feed.failures[0])).not.toContain('hunter2');
  });

  it("'drop' drops it, counted, and the others go on", async () => {
    const dispatcher = dispatcherFor({ onUnknown: 'drop' });
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, 'a');
    const report = await time().run(new ConcurrentPipeline(range(0, 20), dispatcher.createSink(3)).run());
    expect([report.positions.get(''), sink.items, dispatcher.snapshot().dropped]).toEqual([
      20,
      numbers(10),
      10,
    ]);
  });

  it('gives it to a sink, which is opened by the first of them, flushed and closed with the others', async () => {
    const lost = new Recorder<number>({ name: 'lost', maxItems: 4, delayMs: 1, clock: time() });
    const dispatcher = dispatcherFor({ onUnknown: lost });
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, 'a');
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 2);
    expect([lost.calls, dispatcher.sinks().length]).toEqual([[], 1]);
    const report = await time().run(new ConcurrentPipeline(range(0, 20), dispatcher.createSink(3)).run());
    await feed.close();
    expect([report.positions.get(''), lost.items]).toEqual([20, numbers(10, 10)]);
    expect(lost.calls).toEqual(['open', 'flush', 'close']);
    expect(dispatcher.sinks()).toMatchObject([{}, { name: 'lost', delivered: 10, partition: undefined }]);
  });

  it('holds no more for that sink than its buffer, whatever the size of the writes', async () => {
    const lost = new GatedSink<number>('lost', { maxItems: 2 });
    const dispatcher = dispatcherFor({ onUnknown: lost }, 4);
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(...numbers(13, 20));
    for (let i = 0; i < 7; i++) {
      const status = dispatcher.sinks()[0];
      expect((status?.buffered ?? 0) + (status?.inFlight ?? 0)).toBeLessThanOrEqual(4);
      expect(status?.highWaterMark).toBeLessThanOrEqual(4);
      await lost.release();
    }
    expect([lost.items, write.receipt]).toEqual([numbers(13, 20), 'settled']);
  });

  it('fails the run when that sink cannot be opened, or fails', async () => {
    for (const lost of [
      new Recorder<number>({ name: 'lost', open: () => Promise.reject(new Error('no')) }),
      new Recorder<number>({
        name: 'lost',
        check: () => {
          throw new Error('no');
        },
      }),
    ]) {
      const dispatcher = dispatcherFor({ onUnknown: lost });
      await dispatcher.subscribeSink(new Recorder<number>(), 'a');
      const failure = await time().run(
        rejection(new ConcurrentPipeline(range(0, 20), dispatcher.createSink()).run()),
      );
      expect(failure).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'lost', cause: { message: 'no' } });
      expect([lost.isClosed, time().elapsed]).toEqual([true, 0]);
    }
  });

  it('decides about an item whose key cannot be had, and its sink and the others go on', async () => {
    const keys = { key: (n: number) => (n === 3 ? Number.NaN : n === 5 ? (undefined as never) : n) };
    const dropping = builder<number>().partition(1, () => 0, { ...keys, onUnknown: 'drop' });
    const sink = new Recorder<number>({ name: 'healthy' });
    await dropping.subscribeSink(sink, 0, { onError: 'detach' });
    const write = await new HandFeed(dropping).write(1, 2, 3, 4, 5, 6);
    expect([write.receipt, write.pieces, sink.items.toSorted((a, b) => a - b)]).toEqual([
      'settled',
      0,
      [1, 2, 4, 6],
    ]);
    expect(dropping.snapshot()).toMatchObject({ dropped: 2, sinks: [{ state: 'open', failed: 0 }] });

    const failing = builder<number>().partition(1, () => 0, keys);
    const feed = new HandFeed(failing);
    await failing.subscribeSink(new Recorder<number>(), 0);
    expect((await feed.write(1, 2, 3)).receipt).toBe('failed');
    expect(feed.failures).toMatchObject([
      { code: 'SW_PARTITION_UNKNOWN', cause: { code: 'SW_KEY_INVALID' } },
    ]);

    const lost = new Recorder<number>();
    const kept = builder<number>().partition(1, () => 0, {
      key: () => {
        throw new Error('no key');
      },
      onUnknown: lost,
    });
    expect((await new HandFeed(kept).write(1, 2)).receipt).toBe('settled');
    expect(lost.items).toEqual([1, 2]);
  });

  it('refuses anything else', () => {
    for (const onUnknown of ['ignore', 1, {}, null]) {
      expect(() => dispatcherFor({ onUnknown: onUnknown as never })).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/SW_OPTION_INVALID|SW_SINK_INVALID/) }),
      );
    }
  });
});

describe('A partition by number', () => {
  it('hashes a NaN key to nowhere, and any other to one of its partitions', async () => {
    const dispatcher = builder<number>().partition(4, (n) => n, { onUnknown: 'drop' });
    const sinks = numbers(4).map(() => new Recorder<number>());
    for (const [at, sink] of sinks.entries()) await dispatcher.subscribeSink(sink, at);
    await new HandFeed(dispatcher).write(Number.NaN, -1, 0.5, 1e300, Number.POSITIVE_INFINITY);
    await tick();
    expect([sinks.flatMap(({ items }) => items).length, dispatcher.snapshot().dropped]).toEqual([4, 1]);
  });
});
