/** Exactly once to many sinks: a crash at any moment, sinks that stand apart, and none is given anything twice. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { KeepingSink, LaneSource, Table } from '../keeping.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';

type Operator = 'filter' | 'flatMap' | 'late' | 'lateFilter' | 'merge';

const FLAT: Record<Operator, (item: number) => number[]> = {
  filter: (n) => (n % 3 === 0 ? [n] : []),
  flatMap: (n) => Array.from({ length: n % 4 }, (_, i) => n * 10 + i),
  late: (n) => [n + 1],
  lateFilter: (n) => (n % 4 === 0 ? [] : [n]),
  merge: (n) => [n],
};

const OPERATORS = Object.keys(FLAT) as Operator[];

function build(operators: readonly Operator[], clock: VirtualClock, end: number): Flow<number> {
  let flow: Flow<number> = from(new LaneSource('first', ['a', 'b'], end, clock));
  for (const operator of operators) {
    if (operator === 'filter') flow = flow.filter((n) => n % 3 === 0);
    else if (operator === 'flatMap') flow = flow.flatMap(FLAT.flatMap);
    else if (operator === 'late')
      flow = flow.map((n) => clock.sleep(clock.random() * 3).then(() => n + 1), { concurrency: 3 });
    else if (operator === 'lateFilter')
      flow = flow.filter((n) => clock.sleep(clock.random() * 3).then(() => n % 4 !== 0));
    else flow = flow.merge(new LaneSource('second', ['x'], end, clock));
  }
  return flow;
}

/** What comes out of the flow, lane by lane in order. */
function lanes(operators: readonly Operator[], end: number): number[][] {
  const numbers = (base: number): number[] => Array.from({ length: end }, (_, i) => base + i);
  const out = [numbers(0), numbers(1000)];
  for (const operator of operators) {
    if (operator === 'merge') out.push(numbers(100_000));
    else for (const [at, lane] of out.entries()) out[at] = lane.flatMap(FLAT[operator]);
  }
  return out;
}

interface Target {
  readonly table: Table<number>;
  readonly slowMs: number;
  readonly bufferSize: number;
  readonly wants: (item: number) => boolean;
  readonly maxItems: number | undefined;
}

const plan = fc.record({
  seed: fc.integer({ min: 1, max: 1 << 30 }),
  rule: fc.constantFrom('broadcast', 'selectors', 'partition' as const),
  operators: fc.uniqueArray(fc.constantFrom(...OPERATORS), { maxLength: 3 }),
  sinks: fc.array(
    fc.record({
      slowMs: fc.constantFrom(0, 3, 20),
      bufferSize: fc.constantFrom(100, 1000),
      maxItems: fc.constantFrom(undefined, 3),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  end: fc.constantFrom(1, 30, 60),
  /** How many writes in a hundred fail, and are tried again. */
  failing: fc.constantFrom(0, 0, 10),
  crashes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
});

/** Of a partition, one in seven goes to all but the first: that one is rich, the last is sparse. */
function partitionOf(item: number, count: number): number {
  return item % 7 === 0 ? count - 1 : item % 2 === 0 ? Math.min(1, count - 1) : 0;
}

function wantedBy(rule: string, at: number, count: number): (item: number) => boolean {
  if (rule === 'partition') return (item) => partitionOf(item, count) === at;
  if (rule === 'selectors' && at > 0) return (item) => item % (at === 1 ? 2 : 11) === 0;
  return () => true;
}

const RETRY = { attempts: 30, backoff: { firstMs: 2, maxMs: 5 } };

async function createDispatcher(
  rule: string,
  targets: readonly Target[],
  sinks: readonly KeepingSink<number>[],
): Promise<Dispatcher<number, number> | Dispatcher<number>> {
  const builder = new DispatchedPipelineBuilder<number>({ checkpoint: 'job', logger: null });
  const names = targets.map((_, at) => `sink ${at}`);
  if (rule === 'partition') {
    const partition = builder.partition(
      targets.map((_, at) => at),
      (item) => partitionOf(item, targets.length),
    );
    for (const [at, sink] of sinks.entries())
      await partition.subscribeSink(sink, at, {
        name: names[at] as string,
        bufferSize: targets[at]?.bufferSize,
        retry: RETRY,
      });
    return partition;
  }
  const broadcast = builder.broadcast();
  for (const [at, sink] of sinks.entries()) {
    const { bufferSize, wants } = targets[at] as Target;
    const selector = rule === 'selectors' && at > 0 ? wants : undefined;
    await broadcast.subscribeSink(sink, undefined, {
      name: names[at] as string,
      bufferSize,
      selector,
      retry: RETRY,
    });
  }
  return broadcast;
}

async function waitOrFail(
  clock: VirtualClock,
  ms: number,
  failing: number,
  counts: { failed: number },
): Promise<void> {
  await clock.sleep(Math.floor(clock.random() * ms));
  if (clock.random() * 100 >= failing) return;
  counts.failed += 1;
  throw new Error('busy');
}

function areApart(targets: readonly Target[]): boolean {
  const held = targets.map(({ table }) =>
    JSON.stringify([table.positions.get('a'), table.positions.get('b')]),
  );
  return new Set(held).size > 1;
}

describe('exactly once behind a dispatcher', () => {
  it('holds by broadcast and by partition, over any flow that keeps order, and crashes at any moment', async () => {
    const counts = { crashes: 0, apart: 0, skipped: 0, writes: 0, failed: 0 };
    await fc.assert(
      fc.asyncProperty(plan, (p) =>
        withVirtualClock({ seed: p.seed }, async (clock) => {
          const store = new MemoryCheckpointStore();
          const targets = p.sinks.map(
            (sink, at): Target => ({
              ...sink,
              table: new Table<number>(),
              wants: wantedBy(p.rule, at, p.sinks.length),
            }),
          );
          for (let attempt = 0; ; attempt++) {
            const sinks = targets.map(
              ({ table, slowMs, maxItems }) =>
                new KeepingSink(table, () => waitOrFail(clock, slowMs, p.failing, counts), 3, maxItems),
            );
            const dispatcher = await createDispatcher(p.rule, targets, sinks);
            const pipeline = new ConcurrentPipeline(
              build(p.operators, clock, p.end),
              dispatcher.createSink(20),
            )
              .bufferSize(200)
              .maxConcurrency(3)
              .checkpoint(store, 'job');
            const run = pipeline.run();
            const crashAt = p.crashes[attempt];
            if (crashAt === undefined) {
              await clock.run(run);
            } else {
              run.catch(() => {});
              await clock.advance(crashAt);
              for (const sink of sinks) sink.isDead = true;
              if (pipeline.state !== 'done') {
                counts.crashes += 1;
                if (areApart(targets)) counts.apart += 1;
                await clock.run(pipeline.abort());
              }
            }
            counts.skipped += dispatcher.snapshot().skipped ?? 0;
            for (const sink of sinks) {
              counts.writes += sink.contexts.length;
              expect(sink.mostOutstanding).toBeLessThanOrEqual(1);
            }
            if (crashAt === undefined) break;
          }
          const all = lanes(p.operators, p.end);
          for (const { table, wants } of targets) {
            for (const lane of all) {
              const own = new Set(lane);
              expect(table.items.filter((item) => own.has(item) && wants(item))).toEqual(lane.filter(wants));
            }
            expect(table.items.length).toBe(all.flat().filter(wants).length);
          }
          await clock.advance(100);
          expect(clock.activeTimers).toBe(0);
        }),
      ),
      { numRuns: 1500 },
    );
    expect(counts.crashes).toBeGreaterThan(1000);
    expect(counts.apart).toBeGreaterThan(300);
    expect(counts.skipped).toBeGreaterThan(10_000);
    expect(counts.writes).toBeGreaterThan(5000);
    expect(counts.failed).toBeGreaterThan(500);
  }, 240_000);
});
