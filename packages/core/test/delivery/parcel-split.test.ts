import { describe, expect, it } from 'vitest';
import { LaneBook } from '../../src/delivery/lane.ts';
import { concatItems, joinParcels, Parcel } from '../../src/delivery/parcel.ts';

const lanes = new LaneBook(() => {});
const [a, b, c] = [lanes.issue('a', 1, 2), lanes.issue('b', 1, 1), lanes.issue('c', 1, 0)];
const part = (receipt: typeof a, items: number) => ({ receipt, items });
const shown = (parcels: readonly Parcel<string>[]) =>
  parcels.map(({ items, parts }) => [items.join(''), parts?.map(({ receipt, items: n }) => [receipt, n])]);

describe('Parcel.split', () => {
  it('makes one parcel of each part that has items, with the parts without items before it', () => {
    const parcel = new Parcel(['1', '2', '3'], null, [part(c, 0), part(a, 2), part(c, 0), part(b, 1)]);
    expect(shown(parcel.split())).toEqual([
      [
        '12',
        [
          [c, 0],
          [a, 2],
        ],
      ],
      [
        '3',
        [
          [c, 0],
          [b, 1],
        ],
      ],
    ]);
  });

  it('leaves parts without items behind the last with the last', () => {
    const parcel = new Parcel(['1', '2', '3'], null, [part(a, 2), part(b, 1), part(c, 0)]);
    expect(shown(parcel.split())).toEqual([
      ['12', [[a, 2]]],
      [
        '3',
        [
          [b, 1],
          [c, 0],
        ],
      ],
    ]);
  });

  it('leaves parts without items with the only one that has any, and with the last of many', () => {
    for (const count of [1, 3]) {
      const parts = Array.from({ length: count }, () => part(b, 1));
      const parcel = new Parcel(
        parts.map(() => 'x'),
        null,
        [...parts, part(c, 0)],
      );
      expect(parcel.split().map((piece) => piece.parts?.length)).toEqual([
        ...Array.from({ length: count - 1 }, () => 1),
        2,
      ]);
    }
  });

  it('answers the parcel itself where there is nothing to tell apart', () => {
    const whole = new Parcel(['1', '2'], a, null);
    const empty = new Parcel<string>([], null, [part(c, 0)]);
    expect(whole.split()).toEqual([whole]);
    expect(empty.split()).toEqual([empty]);
  });
});

describe('concatItems', () => {
  it.each([0, 1, 3, 10_000, 10_001])('makes a new array of the items of %i parcels, in order', (count) => {
    const parcels = Array.from({ length: count }, (_, n) => new Parcel([n, -n], null, null));
    const items = concatItems(parcels);
    expect(items).toEqual(parcels.flatMap((parcel) => [...parcel.items]));
    expect(items).not.toBe(parcels[0]?.items);
  });
});

describe('joinParcels', () => {
  it('is a parcel of one claim where all are pieces of it, also without any item', () => {
    for (const items of [['1'], []]) {
      const claim = lanes.issue('e', 1, 2);
      claim.retain(1);
      const joined = joinParcels([new Parcel(items, claim, null), new Parcel(items, claim, null)]);
      expect([joined.receipt, joined.parts, claim.pieces]).toEqual([claim, null, 1]);
    }
  });

  it('keeps a part without items apart from the claim before it, and joins pieces of one claim', () => {
    const claim = lanes.issue('d', 1, 3);
    claim.retain(2);
    const joined = joinParcels([
      new Parcel(['1'], claim, null),
      new Parcel<string>([], claim, null),
      new Parcel(['2'], claim, null),
    ]);
    expect(joined.parts).toEqual([
      { receipt: claim, items: 1 },
      { receipt: claim, items: 1 },
    ]);
    expect(claim.pieces).toBe(2);
    expect(joined.items).toEqual(['1', '2']);
  });
});
