/** The three strategies by their answers alone: nothing runs here. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BroadcastStrategy } from '../../src/dispatch/broadcast.ts';
import { DemandStrategy } from '../../src/dispatch/demand.ts';
import { hashKey, type Key } from '../../src/dispatch/hash.ts';
import { PartitionStrategy, routeByName } from '../../src/dispatch/partition.ts';
import { UNROUTED } from '../../src/dispatch/strategy.ts';
import { strategySuite, VirtualClock } from '@streamweld/testing';
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

  it('asks a selector for what it may take, and for nothing beyond', () => {
    const asked: unknown[] = [];
    const selective = outlet<number>('a', 9, (n) => {
      asked.push(n);
      return true;
    });
    new BroadcastStrategy<number>().dispatch([1, 2, 3], 0, [selective, outlet('b', 2)]);
    new BroadcastStrategy<number>().dispatch([4], 0, [selective]);
    expect(asked).toEqual([1, 2, 4]);
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

  it('with chance keeps the second of two with a chance of one half, and no more', () => {
    for (const [random, chosen] of [
      [0.499, 1],
      [0.5, 0],
    ] as const) {
      const strategy = new DemandStrategy<number>(() => random);
      expect(strategy.dispatch([1], 0, [outlet('a', 2), outlet('b', 2)]).deliveries).toEqual([
        { outlet: chosen, items: [1] },
      ]);
    }
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
    ['numbers with a gap', [0, 5]],
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
    expect(strategy.thrown).toBeUndefined();
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

const NAMES = ['eu', 'us', 7] as const;
const MANY = Array.from({ length: 12 }, (_, at) => `p${at}`);
const item = (index: number): number => index;
/** A partition dispatcher has an outlet for each of its partitions from the first day. */
const outlets = NAMES.map((partition) => ({ name: `sink of ${partition}`, partition }));
const runner = { describe, test: it };

strategySuite(runner, 'BroadcastStrategy', {
  create: () => new BroadcastStrategy<number>(),
  item,
  gets: (n, all) => [...all.keys()].filter((at) => all[at]?.selector?.(n) ?? true),
});

strategySuite(runner, 'DemandStrategy', { create: () => new DemandStrategy<number>(), item });
strategySuite(runner, 'DemandStrategy with chance', {
  create: (random) => new DemandStrategy<number>(random),
  item,
});

strategySuite(runner, 'PartitionStrategy by index', {
  create: () =>
    new PartitionStrategy<number>({ kind: 'index', route: (n) => (n % 7 === 0 ? NAMES.length : n % 3) }),
  item,
  outlets,
  gets: (n) => [n % 7 === 0 ? UNROUTED : n % 3],
});

strategySuite(runner, 'PartitionStrategy by name', {
  create: () =>
    new PartitionStrategy<number>(
      routeByName((n) => {
        if (n % 11 === 0) throw new Error('no route');
        return n % 7 === 0 ? 'nobody' : NAMES[n % 3];
      }, NAMES),
    ),
  item,
  outlets,
  gets: (n) => [n % 7 === 0 || n % 11 === 0 ? UNROUTED : n % 3],
});

strategySuite(runner, 'PartitionStrategy by name, of many', {
  create: () => new PartitionStrategy<number>(routeByName((n) => `p${n % 14}`, MANY)),
  item,
  outlets: MANY.map((partition) => ({ name: partition, partition })),
  gets: (n) => [n % 14 < MANY.length ? n % 14 : UNROUTED],
});

strategySuite(runner, 'PartitionStrategy by hash', {
  create: () => new PartitionStrategy<number>({ kind: 'hash', route: (n) => n, count: NAMES.length }),
  item,
  outlets,
  gets: (n) => [hashKey(n) % NAMES.length],
});

// ── and what the three promise besides ───────────────────────────────────────────────────────────────────────────

const demands = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 12 }),
  fc.constant(Number.POSITIVE_INFINITY),
);
const lists = (length: { readonly minLength: number; readonly maxLength: number }) =>
  fc.array(demands, length);
const counts = fc.integer({ min: 1, max: 30 });
const ANY = { minLength: 0, maxLength: 5 };
const THREE = { minLength: 3, maxLength: 3 };

describe.each([
  { name: 'broadcast', make: () => new BroadcastStrategy<number>(), length: ANY },
  { name: 'demand', make: () => new DemandStrategy<number>(), length: ANY },
  { name: 'demand with chance', make: () => new DemandStrategy<number>(() => 0.4), length: ANY },
  {
    name: 'partition',
    make: () => new PartitionStrategy<number>({ kind: 'index', route: (n) => n % 3 }),
    length: THREE,
  },
])('$name', ({ make, length }) => {
  it('takes all there is demand for: no item waits beside room for it', () => {
    fc.assert(
      fc.property(lists(length), counts, (rooms, count) => {
        const table = new StrategyTable<number>(
          make(),
          rooms.map((room, at) => outlet(`o${at}`, room)),
        );
        const items = Array.from({ length: count }, (_, index) => index);
        const least = Math.min(count, table.strategy.demand(table.outlets));
        const { left } = table.dispatch(items);
        expect(count - left.length).toBeGreaterThanOrEqual(least);
        expect(table.dispatch(left).left).toEqual(left);
      }),
    );
  });
});

describe.each([
  { name: 'demand', make: () => new DemandStrategy<number>() },
  { name: 'demand with chance', make: () => new DemandStrategy<number>(() => 0.4) },
])('$name', ({ make }) => {
  it('gives each item that it takes to one outlet alone, and refuses none', () => {
    fc.assert(
      fc.property(lists(ANY), counts, (rooms, count) => {
        const items = Array.from({ length: count }, (_, index) => index);
        const { taken, deliveries } = make().dispatch(
          items,
          0,
          rooms.map((room, at) => outlet(`o${at}`, room)),
        );
        expect(deliveries.filter((delivery) => delivery.outlet === UNROUTED)).toEqual([]);
        const given = deliveries.flatMap((delivery) => [...delivery.items]);
        expect(given.sort((a, b) => a - b)).toEqual(items.slice(0, taken));
      }),
    );
  });
});
