/** throttle: lets so many items pass in so much time, by asking for no more. */

import { Deferred, isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { runtime } from '../runtime.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export class ThrottleStage<T> extends Stage<T> {
  /** Items that may pass now. They come evenly, and at most one period's worth is saved up. */
  #tokens: number;
  #at = runtime.now();
  #timer: unknown;
  #wait: Deferred | undefined;
  #isClosed = false;

  private readonly input: Stage<T>;
  private readonly items: number;
  private readonly perMs: number;

  constructor(input: Stage<T>, run: FlowRun, items: number, perMs: number) {
    super('throttle', [input as Stage<unknown>], run);
    this.input = input;
    this.items = items;
    this.perMs = perMs;
    this.#tokens = items;
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    // Not for a trickle: a twentieth of a period at least, unless less is wanted.
    const worthwhile = Math.min(demand, Math.max(1, Math.floor(this.items / 20)));
    this.#refill();
    // The clock is a fraction: a token that is short by a rounding error is there.
    const missing = worthwhile - this.#tokens;
    if (missing > 1e-6) return this.#pullLater(demand, missing);
    const answer = this.input.pull(Math.min(demand, Math.max(1, Math.floor(this.#tokens + 1e-6))));
    return isThenable(answer) ? answer.then(this.#spend) : this.#spend(answer);
  }

  /** It holds items up by itself. */
  override get calls(): number {
    return this.#timer === undefined ? 0 : 1;
  }

  override close(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#isClosed = true;
    this.#wait?.resolve();
  }

  async #pullLater(demand: number, missing: number): Promise<Parcel<T> | undefined> {
    this.#wait = new Deferred();
    this.#timer = runtime.setTimer(this.#wait.resolve, (missing * this.perMs) / this.items);
    await this.#wait.promise;
    this.#timer = undefined;
    return this.#isClosed ? undefined : this.pull(demand);
  }

  #refill(): void {
    const now = runtime.now();
    this.#tokens = Math.min(this.items, this.#tokens + ((now - this.#at) * this.items) / this.perMs);
    this.#at = now;
  }

  readonly #spend = (parcel: Parcel<T> | undefined): Parcel<T> | undefined => {
    if (parcel !== undefined) {
      this.#tokens -= parcel.items.length;
      this.emitted += parcel.items.length;
    }
    return parcel;
  };
}
