/** Exactly once: a sink that keeps positions is given whole source batches, and a crash at any moment costs nothing. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { StreamWeldError, WriteError } from '../../src/errors.ts';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { WriteContext } from '../../src/sink.ts';
import type { Positioned, Source } from '../../src/source.ts';
import { ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { KeepingSink, LaneSource, Table } from '../keeping.ts';
import { useLeakCheck } from '../leak-check.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

type Operator = 'filter' | 'flatMap' | 'late' | 'through' | 'take' | 'merge' | 'few';

/** What the operators make of an item, as plain arrays do. */
const FLAT: Record<Operator, (item: number) => number[]> = {
  filter: (n) => (n % 3 === 0 ? [n] : []),
  flatMap: (n) => Array.from({ length: n % 4 }, (_, i) => n * 10 + i),
  late: (n) => [n + 1],
  through: (n) => [n, -n],
  take: (n) => [n],
  merge: (n) => [n],
  few: (n) => (n % 50 === 0 ? [n] : []),
};

function build(operators: readonly Operator[], clock: VirtualClock, end: number): Flow<number> {
  let flow = from(new LaneSource('first', ['a', 'b'], end, clock));
  for (const operator of operators) {
    switch (operator) {
      case 'filter':
      case 'few':
        flow = flow.filter((n) => FLAT[operator](n).length > 0);
        break;
      case 'flatMap':
        flow = flow.flatMap(FLAT.flatMap);
        break;
      case 'late':
        flow = flow.map((n) => clock.sleep(clock.random() * 3).then(() => n + 1), { concurrency: 3 });
        break;
      case 'through':
        flow = flow.through({ process: (batch) => batch.flatMap(FLAT.through) });
        break;
      case 'take':
        flow = flow.take(1_000_000);
        break;
      case 'merge':
        flow = flow.merge(new LaneSource('second', ['x'], end, clock));
        break;
    }
  }
  return flow;
}

function expected(operators: readonly Operator[], end: number): number[] {
  const numbers = (base: number): number[] => Array.from({ length: end }, (_, i) => base + i);
  let items = [...numbers(0), ...numbers(1000)];
  for (const operator of operators) {
    if (operator === 'merge') items = [...items, ...numbers(100_000)];
    else items = items.flatMap(FLAT[operator]);
  }
  return items.sort((a, b) => a - b);
}

const OPERATORS: readonly Operator[] = ['filter', 'flatMap', 'late', 'through', 'take', 'merge', 'few'];

describe('exactly once', () => {
  it('holds over any flow that keeps order, and crashes at any moment', async () => {
    let crashes = 0;
    let writes = 0;
    const plan = fc.record({
      seed: fc.integer({ min: 1, max: 1 << 30 }),
      operators: fc.uniqueArray(fc.constantFrom(...OPERATORS), { maxLength: 4 }),
      end: fc.constantFrom(0, 1, 30, 80),
      crashes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, (p) =>
        withVirtualClock({ seed: p.seed }, async (clock) => {
          const table = new Table<number>();
          const store = new MemoryCheckpointStore();
          for (let attempt = 0; ; attempt++) {
            const sink = new KeepingSink(table, () => clock.sleep(Math.floor(clock.random() * 6)), 3);
            const pipeline = new ConcurrentPipeline(build(p.operators, clock, p.end), sink)
              .bufferSize(600)
              .maxConcurrency(3)
              .checkpoint(store, 'job');
            const run = pipeline.run();
            const crashAt = p.crashes[attempt];
            if (crashAt === undefined) {
              const report = await clock.run(run);
              expect(report.highWaterMark).toBeLessThanOrEqual(600);
            } else {
              run.catch(() => {});
              await clock.advance(crashAt);
              sink.isDead = true;
              crashes += pipeline.state === 'done' ? 0 : 1;
              if (pipeline.state !== 'done') await clock.run(pipeline.abort());
            }
            writes += sink.contexts.length;
            expect(sink.mostOutstanding).toBeLessThanOrEqual(1);
            if (crashAt === undefined) break;
          }
          expect([...table.items].sort((a, b) => a - b)).toEqual(expected(p.operators, p.end));
          if (!p.operators.includes('flatMap') && !p.operators.includes('through')) {
            for (const from of [0, 1000, 100_000]) {
              const lane = table.items.filter((item) => item >= from && item < from + 900);
              expect(lane).toEqual(lane.toSorted((a, b) => a - b));
            }
          }
          // Nothing was kept elsewhere: a store that is older would not win over a table that is gone.
          expect(store.load('job').size).toBe(0);
          await clock.advance(100);
          expect(clock.activeTimers).toBe(0);
        }),
      ),
      { numRuns: 1000 },
    );
    expect(crashes).toBeGreaterThan(300);
    expect(writes).toBeGreaterThan(3000);
  }, 120_000);

  it('carries the lanes that a write moves, each to the end of what it was handed', async () => {
    const answers: (Positioned<number, number> | undefined)[] = [
      { items: [1, 2], position: 2, lane: 'a' },
      { items: [7], position: 70, lane: 'b' },
      { items: [3], position: 3, lane: 'a' },
      undefined,
    ];
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(5));
    const source: Source<number, number> = { pull: () => answers.shift() };
    await time().run(
      new ConcurrentPipeline(source, sink).checkpoint(new MemoryCheckpointStore(), 'job').run(),
    );
    expect(sink.context?.checkpoint).toBe('job');
    expect(sink.contexts.map(({ positions, attempt }) => [[...(positions ?? [])], attempt])).toEqual([
      [[['a', 2]], 1],
      [
        [
          ['b', 70],
          ['a', 3],
        ],
        1,
      ],
    ]);
    expect(table.items).toEqual([1, 2, 7, 3]);
  });

  it.each([
    ['maps that answer late', () => time().sleep(time().random() * 3), () => true],
    ['maps that answer at once', () => Promise.resolve(), () => true],
    ['batches that are filtered away', () => time().sleep(time().random() * 3), (n: number) => n % 7 === 0],
  ])(
    'hands one lane at a time to a sink that asks for as little as can be, behind %s',
    async (_, wait, isKept) => {
      const table = new Table<number>();
      const sink = new KeepingSink(table, () => time().sleep(2), 1, 1);
      const source = new LaneSource('first', ['a', 'b', 'c', 'd'], 300, time());
      const flow = from(source)
        .filter(isKept)
        .map((n) => wait().then(() => n), { concurrency: 8 });
      await time().run(
        new ConcurrentPipeline(flow, sink).checkpoint(new MemoryCheckpointStore(), 'job').run(),
      );
      expect(table.items.toSorted((a, b) => a - b)).toEqual(
        [0, 1000, 2000, 3000]
          .flatMap((base) => Array.from({ length: 300 }, (_, n) => base + n))
          .filter(isKept),
      );
      expect(sink.contexts.length).toBeGreaterThan(100);
      expect(sink.contexts.map(({ positions }) => positions?.size).filter((size) => size !== 1)).toEqual([]);
    },
  );

  it('waits for the end of a source batch that is filtered away, and moves over what is empty', async () => {
    const answers: (Positioned<number, number> | undefined)[] = [
      { items: [1, 2, 3, 4], position: 4 },
      { items: [6, 8], position: 8 },
      { items: [9], position: 9 },
      undefined,
    ];
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(5));
    const odd = from({ pull: () => answers.shift() } satisfies Source<number, number>).filter(
      (n) => n % 2 === 1,
    );
    await time().run(new ConcurrentPipeline(odd, sink).checkpoint(new MemoryCheckpointStore(), 'job').run());
    expect(table.items).toEqual([1, 3, 9]);
    expect(table.positions.get('')).toBe(9);
  });

  it('writes a batch as soon as the last of it was dropped, though nothing more comes', async () => {
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1));
    const source = new ControlledSource<number>();
    const flow = from(source).filter(async (n) => {
      await time().sleep(n);
      return n < 3;
    });
    const pipeline = new ConcurrentPipeline(flow, sink)
      .maxConcurrency(3)
      .checkpoint(new MemoryCheckpointStore(), 'job');
    const run = pipeline.run();
    await time().settle();
    source.lastPull.answer({ items: [1, 2, 3], position: 3 });
    await time().advance(10);
    expect(table.items).toEqual([1, 2]);
    expect(table.positions.get('')).toBe(3);
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it('K14 keeps what moved behind the last item, after the dead letter has what was bad', async () => {
    const table = new Table<number>();
    const letters: number[] = [];
    const run = async (): Promise<KeepingSink<number>> => {
      const sink = new KeepingSink(table, () => time().sleep(1));
      const flow = from(new LaneSource('first', ['a'], 30, time()))
        .filter((n) => n < 25)
        .map(
          (n) => {
            if (n > 20) throw new Error('bad');
            return n;
          },
          { onError: 'deadLetter' },
        );
      const pipeline = new ConcurrentPipeline(flow, sink)
        .deadLetter(
          (batch: readonly { item: unknown }[]) =>
            void letters.push(...batch.map(({ item }) => item as number)),
        )
        .checkpoint(new MemoryCheckpointStore(), 'job');
      await time().run(pipeline.run());
      return sink;
    };
    expect((await run()).kept).toBe(1);
    expect(table.positions.get('a')).toBe(30);
    // The next run finds nothing to do: no letter comes again.
    const second = await run();
    expect([second.contexts.length, second.kept]).toEqual([0, 0]);
    expect(letters).toEqual([21, 22, 23, 24]);
    expect(table.items).toEqual(Array.from({ length: 21 }, (_, i) => i));
  });

  it('K14 keeps what moved with a batch of which the sink refused every item', async () => {
    const table = new Table<number>();
    const letters: number[] = [];
    class Refusing extends KeepingSink<number> {
      override async write(batch: readonly number[], context: WriteContext): Promise<void> {
        const failed = batch.flatMap((n, index) => (n >= 20 ? [index] : []));
        if (failed.length > 0) throw new WriteError('They are bad.', { failed, retryable: false });
        await super.write(batch, context);
      }
    }
    const run = async (): Promise<KeepingSink<number>> => {
      const sink = new Refusing(table, () => time().sleep(1), 1, 1);
      await time().run(
        new ConcurrentPipeline(new LaneSource('first', ['a'], 30, time()), sink)
          .deadLetter(
            (batch: readonly { item: unknown }[]) =>
              void letters.push(...batch.map(({ item }) => item as number)),
          )
          .checkpoint(new MemoryCheckpointStore(), 'job')
          .run(),
      );
      return sink;
    };
    expect((await run()).kept).toBe(1);
    expect((await run()).kept).toBe(0);
    expect(letters).toEqual(Array.from({ length: 10 }, (_, n) => 20 + n));
    expect(table.items).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('writes no more at once than the sink wants, whatever became whole together', async () => {
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1), 1, 20);
    const flow = from(new CountingSource(200, { size: () => 10 })).map(
      (n) =>
        time()
          .sleep(n === 0 ? 50 : 1)
          .then(() => n),
      { concurrency: 200 },
    );
    const pipeline = new ConcurrentPipeline(flow, sink)
      .bufferSize(400)
      .checkpoint(new MemoryCheckpointStore(), 'job');
    await time().run(pipeline.run());
    expect(table.items).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(sink.contexts.map(({ positions }) => positions?.get(''))).toEqual(
      Array.from({ length: 10 }, (_, i) => (i + 1) * 20),
    );
  });

  it('takes a batch that leaves room for one item', async () => {
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1));
    const flow = from(new CountingSource(4, { size: () => 1 })).flatMap((n) =>
      Array.from({ length: 10 }, (_, i) => n * 10 + i),
    );
    const pipeline = new ConcurrentPipeline(flow, sink)
      .bufferSize(11)
      .checkpoint(new MemoryCheckpointStore(), 'job');
    await time().run(pipeline.run());
    expect(table.items).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('keeps nothing of a sink that keeps positions where there is no checkpoint', async () => {
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1));
    await time().run(new ConcurrentPipeline([1, 2], sink).run());
    expect(sink.context?.checkpoint).toBeUndefined();
    expect(sink.contexts[0]?.positions).toBeUndefined();
  });

  it('names a batch that outgrows the buffer, by what waits for its end', async () => {
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1));
    const source: Source<number, number> = { name: 'one', pull: () => ({ items: [1], position: 1 }) };
    const flow = from(source).flatMap(() => Array.from({ length: 50 }, (_, i) => i));
    const pipeline = new ConcurrentPipeline(flow, sink)
      .bufferSize(20)
      .checkpoint(new MemoryCheckpointStore(), 'job');
    const error = await time().run(rejection(pipeline.run()));
    expect(error).toMatchObject({ code: 'SW_BATCH_TOO_LARGE', stage: 'keeping' });
    expect((error as StreamWeldError).message).toContain('20 items');
    expect(table.items).toEqual([]);
  });

  it('refuses a flow that does not keep order, before anything is opened', async () => {
    const sink = new KeepingSink(new Table<number>(), () => time().sleep(1));
    const flow = from([1]).map((n) => Promise.resolve(n), { ordered: false });
    const pipeline = new ConcurrentPipeline(flow, sink).checkpoint(new MemoryCheckpointStore(), 'job');
    const error = await time().run(rejection(pipeline.run()));
    expect(error).toMatchObject({ code: 'SW_EXACTLY_ONCE_IMPOSSIBLE', stage: 'map' });
    expect(sink.context).toBeUndefined();
  });

  it('leaves what was lost in part unacknowledged, also with failFast(false)', async () => {
    const answers: (Positioned<number, number> | undefined)[] = [
      { items: [1, 2], position: 2 },
      { items: [3, 4], position: 4 },
      undefined,
    ];
    const table = new Table<number>();
    const sink = new KeepingSink(table, () => time().sleep(1));
    const flow = from({ pull: () => answers.shift() } satisfies Source<number, number>).map(
      async (n) => {
        await time().sleep(n);
        if (n === 4) throw new Error('four');
        return n;
      },
      { concurrency: 1 },
    );
    const pipeline = new ConcurrentPipeline(flow, sink)
      .failFast(false)
      .checkpoint(new MemoryCheckpointStore(), 'job');
    expect(await time().run(rejection(pipeline.run()))).toMatchObject({ code: 'SW_OPERATOR_FAILED' });
    expect(table.items).toEqual([1, 2]);
    expect(table.positions.get('')).toBe(2);
  });
});
