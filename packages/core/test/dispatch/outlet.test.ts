/** An outlet by itself: what it takes in, drops and lets go of, and whom it tells. */

import { describe, expect, it } from 'vitest';
import type { Claim } from '../../src/delivery/parcel.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { ReceiptClaim } from '../../src/dispatch/inbox.ts';
import { Outlet, type OutletOptions } from '../../src/dispatch/outlet.ts';
import { Share } from '../../src/dispatch/share.ts';
import { numbers } from './instruments.ts';

function outlet(options: Partial<OutletOptions<number>> = {}): Outlet<number> {
  return new Outlet<number>({
    name: 'own',
    partition: undefined,
    capacity: 4,
    hash: undefined,
    isExact: false,
    onRoom: () => {},
    ...options,
  });
}

/** A receipt that counts. */
class Receipt {
  open = 1;
  failures: unknown[] = [];

  retain(pieces: number): void {
    this.open += pieces;
  }

  settle(): void {
    this.open -= 1;
  }

  fail(error: unknown): void {
    this.open -= 1;
    this.failures.push(error);
  }
}

function parcel(items: readonly number[], claim: Claim | null = null): Parcel<number> {
  return new Parcel<number>(items, claim, null);
}

const itemsOf = (parcels: readonly Parcel<number>[]): (readonly number[])[] =>
  parcels.map(({ items }) => items);

describe('Outlet', () => {
  it('tells those who have a seat, and nobody who has left it', () => {
    const own = outlet();
    const told: string[] = [];
    const [first, second] = [{ pump: () => told.push('first') }, { pump: () => told.push('second') }];
    own.seat(first);
    own.seat(second);
    own.accept(parcel([1]));
    own.unseat(first);
    own.accept(parcel([2]));
    expect([told, own.hasSeats]).toEqual([['first', 'second', 'second'], true]);
    own.unseat(second);
    expect(own.hasSeats).toBe(false);
  });

  it('takes nothing when it is closed', () => {
    const own = outlet();
    own.isClosed = true;
    expect(() => own.accept(parcel([1]))).toThrow(
      expect.objectContaining({ code: 'SW_CHANNEL_CLOSED', stage: 'own' }),
    );
  });

  it('takes more than fits where the overflow is to wait, for that is what came back, and drops none', () => {
    const own = outlet();
    const dropped: (readonly number[])[] = [];
    own.onDrop = (items) => dropped.push(items);
    own.accept(parcel(numbers(3)));
    own.accept(parcel([3, 4, 5]));
    expect([own.buffered, own.demand, dropped]).toEqual([6, 0, []]);
  });

  it.each([
    {
      overflow: 'dropOldest',
      before: [1, 2, 3],
      came: [5, 6],
      dropped: [[1]],
      left: [
        [2, 3],
        [5, 6],
      ],
    },
    {
      overflow: 'dropOldest',
      before: [1, 2, 3, 4],
      came: [5, 6],
      dropped: [[1, 2]],
      left: [
        [3, 4],
        [5, 6],
      ],
    },
    { overflow: 'dropOldest', before: [1], came: [5, 6, 7, 8], dropped: [[1]], left: [[5, 6, 7, 8]] },
    { overflow: 'dropOldest', before: [1], came: [4, 5, 6, 7, 8], dropped: [[1], [4]], left: [[5, 6, 7, 8]] },
    { overflow: 'dropNewest', before: [1, 2, 3], came: [5, 6], dropped: [[6]], left: [[1, 2, 3], [5]] },
    { overflow: 'dropNewest', before: [1, 2, 3, 4], came: [5, 6], dropped: [[5, 6]], left: [[1, 2, 3, 4]] },
  ] as const)('drops what does not fit, and no more: $overflow, $came after $before', (example) => {
    const own = outlet();
    const dropped: (readonly number[])[] = [];
    own.overflow = example.overflow;
    own.onDrop = (items) => dropped.push(items);
    const receipts = [new Receipt(), new Receipt()] as const;
    own.accept(parcel(example.before, new ReceiptClaim(receipts[0])));
    own.accept(parcel(example.came, new ReceiptClaim(receipts[1])));
    const left = own.clear();
    expect([dropped, itemsOf(left)]).toEqual([example.dropped, example.left]);
    for (const one of left) one.settle();
    expect(receipts.map(({ open }) => open)).toEqual([0, 0]);
  });

  it('drops all that came where what is being written fills it, and settles it once', () => {
    const own = outlet();
    own.overflow = 'dropOldest';
    own.accept(parcel(numbers(4)));
    own.intake.take(4);
    const receipt = new Receipt();
    own.accept(parcel([5, 6], new ReceiptClaim(receipt)));
    expect([itemsOf(own.clear()), receipt.open]).toEqual([[], 0]);
  });

  it('lets go of one share, and keeps the others', () => {
    const own = outlet({ isExact: true });
    const receipts = [new Receipt(), new Receipt()] as const;
    const shares = receipts.map((receipt) => new Share(new ReceiptClaim(receipt), new Map()));
    for (const [at, share] of shares.entries()) own.accept(parcel([at], share));
    own.intake.take(4);
    own.dropShare(shares[0] as Share);
    expect(receipts.map(({ open }) => open)).toEqual([0, 1]);
  });
});

describe('ReceiptClaim', () => {
  it('settles its receipt with the last of its pieces', () => {
    const receipt = new Receipt();
    const claim = new ReceiptClaim(receipt);
    claim.retain(2);
    expect(claim.pieces).toBe(3);
    claim.rejoin();
    claim.settle();
    expect([claim.pieces, receipt.open]).toEqual([1, 1]);
    claim.settle();
    expect([claim.pieces, receipt.open]).toEqual([0, 0]);
  });

  it('fails its receipt with the first that is lost, once, and settles it no more', () => {
    const receipt = new Receipt();
    const claim = new ReceiptClaim(receipt);
    claim.retain(2);
    claim.fail();
    expect(claim.pieces).toBe(2);
    claim.fail();
    claim.settle();
    expect([claim.pieces, receipt.open, receipt.failures.length]).toEqual([0, 0, 1]);
  });
});
