/**
 * Which parcels hold nothing but whole source batches, before which, in their lanes, nothing is missing.
 *
 *     pending: r1 · r1 · r2(lane b) · r3       r1 has two pieces and both are here: whole; r3 has another somewhere
 *              └────────┬─────────┘
 *                     chosen, and the positions after r1 and r2
 */

import type { Lane, Receipt } from './lane.ts';
import type { Claim, Parcel } from './parcel.ts';
import { receiptsOf } from './place.ts';

export interface Whole<T> {
  readonly chosen: readonly Parcel<T>[];
  /** Of each lane that moves: the position after the last batch that is chosen. */
  readonly positions: ReadonlyMap<string, unknown>;
}

export class WholeBatches {
  /** The last batch of each lane that was chosen: it may be on its way still. */
  readonly #taken = new WeakMap<Lane, Receipt>();

  /** Chooses of these parcels what is whole, once: what is chosen is not pending any more. */
  choose<T>(pending: readonly Parcel<T>[]): Whole<T> {
    const receipts = pending.map(receiptsIn);
    const whole = wholeReceipts(pending);
    const eligible = new Map<Lane, Set<Receipt>>();
    for (const receipt of receipts.flat()) {
      if (!eligible.has(receipt.lane)) eligible.set(receipt.lane, this.#prefixOf(receipt.lane, whole));
    }
    // A parcel of several batches goes with all of them or stays, and keeps the later ones of their lanes with it.
    let isStable = false;
    while (!isStable) {
      isStable = true;
      for (const own of receipts) {
        if (own.every((receipt) => isEligible(receipt, eligible))) continue;
        for (const receipt of own) {
          if (!isEligible(receipt, eligible)) continue;
          isStable = false;
          for (let later: Receipt | undefined = receipt; later !== undefined; later = later.next)
            eligible.get(receipt.lane)?.delete(later);
        }
      }
    }
    const chosen = pending.filter((_, index) =>
      (receipts[index] as readonly Receipt[]).every((receipt) => isEligible(receipt, eligible)),
    );
    // What is done in another lane moves with the next that is chosen there: a sink may write one lane at a time.
    const moved = new Set(chosen.flatMap((parcel) => receiptsIn(parcel).map(({ lane }) => lane)));
    const positions = new Map<string, unknown>();
    for (const lane of moved) {
      let last: Receipt | undefined;
      for (const receipt of eligible.get(lane) ?? []) last = receipt;
      if (last === undefined) continue;
      positions.set(lane.label, last.position);
      this.#taken.set(lane, last);
    }
    return { chosen, positions };
  }

  /** From the batch after those that were chosen, as long as each is done or in hand. */
  #prefixOf(lane: Lane, whole: ReadonlySet<Claim>): Set<Receipt> {
    const prefix = new Set<Receipt>();
    let at = lane.after(this.#taken.get(lane));
    // Nothing is kept beyond what is lost, also while something before that is still on its way.
    for (
      let before = lane.hasLost ? lane.head : at;
      before !== undefined && before !== at;
      before = before.next
    )
      if (before.isPoisoned) return prefix;
    for (; at !== undefined && !at.isPoisoned && (at.isDone || whole.has(at)); at = at.next) prefix.add(at);
    return prefix;
  }
}

/** How many pieces of each claim wait: tells at little cost that looking for what is whole would be in vain. */
export class Holdings {
  readonly #held = new Map<Claim, number>();
  /** Parcels that belong to no source batch: they are whole as they are. */
  #unclaimed = 0;

  add(parcel: Parcel<unknown>): void {
    this.#count(parcel, 1);
  }

  remove(parcel: Parcel<unknown>): void {
    this.#count(parcel, -1);
  }

  /** Whether all open pieces of some claim are here. */
  get isPromising(): boolean {
    if (this.#unclaimed > 0) return true;
    for (const [claim, held] of this.#held) if (held >= claim.pieces) return true;
    return false;
  }

  #count({ receipt, parts }: Parcel<unknown>, by: number): void {
    if (receipt !== null) this.#hold(receipt, by);
    else if (parts === null) this.#unclaimed += by;
    if (parts !== null) for (const part of parts) this.#hold(part.receipt, by);
  }

  #hold(claim: Claim, by: number): void {
    const held = (this.#held.get(claim) ?? 0) + by;
    if (held === 0) this.#held.delete(claim);
    else this.#held.set(claim, held);
  }
}

/** How many of the source batches of a parcel are in lanes that the source has given up. */
export function endedShare(parcel: Parcel<unknown>): 'none' | 'some' | 'all' {
  const receipts = receiptsIn(parcel);
  const ended = receipts.filter(({ lane }) => lane.isEnded).length;
  if (ended === 0) return 'none';
  return ended === receipts.length ? 'all' : 'some';
}

function receiptsIn({ receipt, parts }: Parcel<unknown>): Receipt[] {
  return parts === null ? receiptsOf(receipt) : parts.flatMap((part) => receiptsOf(part.receipt));
}

function isEligible(receipt: Receipt, eligible: ReadonlyMap<Lane, ReadonlySet<Receipt>>): boolean {
  return eligible.get(receipt.lane)?.has(receipt) === true;
}

/** The least number of them, more than `from`, with which one more claim has all its open pieces; all where there is none. */
export function countToWhole(pending: readonly Parcel<unknown>[], from: number): number {
  const held = new Map<Claim, number>();
  for (const [index, { receipt, parts }] of pending.entries()) {
    let isWhole = receipt === null && parts === null;
    for (const claim of [receipt, ...(parts ?? []).map((part) => part.receipt)]) {
      if (claim === null) continue;
      const pieces = (held.get(claim) ?? 0) + 1;
      held.set(claim, pieces);
      isWhole ||= pieces >= claim.pieces;
    }
    if (isWhole && index >= from) return index + 1;
  }
  return pending.length;
}

/** The claims of which every open piece is in one of these parcels. */
function wholeReceipts<T>(pending: readonly Parcel<T>[]): ReadonlySet<Claim> {
  const held = new Map<Claim, number>();
  const whole = new Set<Claim>();
  const hold = (claim: Claim): void => {
    const pieces = (held.get(claim) ?? 0) + 1;
    held.set(claim, pieces);
    if (pieces < claim.pieces) return;
    whole.add(claim);
    for (const { receipt } of claim.origins) hold(receipt);
  };
  for (const { receipt, parts } of pending) {
    if (receipt !== null) hold(receipt);
    if (parts !== null) for (const part of parts) hold(part.receipt);
  }
  return whole;
}
