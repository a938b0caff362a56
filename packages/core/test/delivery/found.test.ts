/** Faults that random runs found once, each as small as it can be made. */

import { describe, expect, it } from 'vitest';
import { LaneBook, type Receipt } from '../../src/delivery/lane.ts';
import { gatherParcels, joinParcels, Parcel } from '../../src/delivery/parcel.ts';

const batch = (
  book: LaneBook,
  position: number,
  items: number,
): { parcel: Parcel<string>; receipt: Receipt } => {
  const receipt = book.issue('', position, items);
  return { receipt, parcel: new Parcel(new Array<string>(items).fill('item'), receipt, null) };
};

describe('joinParcels', () => {
  it('leaves a claim with the item it goes with, where the item before holds a piece of the same batch', () => {
    // The second batch is cut between two arrays: the first ends with a piece of it, the second begins with one.
    const book = new LaneBook(() => {});
    const [a, b, c] = [batch(book, 1, 1), batch(book, 3, 2), batch(book, 4, 1)];
    const first = gatherParcels<string, string>([a.parcel, b.parcel.cut(0, 1)], 'first');
    const second = gatherParcels<string, string>([b.parcel.cut(1, 2), c.parcel], 'second');
    const joined = joinParcels([first, second]);
    joined.cut(0, 1).settle();
    expect([a, b, c].map(({ receipt }) => receipt.isDone)).toEqual([true, false, false]);
    expect(book.positions().get('')).toBe(1);
    joined.cut(1, 2).settle();
    expect(book.positions().get('')).toBe(4);
  });
});

describe('LaneBook', () => {
  it('lets settled() wait for those before, also where the last of them was done first', async () => {
    const book = new LaneBook(() => {});
    const [a, b, c] = [1, 2, 3].map((position) => book.issue('', position, 1));
    let isSettled = false;
    void book.settled('').then(() => (isSettled = true));
    c?.settle();
    a?.settle();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSettled).toBe(false);
    b?.settle();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSettled).toBe(true);
  });

  it('[fault 17] gives back no position of a lane that was ended while its commit was under way', () => {
    const book = new LaneBook(() => {});
    book.issue('a', 100, 1).settle();
    const moved = book.takeMoved();
    book.endLane('a');
    const fresh = book.issue('a', 5, 1);
    book.giveBack(moved);
    expect(book.takeMoved()).toEqual(new Map());
    fresh.settle();
    expect(book.takeMoved()).toEqual(new Map([['a', 5]]));
  });
});
