/** The rules of strategies that concern more than one call, for those that ship and for one of a user's own. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BroadcastStrategy } from '../../src/dispatch/broadcast.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { DemandStrategy } from '../../src/dispatch/demand.ts';
import { PartitionStrategy } from '../../src/dispatch/partition.ts';
import type { DispatchStrategy, OutletState } from '../../src/dispatch/strategy.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useVirtualClock } from '../clock.ts';
import { ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { outlet } from '../dispatch/strategy-table.ts';
import { useLeakCheck } from '../leak-check.ts';

const time = useVirtualClock();
useLeakCheck(time);

interface Subject {
  readonly name: string;
  make(): DispatchStrategy<number>;
  /** How many outlets it can do with: a partition has one for each of its own. */
  readonly outlets: { readonly min: number; readonly max: number };
}

const SUBJECTS: readonly Subject[] = [
  { name: 'broadcast', make: () => new BroadcastStrategy(), outlets: { min: 0, max: 5 } },
  { name: 'demand', make: () => new DemandStrategy(), outlets: { min: 0, max: 5 } },
  { name: 'demand with chance', make: () => new DemandStrategy(() => 0.3), outlets: { min: 0, max: 5 } },
  {
    name: 'partition',
    make: () => new PartitionStrategy({ kind: 'index', route: (n) => n % 3 }),
    outlets: { min: 3, max: 3 },
  },
];

const demand = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(Number.POSITIVE_INFINITY));

describe.each(SUBJECTS)('$name', ({ make, outlets: { min, max } }) => {
  const lists = fc.array(demand, { minLength: min, maxLength: max });

  it('D8 with demand at every outlet it takes at least one of what waits', () => {
    const open = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(
        fc.array(open, { minLength: Math.max(1, min), maxLength: max }),
        fc.array(fc.nat(99), { minLength: 1, maxLength: 9 }),
        fc.nat(8),
        (demands, items, at) => {
          const outlets = demands.map((each, index) => outlet<number>(`o${index}`, each));
          const from = at % items.length;
          expect(make().dispatch(items, from, outlets).taken).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('D9 its demand is a whole number from 0 up, or Infinity, and no more than all outlets have together', () => {
    fc.assert(
      fc.property(lists, (demands) => {
        const answer = make().demand(demands.map((each, at) => outlet<number>(`o${at}`, each)));
        expect(answer === Number.POSITIVE_INFINITY || (Number.isInteger(answer) && answer >= 0)).toBe(true);
        expect(answer).toBeLessThanOrEqual(demands.reduce((sum, each) => sum + each, 0));
      }),
    );
  });

  it('D10 it answers for the outlets of this call, whoever came and went since the last', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(lists, fc.array(fc.nat(4))), { minLength: 2, maxLength: 6 }), (calls) => {
        const strategy = make();
        // The same outlets, in part: as they come and go, each moves to another index.
        const known: OutletState<number>[] = [0, 1, 2, 3, 4].map((at) => outlet<number>(`o${at}`, 9));
        const items = Array.from({ length: 12 }, (_, at) => at);
        for (const [demands, order] of calls) {
          const shown = demands.map((each, at) =>
            Object.assign(known[((order[at] ?? at) + at) % 5] as object, { demand: each }),
          ) as OutletState<number>[];
          const unique = min === max ? shown : [...new Set(shown)];
          const given = unique.map(() => 0);
          for (const delivery of strategy.dispatch(items, 0, unique).deliveries) {
            expect(unique[delivery.outlet]).toBeDefined();
            given[delivery.outlet] = (given[delivery.outlet] as number) + delivery.items.length;
          }
          given.forEach((count, at) =>
            expect(count).toBeLessThanOrEqual((unique[at] as OutletState<number>).demand),
          );
        }
      }),
    );
  });
});

describe('a dispatcher with a strategy of its own', () => {
  it('D10 is shown, at each call, who is subscribed then, and gives to whom the index meant', async () => {
    const shown: string[] = [];
    const got: Record<string, number[]> = {};
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).custom({
      name: 'the last',
      demand: () => 1,
      dispatch: (items, from, outlets) => {
        const names = outlets.map(({ name }) => name).join();
        if (shown.at(-1) !== names) shown.push(names);
        const { demand: room } = outlets.at(-1) ?? { demand: 0 };
        const share = items.slice(from, from + room);
        return {
          taken: share.length,
          deliveries: share.length === 0 ? [] : [{ outlet: outlets.length - 1, items: share }],
        };
      },
    });
    const subscribe = (name: string) =>
      dispatcher.subscribeSink((batch) => void (got[name] ??= []).push(...batch), undefined, { name });
    const source = new ControlledSource<number>();
    await subscribe('a');
    const b = await subscribe('b');
    const run = new ConcurrentPipeline(source, dispatcher.createSink()).run();
    const offer = async (...items: number[]): Promise<void> => {
      source.lastPull.answer(items);
      await time().settle();
    };
    await time().settle();
    await offer(1, 2);
    await time().run(b.unsubscribe());
    await offer(3);
    await subscribe('c');
    await offer(4);
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(got).toEqual({ a: [3], b: [1, 2], c: [4] });
    expect(shown).toEqual(expect.arrayContaining(['a,b', 'a', 'a,c']));
  });

  it('D8 that takes nothing where there is demand stands still, and a drain tells', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).custom({
      name: 'idle',
      demand: () => 0,
      dispatch: () => ({ taken: 0, deliveries: [] }),
    });
    await dispatcher.subscribeSink(() => {});
    const pipeline = new ConcurrentPipeline(new CountingSource(10), dispatcher.createSink());
    const run = rejection(pipeline.run());
    await time().settle();
    pipeline.drain({ deadlineMs: 50 }).catch(() => {});
    expect(await time().run(run)).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
  });
});
