import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneBook, type Receipt } from '../../src/delivery/lane.ts';

async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

function bookWithLog(): { book: LaneBook; moved: number[] } {
  const moved: number[] = [];
  return { book: new LaneBook((items) => moved.push(items)), moved };
}

describe('Lane', () => {
  it('moves its position over what is done from the front, and tells how many items that were', () => {
    const { book, moved } = bookWithLog();
    const [a, b, c] = [10, 20, 30].map((position) => book.issue('', position, 10));
    b?.settle();
    c?.settle();
    expect(book.positions()).toEqual(new Map());
    expect(moved).toEqual([]);
    a?.settle();
    expect(book.positions()).toEqual(new Map([['', 30]]));
    expect(moved).toEqual([30]);
  });

  it('counts a batch as done when the last of its pieces is', () => {
    const { book } = bookWithLog();
    const receipt = book.issue('', 1, 3);
    receipt.retain(2);
    receipt.settle();
    receipt.settle();
    expect(book.openLanes()).toEqual(['']);
    receipt.settle();
    expect(book.openLanes()).toEqual([]);
    expect(book.positions().get('')).toBe(1);
  });

  it('begins with nothing lost, ended or moved, and knows no position that it was not given', () => {
    const { book } = bookWithLog();
    const { lane } = book.issue('a', 1, 1);
    expect([lane.hasLost, lane.isEnded, lane.hasMoved, book.hasEnded]).toEqual([false, false, false, false]);
    expect(book.takeMoved()).toEqual(new Map());
    book.giveBack(new Map([['unknown', 1]]));
    expect(book.takeMoved()).toEqual(new Map());
    book.endLane('a');
    expect([...book.positions()]).toEqual([]);
    expect(book.hasEnded).toBe(true);
  });

  it('counts a piece that failed as one less', () => {
    const receipt = bookWithLog().book.issue('', 1, 2);
    receipt.retain(1);
    receipt.fail();
    expect(receipt.pieces).toBe(1);
    receipt.settle();
    expect(() => receipt.settle()).toThrow(expect.objectContaining({ code: 'SW_RECEIPT_SETTLED' }));
  });

  it('never passes a batch of which a piece failed', () => {
    const { book } = bookWithLog();
    const [a, b, c] = [1, 2, 3].map((position) => book.issue('', position, 1));
    b?.retain(1);
    b?.fail();
    b?.settle();
    c?.settle();
    a?.settle();
    expect(b?.isPoisoned).toBe(true);
    expect(book.positions().get('')).toBe(1);
  });

  it('says so when a receipt is settled, failed or retained after its last piece', () => {
    const { book } = bookWithLog();
    const receipt = book.issue('', 1, 1);
    receipt.settle();
    for (const again of [() => receipt.settle(), () => receipt.fail(), () => receipt.retain(1)]) {
      expect(again).toThrow(expect.objectContaining({ code: 'SW_RECEIPT_SETTLED' }));
    }
  });

  it('keeps lanes apart', () => {
    const { book } = bookWithLog();
    const a = book.issue('a', 1, 1);
    const b = book.issue('b', 7, 1);
    b.settle();
    expect(book.openLanes()).toEqual(['a']);
    expect(book.takeMoved()).toEqual(new Map([['b', 7]]));
    expect(book.takeMoved()).toEqual(new Map());
    a.settle();
    expect(book.takeMoved()).toEqual(new Map([['a', 1]]));
    expect(book.positions()).toEqual(
      new Map([
        ['a', 1],
        ['b', 7],
      ]),
    );
  });

  it('takes back positions that could not be committed', () => {
    const { book } = bookWithLog();
    book.issue('a', 1, 1).settle();
    const moved = book.takeMoved();
    book.giveBack(moved);
    expect(book.takeMoved()).toEqual(moved);
  });
});

describe('LaneBook.resume', () => {
  it('stands where it resumed until a lane moves on, and gives that as what came before its first batch', () => {
    const { book } = bookWithLog();
    book.resume(new Map([['a', 7]]));
    expect(book.positions()).toEqual(new Map([['a', 7]]));
    expect(book.takeMoved()).toEqual(new Map());
    expect(book.openLanes()).toEqual([]);
    const [a, next, b] = [book.issue('a', 8, 1), book.issue('a', 9, 1), book.issue('b', 1, 1)];
    expect([a.after, next.after, b.after]).toEqual([7, 8, undefined]);
    a.settle();
    expect(book.positions()).toEqual(new Map([['a', 8]]));
  });

  it('keeps the lanes of one source apart from those of another by their label alone', () => {
    const { book } = bookWithLog();
    book.prefix = 'orders/';
    book.issue('a', 1, 1).settle();
    expect(book.positions()).toEqual(new Map([['orders/a', 1]]));
    expect(book.takeMoved()).toEqual(new Map([['a', 1]]));
  });
});

describe('LaneBook.settled', () => {
  it('settles when all that was issued so far is done, and does not wait for what came after', async () => {
    const { book } = bookWithLog();
    const a = book.issue('a', 1, 1);
    const settled = book.settled('a');
    book.issue('a', 2, 1);
    expect(await isSettled(settled)).toBe(false);
    a.settle();
    expect(await isSettled(settled)).toBe(true);
  });

  it('waits for those before, also where the last of them was done first', async () => {
    const { book } = bookWithLog();
    const [a, b, c] = [1, 2, 3].map((position) => book.issue('a', position, 1));
    const settled = book.settled('a');
    c?.settle();
    a?.settle();
    expect(await isSettled(settled)).toBe(false);
    b?.settle();
    expect(await isSettled(settled)).toBe(true);
  });

  it('waits for the last batch that was out, not for one before it', async () => {
    const { book } = bookWithLog();
    const [a, b] = [10, 20].map((position) => book.issue('a', position, 10));
    const settled = book.settled('a');
    const late = book.issue('a', 30, 10);
    a?.settle();
    expect(await isSettled(settled)).toBe(false);
    b?.settle();
    expect(await isSettled(settled)).toBe(true);
    expect(late.isDone).toBe(false);
  });

  it('is settled at once for a lane that is empty or unknown', async () => {
    const { book } = bookWithLog();
    book.issue('a', 1, 1).settle();
    expect(await isSettled(book.settled('a'))).toBe(true);
    expect(await isSettled(book.settled('never seen'))).toBe(true);
  });

  it('never settles when some of it is lost, and does when the lane is ended', async () => {
    const { book } = bookWithLog();
    book.issue('a', 1, 1).fail();
    const settled = book.settled('a');
    expect(await isSettled(settled)).toBe(false);
    book.endLane('a');
    expect(await isSettled(settled)).toBe(true);
  });
});

describe('LaneBook.endLane', () => {
  it('[fault 17] commits nothing more of the lane, whatever settles late', () => {
    const { book, moved } = bookWithLog();
    const [a, b] = [1, 2].map((position) => book.issue('a', position, 1));
    a?.settle();
    book.endLane('a');
    b?.settle();
    expect(book.takeMoved()).toEqual(new Map());
    expect(book.openLanes()).toEqual([]);
    expect(moved).toEqual([1]);
  });

  it('still knows where the lane stood: a store that keeps all positions is not to forget it', () => {
    const { book } = bookWithLog();
    book.resume(new Map([['b', 7]]));
    book.issue('a', 1, 1).settle();
    book.endLane('a');
    book.endLane('b');
    expect(Object.fromEntries(book.positions())).toEqual({ a: 1, b: 7 });
  });

  it('begins anew when the lane comes back: what is left of the old one does not move it', () => {
    const { book } = bookWithLog();
    const old = book.issue('a', 100, 1);
    book.endLane('a');
    const fresh = book.issue('a', 5, 1);
    old.settle();
    expect(book.positions()).toEqual(new Map());
    fresh.settle();
    expect(book.takeMoved()).toEqual(new Map([['a', 5]]));
  });

  it('gives back no position of a lane that was ended while its commit was under way', () => {
    const { book } = bookWithLog();
    book.issue('a', 100, 1).settle();
    const moved = book.takeMoved();
    book.endLane('a');
    book.issue('a', 5, 1);
    book.giveBack(moved);
    expect(book.takeMoved()).toEqual(new Map());
  });
});

describe('Lane, by property', () => {
  it('stands at the end of the done prefix, whatever is settled, failed and retained in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ pieces: fc.integer({ min: 1, max: 4 }), fails: fc.boolean() }), {
          maxLength: 12,
        }),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 0, max: 3 }),
        (batches, picks, lossiness) => {
          const { book, moved } = bookWithLog();
          const receipts: Receipt[] = batches.map((_, i) => book.issue('x', i + 1, 1));
          const state = batches.map(({ pieces, fails }) => ({
            open: pieces,
            lost: fails && lossiness === 0,
          }));
          const lost = state.map(() => false);
          for (const [i, { pieces }] of batches.entries()) if (pieces > 1) receipts[i]?.retain(pieces - 1);
          const open = (): number[] => state.flatMap(({ open: left }, i) => (left > 0 ? [i] : []));
          for (let left = open(); left.length > 0; left = open()) {
            const i = left[(picks.next().value as number) % left.length] as number;
            const batch = state[i] as { open: number; lost: boolean };
            if (batch.lost && batch.open === 1) {
              receipts[i]?.fail();
              lost[i] = true;
            } else receipts[i]?.settle();
            batch.open -= 1;
            const prefix = state.findIndex(({ open: still }, at) => still > 0 || lost[at] === true);
            const expected = prefix === -1 ? state.length : prefix;
            expect(book.positions().get('x') ?? 0).toBe(expected);
            expect(moved.reduce((sum, items) => sum + items, 0)).toBe(expected);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
