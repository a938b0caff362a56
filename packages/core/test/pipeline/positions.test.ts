/** Positions: never past what is not durable, committed one at a time by count and by time, and at the end the end. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamWeldError } from '../../src/errors.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Accepted, DeferredReceipt, Sink } from '../../src/sink.ts';
import type { Source, SourceContext } from '../../src/source.ts';
import { ControlledSink, ControlledSource, CountingSource, deferringSink, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** How the writes of a run may become durable: in any order, by promises, by receipts, or at once. */
type Way = 'now' | 'promise' | 'durable' | 'deferred';

/** A sink whose writes take random times to be accepted and to be durable, and that knows what is durable. */
class RandomSink implements Sink<number> {
  readonly durable = new Set<number>();
  readonly #clock: VirtualClock;
  readonly #way: Way;
  readonly #fails: (batch: readonly number[]) => boolean;
  #outstanding = 0;
  #waiting: (() => void)[] = [];

  constructor(clock: VirtualClock, way: Way, fails: (batch: readonly number[]) => boolean = () => false) {
    this.#clock = clock;
    this.#way = way;
    this.#fails = fails;
  }

  #pause(): Promise<void> {
    return this.#clock.sleep(Math.floor(this.#clock.random() * 20));
  }

  async #become(batch: readonly number[]): Promise<void> {
    this.#outstanding += 1;
    await this.#pause();
    this.#outstanding -= 1;
    if (this.#outstanding === 0) for (const wake of this.#waiting.splice(0)) wake();
    if (this.#fails(batch)) throw new Error('lost');
    for (const item of batch) this.durable.add(item);
  }

  write(
    batch: readonly number[],
    context: { defer(): DeferredReceipt },
  ): void | Accepted | Promise<void | Accepted> {
    switch (this.#way) {
      case 'now':
        if (this.#fails(batch)) throw new Error('lost');
        for (const item of batch) this.durable.add(item);
        return undefined;
      case 'promise':
        return this.#become(batch);
      case 'durable':
        return this.#pause().then(() => ({ durable: this.#become(batch) }));
      case 'deferred': {
        const receipt = context.defer();
        const halves = [batch.slice(0, batch.length >> 1), batch.slice(batch.length >> 1)];
        receipt.retain(1);
        for (const half of halves)
          this.#become(half).then(
            () => receipt.settle(),
            (e) => receipt.fail(e),
          );
        return this.#pause();
      }
    }
  }

  async flush(): Promise<void> {
    if (this.#outstanding > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    await this.#clock.sleep(1);
  }
}

describe('ConcurrentPipeline, positions', () => {
  const plan = fc.record({
    seed: fc.integer(),
    items: fc.integer({ min: 0, max: 150 }),
    bufferSize: fc.constantFrom(1, 2, 3, 10, 1000),
    maxConcurrency: fc.constantFrom(1, 2, 3, 8),
    maxUncommitted: fc.constantFrom(1, 7, 100_000),
    commitItems: fc.constantFrom(1, 5, 10_000),
    batch: fc.integer({ min: 1, max: 12 }),
    way: fc.constantFrom<Way>('now', 'promise', 'durable', 'deferred'),
    operator: fc.constantFrom('none', 'map', 'async', 'filter', 'batch'),
    lost: fc.option(fc.integer({ min: 0, max: 149 })),
    failFast: fc.boolean(),
    end: fc.option(
      fc.record({ how: fc.constantFrom('drain', 'abort'), atMs: fc.integer({ min: 0, max: 60 }) }),
    ),
  });

  it('S8 a commit is never past an item that is not durable, and at the end it is the end', async () => {
    await fc.assert(
      fc.asyncProperty(plan, (p) =>
        withVirtualClock({ seed: p.seed }, async (clock) => {
          const sink = new RandomSink(clock, p.way, (batch) => p.lost !== null && batch.includes(p.lost));
          const source = new CountingSource(p.items, {
            size: () => p.batch,
            ...(p.seed % 2 === 0 ? {} : { wait: () => clock.sleep(Math.floor(clock.random() * 5)) }),
          });
          const commit = source.commit.bind(source);
          let committed = 0;
          const dropped = (n: number): boolean => p.operator === 'filter' && n % 3 === 0;
          source.commit = (positions) => {
            const position = positions.get('') as number;
            expect(position, 'in order').toBeGreaterThan(committed);
            for (let n = committed; n < position; n++) {
              if (!dropped(n)) expect(sink.durable.has(n), `durable: ${n} of ${position}`).toBe(true);
            }
            committed = position;
            commit(positions);
          };
          let flow = from(source);
          if (p.operator === 'map') flow = flow.map((n) => n);
          if (p.operator === 'async') flow = flow.map((n) => clock.sleep(n % 4).then(() => n));
          if (p.operator === 'filter') flow = flow.filter((n) => !dropped(n));
          if (p.operator === 'batch') flow = flow.batch(4).flatMap((batch) => batch);
          const pipeline = new ConcurrentPipeline(flow, sink)
            .bufferSize(p.bufferSize)
            .maxConcurrency(p.maxConcurrency)
            .maxUncommitted(p.maxUncommitted)
            .failFast(p.failFast)
            .commitEvery({ items: p.commitItems, ms: 10 });
          const run = pipeline.run().then(
            (report) => ({ report, error: undefined }),
            (error: unknown) => ({ report: undefined, error }),
          );
          if (p.end !== null) {
            await clock.advance(p.end.atMs);
            if (p.end.how === 'drain') void pipeline.drain().catch(() => {});
            else void pipeline.abort();
          }
          const { report, error } = await clock.run(run);
          // What was to be durable before the end, has its time.
          await clock.advance(1000);
          if (report !== undefined) {
            expect(committed).toBe(source.handedOut);
            expect(report.read).toBe(source.handedOut);
            if (report.read > 0) expect(report.positions).toEqual(new Map([['', source.handedOut]]));
            if (p.end === null) expect(source.handedOut).toBe(p.items);
          } else {
            expect(error).toBeInstanceOf(StreamWeldError);
            if (p.lost !== null && !dropped(p.lost)) expect(committed).toBeLessThanOrEqual(p.lost);
          }
          expect(source.closedWith).toHaveLength(1);
          expect(source.pullsAfterClose).toBe(0);
          expect(clock.activeTimers).toBe(0);
        }),
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it('K5 move on when what was accepted is durable, and not before', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).commitEvery({ items: 1 });
    const run = pipeline.run();
    await time().settle();
    const durable: (() => void)[] = [];
    for (const n of [1, 2]) {
      source.lastPull.answer({ items: [n], position: n });
      await time().settle();
      sink.writes.at(-1)?.accept({ durable: new Promise((resolve) => durable.push(resolve)) });
      await time().settle();
    }
    expect(pipeline.report).toMatchObject({ written: 2, positions: new Map() });
    durable[1]?.();
    await time().settle();
    expect(source.commits).toEqual([]);
    durable[0]?.();
    await time().settle();
    expect(source.commits).toEqual([new Map([['', 2]])]);
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it('K5 a durable that rejects is final: the run fails and the position stays before it', async () => {
    const source = new CountingSource(10);
    const cause = new Error('upload');
    const sink: Sink<number> = { write: () => ({ durable: Promise.reject(cause) }) };
    const error = await time().run(rejection(new ConcurrentPipeline(source, sink).run()));
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(source.commits).toEqual([]);
  });

  it('of two sources are told by name, and by index among namesakes', async () => {
    const two = from(new CountingSource(3)).merge(new CountingSource(5, { lane: 'left' }));
    const report = await time().run(new ConcurrentPipeline(two, () => {}).run());
    expect(report.positions).toEqual(
      new Map([
        ['counting#0/', 3],
        ['counting#1/left', 5],
      ]),
    );
  });
});

describe('ConcurrentPipeline, commits', () => {
  it('follow after so many items, one at a time, and a last one at the end', async () => {
    let outstanding = 0;
    let most = 0;
    const positions: unknown[] = [];
    const numbers = new CountingSource(100, { size: () => 5, wait: () => time().sleep(1) });
    const source: Source<number, number> = {
      pull: (demand) => numbers.pull(demand),
      commit: async (moved) => {
        outstanding += 1;
        most = Math.max(most, outstanding);
        positions.push(moved.get(''));
        await time().sleep(3);
        outstanding -= 1;
      },
      close: () => expect(outstanding).toBe(0),
    };
    await time().run(new ConcurrentPipeline(source, () => {}).commitEvery({ items: 10, ms: 60_000 }).run());
    expect(most).toBe(1);
    expect(positions.at(-1)).toBe(100);
    expect(positions[0]).toBe(10);
    // Five items each millisecond, and each commit takes three: after the first the next is due when the last ends.
    expect(positions.length).toBeGreaterThan(5);
    expect(positions).toEqual([...positions].sort((a, b) => (a as number) - (b as number)));
    expect(new Set(positions).size).toBe(positions.length);
  });

  it('follow so long after an item became durable, and not while nothing moves', async () => {
    const source = new ControlledSource<number>();
    const pipeline = new ConcurrentPipeline(source, () => {}).commitEvery({ items: 1000, ms: 250 });
    const run = pipeline.run();
    await time().advance(1000);
    source.lastPull.answer({ items: [1], position: 1 });
    await time().advance(100);
    source.lastPull.answer({ items: [2], position: 2 });
    await time().advance(149);
    expect(source.commits).toEqual([]);
    await time().advance(1);
    expect(source.commits).toEqual([new Map([['', 2]])]);
    await time().advance(10_000);
    expect(source.commits).toHaveLength(1);
    source.lastPull.answer({ items: [3], position: 3 });
    await time().settle();
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(source.commits.slice(1)).toEqual([new Map([['', 3]])]);
    expect(source.breaches).toEqual([]);
  });

  it('S8 hold only the lanes that moved', async () => {
    const source = new ControlledSource<number>();
    const run = new ConcurrentPipeline(source, () => {}).commitEvery({ items: 1 }).run();
    await time().settle();
    for (const [lane, position] of [
      ['a', 1],
      ['b', 7],
      ['a', 2],
    ] as const) {
      source.lastPull.answer({ items: [0], position, lane });
      await time().settle();
    }
    expect(source.commits).toEqual([new Map([['a', 1]]), new Map([['b', 7]]), new Map([['a', 2]])]);
    source.lastPull.answer(undefined);
    expect((await time().run(run)).positions).toEqual(
      new Map([
        ['a', 2],
        ['b', 7],
      ]),
    );
    expect(source.commits).toHaveLength(3);
  });

  it.each(['throws', 'rejects'] as const)(
    'that %s five times fail the run with SW_COMMIT_FAILED, and are tried once more at the end',
    async (way) => {
      const cause = new Error('broker');
      const tried: unknown[] = [];
      const numbers = new CountingSource(10, { size: () => 1, wait: () => time().sleep(1) });
      const source: Source<number, number> = {
        name: 'topic',
        pull: (demand) => numbers.pull(demand),
        commit: (positions) => {
          tried.push(positions.get(''));
          if (tried.length > 5) return undefined;
          if (way === 'throws') throw cause;
          return Promise.reject(cause);
        },
      };
      const run = new ConcurrentPipeline(source, () => {}).commitEvery({ items: 2 }).run();
      const error = await time().run(rejection(run));
      expect(error).toMatchObject({ code: 'SW_COMMIT_FAILED', stage: 'topic', cause, suppressed: [] });
      expect(tried).toEqual([2, 2, 2, 2, 2, 10]);
      expect(time().elapsed).toBeGreaterThanOrEqual(1500);
    },
  );

  it('that fail at the end as well are noted on the failure', async () => {
    const source: Source<number, number> = {
      name: 'topic',
      pull: () => ({ items: [1], position: 1 }),
      commit: () => Promise.reject(new Error('broker')),
    };
    const run = new ConcurrentPipeline(source, () => time().sleep(100))
      .bufferSize(1)
      .commitEvery({ items: 1 })
      .run();
    const error = (await time().run(rejection(run))) as StreamWeldError;
    expect(error.code).toBe('SW_COMMIT_FAILED');
    expect(error.suppressed).toEqual([expect.objectContaining({ code: 'SW_COMMIT_FAILED', stage: 'topic' })]);
  });
});

describe('SourceContext.endLane', () => {
  /** Hands out one batch in lane `a`, and gives the lane up when told to. */
  class Leased implements Source<number, number> {
    readonly commits: ReadonlyMap<string, number>[] = [];
    context: SourceContext<number> | undefined;
    #pulls = 0;
    open(context: SourceContext<number>): void {
      this.context = context;
    }
    pull(): { items: number[]; position: number; lane: string } | undefined {
      this.#pulls += 1;
      return this.#pulls > 1 ? undefined : { items: [1, 2, 3], position: 3, lane: 'a' };
    }
    commit(positions: ReadonlyMap<string, number>): void {
      this.commits.push(new Map(positions));
    }
  }

  it('[fault 17] gets no commit for a lane that was lost while a handler blocked the event loop', async () => {
    const source = new Leased();
    // What was to happen while it was blocked, comes all at once: that the lease is over comes before the commit.
    const run = new ConcurrentPipeline(source, () => source.context?.endLane('a'))
      .commitEvery({ items: 1, ms: 0 })
      .run();
    const report = await time().run(run);
    expect(report).toMatchObject({ written: 3, positions: new Map() });
    expect(source.commits).toEqual([]);
  });

  it('[fault 17] gets none for what was durable and not yet committed either', async () => {
    const source = new Leased();
    const sink: Sink<number> = { write: () => {}, flush: () => source.context?.endLane('a') };
    await time().run(new ConcurrentPipeline(source, sink).run());
    expect(source.commits).toEqual([]);
  });

  it('lets nobody wait for a lane that was ended, and the run does not wait for what is open in it', async () => {
    const source = new ControlledSource<number>();
    const sink = deferringSink<number>();
    const run = new ConcurrentPipeline(source, sink).run();
    await time().settle();
    source.lastPull.answer({ items: [1, 2, 3], position: 3, lane: 'a' });
    await time().settle();
    const settled = source.context?.settled('a');
    source.context?.endLane('a');
    await settled;
    source.lastPull.answer(undefined);
    expect(await time().run(run)).toMatchObject({ written: 3, positions: new Map() });
    // Late, and without effect.
    sink.receipts[0]?.settle();
    expect(source.commits).toEqual([]);
  });

  it('a lane that was ended may begin anew, and what is late in the old one does not move it', async () => {
    const source = new ControlledSource<number>();
    const sink = deferringSink<number>();
    const run = new ConcurrentPipeline(source, sink).commitEvery({ items: 1 }).run();
    await time().settle();
    source.lastPull.answer({ items: [1], position: 100, lane: 'a' });
    await time().settle();
    source.context?.endLane('a');
    source.lastPull.answer({ items: [2], position: 7, lane: 'a' });
    await time().settle();
    sink.receipts[0]?.settle();
    await time().settle();
    expect(source.commits).toEqual([]);
    sink.receipts[1]?.settle();
    await time().settle();
    expect(source.commits).toEqual([new Map([['a', 7]])]);
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it('settled waits for what was handed out in the lane so far', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = new ConcurrentPipeline(source, sink).run();
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1, lane: 'a' });
    await time().settle();
    let isSettled = false;
    void source.context?.settled('a').then(() => (isSettled = true));
    await source.context?.settled('b');
    await time().settle();
    expect(isSettled).toBe(false);
    sink.writes[0]?.accept();
    await time().settle();
    expect(isSettled).toBe(true);
    source.lastPull.answer(undefined);
    await time().run(run);
  });
});

describe('WriteContext.defer', () => {
  it('K10 a sink that settles too little is SW_DELIVERY_UNSETTLED and names the lanes', async () => {
    const source = new CountingSource(3, { lane: 'left' });
    const run = new ConcurrentPipeline(source, deferringSink<number>()).run();
    const error = await time().run(rejection(run));
    expect(error).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED', stage: 'deferring' });
    expect((error as Error).message).toContain("'left'");
    expect(source.commits).toEqual([]);
    expect(source.closedWith).toEqual([error]);
  });

  it('K7 what is called durable must be so after flush', async () => {
    const sink: Sink<number> = { write: () => ({ durable: new Promise(() => {}) }), flush: () => {} };
    const run = new ConcurrentPipeline([1, 2], sink).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
  });

  it('K7 what a sink without flush calls durable is waited for, by the end and by a drain', async () => {
    for (const way of ['end', 'drain', 'dispatcher', 'deferred']) {
      const sink: Sink<number> = {
        name: 'slow',
        write: (_, context) => {
          if (way !== 'deferred') return { durable: time().sleep(1500) };
          const receipt = context.defer();
          void time()
            .sleep(1500)
            .then(() => receipt.settle());
          return undefined;
        },
      };
      const source = new CountingSource(10, { size: () => 10 });
      let target = sink;
      if (way === 'dispatcher') {
        const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
        await dispatcher.subscribeSink(sink);
        target = dispatcher.createSink();
      }
      const pipeline = new ConcurrentPipeline(source, target);
      const run = pipeline.run();
      await time().settle();
      const report = await time().run(way === 'drain' ? pipeline.drain() : run);
      expect(report.written).toBe(10);
      expect(source.committed).toBe(10);
    }
    expect(time().elapsed).toBe(6000);
  });

  it('K7 a drain whose deadline passes while that is waited for names it', async () => {
    const sink: Sink<number> = { name: 'never', write: () => ({ durable: new Promise(() => {}) }) };
    const pipeline = new ConcurrentPipeline(new CountingSource(10), sink);
    const run = rejection(pipeline.run());
    await time().settle();
    pipeline.drain({ deadlineMs: 300 }).catch(() => {});
    const error = (await time().run(run)) as StreamWeldError;
    expect(error.code).toBe('SW_DRAIN_TIMEOUT');
    expect(error.message).toContain("receipts that the sink holds: 'never'");
  });

  it.each(['during the write', 'later'])(
    'K10 a sink that settles too often %s is SW_RECEIPT_SETTLED',
    async (when) => {
      const source = new CountingSource(10, { size: () => 10 });
      const errors: unknown[] = [];
      let writes = 0;
      const sink: Sink<number> = {
        write: (_, context) => {
          writes += 1;
          const receipt = context.defer();
          const settle = (): void => {
            receipt.settle();
            for (const again of [
              () => receipt.settle(),
              () => receipt.fail(new Error()),
              () => receipt.retain(1),
            ]) {
              try {
                again();
              } catch (error) {
                errors.push(error);
              }
            }
          };
          if (when === 'later') time().setTimer(settle, 5);
          else settle();
          return time().sleep(10);
        },
      };
      // One batch of the source in several writes: what one settles too often is not taken from the others.
      const report = await time().run(new ConcurrentPipeline(source, sink).bufferSize(20).run());
      expect(writes).toBeGreaterThanOrEqual(1);
      expect(errors).toHaveLength(3 * writes);
      for (const error of errors) expect(error).toMatchObject({ code: 'SW_RECEIPT_SETTLED' });
      expect(report.positions).toEqual(new Map([['', 10]]));
    },
  );

  it('K10 what one write settles too often is not taken from another of the same source batch', async () => {
    const source = new ControlledSource<number>();
    const receipts: DeferredReceipt[] = [];
    const sink: Sink<number> = {
      batching: { maxItems: 2 },
      write: (_, context) => {
        receipts.push(context.defer());
      },
    };
    const run = new ConcurrentPipeline(source, sink).commitEvery({ items: 1 }).run();
    await time().settle();
    source.lastPull.answer({ items: [1, 2, 3, 4], position: 4 });
    await time().settle();
    expect(receipts).toHaveLength(2);
    receipts[0]?.settle();
    expect(() => receipts[0]?.settle()).toThrow(expect.objectContaining({ code: 'SW_RECEIPT_SETTLED' }));
    await time().settle();
    expect(source.commits).toEqual([]);
    receipts[1]?.settle();
    await time().settle();
    expect(source.commits).toEqual([new Map([['', 4]])]);
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it.each(['throws', 'rejects'] as const)(
    'K10 a write that settled all and then %s fails the run, and hangs nothing',
    async (way) => {
      for (const failFast of [true, false]) {
        const source = new CountingSource(10);
        const sink: Sink<number> = {
          write: (_, context) => {
            const receipt = context.defer();
            receipt.settle();
            if (way === 'throws') receipt.settle();
            return Promise.reject(new Error('after all'));
          },
        };
        const run = new ConcurrentPipeline(source, sink).bufferSize(6).failFast(failFast).run();
        const error = (await time().run(rejection(run))) as StreamWeldError;
        expect(error.code).toBe(way === 'throws' ? 'SW_RECEIPT_SETTLED' : 'SW_SINK_FAILED');
        expect(source.closedWith).toHaveLength(1);
      }
    },
  );

  it('K10 a piece that fails fails the run, and the position stays before it', async () => {
    const source = new ControlledSource<number>();
    const sink = deferringSink<number>();
    const run = rejection(new ConcurrentPipeline(source, sink).run());
    await time().settle();
    for (const position of [1, 2]) {
      source.lastPull.answer({ items: [position], position });
      await time().settle();
    }
    sink.receipts[1]?.settle();
    const cause = new Error('piece');
    sink.receipts[0]?.fail(cause);
    expect(await time().run(run)).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(source.commits).toEqual([]);
  });
});
