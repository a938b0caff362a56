/** What fails, what that costs, and who is told. */

import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { isStreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { Sink } from '../../src/sink.ts';
import type { Positioned, Source } from '../../src/source.ts';
import { listenersOf, useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, numbers, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();
const builder = <T>(bufferSize?: number): DispatchedPipelineBuilder<T> =>
  new DispatchedPipelineBuilder<T>({ logger: null, bufferSize });
const KINDS = ['broadcast', 'demand'] as const;

/** A range that keeps what was committed. */
function ledger(end: number) {
  const source = range(0, end);
  const committed: number[] = [];
  return Object.assign(source, {
    committed,
    commit: (positions: ReadonlyMap<string, number>) => {
      committed.push(positions.get('') as number);
    },
  });
}

describe('Dispatcher, when a sink fails', () => {
  it.each(KINDS)('fails the run of a %s with the cause, and abandons every sink with it', async (kind) => {
    const error = new Error('disk');
    const dispatcher = builder<number>()[kind]();
    const bad = new Recorder<number>({
      name: 'bad',
      delayMs: 5,
      clock: time(),
      maxItems: 10,
      check: (batch) => {
        if (batch.includes(37)) throw error;
      },
    });
    const good = new Recorder<number>({ name: 'good', maxItems: 10 });
    await dispatcher.subscribeSink(bad, undefined, { bufferSize: 20 });
    if (kind === 'broadcast') await dispatcher.subscribeSink(good);
    const source = ledger(1000);
    const failure = await time().run(
      rejection(new ConcurrentPipeline(source, dispatcher.createSink(10)).bufferSize(50).run()),
    );
    expect(failure).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'bad', cause: error, suppressed: [] });
    expect(bad.calls).toEqual(['open', 'close: reason']);
    expect(bad.reason).toBe(failure);
    if (kind === 'broadcast') expect(good.calls).toEqual(['open', 'close: reason']);
    expect(Math.max(0, ...source.committed)).toBeLessThanOrEqual(30);
    expect(dispatcher.snapshot()).toMatchObject({ state: 'closed', waiting: 0 });
    expect([time().elapsed < 100, time().activeTimers]).toEqual([true, 0]);
  });

  it('settles at once where the sink fails while it is being offered the rest of a write', async () => {
    const error = new Error('disk');
    const dispatcher = builder<number>().broadcast();
    const bad = new Recorder<number>({
      check: () => {
        throw error;
      },
    });
    await dispatcher.subscribeSink(bad, undefined, { bufferSize: 3 });
    const run = new ConcurrentPipeline(range(0, 100), dispatcher.createSink(10)).bufferSize(50).run();
    expect(await time().run(rejection(run))).toMatchObject({ cause: error, suppressed: [] });
    expect(time().elapsed).toBe(0);
  });

  it.each(['throws', 'rejects'])('takes undefined for a failure too, where it %s', async (how) => {
    const dispatcher = builder<number>().broadcast();
    await dispatcher.subscribeSink((): Promise<void> => {
      if (how === 'throws') throw undefined;
      return Promise.reject(undefined as unknown as Error);
    });
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run()),
    );
    expect(isStreamWeldError(failure)).toBe(true);
    expect(failure).toMatchObject({ code: 'SW_SINK_FAILED', cause: undefined });
  });

  it('fails every run that feeds it, with the same cause', async () => {
    const error = new Error('disk');
    const dispatcher = builder<number>().broadcast();
    await dispatcher.subscribeSink(async () => {
      await time().sleep(10);
      throw error;
    });
    const endless = (): Source<number> => ({
      pull: () =>
        time()
          .sleep(1)
          .then(() => [1]),
    });
    const runs = [1, 2, 3].map(() =>
      rejection(new ConcurrentPipeline(endless(), dispatcher.createSink()).run()),
    );
    for (const failure of await time().run(Promise.all(runs)))
      expect(failure).toMatchObject({ cause: error });
    expect(time().activeTimers).toBeLessThanOrEqual(3);
  });

  it('counts the pieces of a write right when it fails on the last of them', async () => {
    const dispatcher = builder<number>(2).partition(['a', 'b'], (n) =>
      n < 0 ? ('?' as 'a') : n % 2 === 0 ? 'a' : 'b',
    );
    const feed = new HandFeed(dispatcher);
    const [a, b] = [new GatedSink<number>('a'), new GatedSink<number>('b')];
    await dispatcher.subscribeSink(a, 'a');
    await dispatcher.subscribeSink(b, 'b');
    const write = await feed.write(0, 2, 4, 1, -1);
    expect(write.state).toBe('waiting');
    await a.release();
    expect([write.receipt, feed.failures.length]).toEqual(['failed', 1]);
    await a.releaseAll();
    await b.releaseAll();
    expect(write.pieces).toBe(0);
  });

  it('calls nobody again, and refuses what is offered', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('bad', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    await feed.write(1, 2);
    const error = new Error('no');
    const pending = feed.flush();
    await tick();
    await sink.fail(error);
    expect([pending.isDone, pending.error]).toMatchObject([true, { cause: error }]);
    expect(sink.waiting).toEqual([]);
    expect(await feed.write(3)).toMatchObject({ state: 'rejected', error: { cause: error } });
    const flush = feed.flush();
    await flush.promise;
    expect(flush.error).toMatchObject({ cause: error });
    expect(await rejection(dispatcher.subscribeSink(new Recorder<number>()))).toMatchObject({ cause: error });
    expect(() => dispatcher.createSink()).toThrow(expect.objectContaining({ cause: error }));
  });

  it('heeds a failure that a sink reports between two writes', async () => {
    const error = new Error('connection lost');
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ name: 'remote' });
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    sink.context?.fail(error);
    expect(feed.failures).toMatchObject([{ code: 'SW_SINK_FAILED', stage: 'remote', cause: error }]);
  });

  it('ignores one that a sink reports after it has left', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>();
    await (await dispatcher.subscribeSink(sink)).unsubscribe();
    sink.context?.fail(new Error('late'));
    expect(dispatcher.snapshot().state).toBe('open');
  });
});

describe('Dispatcher, when a sink cannot be opened', () => {
  it.each(['throws', 'rejects', 'reports it'])(
    'rejects the subscription, closes the sink, and goes on: it %s',
    async (how) => {
      const error = new Error('no route');
      for (const onError of ['fail', 'detach'] as const) {
        const dispatcher = builder<number>().broadcast();
        const sink = new Recorder<number>({
          name: 'remote',
          open: (context) => {
            if (how === 'throws') throw error;
            if (how === 'rejects') return Promise.reject(error);
            context.fail(error);
            return undefined;
          },
        });
        expect(await rejection(dispatcher.subscribeSink(sink, undefined, { onError }))).toMatchObject({
          code: 'SW_SINK_FAILED',
          stage: 'remote',
          cause: error,
        });
        expect(sink.calls).toEqual(['open', 'close: reason']);
        expect(dispatcher.sinks()).toEqual([]);
        expect(dispatcher.snapshot().state).toBe('open');
        const other = new Recorder<number>();
        await dispatcher.subscribeSink(other);
        await new HandFeed(dispatcher).write(1);
        expect(other.items).toEqual([1]);
      }
    },
  );

  it('frees its partition', async () => {
    const dispatcher = builder<number>().partition(1, () => 0);
    const bad = new Recorder<number>({ open: () => Promise.reject(new Error('no')) });
    await rejection(dispatcher.subscribeSink(bad, 0));
    await dispatcher.subscribeSink(new Recorder<number>(), 0);
  });

  it('closes one that was still being opened when the dispatcher ended, before the run settles', async () => {
    const dispatcher = builder<number>().broadcast();
    await dispatcher.subscribeSink(new Recorder<number>());
    const slow = new Recorder<number>({ open: () => time().sleep(100) });
    const refusal = rejection(dispatcher.subscribeSink(slow));
    await time().run(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run());
    expect(slow.calls).toEqual(['open', 'close: reason']);
    expect(await refusal).toMatchObject({ code: 'SW_DISPATCHER_CLOSED' });
  });
});

describe('Dispatcher, when a sink fails to flush or close', () => {
  it.each(['flush', 'close'] as const)('fails the run in %s, and closes the others', async (step) => {
    const error = new Error(step);
    const dispatcher = builder<number>().broadcast();
    const bad = new Recorder<number>({
      name: 'bad',
      [step]: (reason: unknown) => (reason === undefined ? Promise.reject(error) : undefined),
    });
    const good = new Recorder<number>();
    await dispatcher.subscribeSink(bad);
    await dispatcher.subscribeSink(good);
    const source = ledger(10);
    const failure = await time().run(
      rejection(new ConcurrentPipeline(source, dispatcher.createSink()).run()),
    );
    expect(failure).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'bad', cause: error });
    expect([bad.isClosed, good.isClosed]).toEqual([true, true]);
    if (step === 'flush') expect(bad.calls).toEqual(['open', 'flush', 'close: reason']);
  });

  it('goes on without a sink that consents to its loss and fails to flush', async () => {
    const dispatcher = builder<number>().broadcast();
    const bad = new Recorder<number>({ flush: () => Promise.reject(new Error('flush')) });
    const good = new Recorder<number>();
    await dispatcher.subscribeSink(bad, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(good);
    const source = ledger(10);
    await time().run(new ConcurrentPipeline(source, dispatcher.createSink()).run());
    expect([bad.calls, good.calls]).toEqual([
      ['open', 'flush', 'close: reason'],
      ['open', 'flush', 'close'],
    ]);
    expect(source.committed.at(-1)).toBe(10);
  });

  it('notes what fails to close after the first failure on that', async () => {
    const [first, second] = [new Error('first'), new Error('second')];
    const dispatcher = builder<number>().broadcast();
    for (const error of [first, second]) {
      await dispatcher.subscribeSink(new Recorder<number>({ close: () => Promise.reject(error) }));
    }
    const failure = await time().run(
      rejection(new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run()),
    );
    expect(failure).toMatchObject({ cause: first, suppressed: [{ cause: second }] });
  });
});

describe("onError: 'detach'", () => {
  it('of a broadcast loses that branch alone, counted, and positions move on', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [bad, good] = [new GatedSink<number>('bad', { maxItems: 2 }), new Recorder<number>()];
    const subscription = await dispatcher.subscribeSink(bad, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(good);
    const write = await feed.write(1, 2, 3, 4, 5);
    const error = new Error('gone');
    await bad.release();
    await bad.fail(error);
    expect(subscription.status).toMatchObject({
      state: 'detached',
      delivered: 2,
      failed: 3,
      buffered: 0,
      inFlight: 0,
      demand: 0,
      error: { code: 'SW_SINK_FAILED', cause: error },
    });
    expect([write.receipt, good.items]).toEqual(['settled', [1, 2, 3, 4, 5]]);
    await feed.write(6);
    expect([good.items.at(-1), bad.waiting, bad.calls]).toEqual([6, [], ['open', 'close: reason']]);
    expect(dispatcher.sinks()).toMatchObject([{ state: 'open' }, { state: 'detached', failed: 3 }]);
  });

  it('of demand gives what it had not begun to the others, and loses only what it failed on', async () => {
    const dispatcher = builder<number>().demand();
    const feed = new HandFeed(dispatcher);
    const [bad, good] = [
      new GatedSink<number>('bad', { maxItems: 2 }),
      new GatedSink<number>('good', { maxItems: 9 }),
    ];
    const subscription = await dispatcher.subscribeSink(bad, undefined, { onError: 'detach', bufferSize: 9 });
    await dispatcher.subscribeSink(good, undefined, { bufferSize: 6 });
    const write = await feed.write(...numbers(15));
    await bad.fail(new Error('gone'));
    expect(subscription.status).toMatchObject({ state: 'detached', failed: 2 });
    await good.releaseAll();
    expect(good.items.toSorted((a, b) => a - b)).toEqual(numbers(13, 2));
    expect(write.receipt).toBe('settled');
  });

  it('of demand gives it on also when the sink fails at once, and what was offered after that moves too', async () => {
    const dispatcher = builder<number>().demand();
    const bad = new Recorder<number>({
      maxItems: 2,
      check: () => {
        throw new Error('no');
      },
    });
    const good = new Recorder<number>({ maxItems: 2 });
    const subscription = await dispatcher.subscribeSink(bad, undefined, { onError: 'detach', bufferSize: 8 });
    await dispatcher.subscribeSink(good, undefined, { bufferSize: 4 });
    const report = await time().run(
      new ConcurrentPipeline(range(0, 100), dispatcher.createSink(10)).bufferSize(20).run(),
    );
    expect([report.positions.get(''), subscription.status.failed, good.items.length]).toEqual([100, 2, 98]);
    expect(new Set(good.items).size).toBe(98);
  });

  it('of demand moves what it gives on before all else, in the midst of a flush too', async () => {
    const dispatcher = builder<number>().demand();
    const [feed, other] = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    const bad = new GatedSink<number>('bad', { maxItems: 1 });
    await dispatcher.subscribeSink(bad, undefined, { onError: 'detach', bufferSize: 3 });
    await feed.write(1, 2, 3);
    const late = await other.write(4, 5);
    const flush = feed.flush();
    await tick();
    await bad.fail(new Error('no'));
    const good = new GatedSink<number>('good', { maxItems: 1 });
    await dispatcher.subscribeSink(good, undefined, { bufferSize: 3 });
    await tick();
    expect([good.held, late.state]).toEqual([[2], 'waiting']);
    await good.release(2);
    await flush.promise;
    await good.releaseAll();
    expect([good.items, late.state]).toEqual([[2, 3, 4, 5], 'accepted']);
  });

  it('of a partition leaves what waits to the next sink, and loses only what it failed on', async () => {
    const dispatcher = builder<number>().partition(2, (n) => n);
    const feed = new HandFeed(dispatcher);
    const bad = new GatedSink<number>('bad', { maxItems: 2 });
    const subscription = await dispatcher.subscribeSink(bad, 0, { onError: 'detach' });
    const route = numbers(5).map(() => 0);
    const write = await feed.write(...route);
    await bad.fail(new Error('gone'));
    expect(subscription.status).toMatchObject({ state: 'detached', failed: 2 });
    expect(write.receipt).toBe('open');
    const next = new Recorder<number>();
    await dispatcher.subscribeSink(next, 0);
    expect([next.items.length, write.receipt]).toEqual([3, 'settled']);
  });

  it('of a keyed partition leaves what waits to its other sinks, in order of each key', async () => {
    const dispatcher = builder<string>().partition(1, () => 0, { key: (item) => item[0] as string });
    const feed = new HandFeed(dispatcher);
    const [bad, good] = [
      new GatedSink<string>('bad', { maxItems: 1 }),
      new GatedSink<string>('good', { maxItems: 1 }),
    ];
    const subscription = await dispatcher.subscribeSink(bad, 0, { onError: 'detach' });
    await dispatcher.subscribeSink(good, 0);
    const write = await feed.write('a1', 'a2', 'a3', 'b1');
    await bad.fail(new Error('gone'));
    await good.releaseAll();
    expect([good.items, subscription.status.failed, write.receipt]).toEqual([
      ['b1', 'a2', 'a3'],
      1,
      'settled',
    ]);
  });

  it('waits for the writes it has outstanding before it closes the sink', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('two', { maxItems: 1, concurrency: 2 });
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      onError: 'detach',
      maxConcurrency: 2,
    });
    await dispatcher.subscribeSink(new Recorder<number>());
    const write = await feed.write(1, 2, 3);
    await sink.fail(new Error('no'));
    expect([sink.calls, write.receipt]).toEqual([['open'], 'open']);
    await sink.release();
    expect([sink.calls, write.receipt]).toEqual([['open', 'close: reason'], 'settled']);
    expect(subscription.status).toMatchObject({ delivered: 1, failed: 2 });
  });

  it('holds a flush until the sink is closed', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    let close = (): void => {};
    const sink = new Recorder<number>({
      check: () => {
        throw new Error('no');
      },
      close: () =>
        new Promise<void>((resolve) => {
          close = resolve;
        }),
    });
    await dispatcher.subscribeSink(sink, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(new Recorder<number>());
    await feed.write(1);
    const flush = feed.flush();
    await tick();
    expect(flush.isDone).toBe(false);
    close();
    await flush.promise;
    expect(flush.error).toBeUndefined();
  });

  it('while it leaves, in the midst of a flush: the flush waits for what it gives to the others', async () => {
    const dispatcher = builder<number>().demand();
    const feed = new HandFeed(dispatcher);
    const bad = new GatedSink<number>('bad', { maxItems: 1 });
    const good = new GatedSink<number>('good');
    const subscription = await dispatcher.subscribeSink(bad, undefined, { onError: 'detach', bufferSize: 2 });
    const write = await feed.write(1, 2);
    await dispatcher.subscribeSink(good);
    const leaving = subscription.unsubscribe();
    const flush = feed.flush();
    await tick();
    await bad.fail(new Error('no'));
    await leaving;
    expect([good.held, flush.isDone, write.receipt]).toEqual([[2], false, 'open']);
    await good.release();
    await flush.promise;
    expect([flush.error, write.receipt, good.calls.at(-1)]).toEqual([undefined, 'settled', 'flush']);
  });

  it('of the last sink waits for another', async () => {
    const dispatcher = builder<number>().demand();
    const feed = new HandFeed(dispatcher);
    const bad = new GatedSink<number>('bad', { maxItems: 1 });
    await dispatcher.subscribeSink(bad, undefined, { onError: 'detach', bufferSize: 3 });
    const write = await feed.write(1, 2, 3);
    await bad.fail(new Error('no'));
    expect([write.state, write.receipt, dispatcher.snapshot().waiting]).toEqual(['accepted', 'open', 2]);
    const next = new Recorder<number>();
    await dispatcher.subscribeSink(next);
    expect([next.items, write.receipt]).toEqual([[2, 3], 'settled']);
  });

  it('reaches the others of a dispatch that is under way when one sink makes another fail', async () => {
    for (const kind of KINDS) {
      const dispatcher = builder<number>()[kind]();
      const feed = new HandFeed(dispatcher);
      const victim = new Recorder<number>({ name: 'victim' });
      const killer = new Recorder<number>({
        name: 'killer',
        check: () => victim.context?.fail(new Error('killed')),
      });
      await dispatcher.subscribeSink(killer, undefined, { bufferSize: 3 });
      await dispatcher.subscribeSink(victim, undefined, { bufferSize: 2, onError: 'detach' });
      const write = await feed.write(1, 2, 3, 4, 5);
      const after = await feed.write(6);
      expect([write.receipt, after.receipt]).toEqual(['settled', 'settled']);
      expect(killer.items).toEqual([1, 2, 3, 4, 5, 6]);
      if (kind === 'broadcast') expect(dispatcher.sinks()[1]).toMatchObject({ failed: 2, delivered: 0 });
    }
  });
});

describe('A run into a dispatcher, aborted', () => {
  it.each(['a full buffer', 'a flush', 'an absent sink'])(
    'is over at once, though it waits for %s',
    async (what) => {
      const dispatcher = builder<number>(10).partition(2, (n) => n % 2);
      const never = new GatedSink<number>('never');
      if (what !== 'an absent sink') await dispatcher.subscribeSink(never, 0);
      await dispatcher.subscribeSink(collect<number>(), 1);
      const controller = new AbortController();
      const pipeline = new ConcurrentPipeline(
        range(0, what === 'a flush' ? 4 : 1000),
        dispatcher.createSink(),
      );
      const run = rejection(pipeline.run({ signal: controller.signal }));
      await time().settle();
      const error = new Error('enough');
      controller.abort(error);
      await time().settle();
      // The sink itself may take its time with the write it was given.
      await never.releaseAll();
      expect(await time().run(run)).toBe(error);
      expect((error as { suppressed?: unknown[] }).suppressed).toBeUndefined();
      expect([time().elapsed, time().activeTimers]).toEqual([0, 0]);
      if (what !== 'an absent sink') expect(never.reason).toBe(error);
    },
  );

  it('has its flush and its write rejected with the reason, and leaves no listener', async () => {
    const dispatcher = builder<number>(1).broadcast();
    await dispatcher.subscribeSink(new GatedSink<number>('never'));
    for (const what of ['flush', 'write'] as const) {
      const feed = new HandFeed(dispatcher);
      const write = await feed.write(1, 2);
      const flush = what === 'flush' ? feed.flush() : undefined;
      await tick();
      expect(listenersOf(feed.signal)).toBe(1);
      const reason = new Error('enough');
      feed.abort(reason);
      await tick();
      expect([write.state, write.error]).toEqual(['rejected', reason]);
      if (flush !== undefined) expect([flush.isDone, flush.error]).toEqual([true, reason]);
      const ended = new HandFeed(dispatcher);
      expect(listenersOf(ended.signal)).toBe(1);
      await ended.close();
      expect([feed, ended].map(({ signal }) => listenersOf(signal))).toEqual([0, 0]);
    }
  });

  it('lets the sinks finish well, though it is the last to end, where another run did', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const [sound, doomed] = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    await sound.write(1);
    await sound.flush().promise;
    await sound.close();
    await doomed.close(new Error('enough'));
    expect(sink.calls).toEqual(['open', 'flush', 'close']);
  });

  it('abandons the sinks with its reason where it is the only one', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 5, clock: time(), maxItems: 10 });
    await dispatcher.subscribeSink(sink);
    const pipeline = new ConcurrentPipeline(range(0, Number.POSITIVE_INFINITY), dispatcher.createSink(10));
    const run = rejection(pipeline.run());
    await time().advance(23);
    const error = new Error('enough');
    await time().run(pipeline.abort(error));
    expect([await run, sink.reason, sink.calls]).toEqual([error, error, ['open', 'close: reason']]);
  });

  it('leaves the others running, and the sinks finish well where one of the runs did', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 1, clock: time(), maxItems: 10 });
    await dispatcher.subscribeSink(sink);
    const doomed = new ConcurrentPipeline(range(0, Number.POSITIVE_INFINITY), dispatcher.createSink(10));
    const sound = new ConcurrentPipeline(range(-500, 0), dispatcher.createSink(10));
    const runs = [rejection(doomed.run()), sound.run()] as const;
    await time().advance(20);
    await time().run(doomed.abort(new Error('enough')));
    const report = await time().run(runs[1]);
    expect(report.positions.get('')).toBe(0);
    expect(sink.items.filter((n) => n < 0)).toEqual(numbers(500, -500));
    expect(sink.calls.at(-1)).toBe('close');
  });
});

describe('A source of many batches behind a failing broadcast', () => {
  it('never moves a position past what one of the sinks did not write', async () => {
    for (let failAt = 0; failAt < 60; failAt += 7) {
      const dispatcher = builder<number>(16).broadcast();
      const commits: number[] = [];
      let next = 0;
      const source = {
        pull: (demand: number): Positioned<number, number> => {
          const items = numbers(Math.min(demand, 3), next);
          next += items.length;
          return { items, position: next };
        },
        commit: (positions: ReadonlyMap<string, number>) => {
          commits.push(positions.get('') as number);
        },
      };
      const bad = new Recorder<number>({
        delayMs: 2,
        clock: time(),
        maxItems: 4,
        check: (batch) => {
          if (batch.includes(failAt)) throw new Error('no');
        },
      });
      await dispatcher.subscribeSink(bad);
      await dispatcher.subscribeSink(new Recorder<number>({ maxItems: 5 }));
      const pipeline = new ConcurrentPipeline(source, dispatcher.createSink(7))
        .bufferSize(20)
        .commitEvery({ items: 1, ms: 1 });
      await time().run(rejection(pipeline.run()));
      expect(Math.max(0, ...commits)).toBeLessThanOrEqual(failAt);
      expect(commits).toEqual(commits.toSorted((a, b) => a - b));
    }
  });
});

describe('A run that fails before it comes to open the dispatcher', () => {
  const error = new Error('enough');
  const REASONS: readonly [what: string, run: (sink: Sink<number>) => Promise<unknown>][] = [
    [
      'a signal that is aborted',
      (sink) => new ConcurrentPipeline(range(0, 9), sink).run({ signal: AbortSignal.abort(error) }),
    ],
    [
      'a dead letter that cannot be opened',
      (sink) => {
        const deadLetter = new Recorder<DeadLetter>({ name: 'letters' });
        deadLetter.open = () => Promise.reject(error);
        return new ConcurrentPipeline(range(0, 9), sink).deadLetter(deadLetter).run();
      },
    ],
  ];

  it.each(REASONS)('ends it, for %s: its sinks are closed with the reason', async (_, run) => {
    const inner = builder<number>().demand();
    const far = new Recorder<number>();
    await inner.subscribeSink(far);
    const dispatcher = builder<number>().broadcast();
    const near = new Recorder<number>();
    await dispatcher.subscribeSink(near);
    await dispatcher.subscribeSink(inner.createSink());
    const failure = await time().run(rejection(run(dispatcher.createSink())));
    expect([near.calls, far.calls]).toEqual([
      ['open', 'close: reason'],
      ['open', 'close: reason'],
    ]);
    expect([near.reason, far.reason]).toEqual([failure, failure]);
    expect([dispatcher.snapshot().state, inner.snapshot().state]).toEqual(['closed', 'closed']);
    expect(time().activeTimers).toBe(0);
  });

  it('leaves it to another run, which goes on', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const [first, second] = [dispatcher.createSink(), dispatcher.createSink()];
    const aborted = AbortSignal.abort(error);
    expect(await rejection(new ConcurrentPipeline(range(0, 9), first).run({ signal: aborted }))).toBe(error);
    await time().run(new ConcurrentPipeline(range(0, 9), second).run());
    expect([sink.items, sink.calls.at(-1)]).toEqual([numbers(9), 'close']);
  });

  it('does not end what another run has opened by the same sink', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new Recorder<number>({ delayMs: 1, clock: time(), maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    const feed = dispatcher.createSink();
    const running = new ConcurrentPipeline(range(0, 9), feed).run();
    await time().advance(3);
    const aborted = AbortSignal.abort(error);
    expect(await rejection(new ConcurrentPipeline(range(0, 9), feed).run({ signal: aborted }))).toBe(error);
    await time().run(running);
    expect([sink.items, sink.calls.at(-1)]).toEqual([numbers(9), 'close']);
  });

  it('has used up its sink: another run needs one of its own', async () => {
    const dispatcher = builder<number>().broadcast();
    await dispatcher.subscribeSink(new Recorder<number>());
    const [feed, other] = [dispatcher.createSink(), dispatcher.createSink()];
    const aborted = AbortSignal.abort(error);
    expect(await rejection(new ConcurrentPipeline(range(0, 9), feed).run({ signal: aborted }))).toBe(error);
    expect(await time().run(rejection(new ConcurrentPipeline(range(0, 9), feed).run()))).toMatchObject({
      code: 'SW_DISPATCHER_CLOSED',
    });
    await time().run(new ConcurrentPipeline(range(0, 9), other).run());
  });
});
