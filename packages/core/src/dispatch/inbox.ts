/** What waits to be dispatched: one offer per feed, and what a departed sink handed back. */

import { Deferred } from '../deferred.ts';
import { type Claim, NO_ORIGINS, type Parcel, type Part } from '../delivery/parcel.ts';
import type { DeferredReceipt } from '../sink.ts';
import type { Awaitable } from '../source.ts';

export class Offer<T> {
  readonly parcel: Parcel<T>;
  /** Who offers; nobody, where a departed sink handed items back. */
  readonly feed: object | undefined;
  /** How far it is dispatched. */
  from = 0;
  #isAccepted = false;
  #rejection: { error: unknown } | undefined;
  #answer: Deferred | undefined;

  constructor(parcel: Parcel<T>, feed: object | undefined) {
    this.parcel = parcel;
    this.feed = feed;
  }

  /** All of it is in some outlet. */
  accept(): void {
    this.#isAccepted = true;
    this.#answer?.resolve();
  }

  reject(error: unknown): void {
    this.#rejection = { error };
    this.#answer?.reject(error);
  }

  /** Settles when it is accepted: nothing, if it is already. Throws if it was rejected before anybody asked. */
  answer(): Awaitable<void> {
    if (this.#isAccepted) return undefined;
    if (this.#rejection !== undefined) throw this.#rejection.error;
    this.#answer = new Deferred();
    return this.#answer.promise;
  }
}

/** The receipt of a write that did not come from a run of ours, as a claim: it is settled when the last piece is. */
export class ReceiptClaim implements Claim {
  readonly #receipt: DeferredReceipt;
  #pieces = 1;
  #isLost = false;

  constructor(receipt: DeferredReceipt) {
    this.#receipt = receipt;
  }

  get pieces(): number {
    return this.#pieces;
  }

  get origins(): readonly Part[] {
    return NO_ORIGINS;
  }

  retain(pieces: number): void {
    this.#pieces += pieces;
  }

  rejoin(): void {
    this.#pieces -= 1;
  }

  settle(): void {
    this.#pieces -= 1;
    if (this.#pieces === 0 && !this.#isLost) this.#receipt.settle();
  }

  fail(): void {
    this.#pieces -= 1;
    if (this.#isLost) return;
    this.#isLost = true;
    this.#receipt.fail(new Error('A sink behind the dispatcher failed; its dispatcher says which.'));
  }
}
