/** The three strategies by their answers alone: nothing runs here. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BroadcastStrategy } from '../../src/dispatch/broadcast.ts';
import { DemandStrategy } from '../../src/dispatch/demand.ts';
import { hashKey, type Key } from '../../src/dispatch/hash.ts';
import { PartitionStrategy, routeByName } from '../../src/dispatch/partition.ts';
import { type DispatchStrategy, type OutletState, UNROUTED } from '../../src/dispatch/strategy.ts';
import { VirtualClock } from '@streamweld/testing';
import { outlet, StrategyTable } from './strategy-table.ts';

const isEven = (n: number): boolean => n % 2 === 0;

describe('BroadcastStrategy.dispatch', () => {
  it('gives every item to every outlet, as the very array it was given', () => {
    const items = [1, 2, 3];
    const { taken, deliveries } = new BroadcastStrategy<number>().dispatch(items, 0, [
      outlet('a', 3),
      outlet('b', 9),
    ]);
    expect({ taken, deliveries }).toEqual({
      taken: 3,
      deliveries: [
        { outlet: 0, items },
        { outlet: 1, items },
      ],
    });
    expect(deliveries.every((delivery) => delivery.items === items)).toBe(true);
  });

  it('shares one array where it takes a part, too', () => {
    const { taken, deliveries } = new BroadcastStrategy<number>().dispatch([1, 2, 3, 4], 1, [
      outlet('a', 2),
      outlet('b', 9),
    ]);
    expect(taken).toBe(2);
    expect(deliveries.map(({ items }) => items)).toEqual([
      [2, 3],
      [2, 3],
    ]);
    expect(deliveries[0]?.items).toBe(deliveries[1]?.items);
  });

  it('takes as many as the least demand', () => {
    expect(new BroadcastStrategy<number>().dispatch([1, 2, 3], 0, [outlet('a', 1), outlet('b', 3)])).toEqual({
      taken: 1,
      deliveries: [
        { outlet: 0, items: [1] },
        { outlet: 1, items: [1] },
      ],
    });
  });

  it('takes nothing where one outlet has no demand, or nobody is there', () => {
    const strategy = new BroadcastStrategy<number>();
    expect(strategy.dispatch([1], 0, [outlet('a', 0), outlet('b', 3)])).toEqual({ taken: 0, deliveries: [] });
    expect(strategy.dispatch([1], 0, [])).toEqual({ taken: 0, deliveries: [] });
    expect(strategy.demand([])).toBe(0);
  });

  it('gives an outlet what its selector wants, and what it does not want costs no demand', () => {
    const outlets = [outlet<number>('all', 9), outlet<number>('even', 2, isEven)];
    expect(new BroadcastStrategy<number>().dispatch([1, 2, 3, 4, 5], 0, outlets)).toEqual({
      taken: 5,
      deliveries: [
        { outlet: 0, items: [1, 2, 3, 4, 5] },
        { outlet: 1, items: [2, 4] },
      ],
    });
  });

  it('stops before the item that a selective outlet wants and has no demand for', () => {
    const outlets = [outlet<number>('all', 9), outlet<number>('even', 1, isEven)];
    expect(new BroadcastStrategy<number>().dispatch([1, 2, 3, 4, 5], 0, outlets)).toEqual({
      taken: 3,
      deliveries: [
        { outlet: 0, items: [1, 2, 3] },
        { outlet: 1, items: [2] },
      ],
    });
  });

  it('takes back from a selective outlet what a later one cannot take', () => {
    const outlets = [outlet<number>('even', 9, isEven), outlet<number>('big', 1, (n) => n > 2)];
    expect(new BroadcastStrategy<number>().dispatch([2, 3, 4, 6], 0, outlets)).toEqual({
      taken: 2,
      deliveries: [
        { outlet: 0, items: [2] },
        { outlet: 1, items: [3] },
      ],
    });
  });

  it('takes what nobody wants, and delivers it nowhere', () => {
    const outlets = [outlet<number>('none', 0, () => false)];
    expect(new BroadcastStrategy<number>().dispatch([1, 2], 0, outlets)).toEqual({
      taken: 2,
      deliveries: [],
    });
  });

  it('lets an unlimited outlet take all', () => {
    const unlimited = outlet<number>('unlimited', Number.POSITIVE_INFINITY);
    const strategy = new BroadcastStrategy<number>();
    expect(strategy.dispatch([1, 2], 0, [unlimited]).taken).toBe(2);
    expect(strategy.demand([unlimited, outlet('a', 7)])).toBe(7);
  });

  it('passes on what a selector throws', () => {
    const error = new Error('no');
    const outlets = [
      outlet<number>('a', 5, () => {
        throw error;
      }),
    ];
    expect(() => new BroadcastStrategy<number>().dispatch([1], 0, outlets)).toThrow(error);
  });
});

describe('DemandStrategy.dispatch', () => {
  it('gives to the outlet with the most demand, as much at once as it can take', () => {
    const strategy = new DemandStrategy<number>();
    expect(strategy.dispatch([1, 2, 3, 4, 5], 0, [outlet('a', 2), outlet('b', 4)])).toEqual({
      taken: 5,
      deliveries: [
        { outlet: 1, items: [1, 2, 3, 4] },
        { outlet: 0, items: [5] },
      ],
    });
    expect(strategy.demand([outlet('a', 2), outlet('b', 4)])).toBe(6);
  });

  it('hands on the very array where one outlet takes all of it', () => {
    const items = [1, 2];
    expect(new DemandStrategy<number>().dispatch(items, 0, [outlet('a', 2)]).deliveries[0]?.items).toBe(
      items,
    );
  });

  it('leaves what nobody has demand for', () => {
    expect(new DemandStrategy<number>().dispatch([0, 1, 2, 3], 1, [outlet('a', 1), outlet('b', 1)])).toEqual({
      taken: 2,
      deliveries: [
        { outlet: 0, items: [1] },
        { outlet: 1, items: [2] },
      ],
    });
  });

  it('breaks ties in order of subscription at first, and then by whose turn it is', () => {
    const outlets = [outlet<number>('a', 1), outlet<number>('b', 1), outlet<number>('c', 1)];
    const strategy = new DemandStrategy<number>();
    const first = (): number | undefined => strategy.dispatch([1], 0, outlets).deliveries[0]?.outlet;
    expect([first(), first(), first(), first()]).toEqual([0, 1, 2, 0]);
  });

  it('with chance gives every outlet of equal demand its share', () => {
    const clock = new VirtualClock({ seed: 3 });
    const strategy = new DemandStrategy<number>(() => clock.random());
    const outlets = [outlet<number>('a', 1), outlet<number>('b', 1), outlet<number>('c', 1)];
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i++) {
      const at = strategy.dispatch([i], 0, outlets).deliveries[0]?.outlet as number;
      counts[at] = (counts[at] as number) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  it('with chance still gives to the most demand first, and the same for the same seed', () => {
    const answers = (): unknown => {
      const clock = new VirtualClock({ seed: 11 });
      const strategy = new DemandStrategy<number>(() => clock.random());
      return Array.from({ length: 20 }, () =>
        strategy.dispatch([1, 2, 3], 0, [outlet('a', 1), outlet('b', 2), outlet('c', 1)]),
      );
    };
    expect(answers()).toEqual(answers());
    expect(answers()).toSatisfy((all: { deliveries: { outlet: number }[] }[]) =>
      all.every(({ deliveries }) => deliveries[0]?.outlet === 1),
    );
  });
});

describe('PartitionStrategy.dispatch', () => {
  const byParity = new PartitionStrategy<number>({ kind: 'index', route: (n) => n % 2 });

  it('gives each item to the outlet of its partition, in order', () => {
    expect(byParity.dispatch([1, 2, 3, 4, 5], 0, [outlet('even', 9), outlet('odd', 9)])).toEqual({
      taken: 5,
      deliveries: [
        { outlet: 0, items: [2, 4] },
        { outlet: 1, items: [1, 3, 5] },
      ],
    });
  });

  it('stops before the first item whose outlet has no room', () => {
    expect(byParity.dispatch([1, 2, 4, 3], 0, [outlet('even', 1), outlet('odd', 9)])).toEqual({
      taken: 2,
      deliveries: [
        { outlet: 0, items: [2] },
        { outlet: 1, items: [1] },
      ],
    });
  });

  it('answers UNROUTED for what fits nowhere, in order, and what comes after it goes on', () => {
    const strange = [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY, undefined, 'x', null];
    const strategy = new PartitionStrategy<unknown>({ kind: 'index', route: (item) => item });
    expect(strategy.dispatch([...strange, 1], 0, [outlet('0', 9), outlet('1', 9)])).toEqual({
      taken: strange.length + 1,
      deliveries: [
        { outlet: 1, items: [1] },
        { outlet: UNROUTED, items: strange },
      ],
    });
    expect(strategy.thrown).toBeUndefined();
  });

  it('answers UNROUTED for an item whose route throws, and keeps the first that was thrown', () => {
    const strategy = new PartitionStrategy<number>({
      kind: 'index',
      route: (n) => {
        if (n < 0) throw new Error(`no ${n}`);
        return 0;
      },
    });
    expect(strategy.dispatch([1, -2, 3, -4], 0, [outlet('a', 9)])).toEqual({
      taken: 4,
      deliveries: [
        { outlet: 0, items: [1, 3] },
        { outlet: UNROUTED, items: [-2, -4] },
      ],
    });
    expect(strategy.thrown?.error).toEqual(new Error('no -2'));
    strategy.dispatch([1], 0, [outlet('a', 9)]);
    expect(strategy.thrown).toBeUndefined();
  });

  it('knows a throw of undefined from none', () => {
    const strategy = new PartitionStrategy<number>({
      kind: 'index',
      route: () => {
        throw undefined;
      },
    });
    strategy.dispatch([1], 0, [outlet('a', 9)]);
    expect(strategy.thrown).toEqual({ error: undefined });
  });

  it('takes what fits nowhere also while the partitions are full', () => {
    const strategy = new PartitionStrategy<number>({ kind: 'index', route: (n) => n });
    expect(strategy.dispatch([7, 0, 7], 0, [outlet('0', 0)])).toEqual({
      taken: 1,
      deliveries: [{ outlet: UNROUTED, items: [7] }],
    });
  });

  it('says that it can take at least the least of its demands', () => {
    expect(byParity.demand([outlet('even', 4), outlet('odd', 7)])).toBe(4);
    expect(byParity.demand([])).toBe(0);
  });
});

describe('routeByName', () => {
  it.each([
    ['a few names', ['odd', 'even']],
    ['many names', Array.from({ length: 30 }, (_, i) => `p${i}`)],
    ['numbers in order', [0, 1, 2]],
    ['numbers in another order', [2, 0, 1]],
    ['numbers and strings', [1, '1', 'x']],
  ])('finds each of %s, and nothing else', (_, names) => {
    const strangers = ['nobody', 77, -1, 0.5, Number.NaN, undefined, null, {}, 'toString', '0'];
    const outlets = names.map((name) => outlet(String(name), 9));
    const strategy = new PartitionStrategy<unknown>(routeByName((item) => item, names));
    const { deliveries } = strategy.dispatch([...strangers, ...names], 0, outlets);
    expect(deliveries).toEqual([
      ...names.map((name, index) => ({ outlet: index, items: [name] })),
      { outlet: UNROUTED, items: strangers },
    ]);
  });

  it.each([1, 2, 3, 4, 6, 8])('hashes keys onto %i partitions by the remainder of the hash', (count) => {
    const keys = [...Array.from({ length: 100 }, (_, i) => i * 7 - 300), 'a', 'b', 2n ** 70n, 1.5, true];
    const strategy = new PartitionStrategy<Key>({ kind: 'hash', route: (key) => key, count });
    const { deliveries } = strategy.dispatch(
      keys,
      0,
      Array.from({ length: count }, (_, i) => outlet(String(i), 999)),
    );
    for (const { outlet: index, items } of deliveries) {
      expect(items).toEqual(keys.filter((key) => hashKey(key) % count === index));
    }
    expect(deliveries.flatMap(({ items }) => items)).toHaveLength(keys.length);
  });
});

// ── the rules of strategy.ts ─────────────────────────────────────────────────────────────────────────────────────

interface Subject {
  readonly name: string;
  make(random: () => number): DispatchStrategy<number>;
  /** Where each of the taken items has to be. */
  readonly isEverywhere: boolean;
}

const PARTITIONS = 3;
const subjects: readonly Subject[] = [
  { name: 'broadcast', make: () => new BroadcastStrategy<number>(), isEverywhere: true },
  { name: 'demand', make: () => new DemandStrategy<number>(), isEverywhere: false },
  { name: 'demand with chance', make: (random) => new DemandStrategy<number>(random), isEverywhere: false },
  {
    name: 'partition',
    make: () =>
      new PartitionStrategy<number>({ kind: 'index', route: (n) => (n % 7 === 0 ? -1 : n % PARTITIONS) }),
    isEverywhere: false,
  },
  {
    name: 'partition by hash',
    make: () => new PartitionStrategy<number>({ kind: 'hash', route: (n) => n, count: PARTITIONS }),
    isEverywhere: false,
  },
];

const demands = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 12 }),
  fc.constant(Number.POSITIVE_INFINITY),
);
const cases = fc.record({
  demands: fc.array(demands, { maxLength: 5 }),
  selectors: fc.array(fc.option(fc.integer({ min: 1, max: 4 })), { minLength: 5, maxLength: 5 }),
  before: fc.nat(5),
  count: fc.integer({ min: 1, max: 30 }),
  seed: fc.nat(),
});
type Case = typeof cases extends fc.Arbitrary<infer C> ? C : never;

function arrange(subject: Subject, { demands: all, selectors, before, count, seed }: Case) {
  const clock = new VirtualClock({ seed });
  // A partition dispatcher has an outlet for each of its partitions from the first day.
  const list = subject.name.startsWith('partition') ? [...all, 0, 1, 2].slice(0, PARTITIONS) : all;
  const outlets: OutletState<number>[] = list.map((demand, index) => {
    const step = subject.name === 'broadcast' ? (selectors[index] ?? null) : null;
    return outlet<number>(`o${index}`, demand, step === null ? undefined : (n) => n % step === 0);
  });
  // All different, so that an item is known wherever it turns up.
  const items = Array.from({ length: before + count }, (_, index) => index * 5 + 1);
  return { strategy: subject.make(() => clock.random()), outlets, items, from: before };
}

describe.each(subjects)('the rules of a strategy, kept by $name', (subject) => {
  const holds = (rule: (arranged: ReturnType<typeof arrange>) => void): void => {
    fc.assert(fc.property(cases, (drawn) => rule(arrange(subject, drawn))));
  };

  it('D1: takes a prefix, none or more', () =>
    holds(({ strategy, items, from, outlets }) => {
      const { taken } = strategy.dispatch(items, from, outlets);
      expect(Number.isInteger(taken) && taken >= 0 && taken <= items.length - from).toBe(true);
    }));

  it('D2: delivers every item it takes, and none besides', () =>
    holds(({ strategy, items, from, outlets }) => {
      const { taken, deliveries } = strategy.dispatch(items, from, outlets);
      const expected = items.slice(from, from + taken);
      if (!subject.isEverywhere) {
        expect(deliveries.flatMap((delivery) => [...delivery.items]).sort((a, b) => a - b)).toEqual(expected);
        return;
      }
      outlets.forEach(({ selector }, index) => {
        const got = deliveries.filter((delivery) => delivery.outlet === index).flatMap((it) => [...it.items]);
        expect(got).toEqual(expected.filter((item) => selector?.(item) ?? true));
      });
    }));

  it('D3: gives no outlet more than its demand', () =>
    holds(({ strategy, items, from, outlets }) => {
      const given = outlets.map(() => 0);
      for (const delivery of strategy.dispatch(items, from, outlets).deliveries) {
        expect(delivery.items.length).toBeGreaterThan(0);
        if (delivery.outlet === UNROUTED) continue;
        given[delivery.outlet] = (given[delivery.outlet] as number) + delivery.items.length;
      }
      given.forEach((count, index) =>
        expect(count).toBeLessThanOrEqual((outlets[index] as OutletState<number>).demand),
      );
    }));

  it('D4: keeps the order of the items, in and between the deliveries of an outlet', () =>
    holds(({ strategy, items, from, outlets }) => {
      const { deliveries } = strategy.dispatch(items, from, outlets);
      for (const at of [UNROUTED, ...outlets.keys()]) {
        const got = deliveries.filter((delivery) => delivery.outlet === at).flatMap((it) => [...it.items]);
        expect(got).toEqual(got.toSorted((a, b) => a - b));
      }
    }));

  it('D5: changes neither items nor outlets', () =>
    holds(({ strategy, items, from, outlets }) => {
      const frozen = Object.freeze([...items]);
      const list = Object.freeze(outlets.map((each) => Object.freeze({ ...each })));
      strategy.dispatch(frozen, from, list);
      expect(frozen).toEqual(items);
    }));

  it('D6: answers the same for the same state and the same chance', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 4 }), (drawn, times) => {
        const answers = (): unknown => {
          const { strategy, items, from, outlets } = arrange(subject, drawn);
          return Array.from({ length: times }, () => strategy.dispatch(items, from, outlets));
        };
        expect(answers()).toEqual(answers());
      }),
    );
  });

  it('D7: takes nothing without an outlet or demand, but what fits nowhere', () =>
    holds(({ strategy, items, from, outlets }) => {
      const idle = outlets.map((each) => outlet<number>(each.name, 0));
      for (const list of [idle, []]) {
        const { deliveries } = strategy.dispatch(items, from, list);
        expect(deliveries.filter((delivery) => delivery.outlet !== UNROUTED)).toEqual([]);
        if (!subject.name.startsWith('partition')) expect(deliveries).toEqual([]);
      }
    }));

  it('D8: takes all there is demand for: no item waits beside room for it', () =>
    holds(({ strategy, items, from, outlets }) => {
      const { taken } = strategy.dispatch(items, from, outlets);
      expect(taken).toBeGreaterThanOrEqual(Math.min(items.length - from, strategy.demand(outlets)));
      const table = new StrategyTable(
        strategy,
        outlets.map((each) => ({ ...each })),
      );
      const { left } = table.dispatch(items.slice(from));
      expect(table.dispatch(left).left).toEqual(left);
    }));
});
