import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Claim,
  gatherParcels,
  joinParcels,
  NO_ORIGINS,
  Parcel,
  type Part,
} from '../../src/delivery/parcel.ts';

/** A claim that keeps count, and throws where one is given back that is not there. */
class CountedClaim implements Claim {
  readonly name: number;
  pieces = 1;
  readonly origins: readonly Part[] = NO_ORIGINS;
  settled = 0;
  failed = 0;

  constructor(name: number) {
    this.name = name;
  }

  retain(pieces: number): void {
    if (this.pieces === 0) throw new Error(`claim ${this.name} retained after its end`);
    this.pieces += pieces;
  }

  rejoin(): void {
    if (this.pieces < 2) throw new Error(`claim ${this.name} rejoined to nothing`);
    this.pieces -= 1;
  }

  settle(): void {
    if (this.pieces === 0) throw new Error(`claim ${this.name} settled too often`);
    this.pieces -= 1;
    this.settled += 1;
  }

  fail(): void {
    if (this.pieces === 0) throw new Error(`claim ${this.name} failed too often`);
    this.pieces -= 1;
    this.failed += 1;
  }
}

/** An item that knows its claim, so that a test can follow it. */
interface Item {
  readonly of: number;
  readonly n: number;
}

function parcelOf(name: number, length: number): { parcel: Parcel<Item>; claim: CountedClaim } {
  const claim = new CountedClaim(name);
  const items = Array.from({ length }, (_, n) => ({ of: name, n }));
  return { parcel: new Parcel(items, claim, null), claim };
}

describe('items of a source without positions, between those of one that has them', () => {
  it.each([
    [0, 'none'],
    [1, 'none'],
    [2, 'a'],
    [3, 'a'],
    [4, 'a'],
    [5, 'b'],
  ] as const)('claim nothing: with the first %i of 5 done, %s is', (done, last) => {
    const [a, b] = [parcelOf(1, 1), parcelOf(2, 1)];
    const free = (n: number): Parcel<Item> => new Parcel([{ of: 0, n }], null, null);
    const joined = joinParcels([free(0), a.parcel, joinParcels([free(1), free(2)]), b.parcel]);
    if (done > 0) joined.cut(0, done).settle();
    expect([a.claim.pieces, b.claim.pieces]).toEqual([last === 'none' ? 1 : 0, last === 'b' ? 0 : 1]);
  });

  it('claim nothing when some are filtered out', () => {
    const { parcel, claim } = parcelOf(1, 1);
    const free = new Parcel<Item>([{ of: 0, n: 0 }], null, null);
    const joined = joinParcels([free, parcel]);
    const narrowed = joined.narrow([false, true], parcel.items);
    expect(narrowed.items).toEqual([{ of: 1, n: 0 }]);
    expect(narrowed.parts?.filter(({ items }) => items > 0)).toEqual([{ receipt: claim, items: 1 }]);
  });

  it('leave no part behind where all of them are filtered out, and keep no pieces of a batch apart', () => {
    const { parcel, claim } = parcelOf(1, 2);
    const free = new Parcel<Item>([{ of: 0, n: 0 }], null, null).narrow([false], []);
    const joined = joinParcels([parcel.cut(0, 1), free, parcel.cut(1, 2)]);
    expect(joined).toMatchObject({ receipt: claim, parts: null });
    expect(claim.pieces).toBe(1);
  });

  it('are joined to a parcel without claims', () => {
    const free = (): Parcel<Item> => new Parcel([{ of: 0, n: 0 }], null, null);
    expect(joinParcels([free(), free()])).toMatchObject({ receipt: null, parts: null });
  });
});

describe('Parcel.cut', () => {
  it('answers itself where nothing is cut off', () => {
    const { parcel, claim } = parcelOf(0, 3);
    expect(parcel.cut(0, 3)).toBe(parcel);
    expect(claim.pieces).toBe(1);
  });

  it('retains a claim for what stays, and none for the last piece', () => {
    const { parcel, claim } = parcelOf(0, 5);
    const first = parcel.cut(0, 2);
    expect(claim.pieces).toBe(2);
    const second = parcel.cut(2, 4);
    const third = parcel.cut(4, 5);
    expect(claim.pieces).toBe(3);
    expect([first, second, third].map(({ items }) => items.map(({ n }) => n))).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('gives each part of a joined parcel to the pieces that hold its items', () => {
    const [a, b, c] = [parcelOf(0, 2), parcelOf(1, 2), parcelOf(2, 1)];
    const joined = joinParcels([a.parcel, b.parcel, c.parcel]);
    const first = joined.cut(0, 3);
    const second = joined.cut(3, 5);
    expect(first.listParts().map(({ items }) => items)).toEqual([2, 1]);
    expect(second.listParts().map(({ items }) => items)).toEqual([1, 1]);
    expect([a, b, c].map(({ claim }) => claim.pieces)).toEqual([1, 2, 1]);
  });

  it('takes a part without items along with the item after it, or with the last piece', () => {
    const emptied = (name: number): { parcel: Parcel<Item>; claim: CountedClaim } => {
      const made = parcelOf(name, 1);
      made.parcel.narrow([false], []);
      return made;
    };
    const [a, b, c, d] = [emptied(0), parcelOf(1, 1), emptied(2), parcelOf(3, 1)];
    const e = emptied(4);
    const joined = joinParcels([a.parcel, b.parcel, c.parcel, d.parcel, e.parcel]);
    const names = (parcel: Parcel<Item>): number[] =>
      parcel.listParts().map(({ receipt }) => (receipt as CountedClaim).name);
    expect(names(joined.cut(0, 1))).toEqual([0, 1]);
    expect(names(joined.cut(1, 2))).toEqual([2, 3, 4]);
    expect([a, b, c, d, e].map(({ claim }) => claim.pieces)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('Parcel.split', () => {
  it('answers a parcel for each part with items, and none of its claims is more or less', () => {
    const [a, b, c, d] = [parcelOf(0, 2), parcelOf(1, 1), parcelOf(2, 3), parcelOf(3, 1)];
    for (const emptied of [b, d]) emptied.parcel.narrow([false], []);
    const pieces = joinParcels([a.parcel, b.parcel, c.parcel, d.parcel]).split();
    expect(pieces.map(({ items }) => items.length)).toEqual([2, 3]);
    const names = pieces.map((piece) =>
      piece.listParts().map(({ receipt }) => (receipt as CountedClaim).name),
    );
    expect(names).toEqual([[0], [1, 2, 3]]);
    for (const piece of pieces) piece.settle();
    expect([a, b, c, d].map(({ claim }) => claim.pieces)).toEqual([0, 0, 0, 0]);
  });

  it('answers itself where there is nothing to tell apart', () => {
    const { parcel } = parcelOf(0, 3);
    expect(parcel.split()).toEqual([parcel]);
  });
});

describe('Parcel.narrow', () => {
  it('counts what is kept of each part', () => {
    const [a, b] = [parcelOf(0, 2), parcelOf(1, 3)];
    const joined = joinParcels([a.parcel, b.parcel]);
    const kept = [false, true, true, false, false];
    joined.narrow(
      kept,
      joined.items.filter((_, at) => kept[at]),
    );
    expect(joined.listParts().map(({ items }) => items)).toEqual([1, 1]);
    expect(joined.items).toHaveLength(2);
  });
});

describe('joinParcels', () => {
  it('puts two pieces of one batch together again, with one claim', () => {
    const { parcel, claim } = parcelOf(0, 4);
    const pieces = [parcel.cut(0, 1), parcel.cut(1, 3), parcel.cut(3, 4)];
    expect(claim.pieces).toBe(3);
    const joined = joinParcels(pieces);
    expect(claim.pieces).toBe(1);
    expect(joined.items.map(({ n }) => n)).toEqual([0, 1, 2, 3]);
    joined.settle();
    expect(claim.settled).toBe(1);
  });

  it('needs no claims where there are none', () => {
    const joined = joinParcels([new Parcel([1], null, null), new Parcel([2, 3], null, null)]);
    expect(joined.items).toEqual([1, 2, 3]);
    expect(joined.listParts()).toEqual([]);
  });
});

describe('gatherParcels', () => {
  it('lets all claims go with the one item', () => {
    const [a, b] = [parcelOf(0, 2), parcelOf(1, 3)];
    const gathered = gatherParcels<Item, string>([a.parcel, b.parcel], 'both');
    expect(gathered.items).toEqual(['both']);
    expect(gathered.listParts().map(({ items }) => items)).toEqual([1]);
    gathered.settle();
    expect([a.claim.settled, b.claim.settled]).toEqual([1, 1]);
  });
});

describe('joinParcels, after gatherParcels', () => {
  it('leaves a claim with the item it goes with, where the item before holds a piece of the same batch', () => {
    // Batch 1 is cut between two arrays: the first ends with a piece of it, the second begins with one.
    const [a, b, c] = [parcelOf(0, 1), parcelOf(1, 2), parcelOf(2, 1)];
    const front = b.parcel.cut(0, 1);
    const back = b.parcel.cut(1, 2);
    const first = gatherParcels<Item, string>([a.parcel, front], 'first');
    const second = gatherParcels<Item, string>([back, c.parcel], 'second');
    const joined = joinParcels([first, second]);
    joined.cut(0, 1).settle();
    expect([a, b, c].map(({ claim }) => claim.pieces)).toEqual([0, 1, 1]);
    joined.cut(1, 2).settle();
    expect([a, b, c].map(({ claim }) => claim.pieces)).toEqual([0, 0, 0]);
  });
});

describe('Parcel.unify', () => {
  it('settles each claim when the last piece of the whole is settled, and fails all when one failed', () => {
    const [a, b] = [parcelOf(0, 1), parcelOf(1, 1)];
    const whole = joinParcels([a.parcel, b.parcel]).unify();
    whole.retain(2);
    whole.settle();
    whole.fail();
    expect([a.claim.pieces, b.claim.pieces]).toEqual([1, 1]);
    whole.settle();
    expect([a.claim, b.claim].map(({ pieces, failed }) => [pieces, failed])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

describe('Parcel, by property', () => {
  /** What is done to a row of parcels that stand in order, `at` and `with` choosing where. */
  const all = ['cut', 'join', 'narrow', 'gather', 'unify', 'settle', 'replace'] as const;
  // With few kinds, chance comes sooner to the long sequences in which pieces meet again.
  const few = ['cut', 'join', 'gather', 'settle'] as const;

  it.each([
    ['all there is', all, 6],
    ['cuts and joins', few, 3],
  ] as const)(
    'gives every claim back exactly once, and never before the last item it covers: %s',
    (_, kinds, longest) => {
      const step = fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(20), by: fc.nat(20) });
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 1, max: longest }), { minLength: 1, maxLength: longest }),
          fc.array(step, { maxLength: 30 }),
          (lengths, steps) => {
            const made = lengths.map((length, name) => parcelOf(name, length));
            const claims = made.map(({ claim }) => claim);
            // An item of the row stands for all the original items that went into it.
            let row: Parcel<readonly Item[]>[] = made.map(({ parcel }) =>
              parcel.replace(parcel.items.map((item) => [item])),
            );
            const open = new Map<number, number>(lengths.map((length, name) => [name, length]));
            const done = (items: readonly Item[]): void => {
              for (const { of } of items) open.set(of, (open.get(of) as number) - 1);
            };
            for (const { kind, at, by } of steps) {
              if (row.length === 0) break;
              const index = at % row.length;
              const parcel = row[index] as Parcel<readonly Item[]>;
              const { length } = parcel.items;
              switch (kind) {
                case 'cut': {
                  if (length < 2) break;
                  const to = 1 + (by % (length - 1));
                  row.splice(index, 1, parcel.cut(0, to), parcel.cut(to, length));
                  break;
                }
                case 'join': {
                  const count = 2 + (by % 3);
                  const some = row.slice(index, index + count);
                  if (some.length > 1) row.splice(index, some.length, joinParcels(some));
                  break;
                }
                case 'narrow': {
                  const kept = parcel.items.map((_, i) => (by >> (i % 16)) % 2 === 0);
                  for (const [i, items] of parcel.items.entries()) if (!kept[i]) done(items);
                  parcel.narrow(
                    kept,
                    parcel.items.filter((_, i) => kept[i]),
                  );
                  break;
                }
                case 'gather': {
                  const count = 1 + (by % 3);
                  const some = row.slice(index, index + count);
                  const all = some.flatMap(({ items }) => items.flat());
                  row.splice(index, some.length, gatherParcels<readonly Item[], readonly Item[]>(some, all));
                  break;
                }
                case 'unify':
                  parcel.unify();
                  break;
                case 'replace':
                  parcel.replace(parcel.items.map((items) => items));
                  break;
                case 'settle': {
                  row.splice(index, 1);
                  parcel.settle();
                  for (const items of parcel.items) done(items);
                  break;
                }
              }
              const inRow = new Set(row.flatMap(({ items }) => items.flat().map(({ of }) => of)));
              for (const claim of claims) {
                // A claim ends once, and not while an item of its batch is still on its way.
                if (inRow.has(claim.name)) expect(claim.pieces).toBeGreaterThan(0);
                expect(claim.failed).toBe(0);
              }
            }
            for (const parcel of row) parcel.settle();
            row = [];
            expect(claims.map(({ pieces }) => pieces)).toEqual(claims.map(() => 0));
          },
        ),
        { numRuns: 3000 },
      );
    },
  );
});
