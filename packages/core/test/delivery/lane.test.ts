import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneBook, type Receipt } from '../../src/delivery/lane.ts';
import { chance } from '../flow/instruments.ts';

function book(): LaneBook & { readonly moves: number[] } {
  const moves: number[] = [];
  return Object.assign(new LaneBook((items) => void moves.push(items)), { moves });
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return settled;
}

describe('Lane', () => {
  it('moves its position over what is done, from its oldest batch on', () => {
    const lanes = book();
    const [first, second, third] = [10, 20, 30].map((position) => lanes.issue('', position, 10)) as Receipt[];
    second?.settle();
    expect(lanes.positions()).toEqual(new Map());
    first?.settle();
    expect(lanes.positions()).toEqual(new Map([['', 20]]));
    third?.settle();
    expect(lanes.positions()).toEqual(new Map([['', 30]]));
    expect(lanes.moves).toEqual([20, 10]);
    expect(lanes.openLanes()).toEqual([]);
  });

  it('stands before the first batch that is not done, whatever the order [model]', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        (pieces, seed) => {
          const draw = chance(seed);
          const lanes = book();
          const open: { readonly at: number; readonly receipt: Receipt }[] = [];
          const left = pieces.map((count, at) => {
            const receipt = lanes.issue('', at + 1, 1);
            receipt.retain(count - 1);
            for (let i = 0; i < count; i++) open.push({ at, receipt });
            return count;
          });
          const poisoned = new Set<number>();
          while (open.length > 0) {
            const [piece] = open.splice(draw(open.length), 1);
            if (piece === undefined) break;
            left[piece.at] = (left[piece.at] as number) - 1;
            if (draw(12) === 0) {
              poisoned.add(piece.at);
              piece.receipt.fail();
            } else piece.receipt.settle();
            const stop = left.findIndex((count, at) => count > 0 || poisoned.has(at));
            const expected = stop === -1 ? pieces.length : stop;
            expect(lanes.positions().get('') ?? 0).toBe(expected);
          }
          expect(lanes.moves.reduce((sum, items) => sum + items, 0)).toBe(lanes.positions().get('') ?? 0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never passes a batch of which a piece was lost', () => {
    const lanes = book();
    const lost = lanes.issue('', 10, 10);
    lost.retain(1);
    lost.fail();
    lost.settle();
    lanes.issue('', 20, 10).settle();
    expect(lost.isPoisoned).toBe(true);
    expect(lanes.positions()).toEqual(new Map());
    expect(lanes.openLanes()).toEqual(['']);
  });

  it('refuses to settle, fail or retain what is settled', () => {
    const receipt = book().issue('', 10, 10);
    receipt.settle();
    for (const again of [() => receipt.settle(), () => receipt.fail(), () => receipt.retain(1)]) {
      expect(again).toThrow(expect.objectContaining({ code: 'SW_RECEIPT_SETTLED' }));
    }
  });

  it('keeps lanes apart', () => {
    const lanes = book();
    const a = lanes.issue('a', 1, 1);
    lanes.issue('b', 100, 1).settle();
    lanes.issue('a', 2, 1).settle();
    expect(lanes.positions()).toEqual(new Map([['b', 100]]));
    a.settle();
    expect(lanes.positions()).toEqual(
      new Map([
        ['a', 2],
        ['b', 100],
      ]),
    );
  });
});

describe('LaneBook.settled', () => {
  it('settles when what was handed out by then is settled, and waits for nothing later', async () => {
    const lanes = book();
    expect(await isSettled(lanes.settled('unknown'))).toBe(true);
    const first = lanes.issue('', 1, 1);
    const second = lanes.issue('', 2, 1);
    const settled = lanes.settled('');
    const third = lanes.issue('', 3, 1);
    second.settle();
    expect(await isSettled(settled)).toBe(false);
    first.settle();
    expect(await isSettled(settled)).toBe(true);
    expect(await isSettled(lanes.settled(''))).toBe(false);
    third.settle();
    expect(await isSettled(lanes.settled(''))).toBe(true);
  });

  it('never settles where some of it is lost, until the lane is ended', async () => {
    const lanes = book();
    lanes.issue('', 1, 1).fail();
    const settled = lanes.settled('');
    expect(await isSettled(settled)).toBe(false);
    lanes.endLane('');
    expect(await isSettled(settled)).toBe(true);
  });
});

describe('LaneBook.endLane', () => {
  it('commits nothing of what was open in it', () => {
    const lanes = book();
    const open = lanes.issue('a', 1, 1);
    lanes.endLane('a');
    open.settle();
    expect(lanes.positions()).toEqual(new Map());
    expect(lanes.takeMoved()).toEqual(new Map());
    expect(lanes.openLanes()).toEqual([]);
    expect(lanes.moves).toEqual([]);
  });

  it('lets the lane begin anew', () => {
    const lanes = book();
    const before = lanes.issue('a', 1, 1);
    lanes.endLane('a');
    const after = lanes.issue('a', 7, 1);
    before.settle();
    expect(lanes.positions()).toEqual(new Map());
    after.settle();
    expect(lanes.takeMoved()).toEqual(new Map([['a', 7]]));
  });
});

describe('LaneBook.takeMoved', () => {
  it('names the lanes that moved since, once', () => {
    const lanes = book();
    lanes.issue('a', 1, 1).settle();
    lanes.issue('b', 1, 1);
    expect(lanes.takeMoved()).toEqual(new Map([['a', 1]]));
    expect(lanes.takeMoved()).toEqual(new Map());
  });

  it('names them again when they were given back, with where they are by then', () => {
    const lanes = book();
    lanes.issue('a', 1, 1).settle();
    const moved = lanes.takeMoved();
    lanes.issue('a', 2, 1).settle();
    lanes.giveBack(moved);
    expect(lanes.takeMoved()).toEqual(new Map([['a', 2]]));
    lanes.endLane('a');
    lanes.giveBack(moved);
    expect(lanes.takeMoved()).toEqual(new Map());
  });
});
