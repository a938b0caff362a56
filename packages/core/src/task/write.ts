/** One write on its way: the context its sink gets, and the receipt for a sink that settles it itself. */

import { overSettled } from '../delivery/lane.ts';
import { type Claim, Parcel } from '../delivery/parcel.ts';
import type { DeferredReceipt, WriteContext } from '../sink.ts';

/** What a write reports to: the task that started it. */
export interface WriteOwner {
  readonly signal: AbortSignal;
  /** Where items that are lost count as done: is given what a sink took into its own hands, to end it with the sink. */
  readonly track: ((claim: ConsentedClaim) => void) | undefined;
  lost(error: unknown): void;
}

/**
 * What a sink took into its own hands, and whose loss was consented to: a piece that fails is done, and so is whatever is
 * left when the sink has ended.
 */
export class ConsentedClaim implements Claim {
  readonly #whole: Parcel<unknown>;
  #pieces = 1;
  isLost = false;
  /** Called when it has ended. */
  onEnd: () => void = () => {};

  constructor(whole: Parcel<unknown>) {
    this.#whole = whole;
  }

  get items(): number {
    return this.#whole.items.length;
  }

  retain(pieces: number): void {
    this.#pieces += pieces;
  }

  rejoin(): void {
    this.#pieces -= 1;
  }

  settle(): void {
    if (this.#pieces === 0) return;
    this.#pieces -= 1;
    if (this.#pieces > 0) return;
    this.#whole.settle();
    this.onEnd();
  }

  fail(): void {
    this.isLost = true;
    this.settle();
  }

  /** The sink has ended: what is left is lost. */
  abandon(): void {
    if (this.#pieces === 0) return;
    this.#pieces = 1;
    this.fail();
  }
}

export class Write<T> implements WriteContext, DeferredReceipt {
  readonly attempt: number = 1;
  readonly parcel: Parcel<T>;
  /** What is settled by a sink that defers: the parcel itself, but where its loss was consented to. */
  handed: Parcel<T>;
  readonly #owner: WriteOwner;
  #deferred = false;
  /** What the sink has to settle: counted here, so that it cannot settle what belongs to another write. */
  #pieces = 1;

  constructor(parcel: Parcel<T>, owner: WriteOwner) {
    this.parcel = parcel;
    this.handed = parcel;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  get isDeferred(): boolean {
    return this.#deferred;
  }

  defer(): DeferredReceipt {
    if (!this.#deferred && this.#owner.track !== undefined) {
      const claim = new ConsentedClaim(this.parcel);
      this.handed = new Parcel<T>(this.parcel.items, claim, true, null);
      this.#owner.track(claim);
    }
    this.#deferred = true;
    return this;
  }

  retain(pieces: number): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces += pieces;
    this.handed.retain(pieces);
  }

  settle(): void {
    this.#give();
    this.handed.settle();
  }

  fail(error: unknown): void {
    this.#give();
    this.handed.fail();
    this.#owner.lost(error);
  }

  #give(): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces -= 1;
  }
}
