/**
 * How batches move inside: the items, and the claims of the source batches they came from.
 *
 *     one source batch, or a piece of it      several, joined for one write
 *     ┌───────────────┐                       ┌───────────────┬─────┬────────┐
 *     │ items         │                       │ items         │     │        │
 *     └───────────────┘                       └───────────────┴─────┴────────┘
 *       receipt                                 parts: r1 ×8 · r2 ×3 · r3 ×4
 *
 * An item is never wrapped. A parcel holds one claim on each receipt it names, and gives it back exactly once: by
 * settling, by failing, or by handing it to the pieces it is cut into. Sources without positions have no receipts, and
 * their parcels cost nothing but themselves; joined to others, they have a part that nobody waits for.
 */

import type { Batch } from '../channel/batch-deque.ts';

/** A claim on source batches: a receipt, or several as one. */
export interface Claim {
  /** Pieces that are not settled yet. */
  readonly pieces: number;
  /** The claims it stands for, of each of which it holds one piece; none where it is the receipt of a source batch. */
  readonly origins: readonly Part[];
  /** There are `pieces` more pieces to settle than before. */
  retain(pieces: number): void;
  /** Two pieces became one again: one claim less, and never the last. */
  rejoin(): void;
  /** One piece is durable, was dropped on purpose, or is in the dead letter. */
  settle(): void;
  /** One piece is lost. */
  fail(): void;
  /** Of what it is a part of, one piece less is open. */
  shrunk?(): void;
}

/** Of a claim that stands for no other. */
export const NO_ORIGINS: readonly Part[] = [];

/** Of items that came without a receipt, where they were joined to others: it keeps their place, and nobody waits for it. */
const UNCLAIMED: Claim = {
  pieces: 1,
  origins: NO_ORIGINS,
  retain: () => {},
  rejoin: () => {},
  settle: () => {},
  fail: () => {},
};

/** Several claims as one: each is settled when the last piece of the whole is. */
export class ClaimGroup implements Claim {
  readonly #parts: Part[];
  #pieces = 1;
  #isLost = false;

  constructor(parts: readonly Part[]) {
    this.#parts = [...parts];
  }

  get pieces(): number {
    return this.#pieces;
  }

  get origins(): readonly Part[] {
    return this.#parts;
  }

  /** Takes more claims in, as long as the whole is not settled. */
  add(parts: readonly Part[]): void {
    for (const part of parts) this.#parts.push(part);
  }

  retain(pieces: number): void {
    this.#pieces += pieces;
  }

  rejoin(): void {
    this.#pieces -= 1;
  }

  settle(): void {
    this.#end();
  }

  fail(): void {
    this.#isLost = true;
    this.#end();
  }

  shrunk(): void {
    for (const { receipt } of this.#parts) receipt.shrunk?.();
  }

  #end(): void {
    this.#pieces -= 1;
    if (this.#pieces > 0) {
      // Whoever waits to have all that is left of it looks again.
      if (!this.#isLost) this.shrunk();
      return;
    }
    for (const { receipt } of this.#parts) {
      if (this.#isLost) receipt.fail();
      else receipt.settle();
    }
  }
}

/** The share of one source batch in a parcel. A part without items belongs to the item that follows it. */
export interface Part {
  readonly receipt: Claim;
  readonly items: number;
}

export class Parcel<T> implements Batch {
  items: readonly T[];
  receipt: Claim | null;
  parts: readonly Part[] | null;

  constructor(items: readonly T[], receipt: Claim | null, parts: readonly Part[] | null) {
    this.items = items;
    this.receipt = receipt;
    this.parts = parts;
  }

  /** The same parcel with other items, one for one. */
  replace<U>(items: readonly U[]): Parcel<U> {
    const parcel = this as unknown as Parcel<U>;
    parcel.items = items;
    return parcel;
  }

  /** The same parcel with those items for which `kept` says so. */
  narrow(kept: readonly boolean[], items: readonly T[]): this {
    if (this.parts !== null) {
      let at = 0;
      this.parts = this.parts.map((part) => {
        const to = at + part.items;
        let count = 0;
        for (; at < to; at++) if (kept[at] === true) count += 1;
        return { receipt: part.receipt, items: count };
      });
    }
    this.items = items;
    return this;
  }

  /** One claim more for each of `pieces` more pieces. */
  retain(pieces: number): void {
    this.receipt?.retain(pieces);
    if (this.parts !== null) for (const part of this.parts) part.receipt.retain(pieces);
  }

  settle(): void {
    this.receipt?.settle();
    if (this.parts !== null) for (const part of this.parts) part.receipt.settle();
  }

  fail(): void {
    this.receipt?.fail();
    if (this.parts !== null) for (const part of this.parts) part.receipt.fail();
  }

  /** @see Batch.cut. Between pieces, a claim is retained for what stays. */
  cut(from: number, to: number): this {
    const length = this.items.length;
    if (from === 0 && to === length) return this;
    const items = this.items.slice(from, to);
    if (this.parts !== null) return this.#cutParts(this.parts, from, to, items);
    if (to < length) this.receipt?.retain(1);
    return new Parcel(items, this.receipt, null) as this;
  }

  /** The same items in as many parcels as can be told apart: one for each part that has any. */
  split(): readonly Parcel<T>[] {
    if (this.parts === null) return [this];
    const pieces: Parcel<T>[] = [];
    let own: Part[] = [];
    let last: Part[] | undefined;
    let from = 0;
    for (const part of this.parts) {
      own.push(part);
      if (part.items === 0) continue;
      pieces.push(new Parcel(this.items.slice(from, from + part.items), null, own));
      last = own;
      own = [];
      from += part.items;
    }
    if (last === undefined) return [this];
    // Parts without items go with the item after them, or with the last.
    for (const part of own) last.push(part);
    return pieces;
  }

  #cutParts(parts: readonly Part[], from: number, to: number, items: readonly T[]): this {
    const pieces: Part[] = [];
    let start = 0;
    for (const part of parts) {
      const end = start + part.items;
      // A part without items goes with the item after it; those after the last item go with the last piece.
      const isEmpty = part.items === 0;
      const inside = isEmpty
        ? start >= from && (start < to || to === this.items.length)
        : start < to && end > from;
      if (inside) {
        if (end > to) part.receipt.retain(1);
        pieces.push({ receipt: part.receipt, items: Math.min(end, to) - Math.max(start, from) });
      }
      start = end;
    }
    return new Parcel(items, null, pieces) as this;
  }

  /**
   * The same parcel with all its claims in one, so that its items may be cut and multiplied in any way: where it was
   * made of several source batches, they are done when all of it is.
   */
  unify(): this {
    if (this.parts !== null) {
      this.receipt = new ClaimGroup(this.parts);
      this.parts = null;
    }
    return this;
  }

  /** The claims on source batches, in order, whichever way they are kept. */
  listParts(): readonly Part[] {
    if (this.parts !== null) return this.parts;
    return this.receipt === null ? [] : [{ receipt: this.receipt, items: this.items.length }];
  }
}

/** As many arguments as a call surely takes. */
const MAX_ARGUMENTS = 10_000;

/** The items of several parcels, in order, in a new array. */
export function concatItems<T>(parcels: readonly Parcel<T>[]): readonly T[] {
  return parcels.length <= MAX_ARGUMENTS
    ? ([] as T[]).concat(...parcels.map((parcel) => parcel.items as T[]))
    : parcels.flatMap((parcel) => parcel.items);
}

/** Several parcels, in order, as one: their claims go over to it. */
export function joinParcels<T>(parcels: readonly Parcel<T>[]): Parcel<T> {
  return joinAs(parcels, concatItems(parcels));
}

/** Several parcels, in order, as one item made of all of theirs. */
export function gatherParcels<T, U>(parcels: readonly Parcel<T>[], item: U): Parcel<U> {
  // It lies where all of them lie: they are done when it is, and not without it.
  return joinAs<U>(parcels as unknown as readonly Parcel<U>[], [item]).unify();
}

/** Its parts, so that each item is in one. */
function placesOf(parcel: Parcel<unknown>): readonly Part[] {
  const parts = parcel.listParts();
  const { length } = parcel.items;
  return parts.length === 0 && length > 0 ? [{ receipt: UNCLAIMED, items: length }] : parts;
}

function joinAs<T>(parcels: readonly Parcel<T>[], items: readonly T[]): Parcel<T> {
  if (parcels.every(({ receipt, parts }) => receipt === null && parts === null))
    return new Parcel(items, null, null);
  const parts: Part[] = [];
  for (const parcel of parcels) {
    for (const part of placesOf(parcel)) {
      const before = parts.at(-1);
      // A part without items goes with the item after it, and must not be drawn to the one before.
      const isOnePiece = before?.receipt === part.receipt && (part.items > 0 || before.items === 0);
      if (isOnePiece) {
        part.receipt.rejoin();
        parts[parts.length - 1] = { receipt: part.receipt, items: before.items + part.items };
      } else {
        parts.push(part);
      }
    }
  }
  const [only] = parts as [Part];
  return parts.length === 1 ? new Parcel(items, only.receipt, null) : new Parcel(items, null, parts);
}
