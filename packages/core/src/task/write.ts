/** One write on its way: the context its sink gets, and the receipt for a sink that settles it itself. */

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
    this.parcel.retain(pieces);
  }

  settle(): void {
    this.parcel.settle();
  }

  fail(error: unknown): void {
    this.parcel.fail();
    this.#owner.lost(error);
  }
}
