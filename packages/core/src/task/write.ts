/** One write on its way: the context its sink gets, and the receipt for a sink that settles it itself. */

import { overSettled } from '../delivery/lane.ts';
import type { Parcel } from '../delivery/parcel.ts';
import type { DeferredReceipt, WriteContext } from '../sink.ts';

/** What a write reports to: the task that started it. */
export interface WriteOwner {
  readonly signal: AbortSignal;
  lost(error: unknown): void;
}

export class Write<T> implements WriteContext, DeferredReceipt {
  readonly attempt: number = 1;
  readonly parcel: Parcel<T>;
  readonly #owner: WriteOwner;
  #deferred = false;
  /** What the sink has to settle: counted here, so that it cannot settle what belongs to another write. */
  #pieces = 1;

  constructor(parcel: Parcel<T>, owner: WriteOwner) {
    this.parcel = parcel;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  get isDeferred(): boolean {
    return this.#deferred;
  }

  defer(): DeferredReceipt {
    this.#deferred = true;
    return this;
  }

  retain(pieces: number): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces += pieces;
    this.parcel.retain(pieces);
  }

  settle(): void {
    this.#give();
    this.parcel.settle();
  }

  fail(error: unknown): void {
    this.#give();
    this.parcel.fail();
    this.#owner.lost(error);
  }

  #give(): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces -= 1;
  }
}
