import { describe, expect, it } from 'vitest';
import { LaneBook } from '../../src/delivery/lane.ts';
import { ClaimGroup, joinParcels, Parcel } from '../../src/delivery/parcel.ts';
import { countToWhole, endedShare, Holdings, WholeBatches } from '../../src/delivery/whole.ts';

const book = (): LaneBook => new LaneBook(() => {});

/** A parcel of a batch that was just handed out. */
const batch = (lanes: LaneBook, lane: string, position: number): Parcel<string> =>
  new Parcel([`${lane}${position}`], lanes.issue(lane, position, 1), null);

const chosenBy = (whole: WholeBatches, pending: readonly Parcel<string>[]) => {
  const { chosen, positions } = whole.choose(pending);
  return { chosen: chosen.map(({ items }) => items.join('+')), positions: Object.fromEntries(positions) };
};

describe('WholeBatches', () => {
  it('chooses the batches of each lane from its front on, and gives the position after the last of them', () => {
    const lanes = book();
    const [a1, a2, b1] = [batch(lanes, 'a', 1), batch(lanes, 'a', 2), batch(lanes, 'b', 1)];
    expect(chosenBy(new WholeBatches(), [a1, a2, b1])).toEqual({
      chosen: ['a1', 'a2', 'b1'],
      positions: { a: 2, b: 1 },
    });
  });

  it('goes on behind what was chosen before, settled or not, and skips what is done already', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2, a3, a4] = [1, 2, 3, 4].map((n) => batch(lanes, 'a', n)) as [
      Parcel<string>,
      Parcel<string>,
      Parcel<string>,
      Parcel<string>,
    ];
    expect(chosenBy(whole, [a1])).toEqual({ chosen: ['a1'], positions: { a: 1 } });
    // Chosen once; its successor is elsewhere still.
    expect(chosenBy(whole, [a3])).toEqual({ chosen: [], positions: {} });
    a2.settle();
    expect(chosenBy(whole, [a3])).toEqual({ chosen: ['a3'], positions: { a: 3 } });
    a1.settle();
    a3.settle();
    expect(chosenBy(whole, [a4])).toEqual({ chosen: ['a4'], positions: { a: 4 } });
  });

  it('moves no position where it chooses nothing, although something before is done', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2] = [batch(lanes, 'a', 1), batch(lanes, 'a', 2)];
    const claim = lanes.issue('a', 3, 2);
    claim.retain(1);
    const [one, other] = [new Parcel(['a3'], claim, null), new Parcel(['a3, too'], claim, null)];
    chosenBy(whole, [a1]);
    a2.settle();
    expect(chosenBy(whole, [one])).toEqual({ chosen: [], positions: {} });
    expect(chosenBy(whole, [one, other])).toEqual({ chosen: ['a3', 'a3, too'], positions: { a: 3 } });
  });

  it('moves no other lane, although something there is done', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, b1, b2] = [batch(lanes, 'a', 1), batch(lanes, 'b', 1), batch(lanes, 'b', 2)];
    const claim = lanes.issue('b', 3, 2);
    claim.retain(1);
    const [one, other] = [new Parcel(['b3'], claim, null), new Parcel(['b3, too'], claim, null)];
    // On its way still.
    chosenBy(whole, [b1]);
    b2.settle();
    expect(chosenBy(whole, [a1, one])).toEqual({ chosen: ['a1'], positions: { a: 1 } });
    expect(chosenBy(whole, [one, other])).toEqual({ chosen: ['b3', 'b3, too'], positions: { b: 3 } });
  });

  it('chooses nothing of a batch of which a piece is elsewhere, and nothing of its lane behind it', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const claim = lanes.issue('a', 1, 2);
    claim.retain(1);
    const [here, elsewhere] = [new Parcel(['a1'], claim, null), new Parcel(['a1, too'], claim, null)];
    const [a2, b1] = [batch(lanes, 'a', 2), batch(lanes, 'b', 1)];
    expect(chosenBy(whole, [here, a2, b1])).toEqual({ chosen: ['b1'], positions: { b: 1 } });
    expect(chosenBy(whole, [here, elsewhere, a2])).toEqual({
      chosen: ['a1', 'a1, too', 'a2'],
      positions: { a: 2 },
    });
  });

  it('keeps a parcel of several batches for as long as one of them has to wait, and the later ones of its lanes', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const first = batch(lanes, 'b', 1);
    const both = joinParcels([batch(lanes, 'a', 1), batch(lanes, 'b', 2)]);
    const [a2, c1] = [batch(lanes, 'a', 2), batch(lanes, 'c', 1)];
    // b1 is elsewhere: so b2 waits, with it a1, and so a2.
    expect(chosenBy(whole, [both, a2, c1])).toEqual({ chosen: ['c1'], positions: { c: 1 } });
    expect(chosenBy(whole, [first, both, a2])).toEqual({
      chosen: ['b1', 'a1+b2', 'a2'],
      positions: { a: 2, b: 2 },
    });
  });

  it('lets one that waits hold back what another holds together with it, however long the chain', () => {
    const lanes = book();
    batch(lanes, 'a', 1);
    const chain = [
      joinParcels([batch(lanes, 'c', 1), batch(lanes, 'd', 1)]),
      joinParcels([batch(lanes, 'b', 1), batch(lanes, 'c', 2)]),
      joinParcels([batch(lanes, 'a', 2), batch(lanes, 'b', 2)]),
    ];
    // a1 is elsewhere. So a2 and b2 wait; b1 and c2 do not depend on them, nor do c1 and d1.
    expect(chosenBy(new WholeBatches(), chain)).toEqual({
      chosen: ['c1+d1', 'b1+c2'],
      positions: { b: 1, c: 2, d: 1 },
    });
    const other = book();
    batch(other, 'a', 1);
    const late = joinParcels([batch(other, 'a', 2), batch(other, 'b', 1)]);
    const later = joinParcels([batch(other, 'b', 2), batch(other, 'c', 1)]);
    const last = batch(other, 'c', 2);
    expect(chosenBy(new WholeBatches(), [last, later, late])).toEqual({ chosen: [], positions: {} });
  });

  it('chooses nothing that is lost, and nothing of its lane behind it', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2, a3, b1] = [
      batch(lanes, 'a', 1),
      batch(lanes, 'a', 2),
      batch(lanes, 'a', 3),
      batch(lanes, 'b', 1),
    ];
    a2.receipt?.fail();
    expect(chosenBy(whole, [a1, a3, b1])).toEqual({ chosen: ['a1', 'b1'], positions: { a: 1, b: 1 } });
    expect(chosenBy(whole, [a3])).toEqual({ chosen: [], positions: {} });
  });

  it('chooses what comes before that which is lost, also behind what is still on its way', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2, a3] = [batch(lanes, 'a', 1), batch(lanes, 'a', 2), batch(lanes, 'a', 3)];
    chosenBy(whole, [a1]);
    a3.fail();
    expect(chosenBy(whole, [a2])).toEqual({ chosen: ['a2'], positions: { a: 2 } });
  });

  it('chooses nothing behind what was chosen and then lost', () => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2, a3] = [batch(lanes, 'a', 1), batch(lanes, 'a', 2), batch(lanes, 'a', 3)];
    chosenBy(whole, [a1, a2]);
    a1.receipt?.fail();
    expect(chosenBy(whole, [a3])).toEqual({ chosen: [], positions: {} });
  });

  it('takes what belongs to no batch as whole', () => {
    expect(chosenBy(new WholeBatches(), [new Parcel(['made'], null, null)])).toEqual({
      chosen: ['made'],
      positions: {},
    });
  });

  it('counts a batch as here when all pieces of what was made of it are', () => {
    const lanes = book();
    const [a1, b1] = [lanes.issue('a', 1, 1), lanes.issue('b', 1, 1)];
    const group = new ClaimGroup([
      { receipt: a1, items: 1 },
      { receipt: b1, items: 1 },
    ]);
    group.retain(1);
    const [one, other] = [new Parcel(['one'], group, null), new Parcel(['other'], group, null)];
    expect(chosenBy(new WholeBatches(), [one])).toEqual({ chosen: [], positions: {} });
    expect(chosenBy(new WholeBatches(), [one, other])).toEqual({
      chosen: ['one', 'other'],
      positions: { a: 1, b: 1 },
    });
  });

  it('gives no position for what came from lanes that were ended meanwhile', () => {
    const lanes = book();
    const a1 = batch(lanes, 'a', 1);
    lanes.endLane('a');
    expect(chosenBy(new WholeBatches(), [a1])).toEqual({ chosen: [], positions: {} });
  });

  it.each(['done', 'lost', 'on its way'])('gives none where one before it was chosen, and is %s', (fate) => {
    const lanes = book();
    const whole = new WholeBatches();
    const [a1, a2] = [batch(lanes, 'a', 1), batch(lanes, 'a', 2)];
    chosenBy(whole, [a1]);
    if (fate === 'lost') a1.fail();
    lanes.endLane('a');
    if (fate === 'done') a1.settle();
    expect(chosenBy(whole, [a2])).toEqual({ chosen: [], positions: {} });
  });
});

describe('countToWhole', () => {
  it('tells with how many parcels another claim is whole, and stops there', () => {
    const lanes = book();
    const claim = lanes.issue('a', 1, 2);
    claim.retain(1);
    const [one, other] = [new Parcel(['a1'], claim, null), new Parcel(['a1, too'], claim, null)];
    const [b1, b2] = [batch(lanes, 'b', 1), batch(lanes, 'b', 2)];
    expect(countToWhole([one, b1, b2, other], 1)).toBe(2);
    expect(countToWhole([one, b1, b2, other], 2)).toBe(3);
    expect(countToWhole([one, b1, b2, other], 3)).toBe(4);
    expect(countToWhole([one, other, b1], 1)).toBe(2);
    expect(countToWhole([one, one], 1)).toBe(2);
    expect(countToWhole([one, new Parcel(['?'], null, null)], 1)).toBe(2);
    expect(countToWhole([one, new Parcel(['+'], null, [{ receipt: claim, items: 1 }])], 1)).toBe(2);
  });
});

describe('Holdings', () => {
  it('is promising once all open pieces of some claim are here, and no more when one of them goes', () => {
    const lanes = book();
    const holdings = new Holdings();
    expect(holdings.isPromising).toBe(false);
    const claim = lanes.issue('a', 1, 2);
    claim.retain(1);
    const [one, other] = [new Parcel(['one'], claim, null), new Parcel(['other'], claim, null)];
    holdings.add(one);
    expect(holdings.isPromising).toBe(false);
    holdings.add(other);
    expect(holdings.isPromising).toBe(true);
    holdings.remove(one);
    expect(holdings.isPromising).toBe(false);
    holdings.remove(other);
    expect(holdings.isPromising).toBe(false);
    // Nothing is left of a claim that was counted down to none: one that has no pieces any more promises nothing.
    one.settle();
    other.settle();
    expect(holdings.isPromising).toBe(false);
  });

  it('counts the parts of a parcel, each for itself', () => {
    const lanes = book();
    const holdings = new Holdings();
    const claim = lanes.issue('a', 1, 2);
    claim.retain(1);
    const joined = joinParcels([new Parcel(['one'], claim, null), batch(lanes, 'b', 1)]);
    holdings.add(joined);
    expect(holdings.isPromising).toBe(true);
    holdings.remove(joined);
    expect(holdings.isPromising).toBe(false);
  });

  it('promises nothing of a parcel of several batches of each of which a piece is elsewhere', () => {
    const lanes = book();
    const holdings = new Holdings();
    const claims = [lanes.issue('a', 1, 2), lanes.issue('b', 1, 2)];
    for (const claim of claims) claim.retain(1);
    holdings.add(joinParcels(claims.map((claim) => new Parcel(['one'], claim, null))));
    expect(holdings.isPromising).toBe(false);
  });

  it('is promising for as long as something is here that belongs to no batch', () => {
    const holdings = new Holdings();
    const made = new Parcel(['made'], null, null);
    holdings.add(made);
    expect(holdings.isPromising).toBe(true);
    holdings.remove(made);
    expect(holdings.isPromising).toBe(false);
  });
});

describe('endedShare', () => {
  it('tells how many of the batches of a parcel are in lanes that were given up', () => {
    const lanes = book();
    const both = joinParcels([batch(lanes, 'a', 1), batch(lanes, 'b', 1)]);
    expect(endedShare(both)).toBe('none');
    lanes.endLane('a');
    expect(endedShare(both)).toBe('some');
    lanes.endLane('b');
    expect(endedShare(both)).toBe('all');
    expect(endedShare(new Parcel(['made'], null, null))).toBe('none');
  });

  it('looks through what was gathered', () => {
    const lanes = book();
    const gathered = joinParcels([batch(lanes, 'a', 1), batch(lanes, 'b', 1)]).unify();
    lanes.endLane('b');
    expect(endedShare(gathered)).toBe('some');
  });
});
