/** A dispatcher and its feeds: demand, several runs, trees of dispatchers, waiting, and the end. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { type DispatchStrategy, UNROUTED } from '../../src/dispatch/strategy.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import { useLeakCheck } from '../leak-check.ts';
import { withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, numbers, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();
const builder = <T>(bufferSize?: number): DispatchedPipelineBuilder<T> =>
  new DispatchedPipelineBuilder<T>({ logger: null, bufferSize });

describe('new DispatchedPipelineBuilder', () => {
  it('checks its options when they are given', () => {
    for (const [options, option] of [
      [{ bufferSize: 0 }, 'bufferSize'],
      [{ bufferSize: 1.5 }, 'bufferSize'],
      [{ name: '' }, 'name'],
      [{ stallMs: -1 }, 'stallMs'],
      [{ logger: {} }, 'logger'],
      [{ buffer: 1 }, 'buffer'],
    ] as const) {
      expect(() => new DispatchedPipelineBuilder(options as object)).toThrow(
        expect.objectContaining({ option: `DispatchedPipelineBuilder.${option}` }),
      );
    }
    expect(() => builder().demand({ shuffle: 'yes' as never })).toThrow(
      expect.objectContaining({ option: 'demand.shuffle' }),
    );
    expect(() => builder().partition(1, () => 1, { key: 'id' as never })).toThrow(
      expect.objectContaining({ option: 'partition.key' }),
    );
  });

  it('names dispatchers, and gives their sinks the buffer it was told', async () => {
    const named = new DispatchedPipelineBuilder<number>({ name: 'orders', bufferSize: 7 }).demand();
    const { demand, bufferSize } = (await named.subscribeSink(new Recorder<number>())).status;
    expect([named.name, named.snapshot().strategy, demand, bufferSize]).toEqual(['orders', 'demand', 7, 7]);
    expect(builder().broadcast().name).toBe('broadcast');
  });
});

describe('Dispatcher.createSink', () => {
  it('takes and gives on at most so many items at once, where a sink does not say its own', async () => {
    const dispatcher = builder<number>().broadcast();
    const [plain, small, large] = [
      new Recorder<number>(),
      new Recorder<number>({ maxItems: 3 }),
      new Recorder<number>({ maxItems: 1000 }),
    ];
    for (const sink of [plain, small, large]) await dispatcher.subscribeSink(sink);
    const feed = dispatcher.createSink(10);
    expect([feed.batching, feed.concurrency]).toEqual([{ maxItems: 10 }, 1]);
    await time().run(new ConcurrentPipeline(range(0, 100), feed).bufferSize(50).maxConcurrency(4).run());
    const most = ({ batches }: Recorder<number>): number => Math.max(...batches.map(({ length }) => length));
    expect([most(plain), most(small)]).toEqual([10, 3]);
    for (const sink of [plain, small, large]) expect(sink.items).toEqual(numbers(100));
  });

  it('fits the writes and the buffers of demand to the largest of its feeds, also after subscribing', async () => {
    const dispatcher = builder<number>().demand();
    await dispatcher.subscribeSink(new Recorder<number>(), undefined, { maxConcurrency: 3 });
    await dispatcher.subscribeSink(new Recorder<number>({ maxItems: 4, concurrency: 2 }), undefined, {
      maxConcurrency: 3,
    });
    await dispatcher.subscribeSink(new Recorder<number>(), undefined, { bufferSize: 9 });
    const demands = (): number[] => dispatcher.sinks().map(({ demand }) => demand);
    expect(demands()).toEqual([2 * 500 * 3, 2 * 4 * 2, 9]);
    dispatcher.createSink(10);
    expect(demands()).toEqual([2 * 10 * 3, 2 * 4 * 2, 9]);
    dispatcher.createSink(20);
    dispatcher.createSink(5);
    expect(demands()).toEqual([2 * 20 * 3, 2 * 4 * 2, 9]);
  });

  it('feeds once: a second run is told, and the first one goes on', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 1, clock: time() });
    await dispatcher.subscribeSink(sink);
    const feed = dispatcher.createSink(10);
    const first = new ConcurrentPipeline(range(0, 100), feed).run();
    await time().settle();
    expect(await time().run(rejection(new ConcurrentPipeline(range(0, 5), feed).run()))).toMatchObject({
      code: 'SW_DISPATCHER_CLOSED',
    });
    expect((await time().run(first)).written).toBe(100);
    expect(sink.calls).toEqual(['open', 'flush', 'close']);
    expect(await rejection(new ConcurrentPipeline(range(0, 5), feed).run())).toMatchObject({
      code: 'SW_DISPATCHER_CLOSED',
    });
  });
});

describe('Dispatcher, demand', () => {
  it('gives sinks of unequal speed unequal shares, and takes no longer than they can', async () => {
    const dispatcher = builder<number>().demand();
    const speeds = [1, 2, 4, 8];
    const sinks = speeds.map(
      (ms) => new Recorder<number>({ name: `${ms} ms`, delayMs: ms * 10, clock: time(), maxItems: 10 }),
    );
    for (const sink of sinks) await dispatcher.subscribeSink(sink);
    await time().run(new ConcurrentPipeline(range(0, 6000), dispatcher.createSink(10)).bufferSize(100).run());
    const shares = sinks.map(({ items }) => items.length);
    expect(shares.reduce((sum, share) => sum + share)).toBe(6000);
    // In proportion to speed: 8 : 4 : 2 : 1.
    const unit = 6000 / 15;
    for (const [at, share] of shares.entries()) {
      expect(Math.abs(share / ((unit * 8) / (speeds[at] as number)) - 1)).toBeLessThan(0.1);
    }
    expect(time().elapsed).toBeLessThan(3200 * 1.1);
  });

  it('gives sinks of equal speed equal shares', async () => {
    for (const shuffle of [false, true]) {
      const dispatcher = builder<number>().demand({ shuffle });
      const sinks = numbers(4).map(() => new Recorder<number>({ delayMs: 5, clock: time(), maxItems: 5 }));
      for (const sink of sinks) await dispatcher.subscribeSink(sink);
      await time().run(
        new ConcurrentPipeline(range(0, 2000), dispatcher.createSink(5)).bufferSize(100).run(),
      );
      for (const { items } of sinks) expect(Math.abs(items.length - 500)).toBeLessThanOrEqual(20);
    }
  });

  it('breaks ties by chance where it is told to, and by turns where it is not', async () => {
    const firsts = async (shuffle: boolean): Promise<string[]> => {
      const names: string[] = [];
      for (let seed = 1; seed <= 12; seed++) {
        await withVirtualClock({ seed }, async () => {
          const dispatcher = builder<number>(5).demand({ shuffle });
          for (const name of ['a', 'b']) {
            await dispatcher.subscribeSink(() => void names.push(name), undefined, { name });
          }
          await new HandFeed(dispatcher).write(1);
        });
      }
      return names;
    };
    expect(new Set(await firsts(true))).toEqual(new Set(['a', 'b']));
    expect(new Set(await firsts(false))).toEqual(new Set(['a']));
  });

  it('writes as many batches at once as a subscription allows, up to what the sink does', async () => {
    const dispatcher = builder<number>().demand();
    const sinks = [undefined, 2].map(
      (concurrency) =>
        new Recorder<number>({
          delayMs: 5,
          clock: time(),
          maxItems: 5,
          ...(concurrency === undefined ? {} : { concurrency }),
        }),
    );
    for (const sink of sinks) await dispatcher.subscribeSink(sink, undefined, { maxConcurrency: 3 });
    await time().run(new ConcurrentPipeline(range(0, 500), dispatcher.createSink(50)).run());
    expect(sinks.map(({ mostInFlight }) => mostInFlight)).toEqual([3, 2]);
  });
});

describe('Dispatcher.run into it', () => {
  it('K7 K8 settles after every sink is flushed and closed', async () => {
    const dispatcher = builder<number>().broadcast();
    const log: string[] = [];
    for (const name of ['a', 'b']) {
      await dispatcher.subscribeSink(
        new Recorder<number>({
          name,
          delayMs: 3,
          clock: time(),
          flush: async () => {
            await time().sleep(20);
            log.push(`${name} flushed`);
          },
          close: async () => {
            await time().sleep(20);
            log.push(`${name} closed`);
          },
        }),
      );
    }
    await time().run(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run());
    expect(log).toEqual(['a flushed', 'b flushed', 'a closed', 'b closed']);
    expect(dispatcher.snapshot()).toMatchObject({ state: 'closed', demand: 0, waiting: 0 });
    expect(dispatcher.sinks()).toMatchObject([
      { state: 'closed', delivered: 10, buffered: 0, inFlight: 0, demand: 0 },
      { state: 'closed', delivered: 10 },
    ]);
  });

  it('flushes and closes the sinks of an empty source', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    await time().run(new ConcurrentPipeline([], dispatcher.createSink()).run());
    expect(sink.calls).toEqual(['open', 'flush', 'close']);
  });

  it('ends without a sink where there is nothing to give', async () => {
    const report = await time().run(
      new ConcurrentPipeline([], builder<number>().demand().createSink()).run(),
    );
    expect(report.written).toBe(0);
  });

  it('keeps the sinks open for a second run until that one ends too', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 1, clock: time() });
    await dispatcher.subscribeSink(sink);
    const short = new ConcurrentPipeline(range(0, 10), dispatcher.createSink(5)).run();
    const long = new ConcurrentPipeline(range(100, 5000), dispatcher.createSink(5)).run();
    const report = await time().run(short);
    expect([report.positions.get(''), sink.calls]).toEqual([10, ['open', 'flush']]);
    await time().run(long);
    expect(sink.calls).toEqual(['open', 'flush', 'flush', 'close']);
    expect(sink.items.toSorted((a, b) => a - b)).toEqual([...numbers(10), ...numbers(4900, 100)]);
  });

  it('makes a flush a barrier: no other feed moves before it is through', async () => {
    const dispatcher = builder<number>().broadcast();
    const [first, second] = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    await first.write(1, 2);
    const flush = first.flush();
    await tick();
    const late = await second.write(3);
    expect(late.state).toBe('waiting');
    await sink.release(2);
    await flush.promise;
    await tick();
    expect([late.state, sink.calls, sink.held]).toEqual(['accepted', ['open', 'flush'], [3]]);
  });

  it('answers flushes of several feeds one after the other', async () => {
    const dispatcher = builder<number>().broadcast();
    const feeds = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    let flushing = 0;
    let most = 0;
    await dispatcher.subscribeSink(
      new Recorder<number>({
        flush: async () => {
          most = Math.max(most, ++flushing);
          await time().sleep(5);
          flushing -= 1;
        },
      }),
    );
    await time().run(Promise.all(feeds.map((feed) => feed.flush().promise)));
    expect([most, time().elapsed]).toEqual([1, 10]);
  });

  it('does not wait for a write to fill up where it flushes', async () => {
    const dispatcher = builder<number>().demand();
    const sink = new Recorder<number>({ maxItems: 100, lingerMs: 1000 });
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 2);
    expect(sink.items).toEqual([]);
    await feed.flush().promise;
    expect([sink.items, time().elapsed]).toEqual([[1, 2], 0]);
  });

  it('settles what no sink wants', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, undefined, { selector: (n) => n > 2 });
    const feed = new HandFeed(dispatcher);
    const writes = [await feed.write(1, 2), await feed.write(3)];
    expect(writes.map(({ receipt, pieces }) => [receipt, pieces])).toEqual([
      ['settled', 0],
      ['settled', 0],
    ]);
    expect(sink.items).toEqual([3]);
  });

  it('S8 K5 settles a position only when what was accepted is durable in every sink', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    let makeDurable = (): void => {};
    await dispatcher.subscribeSink({
      write: () => ({
        durable: new Promise<void>((resolve) => {
          makeDurable = resolve;
        }),
      }),
    });
    await dispatcher.subscribeSink(new Recorder<number>());
    const write = await feed.write(1, 2);
    expect([write.state, write.receipt]).toEqual(['accepted', 'open']);
    makeDurable();
    await tick();
    expect(write.receipt).toBe('settled');
  });

  it('fails with what was accepted and then did not become durable', async () => {
    const error = new Error('upload lost');
    const dispatcher = builder<number>().broadcast();
    await dispatcher.subscribeSink({
      name: 's3',
      flush: () => time().sleep(10),
      write: () => ({
        durable: time()
          .sleep(5)
          .then(() => Promise.reject(error)),
      }),
    });
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run()),
    );
    expect(failure).toMatchObject({ cause: error, stage: 's3' });
  });
});

describe('Dispatchers in a tree', () => {
  it('carry positions through every level, and end from the leaves up', async () => {
    const root = builder<number>().broadcast();
    const workers = builder<number>().demand();
    const halves = builder<number>().partition(['even', 'odd'], (n) => (n % 2 === 0 ? 'even' : 'odd'));
    const leaves = numbers(4).map(
      (at) => new Recorder<number>({ name: `leaf ${at}`, delayMs: at + 1, clock: time(), maxItems: 7 }),
    ) as [Recorder<number>, Recorder<number>, Recorder<number>, Recorder<number>];
    await workers.subscribeSink(leaves[0]);
    await workers.subscribeSink(leaves[1]);
    await halves.subscribeSink(leaves[2], 'even');
    await halves.subscribeSink(leaves[3], 'odd');
    await root.subscribeSink(workers.createSink(10));
    await root.subscribeSink(halves.createSink(10));
    const commits: number[] = [];
    const source = Object.assign(range(0, 500), {
      commit: (positions: ReadonlyMap<string, number>) => {
        commits.push(positions.get('') as number);
      },
    });
    const run = new ConcurrentPipeline(source, root.createSink(20))
      .bufferSize(60)
      .commitEvery({ items: 20 })
      .run();
    const report = await time().run(run);
    expect([report.positions.get(''), commits.at(-1)]).toEqual([500, 500]);
    expect(commits.length).toBeGreaterThan(5);
    expect([...leaves[0].items, ...leaves[1].items].toSorted((a, b) => a - b)).toEqual(numbers(500));
    expect(leaves[2].items).toEqual(numbers(250).map((n) => n * 2));
    expect(leaves[3].items).toEqual(numbers(250).map((n) => n * 2 + 1));
    for (const leaf of leaves) expect(leaf.calls).toEqual(['open', 'flush', 'close']);
    expect([root, workers, halves].map((each) => each.snapshot().state)).toEqual([
      'closed',
      'closed',
      'closed',
    ]);
  });

  it('fail from the leaf to the run with one cause, and close everything', async () => {
    const error = new Error('disk');
    const root = builder<number>().broadcast();
    const inner = builder<number>().demand();
    const bad = new Recorder<number>({
      delayMs: 3,
      clock: time(),
      check: () => {
        throw error;
      },
    });
    const good = new Recorder<number>();
    await inner.subscribeSink(bad);
    await root.subscribeSink(inner.createSink());
    await root.subscribeSink(good);
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 100), root.createSink()).run()),
    );
    expect(failure).toMatchObject({ cause: error });
    expect([bad.calls, good.calls]).toEqual([
      ['open', 'close: reason'],
      ['open', 'flush', 'close: reason'],
    ]);
    expect([time().elapsed, time().activeTimers]).toEqual([3, 0]);
  });

  it('lose a whole branch where that is consented to', async () => {
    const root = builder<number>(5).broadcast();
    const inner = builder<number>(2).demand();
    const bad = new GatedSink<number>('bad', { maxItems: 1 });
    await inner.subscribeSink(bad);
    const branch = await root.subscribeSink(inner.createSink(), undefined, { onError: 'detach' });
    const good = new Recorder<number>();
    await root.subscribeSink(good);
    const feed = new HandFeed(root);
    const write = await feed.write(...numbers(5));
    await bad.fail(new Error('no'));
    await tick();
    expect([branch.status.state, branch.status.failed > 0, write.receipt]).toEqual([
      'detached',
      true,
      'settled',
    ]);
    expect((await feed.write(5)).receipt).toBe('settled');
    expect(good.items).toEqual(numbers(6));
    expect([bad.calls, inner.snapshot().state]).toEqual([['open', 'close: reason'], 'closed']);
  });

  it('refuse a cycle: direct, through a third, and through onUnknown', async () => {
    const [a, b, c] = [
      builder<number>().broadcast(),
      builder<number>().broadcast(),
      builder<number>().demand(),
    ];
    const cycle = { code: 'SW_SUBSCRIPTION_CYCLE' };
    expect(await rejection(a.subscribeSink(a.createSink()))).toMatchObject(cycle);
    await a.subscribeSink(b.createSink());
    expect(await rejection(b.subscribeSink(a.createSink()))).toMatchObject(cycle);
    await b.subscribeSink(c.createSink());
    expect(await rejection(c.subscribeSink(a.createSink()))).toMatchObject(cycle);
    const d = builder<number>().partition(['x'], () => 'x', { onUnknown: a.createSink() });
    expect(await rejection(c.subscribeSink(d.createSink()))).toMatchObject(cycle);
    expect(c.sinks()).toEqual([]);
  });

  it('allow two ways to the same dispatcher', async () => {
    const [root, left, right, end] = [1, 2, 3, 4].map(() => builder<number>().broadcast());
    if (root === undefined || left === undefined || right === undefined || end === undefined)
      throw new Error();
    await root.subscribeSink(left.createSink(3));
    await root.subscribeSink(right.createSink(4));
    await left.subscribeSink(end.createSink(5));
    await right.subscribeSink(end.createSink(2));
    const sink = new Recorder<number>({ delayMs: 1, clock: time(), maxItems: 3 });
    await end.subscribeSink(sink, undefined, { bufferSize: 5 });
    const report = await time().run(new ConcurrentPipeline(range(0, 50), root.createSink(7)).run());
    expect(report.positions.get('')).toBe(50);
    expect(sink.items.toSorted((x, y) => x - y)).toEqual(numbers(100).map((n) => n >> 1));
    expect(sink.calls.filter((call) => call === 'close')).toHaveLength(1);
  });
});

describe('Dispatcher.subscribeSink, the same sink twice', () => {
  it('is refused for streams too', async () => {
    const dispatcher = builder<number>().broadcast();
    const web = new WritableStream<number>();
    await dispatcher.subscribeSink(web);
    expect(await rejection(dispatcher.subscribeSink(web))).toMatchObject({ code: 'SW_SUBSCRIPTION_EXISTS' });
  });
});

describe('A dispatcher that nobody serves', () => {
  function logging(stallMs?: number) {
    const lines: string[] = [];
    const options = {
      logger: { warn: (line: string) => lines.push(line) },
      ...(stallMs === undefined ? {} : { stallMs }),
    };
    return {
      lines,
      make: new DispatchedPipelineBuilder<number>({ ...options, name: 'orders', bufferSize: 3 }),
    };
  }

  it('says so after a while, ever more seldom, and no more once it is served', async () => {
    const { lines, make } = logging();
    const dispatcher = make.demand();
    const run = new ConcurrentPipeline(range(0, 100), dispatcher.createSink()).run();
    await time().advance(4999);
    expect(lines).toEqual([]);
    await time().advance(1);
    expect(lines).toEqual([expect.stringMatching(/'orders', and no sink is subscribed.*subscribeSink/)]);
    await time().advance(10_000);
    expect(lines).toHaveLength(2);
    await time().advance(19_999);
    expect(lines).toHaveLength(2);
    await dispatcher.subscribeSink(new Recorder<number>());
    await time().run(run);
    await time().advance(1_000_000);
    expect([lines.length, time().activeTimers]).toEqual([2, 0]);
  });

  it('names the partitions that no sink has come for', async () => {
    const { lines, make } = logging(100);
    const dispatcher = make.partition(['a', 'b', 'c'], (n) => (['a', 'b', 'c'] as const)[n % 3] as 'a');
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, 'b');
    const run = new ConcurrentPipeline(range(0, 100), dispatcher.createSink()).run();
    await time().advance(100);
    expect(lines).toEqual([expect.stringContaining("for 'a', 'c', which no sink is subscribed to")]);
    await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    await dispatcher.subscribeSink(new Recorder<number>(), 'c');
    await time().run(run);
    expect([lines.length, time().activeTimers]).toEqual([1, 0]);
  });

  it('is as patient the second time as it was the first', async () => {
    const { lines, make } = logging(100);
    const dispatcher = make.demand();
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    await time().advance(100 + 200);
    expect(lines).toHaveLength(2);
    await (await dispatcher.subscribeSink(new Recorder<number>())).unsubscribe();
    await feed.write(2);
    await time().advance(99);
    expect(lines).toHaveLength(2);
    await time().advance(1);
    expect(lines).toHaveLength(3);
    await dispatcher.abort();
  });

  it('says so also where only the end of a run waits', async () => {
    const { lines, make } = logging(100);
    const dispatcher = make.partition(2, (n) => n);
    const run = new ConcurrentPipeline(range(0, 3), dispatcher.createSink()).run();
    await time().advance(100);
    expect(lines).toHaveLength(1);
    await dispatcher.subscribeSink(new Recorder<number>(), 0);
    await dispatcher.subscribeSink(new Recorder<number>(), 1);
    await time().run(run);
    expect(time().activeTimers).toBe(0);
  });

  it('is silent where a sink is only slow, where nobody listens, and after an abort', async () => {
    const { lines, make } = logging(10);
    const slow = make.demand();
    await slow.subscribeSink(new Recorder<number>({ delayMs: 100, clock: time(), maxItems: 1 }));
    await time().run(new ConcurrentPipeline(range(0, 10), slow.createSink()).run());
    const aborted = make.demand();
    const run = rejection(new ConcurrentPipeline(range(0, 10), aborted.createSink()).run());
    await time().settle();
    expect(time().activeTimers).toBe(1);
    await aborted.abort();
    await time().run(run);
    const quiet = builder<number>().demand();
    const waiting = rejection(new ConcurrentPipeline(range(0, 10), quiet.createSink()).run());
    await time().advance(60_000);
    await quiet.abort();
    await time().run(waiting);
    expect([lines, time().activeTimers]).toEqual([[], 0]);
  });
});

describe('Dispatcher.abort', () => {
  it('abandons the sinks with the reason, and fails the runs with it', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 5, clock: time() });
    await dispatcher.subscribeSink(sink);
    const run = rejection(new ConcurrentPipeline(range(0, 1e6), dispatcher.createSink()).run());
    await time().advance(12);
    const reason = new Error('enough');
    const aborting = dispatcher.abort(reason);
    await time().run(aborting);
    expect(await time().run(run)).toMatchObject({ cause: reason });
    expect([sink.reason, sink.calls, sink.context?.signal.reason]).toEqual([
      reason,
      ['open', 'close: reason'],
      reason,
    ]);
    await dispatcher.abort();
    expect(sink.calls).toHaveLength(2);
  });

  it('has a reason of its own where none is given', async () => {
    const dispatcher = builder<number>().broadcast();
    const run = rejection(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run());
    await time().settle();
    await dispatcher.abort();
    expect(await time().run(run)).toMatchObject({ code: 'SW_DISPATCHER_CLOSED' });
  });

  it('comes with await using, and is nothing after a good end', async () => {
    const sink = new Recorder<number>();
    {
      await using dispatcher = builder<number>().broadcast();
      await dispatcher.subscribeSink(sink);
    }
    expect(sink.calls).toEqual(['open', 'close: reason']);
    const other = new Recorder<number>();
    {
      await using dispatcher = builder<number>().broadcast();
      await dispatcher.subscribeSink(other);
      await time().run(new ConcurrentPipeline(range(0, 5), dispatcher.createSink()).run());
    }
    expect(other.calls).toEqual(['open', 'flush', 'close']);
  });

  it('leaves a dispatcher that refuses everything, by code', async () => {
    for (const end of ['abort', 'good end']) {
      const dispatcher = builder<number>().broadcast();
      const subscription = await dispatcher.subscribeSink(new Recorder<number>());
      if (end === 'abort') await dispatcher.abort();
      else await time().run(new ConcurrentPipeline([], dispatcher.createSink()).run());
      const closed = { code: 'SW_DISPATCHER_CLOSED' };
      expect(await rejection(dispatcher.subscribeSink(new Recorder<number>()))).toMatchObject(closed);
      expect(() => dispatcher.createSink()).toThrow(expect.objectContaining(closed));
      await subscription.unsubscribe();
      expect(subscription.status.state).toBe('closed');
    }
  });
});

describe('DispatchedPipelineBuilder.custom', () => {
  /** The first outlet gets the first items, and so on: `change` breaks it. */
  const inTurn = (
    change: (answer: Answer, items: readonly number[], from: number) => unknown = (it) => it,
  ) => ({
    name: 'in turn',
    demand: () => 1,
    dispatch: (items: readonly number[], from: number, outlets: readonly { demand: number }[]) => {
      const deliveries: { outlet: number; items: readonly number[] }[] = [];
      let at = from;
      for (const [outlet, { demand }] of outlets.entries()) {
        const share = items.slice(at, at + demand);
        if (share.length > 0) deliveries.push({ outlet, items: share });
        at += share.length;
      }
      return change({ taken: at - from, deliveries }, items, from) as Answer;
    },
  });
  interface Answer {
    taken: number;
    deliveries: { outlet: number; items: readonly number[] }[];
  }

  it('dispatches by a strategy of the user', async () => {
    const dispatcher = builder<number>(3).custom(inTurn());
    const sinks = [new Recorder<number>(), new Recorder<number>()];
    for (const sink of sinks) await dispatcher.subscribeSink(sink);
    await time().run(new ConcurrentPipeline(range(0, 20), dispatcher.createSink(5)).run());
    expect(sinks.flatMap(({ items }) => items).toSorted((a, b) => a - b)).toEqual(numbers(20));
    expect(dispatcher.snapshot().strategy).toBe('in turn');
  });

  it('may deliver one item to several, and nowhere on purpose', async () => {
    const dispatcher = builder<number>().custom(
      inTurn((answer, items, from) => ({
        taken: items.length - from,
        deliveries: [0, 1].map((outlet) => ({ outlet, items: items.slice(from).filter((n) => n % 2 === 0) })),
      })),
    );
    const sinks = [new Recorder<number>(), new Recorder<number>()];
    for (const sink of sinks) await dispatcher.subscribeSink(sink);
    const report = await time().run(new ConcurrentPipeline(range(0, 20), dispatcher.createSink(5)).run());
    expect(report.positions.get('')).toBe(20);
    for (const { items } of sinks) expect(items).toEqual(numbers(10).map((n) => n * 2));
  });

  it('has selectors in the outlets that it is shown', async () => {
    const seen: unknown[] = [];
    const selector = (n: number): boolean => n > 0;
    const dispatcher = builder<number>().custom({
      ...inTurn(),
      demand: (outlets) => seen.push(...outlets.map((outlet) => outlet.selector)),
    });
    await dispatcher.subscribeSink(new Recorder<number>(), undefined, { selector });
    dispatcher.snapshot();
    expect(seen).toEqual([selector]);
  });

  const first = { outlet: 0, items: [0] };
  const broken: readonly (readonly [
    string,
    RegExp,
    (answer: Answer, items: readonly number[]) => unknown,
  ])[] = [
    ['D1: it took more than there is', /D1/, (answer) => ({ ...answer, taken: 99 })],
    ['D1: it took less than none', /D1/, (answer) => ({ ...answer, taken: -1 })],
    ['D1: it took a part of an item', /D1/, (answer) => ({ ...answer, taken: 0.5 })],
    [
      'D2: it delivered what it did not take',
      /D2/,
      () => ({ taken: 1, deliveries: [{ outlet: 0, items: [0, 1] }] }),
    ],
    ['D2: it delivered something else', /D2/, () => ({ taken: 1, deliveries: [{ outlet: 0, items: [7] }] })],
    ['D2: it delivered an item to one outlet twice', /D2/, () => ({ taken: 2, deliveries: [first, first] })],
    [
      'D3: it gave more than there is demand for',
      /D3/,
      (_, items) => ({ taken: 4, deliveries: [{ outlet: 0, items: items.slice(0, 4) }] }),
    ],
    ['D4: it changed the order', /D4/, () => ({ taken: 2, deliveries: [{ outlet: 0, items: [1, 0] }] })],
    [
      'D4: it changed the order between deliveries',
      /D4/,
      () => ({ taken: 2, deliveries: [{ outlet: 0, items: [1] }, first] }),
    ],
    [
      'D5: it changed the items',
      /D2/,
      (answer, items) => {
        (items as number[])[0] = 99;
        return answer;
      },
    ],
    ['D6: it did not answer at once', /D1/, (answer) => Promise.resolve(answer)],
    ['D6: it answered nothing', /threw/, () => undefined],
    [
      'an outlet that is not there',
      /outlet 5 of 1/,
      () => ({ taken: 1, deliveries: [{ outlet: 5, items: [0] }] }),
    ],
    ['an empty delivery', /no items/, () => ({ taken: 1, deliveries: [{ outlet: 0, items: [] }] })],
    [
      'a throw',
      /threw/,
      () => {
        throw new Error('no');
      },
    ],
  ];

  it.each(broken)('says what is wrong with an answer: %s', async (_, message, change) => {
    const dispatcher = builder<number>(3).custom(inTurn(change));
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(...Object.freeze(numbers(5)));
    expect(feed.failures).toMatchObject([
      { code: 'SW_STRATEGY_INVALID', message: expect.stringMatching(message) },
    ]);
    expect([sink.items, write.state]).toEqual([[], 'rejected']);
  });

  it('D7 says so of one that takes without demand', async () => {
    const greedy: DispatchStrategy<number> = {
      name: 'greedy',
      demand: () => 0,
      dispatch: (items, from) => ({ taken: items.length - from, deliveries: [] }),
    };
    const feed = new HandFeed(builder<number>().custom(greedy));
    await feed.write(1);
    expect(feed.failures).toMatchObject([
      { code: 'SW_STRATEGY_INVALID', message: expect.stringMatching(/D7/) },
    ]);
  });

  it('fails for an item that the strategy sends nowhere it knows', async () => {
    const lost: DispatchStrategy<number> = {
      name: 'lost',
      demand: () => 0,
      dispatch: (items) => ({ taken: 1, deliveries: [{ outlet: UNROUTED, items: items.slice(0, 1) }] }),
    };
    const feed = new HandFeed(builder<number>().custom(lost));
    await feed.write(1);
    expect(feed.failures).toMatchObject([
      { code: 'SW_PARTITION_UNKNOWN', message: expect.stringMatching(/strategy/) },
    ]);
  });

  it('D8 goes on where the strategy takes an item at a time, and leaves some out', async () => {
    const dispatcher = builder<number>().custom({
      name: 'one at a time',
      demand: () => 1,
      dispatch: (items, from) => {
        const item = items[from] as number;
        return { taken: 1, deliveries: item % 2 === 0 ? [] : [{ outlet: 0, items: [item] }] };
      },
    });
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const write = await new HandFeed(dispatcher).write(0, 1, 2, 3, 4);
    expect([sink.items, write.state, write.receipt]).toEqual([[1, 3], 'accepted', 'settled']);
  });

  it('gives what a detached sink had not begun to the others', async () => {
    const dispatcher = builder<number>(3).custom(inTurn());
    const feed = new HandFeed(dispatcher);
    const bad = new GatedSink<number>('bad', { maxItems: 1 });
    const good = new Recorder<number>();
    await dispatcher.subscribeSink(bad, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(good);
    const write = await feed.write(1, 2, 3, 4);
    await bad.fail(new Error('no'));
    expect([good.items, write.receipt]).toEqual([[4, 2, 3], 'settled']);
  });

  it('refuses what is no strategy', () => {
    for (const strategy of [null, {}, { name: 'x', dispatch: () => ({}) }, { ...inTurn(), name: '' }]) {
      expect(() => builder<number>().custom(strategy as never)).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID' }),
      );
    }
  });
});

describe('A selector that throws', () => {
  it('fails the run with the error as its cause', async () => {
    const error = new Error('no');
    const dispatcher = builder<number>().broadcast();
    const sink: Sink<number> = new Recorder<number>();
    await dispatcher.subscribeSink(sink, undefined, {
      selector: (n) => {
        if (n === 3) throw error;
        return true;
      },
    });
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 9), dispatcher.createSink()).run()),
    );
    expect(failure).toMatchObject({ code: 'SW_STRATEGY_INVALID', cause: error });
    expect(time().elapsed).toBe(0);
  });
});
