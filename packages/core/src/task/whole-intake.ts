/**
 * The intake of a sink that keeps positions: it takes whole batches, or none of them.
 *
 *     channel ──► [ pending: r1 · r1 · r2(lane b) · r3 ]  ──►  the batches of which every piece is here
 *                                                              and, in its lane, every one before is too
 *
 * A source batch may come in pieces: a flatMap stops where the demand ends, an asynchronous map hands on what is ready.
 * Its position may be kept only together with all of it, and only if everything before it in its lane is kept before or
 * with it. A receipt counts the pieces that are not settled; when all of them are in hand, the batch is whole. What was
 * dropped on the way is settled, so it is not waited for. Behind a dispatcher the same is said of a sink's share.
 */

import type { BatchChannel } from '../channel/batch-channel.ts';
import type { Caution } from '../delivery/caution.ts';
import { joinParcels, type Parcel } from '../delivery/parcel.ts';
import { countToWhole, type Holdings, type Whole } from '../delivery/whole.ts';
import type { Intake } from './intake.ts';

export interface WholeIntakeOptions<T> {
  readonly channel: BatchChannel<Parcel<T>>;
  /** Chooses what is whole among what waits; what it chose, it is not shown again. */
  readonly choose: (pending: readonly Parcel<T>[]) => Whole<T>;
  /** Where a batch is whole when all its pieces are here: then it is only looked for when some claim has them all. */
  readonly holdings?: Holdings | undefined;
  /** Whether anything may be forsaken at all. */
  readonly mayForsake?: (() => boolean) | undefined;
  /** What will never be whole, because its source has given it up: it is let go. */
  readonly isForsaken?: ((parcel: Parcel<T>) => boolean) | undefined;
  /** A batch is not whole, and there is no room for the rest of it: is given the items that wait. */
  readonly onStuck?: ((items: number) => void) | undefined;
  /** Whether parts of batches may be lost: then what is not whole at the end never will be. */
  readonly hasLost?: (() => boolean) | undefined;
}

export class WholeIntake<T> implements Intake<T> {
  readonly #options: WholeIntakeOptions<T>;
  readonly #channel: BatchChannel<Parcel<T>>;
  #pending: Parcel<T>[] = [];
  #pendingItems = 0;
  #positions: ReadonlyMap<string, unknown> = new Map();
  /** As long as it is needed, each write holds as little as can be: one batch. */
  caution: Caution | undefined;

  constructor(options: WholeIntakeOptions<T>) {
    this.#options = options;
    this.#channel = options.channel;
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
    let parcel = this.#takeWhole(max);
    if (parcel === undefined && this.#channel.queued > 0) {
      this.#gather(Number.POSITIVE_INFINITY);
      parcel = this.#takeWhole(max);
    }
    if (parcel === undefined && this.#pendingItems > 0) {
      if (this.isClosed && this.#options.hasLost?.() === true) this.letGo(() => true);
      // What was written has its room until it is released.
      else if (this.#channel.room <= 0 && this.#channel.held === this.#pendingItems)
        this.#options.onStuck?.(this.#pendingItems);
    }
    return parcel;
  }

  release(parcel: Parcel<T>): void {
    this.#channel.release(parcel.items.length);
  }

  /** Lets go of what waits and is unwanted: it stays unacknowledged, and needs its room no more. */
  letGo(isUnwanted: (parcel: Parcel<T>) => boolean): readonly Parcel<T>[] {
    this.#gather(Number.POSITIVE_INFINITY);
    const unwanted = this.#pending.filter(isUnwanted);
    if (unwanted.length > 0) {
      this.#remove(unwanted);
      this.#channel.release(countItems(unwanted));
    }
    return unwanted;
  }

  /** Whole parcels: one that is cut leaves a piece behind. */
  #gather(max: number): void {
    while (this.#pendingItems < max) {
      const next = this.#channel.take(Number.MAX_SAFE_INTEGER);
      if (next === undefined) return;
      // What was joined on the way is written apart where it is more than one write.
      for (const piece of next.split()) {
        this.#pending.push(piece);
        this.#options.holdings?.add(piece);
      }
      this.#pendingItems += next.items.length;
    }
  }

  #takeWhole(max: number): Parcel<T> | undefined {
    const { holdings, isForsaken, mayForsake } = this.#options;
    if (isForsaken !== undefined && mayForsake?.() !== false && this.#pending.some(isForsaken))
      this.letGo(isForsaken);
    if (this.#pending.length === 0 || holdings?.isPromising === false) return undefined;
    const { positions, chosen } = this.#choose(max);
    if (chosen.length === 0) return undefined;
    this.#positions = positions;
    this.#remove(chosen);
    return chosen.length === 1 ? chosen[0] : joinParcels(chosen);
  }

  /** As little as makes a write of `max` items, or else as little as is whole. */
  #choose(max: number): Whole<T> {
    const { choose } = this.#options;
    const isCareful = this.caution?.isNeeded === true;
    let first = isCareful ? 1 : this.#countUpTo(max);
    let whole = choose(this.#pending.slice(0, first));
    while (whole.chosen.length === 0 && first < this.#pending.length) {
      first = countToWhole(this.#pending, first);
      whole = choose(this.#pending.slice(0, first));
    }
    if (isCareful) for (const [lane, position] of whole.positions) this.caution?.passed(lane, position);
    return whole;
  }

  /** How many parcels hold `max` items, or less than one more; at least one. */
  #countUpTo(max: number): number {
    let count = 0;
    let items = 0;
    for (const parcel of this.#pending) {
      items += parcel.items.length;
      if (count > 0 && items > max) break;
      count += 1;
    }
    return count;
  }

  #remove(parcels: readonly Parcel<T>[]): void {
    const gone = new Set(parcels);
    for (const parcel of parcels) this.#options.holdings?.remove(parcel);
    this.#pending = this.#pending.filter((parcel) => !gone.has(parcel));
    this.#pendingItems -= countItems(parcels);
  }
}

function countItems(parcels: readonly Parcel<unknown>[]): number {
  let items = 0;
  for (const parcel of parcels) items += parcel.items.length;
  return items;
}
