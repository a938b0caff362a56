/**
 * The intake of a sink that keeps positions: it takes whole source batches, or none of them.
 *
 *     channel ──► [ pending: r1 · r1 · r2(lane b) · r3 ]  ──►  the batches of which every piece is here
 *                                                              and, in its lane, every one before is too
 *
 * A source batch may come in pieces: a flatMap stops where the demand ends, an asynchronous map hands on what is ready.
 * Its position may be kept only together with all of it, and only if everything before it in its lane is kept before or
 * with it. A receipt counts the pieces that are not settled; when all of them are in hand, the batch is whole. What was
 * dropped on the way is settled, so it is not waited for.
 */

import type { BatchChannel } from '../channel/batch-channel.ts';
import { type Lane, Receipt } from '../delivery/lane.ts';
import { type Claim, joinParcels, type Parcel } from '../delivery/parcel.ts';
import type { Intake } from './intake.ts';

export interface WholeIntakeOptions<T> {
  readonly channel: BatchChannel<Parcel<T>>;
  /** A batch is not whole, and there is no room for the rest of it: is given the items that wait. */
  readonly onStuck: (items: number) => void;
  /** Whether parts of batches may be lost: then what is not whole at the end never will be. */
  readonly hasLost: () => boolean;
}

export class WholeIntake<T> implements Intake<T> {
  readonly #channel: BatchChannel<Parcel<T>>;
  readonly #onStuck: (items: number) => void;
  readonly #hasLost: () => boolean;
  #pending: Parcel<T>[] = [];
  #pendingItems = 0;
  #positions: ReadonlyMap<string, unknown> = new Map();

  constructor({ channel, onStuck, hasLost }: WholeIntakeOptions<T>) {
    this.#channel = channel;
    this.#onStuck = onStuck;
    this.#hasLost = hasLost;
  }

  get queued(): number {
    return this.#channel.queued + this.#pendingItems;
  }

  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  get positions(): ReadonlyMap<string, unknown> {
    return this.#positions;
  }

  take(max: number): Parcel<T> | undefined {
    this.#gather(max);
    let parcel = this.#takeWhole();
    if (parcel === undefined && this.#channel.queued > 0) {
      this.#gather(Number.POSITIVE_INFINITY);
      parcel = this.#takeWhole();
    }
    if (parcel === undefined && this.#pendingItems > 0) {
      if (this.isClosed && this.#hasLost()) this.#giveUp();
      // What was written has its room until it is released.
      else if (this.#channel.room <= 0 && this.#channel.held === this.#pendingItems)
        this.#onStuck(this.#pendingItems);
    }
    return parcel;
  }

  release(parcel: Parcel<T>): void {
    this.#channel.release(parcel.items.length);
  }

  /** What will never be whole stays unacknowledged. */
  #giveUp(): void {
    const items = this.#pendingItems;
    this.#pending = [];
    this.#pendingItems = 0;
    if (items > 0) this.#channel.release(items);
  }

  /** Whole parcels: one that is cut leaves a piece behind. */
  #gather(max: number): void {
    while (this.#pendingItems < max) {
      const next = this.#channel.take(Number.MAX_SAFE_INTEGER);
      if (next === undefined) return;
      this.#pending.push(next);
      this.#pendingItems += next.items.length;
    }
  }

  #takeWhole(): Parcel<T> | undefined {
    const pending = this.#pending;
    if (pending.length === 0) return undefined;
    const { positions, chosen } = wholeOf(pending);
    if (chosen.length === 0) return undefined;
    this.#positions = positions;
    const taken = new Set(chosen);
    this.#pending = pending.filter((parcel) => !taken.has(parcel));
    let items = 0;
    for (const parcel of chosen) items += parcel.items.length;
    this.#pendingItems -= items;
    return chosen.length === 1 ? chosen[0] : joinParcels(chosen);
  }
}

interface Whole<T> {
  readonly chosen: readonly Parcel<T>[];
  /** Of each lane that moves: the position after the last batch that is chosen. */
  readonly positions: ReadonlyMap<string, unknown>;
}

/** Which of these parcels hold nothing but batches that are whole, and before which, in their lanes, nothing is missing. */
export function wholeOf<T>(pending: readonly Parcel<T>[]): Whole<T> {
  const receipts = pending.map((parcel) => receiptsOf(parcel.receipt, parcel.parts));
  const whole = wholeReceipts(pending);
  const eligible = new Map<Lane, Set<Receipt>>();
  for (const receipt of receipts.flat()) {
    if (!eligible.has(receipt.lane)) eligible.set(receipt.lane, prefixOf(receipt.lane, whole));
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
  const positions = new Map<string, unknown>();
  for (const [lane, members] of eligible) {
    let last: Receipt | undefined;
    for (const receipt of members) last = receipt;
    if (last !== undefined) positions.set(lane.label, last.position);
  }
  return { chosen, positions };
}

function isEligible(receipt: Receipt, eligible: ReadonlyMap<Lane, ReadonlySet<Receipt>>): boolean {
  return eligible.get(receipt.lane)?.has(receipt) === true;
}

/** From the oldest open batch of a lane on, as long as each is done or in hand. */
function prefixOf(lane: Lane, whole: ReadonlySet<Claim>): Set<Receipt> {
  const prefix = new Set<Receipt>();
  for (let at = lane.head; at !== undefined && (at.isDone || whole.has(at)); at = at.next) prefix.add(at);
  return prefix;
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

/** The receipts of source batches that these claims stand for, in the end. */
function receiptsOf(claim: Claim | null, parts: Parcel<unknown>['parts']): Receipt[] {
  const receipts: Receipt[] = [];
  const visit = (one: Claim): void => {
    if (one instanceof Receipt) receipts.push(one);
    else for (const { receipt } of one.origins) visit(receipt);
  };
  if (claim !== null) visit(claim);
  if (parts !== null) for (const part of parts) visit(part.receipt);
  return receipts;
}
