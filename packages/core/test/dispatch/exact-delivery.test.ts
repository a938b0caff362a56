/** Where sinks stand, and what each is due: decided by values, with nothing running. */

import { describe, expect, it } from 'vitest';
import { LaneBook, type Receipt } from '../../src/delivery/lane.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { ExactDelivery } from '../../src/dispatch/exact-delivery.ts';
import { Outlet } from '../../src/dispatch/outlet.ts';
import { chooseShares, Share } from '../../src/dispatch/share.ts';

type Positions = Record<string, number>;

function outlet(name: string): Outlet<number> {
  const options = { name, partition: undefined, capacity: 10, hash: undefined, isExact: true };
  return new Outlet<number>({ ...options, onRoom: () => {} });
}

function begin(...held: Positions[]): { exact: ExactDelivery<number>; outlets: Outlet<number>[] } {
  const exact = new ExactDelivery<number>('all', 'job');
  const outlets = held.map((positions, at) => {
    const own = outlet(`sink ${at}`);
    exact.join(own, own.name, new Map(Object.entries(positions)));
    return own;
  });
  exact.begin(
    {
      signal: new AbortController().signal,
      checkpoint: 'job',
      comparePositions: (_, a, b) => (a as number) - (b as number),
      fail: () => {},
    },
    [],
  );
  return { exact, outlets };
}

const book = new LaneBook(() => {});

function receipt(lane: string, position: number, items = 1): Receipt {
  return book.issue(lane, position, items);
}

describe('ExactDelivery', () => {
  it.each<[string, Positions[], Positions, Positions]>([
    ['one sink', [{ a: 3 }], { a: 3 }, {}],
    ['the same', [{ a: 3 }, { a: 3 }], { a: 3 }, {}],
    ['apart', [{ a: 3 }, { a: 9 }, { a: 5 }], { a: 3 }, { a: 9 }],
    [
      'crosswise',
      [
        { a: 3, b: 9 },
        { a: 9, b: 3 },
      ],
      { a: 3, b: 3 },
      { a: 9, b: 9 },
    ],
    ['a lane missing in one', [{ a: 3, b: 9 }, { a: 3 }], { a: 3 }, { b: 9 }],
    ['one with nothing', [{ a: 3 }, {}], {}, { a: 3 }],
    ['ever further', [{ a: 3 }, { a: 5 }, { a: 9 }], { a: 3 }, { a: 9 }],
  ])('resumes from the least, and is careful up to the furthest: %s', (_, held, least, furthest) => {
    const { exact } = begin(...held);
    expect(Object.fromEntries(exact.positions())).toEqual(least);
    expect(Object.fromEntries(exact.ahead())).toEqual(furthest);
  });

  it('keeps an offer from a sink that has it, up to the very position it holds', () => {
    const { exact, outlets } = begin({ a: 5 }, { a: 2 }, { a: 4 });
    exact.ahead();
    const skipping = [3, 4, 5, 6].map((position) => {
      exact.offer(new Map([['a', position]]), () => [receipt('a', position)]);
      const skips = outlets.map((one) => exact.skips(one));
      exact.seal();
      return skips;
    });
    expect(skipping).toEqual([
      [true, false, true],
      [true, false, true],
      [true, false, false],
      [false, false, false],
    ]);
  });

  it('never takes a sink back in a lane, where a write moves that lane as well', () => {
    const { exact, outlets } = begin({ a: 5 }, { a: 1 });
    exact.ahead();
    // Up to a: 3 everything was dropped on the way; the item is of another lane.
    exact.offer(
      new Map([
        ['a', 3],
        ['b', 1],
      ]),
      () => [receipt('b', 1)],
    );
    const shares = outlets.map((one) => exact.createShare(one, receipt('b', 1)));
    expect(shares.map(({ positions }) => Object.fromEntries(positions))).toEqual([{ b: 1 }, { a: 3, b: 1 }]);
  });

  it('owes a sink no position that it holds already', () => {
    const { exact, outlets } = begin({ a: 5 }, { a: 1 });
    exact.ahead();
    exact.offer(new Map([['a', 3]]), () => [receipt('a', 3)]);
    exact.seal();
    exact.offer(new Map([['b', 1]]), () => [receipt('b', 1)]);
    const [ahead] = outlets;
    expect(exact.createShare(ahead as Outlet<number>, receipt('b', 1)).positions).toEqual(
      new Map([['b', 1]]),
    );
  });

  it('has a sink that joins later stand where all lanes stand', () => {
    const { exact } = begin({ a: 5 });
    exact.ahead();
    for (const [lane, position] of [
      ['a', 6],
      ['b', 2],
      ['a', 7],
    ] as const) {
      exact.offer(new Map([[lane, position]]), () => []);
      exact.seal();
    }
    const late = outlet('late');
    exact.join(late, 'late', new Map());
    exact.offer(new Map([['a', 8]]), () => []);
    const { positions } = exact.createShare(late, receipt('a', 8));
    expect(Object.fromEntries(positions)).toEqual({ a: 8, b: 2 });
    expect(() => exact.join(outlet('other'), 'other', new Map([['a', 1]]))).toThrow(
      'before the pipeline is run',
    );
  });

  it('takes no notice of a position without items, which may come again', () => {
    const { exact, outlets } = begin({ a: 5 }, { a: 2 });
    exact.ahead();
    exact.offer(new Map([['a', 6]]), () => [receipt('a', 5, 0), receipt('a', 6)]);
    expect(outlets.map((one) => exact.skips(one))).toEqual([false, false]);
  });

  it('has nothing of a sink that left, and nothing more for it', () => {
    const { exact, outlets } = begin({ a: 1 });
    const [own] = outlets as [Outlet<number>];
    exact.offer(new Map([['a', 2]]), () => [receipt('a', 2)]);
    const share = exact.createShare(own, receipt('a', 2));
    expect([exact.shareOf(own), exact.skips(own), exact.leave(own)]).toEqual([share, false, share]);
    expect([exact.shareOf(own), exact.skips(own), exact.leave(own)]).toEqual([undefined, true, undefined]);
  });

  it('gives of an offer that is under way to a sink that joins', () => {
    const { exact } = begin({ a: 1 });
    exact.offer(new Map([['a', 2]]), () => [receipt('a', 2)]);
    const late = outlet('late');
    exact.join(late, 'late', new Map());
    expect(exact.skips(late)).toBe(false);
  });

  it.each([
    ['none is subscribed', [], [] as string[]],
    ["nobody is subscribed to 'b', 'c'", ['a'], ["'b'", "'c'"]],
  ])('does not begin where %s', (words, sinks, missing) => {
    const exact = new ExactDelivery<number>('all', 'job');
    for (const name of sinks) exact.join(outlet(name), name, new Map());
    const context = { signal: new AbortController().signal, checkpoint: 'job', fail: () => {} };
    expect(() => exact.begin(context, missing)).toThrow(
      expect.objectContaining({
        code: 'SW_EXACTLY_ONCE_IMPOSSIBLE',
        stage: 'all',
        message: expect.stringContaining(words),
      }),
    );
    expect(exact.hasBegun).toBe(false);
  });

  class Place {
    readonly offset = 1;
  }

  it.each<[isSame: boolean, one: unknown, other: unknown]>([
    [true, { offset: 1, at: [2n, 'x'] }, { offset: 1, at: [2n, 'x'] }],
    [true, [Number.NaN, { a: null }], [Number.NaN, { a: null }]],
    [true, { a: 1, b: 2 }, { b: 2, a: 1 }],
    [false, 1, 2],
    [false, 1, {}],
    [false, {}, 1],
    [false, null, {}],
    [false, {}, null],
    [false, undefined, []],
    [false, [], undefined],
    [false, [], {}],
    [false, { offset: 1, at: 1 }, { offset: 1, at: 2 }],
    [false, { offset: 1 }, { offset: 1, at: 2 }],
    [false, { offset: 1, at: 2 }, { offset: 1 }],
    [false, { a: undefined }, { b: undefined }],
    [false, new Date(1), new Date(1)],
    [false, new Date(1), {}],
    [false, {}, new Date(1)],
    [false, new Place(), new Place()],
  ])('takes positions for the same, without asking: %s, %o and %o', (isKnown, one, other) => {
    const exact = new ExactDelivery<number>('all', 'job');
    exact.join(outlet('a'), 'a', new Map([['', one]]));
    exact.join(outlet('b'), 'b', new Map([['', other]]));
    exact.begin({ signal: new AbortController().signal, checkpoint: 'job', fail: () => {} }, []);
    if (isKnown) expect([exact.positions(), exact.ahead()]).toEqual([new Map([['', one]]), new Map()]);
    else expect(() => exact.positions()).toThrow("hold different positions of the lane ''");
  });
});

describe('chooseShares', () => {
  function pieces(share: Share, count: number): Parcel<number>[] {
    share.retain(count - 1);
    return Array.from({ length: count }, () => new Parcel([1], share, null));
  }

  it('takes what is sealed and all here, up to the first that is not', () => {
    const shares = [1, 2, 3].map((position) => new Share(receipt('a', position), new Map([['a', position]])));
    const [first, second, third] = shares as [Share, Share, Share];
    const pending = [...pieces(first, 2), ...pieces(second, 2), ...pieces(third, 1)];
    expect(chooseShares(pending).chosen).toEqual([]);
    first.isSealed = true;
    third.isSealed = true;
    expect(chooseShares(pending)).toEqual({ chosen: pending.slice(0, 2), positions: new Map([['a', 1]]) });
    second.isSealed = true;
    expect(chooseShares(pending)).toEqual({ chosen: pending, positions: new Map([['a', 3]]) });
    expect(chooseShares(pending.slice(0, 3)).chosen).toHaveLength(2);
  });
});
