/**
 * Positions from end to end: random sources, operators and sinks, on virtual time. At every commit, and when the run has
 * ended however it did, what was committed never lies behind an item that is not durable; and a good run ends at the end.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeferredReceipt, Sink } from '../../src/sink.ts';
import type { Positioned, Processor, Source, SourceContext } from '../../src/source.ts';
import { deferringSink, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

/** An item of a lane; `n` counts from 0, so a position is the number of items before it. */
interface Item {
  readonly lane: string;
  readonly n: number;
}

interface Plan {
  readonly seed: number;
  readonly lanes: number;
  readonly items: number;
  readonly bufferSize: number;
  readonly maxConcurrency: number;
  readonly maxUncommitted: number;
  readonly commitItems: number;
  readonly sourceMs: number;
  readonly operators: readonly string[];
  readonly sink: 'sync' | 'async' | 'durable' | 'deferring' | 'mixed';
  readonly failAt: number;
  readonly how: 'run' | 'drain' | 'abort' | 'fail' | 'failLate';
}

const plan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.integer({ min: 1, max: 1 << 30 }),
  lanes: fc.integer({ min: 1, max: 3 }),
  items: fc.integer({ min: 0, max: 120 }),
  bufferSize: fc.constantFrom(1, 2, 3, 7, 20, 100),
  maxConcurrency: fc.integer({ min: 1, max: 5 }),
  maxUncommitted: fc.constantFrom(1, 5, 30, 1000),
  commitItems: fc.constantFrom(1, 7, 1000),
  sourceMs: fc.constantFrom(0, 0, 1, 3),
  operators: fc.array(
    fc.constantFrom(
      'map',
      'asyncMap',
      'unorderedMap',
      'mixedMap',
      'filter',
      'asyncFilter',
      'flatMap',
      'drop',
      'batch',
      'batchWithin',
      'through',
      'holdingThrough',
      'tap',
    ),
    { maxLength: 5 },
  ),
  sink: fc.constantFrom('sync', 'async', 'durable', 'deferring', 'mixed'),
  failAt: fc.nat(150),
  how: fc.constantFrom('run', 'run', 'drain', 'abort', 'fail', 'failLate'),
});

/** What one item became: which originals are in it. Operators carry it along, so the sink knows what is durable. */
interface Traced {
  readonly of: readonly Item[];
}

class Ledger {
  /** How many pieces of each original are still on their way; an original without pieces is done. */
  readonly #open = new Map<string, number>();
  readonly committed = new Map<string, number>();
  readonly handedOut = new Map<string, number>();
  commits = 0;

  key({ lane, n }: Item): string {
    return `${lane}:${n}`;
  }

  issue(item: Item): void {
    this.#open.set(this.key(item), 1);
    this.handedOut.set(item.lane, item.n + 1);
  }

  /** An original became so many pieces in place of one. */
  multiply(item: Item, pieces: number): void {
    const key = this.key(item);
    this.#open.set(key, (this.#open.get(key) ?? 0) + pieces - 1);
  }

  done({ of }: Traced): void {
    for (const item of of) this.multiply(item, 0);
  }

  isOpen(item: Item): boolean {
    return (this.#open.get(this.key(item)) ?? 0) > 0;
  }

  /** Throws where a position passes an item that is not done. */
  check(positions: ReadonlyMap<string, unknown>): void {
    for (const [lane, position] of positions) {
      for (let n = 0; n < (position as number); n++) {
        if (this.isOpen({ lane, n }))
          throw new Error(`${lane}: ${position as number} passes ${n}, which is not durable`);
      }
    }
  }
}

function sourceOf(plan: Plan, clock: VirtualClock, ledger: Ledger): Source<Traced, number> {
  const lanes = Array.from({ length: plan.lanes }, (_, i) => ({ name: `lane ${i}`, next: 0 }));
  const next = (demand: number): Positioned<Traced, number> | undefined => {
    const open = lanes.filter((lane) => lane.next < plan.items);
    const lane = open[Math.floor(clock.random() * open.length)];
    if (lane === undefined) return undefined;
    // Now and then a batch without items: done up to here.
    if (clock.random() < 0.05) return { items: [], position: lane.next, lane: lane.name };
    const count = Math.min(plan.items - lane.next, Math.max(1, Math.floor(clock.random() * demand + 0.5)));
    const items = Array.from({ length: count }, (_, i) => {
      const item = { lane: lane.name, n: lane.next + i };
      ledger.issue(item);
      return { of: [item] };
    });
    lane.next += count;
    return { items, position: lane.next, lane: lane.name };
  };
  return {
    pull: (demand) =>
      plan.sourceMs === 0
        ? next(demand)
        : clock.sleep(clock.random() * plan.sourceMs).then(() => next(demand)),
    commit: (positions) => {
      ledger.commits += 1;
      ledger.check(positions);
      for (const [lane, position] of positions) {
        if (position < (ledger.committed.get(lane) ?? 0)) throw new Error(`${lane} went back to ${position}`);
        ledger.committed.set(lane, position);
      }
    },
  };
}

function applyOperator(flow: Flow<Traced>, kind: string, clock: VirtualClock, ledger: Ledger): Flow<Traced> {
  const keeps = (item: Traced): boolean => {
    const isKept = clock.random() < 0.6;
    if (!isKept) ledger.done(item);
    return isKept;
  };
  const copy = ({ of }: Traced): Traced => ({ of });
  const together = (items: readonly Traced[]): Traced => ({ of: items.flatMap(({ of }) => of) });
  const later = <V>(value: V): Promise<V> => clock.sleep(clock.random() * 4).then(() => value);
  switch (kind) {
    case 'map':
      return flow.map(copy);
    case 'asyncMap':
      return flow.map((item) => later(copy(item)));
    case 'unorderedMap':
      return flow.map((item) => later(copy(item)), { ordered: false, concurrency: 3 });
    case 'mixedMap':
      return flow.map((item) => (clock.random() < 0.5 ? copy(item) : later(copy(item))));
    case 'filter':
      return flow.filter(keeps);
    case 'asyncFilter':
      return flow.filter((item) => later(keeps(item)), { concurrency: 2 });
    case 'flatMap':
      return flow.flatMap((item) => {
        const count = Math.floor(clock.random() * 4);
        for (const original of item.of) ledger.multiply(original, count);
        return Array.from({ length: count }, () => copy(item));
      });
    case 'drop': {
      // Counted by a tap before it, since `drop` tells nobody what it drops.
      let seen = 0;
      return flow
        .tap((item) => {
          if (seen++ < 3) ledger.done(item);
        })
        .drop(3);
    }
    case 'batch':
      return flow.batch(1 + Math.floor(clock.random() * 4)).map(together);
    case 'batchWithin':
      return flow.batch(5, { withinMs: 2 }).map(together);
    case 'through':
      return flow.through<Traced>({
        process: (batch) => (clock.random() < 0.5 ? batch.map(copy) : later(batch.map(copy))),
      });
    case 'holdingThrough':
      return flow.through(() => pairs(together));
    default:
      return flow.tap(() => (clock.random() < 0.2 ? later(undefined) : undefined));
  }
}

/** Puts items together two by two: holds one back where their number is odd. */
function pairs(together: (items: readonly Traced[]) => Traced): Processor<Traced, Traced> {
  let held: Traced | undefined;
  return {
    process: (batch) => {
      const out: Traced[] = [];
      for (const item of batch) {
        if (held === undefined) held = item;
        else {
          out.push(together([held, item]));
          held = undefined;
        }
      }
      return out;
    },
    flush: () => (held === undefined ? [] : [held]),
    holdsBack: () => held !== undefined,
  };
}

function sinkOf(plan: Plan, clock: VirtualClock, ledger: Ledger): Sink<Traced> {
  let written = 0;
  let waiting: (() => void)[] = [];
  const done = (batch: readonly Traced[]): void => {
    for (const item of batch) ledger.done(item);
  };
  const failsNow = (batch: readonly Traced[]): boolean => {
    const before = written;
    written += batch.length;
    return plan.how === 'fail' && before <= plan.failAt && plan.failAt < written;
  };
  const durable = (batch: readonly Traced[], fails: boolean): { durable: Promise<void> } => ({
    durable: new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (): void => {
        if (isOver) return;
        isOver = true;
        if (fails) reject(new Error('not durable'));
        else {
          done(batch);
          resolve();
        }
      };
      waiting.push(settle);
      clock.setTimer(settle, clock.random() * 20);
    }),
  });
  const defer = (batch: readonly Traced[], receipt: DeferredReceipt): void => {
    // Passed on in pieces, each settled when it pleases.
    const cuts = batch.length > 1 ? 2 : 1;
    if (cuts > 1) receipt.retain(cuts - 1);
    const half = Math.ceil(batch.length / cuts);
    for (let i = 0; i < cuts; i++) {
      const piece = batch.slice(i * half, (i + 1) * half);
      let isOver = false;
      const settle = (): void => {
        if (isOver) return;
        isOver = true;
        done(piece);
        receipt.settle();
      };
      waiting.push(settle);
      clock.setTimer(settle, clock.random() * 20);
    }
  };
  return {
    write: async (batch, context) => {
      const kind =
        plan.sink === 'mixed'
          ? (['sync', 'async', 'durable', 'deferring'] as const)[Math.floor(clock.random() * 4)]
          : plan.sink;
      const fails = failsNow(batch);
      if (kind !== 'sync') await clock.sleep(clock.random() * 5);
      if (fails && plan.sink !== 'durable') throw new Error('not written');
      if (kind === 'durable') return durable(batch, fails);
      if (kind === 'deferring') {
        defer(batch, context.defer());
        return undefined;
      }
      done(batch);
      return undefined;
    },
    flush: async () => {
      await clock.sleep(clock.random() * 3);
      const mine = waiting;
      waiting = [];
      for (const settle of mine) settle();
    },
  };
}

async function runPlan(plan: Plan): Promise<void> {
  await withVirtualClock({ seed: plan.seed, msPerLook: plan.seed % 3 === 0 ? 0.3 : 0 }, async (clock) => {
    const ledger = new Ledger();
    let flow = from(sourceOf(plan, clock, ledger));
    for (const kind of plan.operators) flow = applyOperator(flow, kind, clock, ledger);
    if (plan.how === 'failLate') {
      let seen = 0;
      flow = flow.map((item) => {
        if (seen++ === plan.failAt) throw new Error('in a map');
        return item;
      });
    }
    const pipeline = new ConcurrentPipeline(flow, sinkOf(plan, clock, ledger))
      .bufferSize(plan.bufferSize)
      .maxConcurrency(plan.maxConcurrency)
      .maxUncommitted(plan.maxUncommitted)
      .commitEvery({ items: plan.commitItems, ms: 5 })
      .failFast(plan.seed % 2 === 0);
    const run = pipeline.run();
    run.catch(() => {});
    if (plan.how === 'drain' || plan.how === 'abort') {
      clock.setTimer(() => {
        if (plan.how === 'drain') pipeline.drain().catch(() => {});
        else void pipeline.abort(new Error('enough'));
      }, plan.failAt / 3);
    }
    let error: unknown;
    const report = await clock.run(run).catch((reason: unknown) => {
      error = reason;
      return undefined;
    });
    ledger.check(pipeline.report.positions);
    ledger.check(ledger.committed);
    if (report === undefined) {
      // Only what was made to fail may fail, and a run that ended before that ends well.
      const expected = { fail: /not written|not durable/, failLate: /in a map/, abort: /enough/ }[
        plan.how as 'fail'
      ];
      expect(String((error as Error).cause ?? error)).toMatch(expected ?? /nothing may fail here/);
      return;
    }
    // A good end: all that was handed out is durable, and committed.
    for (const [lane, handedOut] of ledger.handedOut) {
      expect(ledger.committed.get(lane)).toBe(handedOut);
      if (plan.how === 'run') expect(handedOut).toBe(plan.items);
    }
    expect(new Map([...report.positions].filter(([, position]) => position !== 0))).toEqual(
      new Map([...ledger.committed].filter(([, position]) => position !== 0)),
    );
    // What settles late finds nobody, and harms nothing.
    await clock.advance(100);
  });
}

describe('Positions, by property', () => {
  it('never pass an item that is not durable, and stand at the end after a good run', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(fc.asyncProperty(plan, runPlan), { numRuns: 1500 });
  });
});

describe('A sink that defers', () => {
  const time = useVirtualClock();
  useLeakCheck(time);

  const positioned = (end: number, commits: unknown[]): Source<number, number> => {
    let next = 0;
    return {
      pull: (demand) => {
        const count = Math.min(demand, end - next);
        if (count === 0) return undefined;
        next += count;
        return { items: Array.from({ length: count }, (_, i) => next - count + i), position: next };
      },
      commit: (positions) => void commits.push(...positions.values()),
    };
  };

  it('K10 and settles too little is SW_DELIVERY_UNSETTLED, which names the lane, and nothing is committed', async () => {
    const commits: unknown[] = [];
    const sink = deferringSink<number>();
    const run = new ConcurrentPipeline(positioned(10, commits), sink).run();
    expect(await time().run(rejection(run))).toMatchObject({
      code: 'SW_DELIVERY_UNSETTLED',
      stage: 'deferring',
      message: expect.stringContaining("lanes: ''"),
    });
    expect(commits).toEqual([]);
    expect(sink.receipts.length).toBeGreaterThan(0);
  });

  it('K10 and settles one piece too few of several is SW_DELIVERY_UNSETTLED', async () => {
    const commits: unknown[] = [];
    const sink: Sink<number> = {
      write: (batch, context) => {
        const receipt = context.defer();
        receipt.retain(batch.length - 1);
        for (const item of batch) if (item !== 7) receipt.settle();
      },
    };
    const run = new ConcurrentPipeline(positioned(10, commits), sink).bufferSize(4).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(Math.max(...(commits as number[]))).toBeLessThanOrEqual(7);
  });

  it.each(['within the write', 'and the write rejects', 'later'] as const)(
    'K10 and settles too often, %s, is told SW_RECEIPT_SETTLED, and cannot settle what belongs to another write',
    async (when) => {
      const commits: unknown[] = [];
      const told: unknown[] = [];
      let writes = 0;
      const twice = (receipt: DeferredReceipt): void => {
        receipt.settle();
        try {
          receipt.settle();
        } catch (error) {
          told.push(error);
          if (when !== 'later') throw error;
        }
      };
      // Each batch of the source is written in several pieces, which share its receipt.
      const sink: Sink<number> = {
        batching: { maxItems: 2 },
        write: (_batch, context) => {
          writes += 1;
          const receipt = context.defer();
          if (when === 'within the write') twice(receipt);
          else if (when === 'and the write rejects') return Promise.resolve().then(() => twice(receipt));
          else if (writes === 1)
            void time()
              .sleep(5)
              .then(() => twice(receipt));
          else
            return time()
              .sleep(50)
              .then(() => receipt.settle());
          return undefined;
        },
      };
      const run = new ConcurrentPipeline(positioned(10, commits), sink)
        .bufferSize(100)
        .maxConcurrency(4)
        .run();
      const outcome = await time().run(run.catch((error: unknown) => error));
      expect(told[0]).toMatchObject({ code: 'SW_RECEIPT_SETTLED' });
      if (when === 'later') expect(outcome).toMatchObject({ written: 10 });
      else expect(outcome).toMatchObject({ code: 'SW_RECEIPT_SETTLED' });
      if (when === 'later') expect(commits).toEqual([10]);
      await time().advance(100);
    },
  );

  it('fails the run with a piece that failed, and the position stays before it', async () => {
    const commits: unknown[] = [];
    const cause = new Error('lost');
    const sink: Sink<number> = {
      write: (batch, context) => {
        const receipt = context.defer();
        if (batch.includes(6)) receipt.fail(cause);
        else receipt.settle();
      },
    };
    const run = new ConcurrentPipeline(positioned(10, commits), sink).bufferSize(4).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(Math.max(0, ...(commits as number[]))).toBeLessThanOrEqual(6);
  });

  it('K5 fails the run when what it accepted does not become durable, and the position stays before it', async () => {
    const commits: unknown[] = [];
    const cause = new Error('upload');
    const sink: Sink<number> = {
      write: (batch) => ({ durable: batch.includes(6) ? Promise.reject(cause) : Promise.resolve() }),
    };
    const run = new ConcurrentPipeline(positioned(10, commits), sink).bufferSize(4).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(Math.max(0, ...(commits as number[]))).toBeLessThanOrEqual(6);
  });

  it('K7 whose upload never becomes durable is SW_DELIVERY_UNSETTLED', async () => {
    const sink: Sink<number> = { write: () => ({ durable: new Promise(() => {}) }) };
    const run = new ConcurrentPipeline([1, 2, 3], sink).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(time().elapsed).toBe(2000);
  });
});

describe('A source that gives up a lane', () => {
  const time = useVirtualClock();
  useLeakCheck(time);

  it('[fault 17] gets no commit for it, whatever was written meanwhile', async () => {
    const commits: ReadonlyMap<string, number>[] = [];
    let context: SourceContext<number> | undefined;
    const batches: Positioned<number, number>[] = [
      { items: [1, 2], position: 2, lane: 'kept' },
      { items: [1, 2], position: 2, lane: 'lost' },
      { items: [3], position: 3, lane: 'kept' },
    ];
    const source: Source<number, number> = {
      open: (given) => {
        context = given;
      },
      pull: () => batches.shift(),
      commit: (positions) => void commits.push(positions),
    };
    // The write blocks for a minute, as a busy loop does; meanwhile the lane goes to somebody else.
    const sink: Sink<number> = {
      write: async () => {
        await time().sleep(60_000);
        context?.endLane('lost');
      },
    };
    const report = await time().run(new ConcurrentPipeline(source, sink).commitEvery({ items: 1 }).run());
    expect(report.written).toBe(5);
    expect(new Set(commits.flatMap((positions) => [...positions.keys()]))).toEqual(new Set(['kept']));
    expect(commits.at(-1)).toEqual(new Map([['kept', 3]]));
    expect(report.positions).toEqual(new Map([['kept', 3]]));
  });

  it('can wait until all of it is settled, and then gets its commit', async () => {
    const commits: ReadonlyMap<string, number>[] = [];
    let context: SourceContext<number> | undefined;
    let settledAt: number | undefined;
    let pulls = 0;
    const source: Source<number, number> = {
      open: (given) => {
        context = given;
      },
      pull: async () => {
        pulls += 1;
        if (pulls === 1) return { items: [1, 2], position: 2, lane: 'a' };
        await context?.settled('a');
        settledAt = time().elapsed;
        return undefined;
      },
      commit: (positions) => void commits.push(positions),
    };
    await time().run(new ConcurrentPipeline(source, () => time().sleep(30)).run());
    expect(settledAt).toBe(30);
    expect(commits).toEqual([new Map([['a', 2]])]);
  });

  it('hears of nothing but the lanes that moved since the last commit', async () => {
    const commits: ReadonlyMap<string, number>[] = [];
    const batches: Positioned<number, number>[] = [
      { items: [1], position: 1, lane: 'a' },
      { items: [1], position: 1, lane: 'b' },
      { items: [2], position: 2, lane: 'b' },
    ];
    const source: Source<number, number> = {
      pull: async () => {
        await time().sleep(100);
        return batches.shift();
      },
      commit: (positions) => void commits.push(positions),
    };
    await time().run(new ConcurrentPipeline(source, () => {}).commitEvery({ ms: 20 }).run());
    expect(commits.map((positions) => [...positions])).toEqual([[['a', 1]], [['b', 1]], [['b', 2]]]);
  });
});
