/** One write on its way: the context its sink gets, and the receipt for a sink that settles it itself. */

import { onAbort } from '../abort.ts';
import { overSettled } from '../delivery/lane.ts';
import { type Claim, Parcel, type Part } from '../delivery/parcel.ts';
import type { OperationEnd } from '../observe.ts';
import type { DeferredReceipt, WriteContext } from '../sink.ts';

/** What a write reports to: the task that started it. */
export interface WriteOwner {
  readonly signal: AbortSignal;
  /** Whether each write has a signal of its own, because it may be given up before the run is. */
  readonly givesWritesUp: boolean;
  /** Whether what is lost now counts as done. */
  readonly consentsToLoss: boolean;
  /** Where items that are lost count as done: is given what a sink took into its own hands, to end it with the sink. */
  readonly track: ((claim: ConsentedClaim) => void) | undefined;
  /** The sink took one more write into its own hands, and has settled one of them: 1 and -1. */
  deferred(count: 1 | -1): void;
  lost(error: unknown): void;
}

/**
 * What a sink took into its own hands, and whose loss was consented to: a piece that fails is done, and so is whatever is
 * left when the sink has ended. What fails because everything has is not lost: the next run brings it again.
 */
export class ConsentedClaim implements Claim {
  readonly #whole: Parcel<unknown>;
  readonly #owner: { readonly consentsToLoss: boolean };
  #pieces = 1;
  #hasFailed = false;
  isLost = false;
  /** Called when it has ended. */
  onEnd: () => void = () => {};

  constructor(whole: Parcel<unknown>, owner: { readonly consentsToLoss: boolean }) {
    this.#whole = whole;
    this.#owner = owner;
  }

  get items(): number {
    return this.#whole.items.length;
  }

  get pieces(): number {
    return this.#pieces;
  }

  get origins(): readonly Part[] {
    return this.#whole.listParts();
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
    if (this.#hasFailed) this.#whole.fail();
    else this.#whole.settle();
    this.onEnd();
  }

  fail(): void {
    if (this.#owner.consentsToLoss) this.isLost = true;
    else this.#hasFailed = true;
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
  readonly attempt: number;
  parcel: Parcel<T>;
  readonly positions: ReadonlyMap<string, unknown> | undefined;
  /** What is settled by a sink that defers: the parcel itself, but where its loss was consented to. */
  handed: Parcel<T>;
  readonly #owner: WriteOwner;
  #deferred = false;
  /** What the sink has to settle: counted here, so that it cannot settle what belongs to another write. */
  #pieces = 1;
  /** It was answered, or given up: what comes later is ignored. */
  isOver = false;
  /** Gives it up. */
  timer: unknown;
  /** Told of its end, where somebody watches. */
  observed: ((end: OperationEnd) => void) | undefined;
  /** Its own signal, where it has one and somebody asked for it. */
  #controller: AbortController | undefined;
  #unlink: (() => void) | undefined;
  #givenUp: { readonly reason: unknown } | undefined;

  constructor(
    parcel: Parcel<T>,
    owner: WriteOwner,
    positions: ReadonlyMap<string, unknown> | undefined,
    attempt: number = 1,
  ) {
    this.attempt = attempt;
    this.parcel = parcel;
    this.positions = positions;
    this.handed = parcel;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      // Whoever looks only now is to see it too.
      if (this.#givenUp !== undefined) return AbortSignal.abort(this.#givenUp.reason);
      if (!this.#owner.givesWritesUp || this.isOver) return this.#owner.signal;
      const controller = new AbortController();
      this.#controller = controller;
      this.#unlink = onAbort(this.#owner.signal, (reason) => controller.abort(reason));
    }
    return this.#controller.signal;
  }

  /** Nobody waits for it any more: the sink is told by its signal. */
  giveUp(reason: unknown): void {
    this.#givenUp = { reason };
    this.unlink();
    this.#controller?.abort(reason);
  }

  /** Its signal hears no more of the run's. */
  unlink(): void {
    this.#unlink?.();
    this.#unlink = undefined;
  }

  /** Its items are the sink's: whoever still waits for it keeps the claims on them alone. */
  forgetItems(claims: Parcel<T>): void {
    this.parcel = claims;
    this.handed = claims;
  }

  get isDeferred(): boolean {
    return this.#deferred;
  }

  defer(): DeferredReceipt {
    if (this.#givenUp !== undefined && !this.#deferred) return NOT_WANTED;
    if (!this.#deferred && this.#owner.track !== undefined) {
      const claim = new ConsentedClaim(this.parcel, this.#owner);
      this.handed = new Parcel<T>(this.parcel.items, claim, null);
      this.#owner.track(claim);
    }
    if (!this.#deferred) this.#owner.deferred(1);
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
    this.#end();
  }

  fail(error: unknown): void {
    this.#give();
    this.handed.fail();
    this.#owner.lost(error);
    this.#end();
  }

  #give(): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces -= 1;
  }

  #end(): void {
    if (this.#pieces === 0) this.#owner.deferred(-1);
  }
}

/** For a sink that takes a write into its own hands after that was given up: it is written again, or lost, by others. */
const NOT_WANTED: DeferredReceipt = { retain: () => {}, settle: () => {}, fail: () => {} };
