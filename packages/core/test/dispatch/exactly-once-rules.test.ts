/** What exactly once behind a dispatcher needs, refuses and promises, case by case. */

import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { OptionError, WriteError } from '../../src/errors.ts';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { Sink, WriteContext } from '../../src/sink.ts';
import type { Positioned, Source, SourceContext } from '../../src/source.ts';
import { ControlledSource, rejection } from '../controlled.ts';
import { KeepingSink, Table } from '../keeping.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { numbers, Recorder } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Numbers up to `end`, so many at a time, from where it is told to resume. */
class Counter implements Source<number, number> {
  readonly name = 'counter';
  readonly comparePositions?: (a: number, b: number) => number;
  resumedAt: ReadonlyMap<string, number> | undefined;
  demands: number[] = [];
  readonly #end: number;
  readonly #size: number;
  #at = 0;

  constructor(end: number, size: number, canCompare = true) {
    this.#end = end;
    this.#size = size;
    if (canCompare) this.comparePositions = (a, b) => a - b;
  }

  open({ positions }: SourceContext<number>): void {
    this.resumedAt = positions;
    this.#at = positions.get('') ?? 0;
  }

  pull(demand: number): Positioned<number, number> | undefined {
    this.demands.push(demand);
    const from = this.#at;
    if (from >= this.#end) return undefined;
    this.#at = Math.min(this.#end, from + this.#size, from + demand);
    return { items: numbers(this.#at - from, from), position: this.#at };
  }
}

function tableAt(position: number | undefined): Table<number> {
  const table = new Table<number>();
  if (position !== undefined) table.positions.set('', position);
  return table;
}

function keeper(table: Table<number>, ms = 1, maxItems?: number): KeepingSink<number> {
  return new KeepingSink(table, () => time().sleep(ms), 1, maxItems);
}

function exactly(): DispatchedPipelineBuilder<number> {
  return new DispatchedPipelineBuilder<number>({ checkpoint: 'job', logger: null });
}

function feed(
  source: Source<number> | Flow<number>,
  dispatcher: { createSink(batchSize?: number): Sink<number> },
  store = new MemoryCheckpointStore(),
): ConcurrentPipeline<number> {
  return new ConcurrentPipeline(source, dispatcher.createSink(10)).checkpoint(store, 'job');
}

const IMPOSSIBLE = { code: 'SW_EXACTLY_ONCE_IMPOSSIBLE' };

describe('DispatchedPipelineBuilder.checkpoint', () => {
  it.each([
    ['demand', () => exactly().demand()],
    [
      'a strategy of your own',
      () =>
        exactly().custom({ name: 'own', demand: () => 0, dispatch: () => ({ taken: 0, deliveries: [] }) }),
    ],
    ['a key', () => exactly().partition(2, (n) => n, { key: (n) => n })],
    ['a sink as onUnknown', () => exactly().partition(['a'], () => 'a' as const, { onUnknown: () => {} })],
    ['a name that is empty', () => new DispatchedPipelineBuilder({ checkpoint: '' })],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow('DispatchedPipelineBuilder.checkpoint');
  });

  it('refuses a sink that does not keep positions, and says what to do', async () => {
    const sink = new Recorder<number>({ name: 'plain' });
    const error = await rejection(exactly().broadcast().subscribeSink(sink));
    expect(error).toMatchObject({ ...IMPOSSIBLE, stage: 'plain' });
    expect(String(error)).toContain('at least once');
    expect(sink.calls).toEqual([]);
  });

  it.each([
    ['says that it keeps positions, and cannot read them', { keepsPositions: true }],
    ['can read positions, and does not say that it keeps them', { positions: () => new Map() }],
  ])('refuses a sink that %s', async (_, capabilities) => {
    const sink: Sink<number> = { write: () => {}, ...capabilities };
    expect(await rejection(exactly().broadcast().subscribeSink(sink))).toMatchObject(IMPOSSIBLE);
  });

  it('leaves what its other options mean as it is', async () => {
    const partition = exactly().partition(['a'], () => 'a' as const, { onUnknown: 'drop' });
    await partition.subscribeSink(keeper(new Table()), 'a', { overflow: 'wait' });
    expect(partition.createSink()).toMatchObject({ keepsPositions: true });
  });

  it('refuses a dispatcher behind it', async () => {
    const inner = new DispatchedPipelineBuilder<number>({ checkpoint: 'inner' }).broadcast();
    const error = await rejection(exactly().broadcast().subscribeSink(inner.createSink()));
    expect(error).toMatchObject({ ...IMPOSSIBLE, stage: 'broadcast' });
    expect(String(error)).toContain('selectors');
  });

  it.each([
    ['overflow', { overflow: 'dropOldest' as const }],
    ['maxConcurrency', { maxConcurrency: 2 }],
    ['onError', { onError: 'detach' as const }],
  ])('refuses %s of a subscription', async (option, options) => {
    const error = await rejection(
      exactly().broadcast().subscribeSink(keeper(new Table()), undefined, options),
    );
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option: `subscribeSink.${option}` });
  });

  it('wants the names of its sinks to differ, and opens each under its own', async () => {
    const dispatcher = exactly().broadcast();
    const sink = keeper(new Table());
    await dispatcher.subscribeSink(sink, undefined, { name: 'a' });
    expect(sink.context?.checkpoint).toBe('job/a');
    const error = await rejection(dispatcher.subscribeSink(keeper(new Table()), undefined, { name: 'a' }));
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', option: 'subscribeSink.name' });
  });

  it('is fed by one pipeline', () => {
    const dispatcher = exactly().broadcast();
    dispatcher.createSink();
    expect(() => dispatcher.createSink()).toThrow('merge()');
  });

  it.each([
    ['none', (pipeline: ConcurrentPipeline<number>) => pipeline],
    [
      "'other'",
      (pipeline: ConcurrentPipeline<number>) => pipeline.checkpoint(new MemoryCheckpointStore(), 'other'),
    ],
  ])('wants the pipeline to have the checkpoint of that name, and not %s', async (which, give) => {
    const dispatcher = exactly().broadcast();
    const sink = keeper(new Table());
    await dispatcher.subscribeSink(sink);
    const pipeline = give(new ConcurrentPipeline(new Counter(3, 1), dispatcher.createSink()));
    const error = await time().run(rejection(pipeline.run()));
    expect(error).toMatchObject(IMPOSSIBLE);
    expect(String(error)).toContain(`has ${which}. Give the pipeline .checkpoint(store, 'job')`);
    expect(sink.contexts).toEqual([]);
  });

  it('wants its sinks to be there when the pipeline begins', async () => {
    expect(await time().run(rejection(feed(new Counter(3, 1), exactly().broadcast()).run()))).toMatchObject(
      IMPOSSIBLE,
    );
    const partition = exactly().partition(['a', 'b'], () => 'a' as const);
    await partition.subscribeSink(keeper(new Table()), 'a');
    const error = await time().run(rejection(feed(new Counter(3, 1), partition).run()));
    expect(String(error)).toContain("nobody is subscribed to 'b'");
  });
});

describe('a run that resumes behind a dispatcher', () => {
  it('K13 begins at the least that a sink holds, item by item up to the furthest', async () => {
    const [ahead, behind] = [tableAt(7), tableAt(4)];
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(ahead), undefined, { name: 'ahead' });
    await dispatcher.subscribeSink(keeper(behind), undefined, { name: 'behind' });
    const source = new Counter(30, 10);
    await time().run(feed(source, dispatcher).run());
    expect(source.resumedAt).toEqual(new Map([['', 4]]));
    expect(source.demands.slice(0, 3)).toEqual([1, 1, 1]);
    expect(Math.max(...source.demands)).toBeGreaterThan(1);
    expect(ahead.items).toEqual(numbers(23, 7));
    expect(behind.items).toEqual(numbers(26, 4));
    expect([ahead.positions.get(''), behind.positions.get('')]).toEqual([30, 30]);
    expect(dispatcher.snapshot().skipped).toBe(3);
  });

  it('begins at the start where one sink holds nothing, and not where a store once stood', async () => {
    const [ahead, empty] = [tableAt(7), tableAt(undefined)];
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(ahead), undefined, { name: 'ahead' });
    await dispatcher.subscribeSink(keeper(empty), undefined, { name: 'empty' });
    const store = new MemoryCheckpointStore();
    store.save('job', new Map([['', 20]]));
    await time().run(feed(new Counter(12, 5), dispatcher, store).run());
    expect(ahead.items).toEqual(numbers(5, 7));
    expect(empty.items).toEqual(numbers(12));
  });

  it('needs no comparing where all hold the same, of whatever kind', async () => {
    const dispatcher = exactly().broadcast();
    const tables = [new Table<number>(), new Table<number>()];
    for (const [at, table] of tables.entries()) {
      table.positions.set('', { offset: 3, at: [1] });
      await dispatcher.subscribeSink(keeper(table), undefined, { name: `${at}` });
    }
    const source: Source<number> = { pull: () => undefined };
    await time().run(feed(source, dispatcher).run());
  });

  it('needs a source that can tell which of two positions is the later', async () => {
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(tableAt(7)), undefined, { name: 'a' });
    await dispatcher.subscribeSink(keeper(tableAt(4)), undefined, { name: 'b' });
    const error = await time().run(rejection(feed(new Counter(30, 10, false), dispatcher).run()));
    expect(error).toMatchObject({ ...IMPOSSIBLE, stage: 'counter' });
    expect(String(error)).toContain('comparePositions');
  });

  it('K13 stops where items that a sink has were joined with items that it lacks', async () => {
    const [ahead, behind] = [tableAt(7), tableAt(4)];
    const dispatcher = exactly().broadcast();
    const joined = from(new Counter(30, 10))
      .batch(2)
      .flatMap((pair) => pair);
    await dispatcher.subscribeSink(keeper(ahead), undefined, { name: 'ahead' });
    await dispatcher.subscribeSink(keeper(behind), undefined, { name: 'behind' });
    const error = await time().run(rejection(feed(joined, dispatcher).run()));
    expect(error).toMatchObject(IMPOSSIBLE);
    expect(String(error)).toContain("'ahead'");
    expect([ahead.items, behind.items]).toEqual([[], [4, 5]]);
  });
});

describe('a sink that is given nothing of a write', () => {
  it('keeps the positions of that with the next it is given', async () => {
    const [all, few] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    const sparse = keeper(few);
    await dispatcher.subscribeSink(keeper(all), undefined, { name: 'all' });
    await dispatcher.subscribeSink(sparse, undefined, { name: 'few', selector: (n) => n % 20 === 19 });
    await time().run(feed(new Counter(50, 5), dispatcher).bufferSize(5).run());
    expect(few.items).toEqual([19, 39]);
    expect(sparse.contexts.map(({ positions }) => positions?.get(''))).toEqual([20, 40]);
    expect(all.positions.get('')).toBe(50);
  });

  it('never steps back from what it holds, while others catch up in another lane', async () => {
    const [ahead, behind] = [new Table<number>(), new Table<number>()];
    ahead.positions = new Map([['a', 3]]);
    const dispatcher = exactly().broadcast();
    const sink = keeper(ahead);
    await dispatcher.subscribeSink(sink, undefined, { name: 'ahead', selector: (n) => n >= 100 });
    await dispatcher.subscribeSink(keeper(behind), undefined, { name: 'behind' });
    const source = new ControlledSource<number>() as ControlledSource<number> & Source<number, number>;
    source.comparePositions = (a, b) => a - b;
    const run = feed(source, dispatcher).run();
    for (const [item, position, lane] of [
      [1, 1, 'a'],
      [100, 1, 'b'],
      [2, 2, 'a'],
      [101, 2, 'b'],
      [3, 3, 'a'],
      [4, 4, 'a'],
      [102, 3, 'b'],
    ] as const) {
      await time().advance(5);
      source.lastPull.answer({ items: [item], position, lane });
    }
    await time().advance(5);
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(ahead.items).toEqual([100, 101, 102]);
    expect(behind.items).toEqual([1, 100, 2, 101, 3, 4, 102]);
    expect(sink.contexts.map(({ positions }) => positions?.get('a'))).toEqual([undefined, undefined, 4]);
  });
});

describe('a share', () => {
  it('that comes in parts, for there is little room, is written whole', async () => {
    const [fast, slow] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    const sinks = [keeper(fast, 0), keeper(slow, 20, 1)];
    await dispatcher.subscribeSink(sinks[0] as KeepingSink<number>, undefined, {
      name: 'fast',
      bufferSize: 100,
    });
    await dispatcher.subscribeSink(sinks[1] as KeepingSink<number>, undefined, {
      name: 'slow',
      bufferSize: 13,
    });
    await time().run(feed(new Counter(60, 6), dispatcher).bufferSize(12).run());
    expect([fast.items, slow.items]).toEqual([numbers(60), numbers(60)]);
    for (const sink of sinks)
      for (const { positions } of sink.contexts) expect((positions?.get('') as number) % 6).toBe(0);
  });

  it('that a buffer cannot hold is SW_BATCH_TOO_LARGE', async () => {
    const table = new Table<number>();
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(table), undefined, { name: 'small', bufferSize: 5 });
    await dispatcher.subscribeSink(keeper(new Table()), undefined, { name: 'large' });
    const error = await time().run(rejection(feed(new Counter(60, 6), dispatcher).run()));
    expect(error).toMatchObject({ code: 'SW_BATCH_TOO_LARGE', stage: 'small' });
    expect(String(error)).toContain('5 items');
    expect(table.items).toEqual([]);
  });

  it('that fills a buffer to the last place waits for a slower sink, and is not too large', async () => {
    const [left, right] = [new Table<number>(), new Table<number>()];
    const partition = exactly().partition(['left', 'right'], (n) => (n % 10 < 5 ? 'left' : 'right'));
    await partition.subscribeSink(keeper(left), 'left', { name: 'left', bufferSize: 5 });
    await partition.subscribeSink(keeper(right, 50), 'right', { name: 'right', bufferSize: 6 });
    await time().run(feed(new Counter(60, 10), partition).run());
    expect(left.items).toEqual(numbers(60).filter((n) => n % 10 < 5));
    expect(right.items).toEqual(numbers(60).filter((n) => n % 10 >= 5));
  });

  it('that is not all there when the run is aborted is not written', async () => {
    const [fast, slow] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(fast, 0), undefined, { name: 'fast' });
    await dispatcher.subscribeSink(keeper(slow, 1000), undefined, { name: 'slow', bufferSize: 8 });
    const pipeline = feed(new Counter(60, 6), dispatcher);
    const run = pipeline.bufferSize(12).run();
    run.catch(() => {});
    await time().advance(100);
    expect(dispatcher.sinks()[0]).toMatchObject({ buffered: 0, delivered: 6 });
    await time().run(pipeline.abort());
    expect(fast.items).toEqual(numbers(6));
    expect(fast.positions.get('')).toBe(6);
  });

  it('is written to the end by a drain', async () => {
    const [fast, slow] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(fast, 0), undefined, { name: 'fast' });
    await dispatcher.subscribeSink(keeper(slow, 20), undefined, { name: 'slow', bufferSize: 20 });
    const pipeline = feed(new Counter(1000, 6), dispatcher);
    const run = pipeline.run();
    await time().advance(100);
    await time().run(pipeline.drain());
    const report = await run;
    expect(fast.items).toEqual(numbers(report.read));
    expect(slow.items).toEqual(numbers(report.read));
    expect([fast.positions.get(''), slow.positions.get('')]).toEqual([report.read, report.read]);
  });
});

describe('membership, where sinks keep positions', () => {
  it('of partitions is what it was when the pipeline began', async () => {
    const partition = exactly().partition(['a'], () => 'a' as const);
    const first = await partition.subscribeSink(keeper(new Table()), 'a', { name: 'first' });
    const pipeline = feed(new Counter(1000, 1), partition);
    const run = rejection(pipeline.run());
    await time().advance(5);
    expect(await rejection(first.unsubscribe())).toMatchObject(IMPOSSIBLE);
    expect(await rejection(partition.subscribeSink(keeper(new Table()), 'a', { name: 'b' }))).toMatchObject(
      IMPOSSIBLE,
    );
    await time().run(pipeline.abort());
    await run;
  });

  it('of partitions may change before', async () => {
    const partition = exactly().partition(['a'], () => 'a' as const);
    const first = await partition.subscribeSink(keeper(new Table()), 'a', { name: 'first' });
    await time().run(first.unsubscribe());
    const table = new Table<number>();
    await partition.subscribeSink(keeper(table), 'a', { name: 'second' });
    await time().run(feed(new Counter(20, 3), partition).run());
    expect(table.items).toEqual(numbers(20));
  });

  it('of a broadcast may grow: the new sink has what comes from then on, and stands there', async () => {
    const [old, late] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(old, 5), undefined, { name: 'old', bufferSize: 20 });
    const run = feed(new Counter(100, 6), dispatcher).bufferSize(20).run();
    await time().advance(12);
    await dispatcher.subscribeSink(keeper(late), undefined, { name: 'late' });
    await time().run(run);
    expect(old.items).toEqual(numbers(100));
    expect(late.items.length).toBeGreaterThan(10);
    expect(late.items.length).toBeLessThan(100);
    expect(late.items).toEqual(numbers(late.items.length, 100 - late.items.length));
    expect(late.positions.get('')).toBe(100);
  });

  it('of a broadcast may not grow by a sink that stands elsewhere', async () => {
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(keeper(new Table(), 5), undefined, { name: 'old', bufferSize: 20 });
    const run = feed(new Counter(100, 6), dispatcher).bufferSize(20).run();
    await time().advance(12);
    let closed: unknown;
    const sink = Object.assign(keeper(tableAt(3)), {
      close: (reason: unknown) => {
        closed = reason;
      },
    });
    const error = await rejection(dispatcher.subscribeSink(sink, undefined, { name: 'late' }));
    expect(error).toMatchObject(IMPOSSIBLE);
    expect(closed).toBe(error);
    expect(dispatcher.sinks()).toHaveLength(1);
    await time().run(run);
  });

  it('of a broadcast may shrink: what has come of a write in part is not kept', async () => {
    const [fast, slow] = [new Table<number>(), new Table<number>()];
    const dispatcher = exactly().broadcast();
    const leaver = await dispatcher.subscribeSink(keeper(fast, 0), undefined, { name: 'fast' });
    await dispatcher.subscribeSink(keeper(slow, 100), undefined, { name: 'slow', bufferSize: 8 });
    const run = feed(new Counter(60, 6), dispatcher).bufferSize(12).run();
    await time().advance(50);
    await time().run(leaver.unsubscribe());
    expect(fast.items).toEqual(numbers(6));
    await time().run(run);
    expect(fast.items).toEqual(numbers(6));
    expect(slow.items).toEqual(numbers(60));
  });
});

describe('policies of a sink that keeps positions behind a dispatcher', () => {
  it('repeat a write with the same positions, whole', async () => {
    const table = new Table<number>();
    const tries: [number, unknown, number][] = [];
    const good = keeper(table);
    const sink: Sink<number> = {
      name: 'flaky',
      keepsPositions: true,
      positions: () => good.positions(),
      write: (batch: readonly number[], context: WriteContext) => {
        tries.push([context.attempt, context.positions?.get(''), batch.length]);
        if (context.attempt < 3) throw new WriteError('busy', { failed: [1] });
        return good.write(batch, context);
      },
    };
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(sink, undefined, { retry: { attempts: 3 } });
    await dispatcher.subscribeSink(keeper(new Table()), undefined, { name: 'other' });
    await time().run(feed(new Counter(6, 6), dispatcher).run());
    expect(tries).toEqual([
      [1, 6, 6],
      [2, 6, 6],
      [3, 6, 6],
    ]);
    expect(table.items).toEqual(numbers(6));
  });

  it('send bad items to the dead letter, and keep the rest of the share', async () => {
    const table = new Table<number>();
    const good = keeper(table);
    const sink: Sink<number> = {
      name: 'picky',
      keepsPositions: true,
      positions: () => good.positions(),
      write: (batch: readonly number[], context: WriteContext) => {
        const bad = batch.flatMap((n, at) => (n === 2 ? [at] : []));
        if (bad.length > 0) throw new WriteError('two', { failed: bad, retryable: false });
        return good.write(batch, context);
      },
    };
    const letters = new Recorder<DeadLetter<number>>({ name: 'letters' });
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(sink, undefined, { deadLetter: letters });
    await time().run(feed(new Counter(6, 6), dispatcher).run());
    expect(table.items).toEqual([0, 1, 3, 4, 5]);
    expect(table.positions.get('')).toBe(6);
    expect(letters.items).toMatchObject([{ item: 2, lane: '', upTo: 6 }]);
  });

  it('wait for a dead letter that is durable only when it is flushed', async () => {
    const table = new Table<number>();
    const good = keeper(table);
    const sink: Sink<number> = {
      name: 'picky',
      keepsPositions: true,
      positions: () => good.positions(),
      write: (batch: readonly number[], context: WriteContext) => {
        if (batch.includes(2)) throw new WriteError('two', { failed: [batch.indexOf(2)], retryable: false });
        return good.write(batch, context);
      },
    };
    let flushed: (() => void)[] = [];
    const letters: Sink<DeadLetter<number>> = {
      write: () => ({ durable: new Promise<void>((resolve) => flushed.push(resolve)) }),
      flush: () => {
        for (const resolve of flushed) resolve();
        flushed = [];
      },
    };
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(sink, undefined, { deadLetter: letters, bufferSize: 20 });
    await time().run(feed(new Counter(60, 6), dispatcher).run());
    expect(table.items).toEqual(numbers(60).filter((n) => n !== 2));
    // It is flushed for it at once, and not when its time has come.
    expect(time().elapsed).toBeLessThan(100);
  });

  it('K12 it may not answer { durable }', async () => {
    const sink: Sink<number> = {
      name: 'late',
      keepsPositions: true,
      positions: () => new Map(),
      write: () => ({ durable: Promise.resolve() }),
    };
    const dispatcher = exactly().broadcast();
    await dispatcher.subscribeSink(sink);
    const error = await time().run(rejection(feed(new Counter(6, 6), dispatcher).run()));
    expect(error).toMatchObject({ ...IMPOSSIBLE, stage: 'late' });
  });
});
