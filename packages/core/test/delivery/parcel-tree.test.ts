import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Claim,
  ClaimGroup,
  gatherParcels,
  joinParcels,
  NO_ORIGINS,
  Parcel,
  type Part,
} from '../../src/delivery/parcel.ts';
import { chance } from '../flow/instruments.ts';

/** A claim that counts, and knows when it is settled too often. */
class CountingClaim implements Claim {
  pieces = 1;
  readonly origins: readonly Part[] = NO_ORIGINS;
  failed = 0;
  readonly breaches: string[] = [];

  retain(pieces: number): void {
    if (this.pieces === 0) this.breaches.push('retained after the end');
    this.pieces += pieces;
  }

  rejoin(): void {
    this.pieces -= 1;
    if (this.pieces === 0) this.breaches.push('rejoined the last piece');
  }

  settle(): void {
    if (this.pieces === 0) this.breaches.push('settled too often');
    this.pieces -= 1;
  }

  fail(): void {
    if (this.pieces === 0) this.breaches.push('failed too often');
    this.pieces -= 1;
    this.failed += 1;
  }

  get isDone(): boolean {
    return this.pieces === 0 && this.failed === 0;
  }
}

interface Tagged {
  readonly batch: number;
  readonly n: number;
}

/** What a piece holds, whether or not it was gathered into arrays. */
function places(items: readonly unknown[]): Tagged[] {
  return items.flatMap((item) => (Array.isArray(item) ? places(item) : [item as Tagged]));
}

function batchOf(claim: Claim, batch: number, count: number): Parcel<unknown> {
  const items = Array.from({ length: count }, (_, n): Tagged => ({ batch, n }));
  return new Parcel<unknown>(items, claim, null);
}

describe('Parcel, in random trees of pieces', () => {
  it('settles every claim exactly once, and none before its last item, whatever became of it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 6 }), fc.nat(), (sizes, seed) => {
        const draw = chance(seed);
        const claims = sizes.map(() => new CountingClaim());
        const dropped = new Set<string>();
        let parcels = sizes.map((size, batch) => batchOf(claims[batch] as Claim, batch, size));
        const key = ({ batch, n }: Tagged): string => `${batch}.${n}`;
        for (let i = 0; i < 12; i++) {
          // Neighbours, as in a stream: pieces are only ever joined in order.
          const at = draw(parcels.length);
          const parcel = parcels[at] as Parcel<unknown>;
          const { length } = parcel.items;
          switch (draw(6)) {
            case 0: {
              if (length < 2) break;
              const middle = 1 + draw(length - 1);
              parcels.splice(at, 1, parcel.cut(0, middle), parcel.cut(middle, length));
              break;
            }
            case 1: {
              const some = parcels.slice(at, at + 1 + draw(3));
              parcels.splice(at, some.length, joinParcels(some));
              break;
            }
            case 2: {
              const some = parcels.slice(at, at + 1 + draw(3));
              const items = some.flatMap((one) => one.items);
              parcels.splice(
                at,
                some.length,
                items.length === 0
                  ? gatherParcels<unknown, unknown>(some, []).narrow([false], [])
                  : gatherParcels<unknown, unknown>(some, items),
              );
              break;
            }
            case 3: {
              const kept = parcel.items.map(() => draw(3) > 0);
              for (const place of places(parcel.items.filter((_, n) => kept[n] !== true)))
                dropped.add(key(place));
              parcel.narrow(
                kept,
                parcel.items.filter((_, n) => kept[n] === true),
              );
              break;
            }
            case 4:
              parcel.unify();
              break;
            default:
              parcel.replace([...parcel.items]);
          }
        }
        // Cut all the way, and settle in any order.
        parcels = parcels.flatMap((parcel) => {
          const { length } = parcel.items;
          return length < 2 ? [parcel] : parcel.items.map((_, n) => parcel.cut(n, n + 1));
        });
        const alive = new Set(parcels.flatMap((parcel) => places(parcel.items).map(key)));
        const everything = sizes.flatMap((size, batch) =>
          Array.from({ length: size }, (_, n) => key({ batch, n })),
        );
        expect(everything.filter((place) => !alive.has(place) && !dropped.has(place))).toEqual([]);
        while (parcels.length > 0) {
          const [parcel] = parcels.splice(draw(parcels.length), 1);
          parcel?.settle();
          for (const place of places(parcel?.items ?? [])) alive.delete(key(place));
          for (const [batch, claim] of claims.entries()) {
            if (claim.isDone) expect([...alive].filter((place) => place.startsWith(`${batch}.`))).toEqual([]);
          }
        }
        for (const claim of claims) {
          expect(claim.breaches).toEqual([]);
          expect(claim.isDone).toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('joins more parcels than a call takes arguments', () => {
    const many = Array.from({ length: 200_000 }, (_, n) => new Parcel([n], null, null));
    expect(joinParcels(many).items).toHaveLength(200_000);
  });
});

describe('ClaimGroup', () => {
  it('settles all when the last piece is, also those it took in later', () => {
    const claims = [new CountingClaim(), new CountingClaim()] as const;
    const group = new ClaimGroup([{ receipt: claims[0], items: 1 }]);
    group.retain(2);
    group.add([{ receipt: claims[1], items: 1 }]);
    group.settle();
    group.rejoin();
    expect(claims.map((claim) => claim.pieces)).toEqual([1, 1]);
    group.settle();
    expect(claims.map((claim) => claim.isDone)).toEqual([true, true]);
  });

  it('fails all when one piece is lost', () => {
    const claim = new CountingClaim();
    const group = new ClaimGroup([{ receipt: claim, items: 1 }]);
    group.retain(1);
    group.fail();
    expect(claim.failed).toBe(0);
    group.settle();
    expect(claim).toMatchObject({ pieces: 0, failed: 1 });
  });
});
