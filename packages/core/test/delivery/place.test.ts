import { describe, expect, it } from 'vitest';
import { LaneBook } from '../../src/delivery/lane.ts';
import { ClaimGroup } from '../../src/delivery/parcel.ts';
import { claimAt, placeOf, receiptsOf } from '../../src/delivery/place.ts';

const lanes = new LaneBook(() => {});
const [a1, a2, b1] = [lanes.issue('a', 1, 2), lanes.issue('a', 2, 1), lanes.issue('b', 1, 1)];
const groupOf = (...receipts: (typeof a1 | ClaimGroup)[]): ClaimGroup =>
  new ClaimGroup(receipts.map((receipt) => ({ receipt, items: 1 })));

describe('claimAt', () => {
  it('finds the claim of each item, and that of the last part for what comes after it', () => {
    const parts = [
      { receipt: a1, items: 2 },
      { receipt: b1, items: 0 },
      { receipt: a2, items: 1 },
    ];
    expect([0, 1, 2, 3].map((index) => claimAt(parts, index))).toEqual([a1, a1, a2, a2]);
    expect(claimAt([], 0)).toBeUndefined();
    expect(claimAt([...parts, { receipt: b1, items: 0 }], 3)).toBe(b1);
  });
});

describe('receiptsOf', () => {
  it('lists the batches that a claim stands for, through groups of groups', () => {
    expect(receiptsOf(null)).toEqual([]);
    expect(receiptsOf(a1)).toEqual([a1]);
    expect(receiptsOf(groupOf(groupOf(a1, b1), a2))).toEqual([a1, b1, a2]);
  });
});

describe('placeOf', () => {
  it('spans from the batch before the first to the last, where all are of one lane', () => {
    expect(placeOf(a1)).toEqual({ lane: 'a', after: undefined, upTo: 1 });
    expect(placeOf(a2)).toEqual({ lane: 'a', after: 1, upTo: 2 });
    expect(placeOf(groupOf(a1, a2))).toEqual({ lane: 'a', after: undefined, upTo: 2 });
    expect(placeOf(groupOf(groupOf(a1), groupOf(a2)))).toEqual({ lane: 'a', after: undefined, upTo: 2 });
  });

  it('is none for several lanes, and for no batch at all', () => {
    expect(placeOf(undefined)).toBeUndefined();
    expect(placeOf(groupOf(a1, b1))).toBeUndefined();
    expect(placeOf(groupOf(groupOf(a1, b1), a2))).toBeUndefined();
    expect(placeOf(groupOf())).toBeUndefined();
  });
});
