/** flatMap: a cursor over what the function answers, item by item, which stops where the demand ends. */

import { ignoreRejection, isThenable } from '../deferred.ts';
import { Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export class FlatMapStage<I, O> extends Stage<O> {
  readonly #input: Stage<I>;
  readonly #transform: (item: I) => Awaitable<Iterable<O>>;
  /** What was pulled and is being worked through. */
  #parcel: Parcel<I> | undefined;
  /** Its next item. */
  #at = 0;
  #inner: Iterator<O> | undefined;
  #demand = 0;
  #isLeft = false;
  /** Items pulled and handed on so far: how many one becomes says how many to ask for. */
  #pulled = 0;

  constructor(input: Stage<I>, run: FlowRun, transform: (item: I) => Awaitable<Iterable<O>>) {
    super('flatMap', [input as Stage<unknown>], run);
    this.#input = input;
    this.#transform = transform;
  }

  override pull(demand: number): Awaitable<Parcel<O> | undefined> {
    this.#demand = demand;
    if (this.#parcel !== undefined) return this.#flatten(this.#parcel);
    const ratio = Math.max(1, this.emitted / this.#pulled);
    const answer = this.#input.pull(this.#pulled === 0 ? 1 : Math.ceil(demand / ratio));
    return isThenable(answer) ? answer.then(this.#accept) : this.#accept(answer);
  }

  override get calls(): number {
    return this.#isWaiting ? 1 : 0;
  }

  override leave(): void {
    this.#isLeft = true;
    this.#parcel?.settle();
    this.#parcel = undefined;
    super.leave();
  }

  override abandon(): void {
    this.close();
  }

  override close(): void {
    this.#parcel = undefined;
    this.#inner?.return?.();
    this.#inner = undefined;
  }

  readonly #accept = (parcel: Parcel<I> | undefined): Awaitable<Parcel<O> | undefined> => {
    if (parcel === undefined) return undefined;
    if (this.#isLeft) {
      // It was asked for before that: nobody comes for the rest of what it would become.
      parcel.settle();
      return new Parcel<O>([], null, null);
    }
    this.#pulled += parcel.items.length;
    // Its items will be multiplied, so what belongs to which batch can no longer be counted.
    this.#parcel = parcel.unify();
    this.#at = 0;
    return this.#flatten(this.#parcel);
  };

  /** Works through what is at hand, up to the demand or the first promise. */
  #flatten(parcel: Parcel<I>): Awaitable<Parcel<O>> {
    const out: O[] = [];
    let waiting: PromiseLike<Iterable<O>> | undefined;
    try {
      waiting = this.#fill(parcel.items, out, this.#demand);
    } catch (error) {
      throw this.failure(error);
    }
    this.emitted += out.length;
    if (waiting === undefined && this.#at === parcel.items.length) {
      this.#parcel = undefined;
      return parcel.replace(out);
    }
    // What is ready goes on before anything is waited for; the next pull waits.
    if (waiting !== undefined) {
      if (out.length === 0) return this.#resume(parcel, waiting);
      // It may fail before the next pull comes to see it.
      ignoreRejection(waiting);
      this.#pending = waiting;
    }
    parcel.retain(1);
    return new Parcel(out, parcel.receipt, null);
  }

  #isWaiting = false;
  /** The promise that the item at `#at` answered, while it was not waited for. */
  #pending: PromiseLike<Iterable<O>> | undefined;

  async #resume(parcel: Parcel<I>, waiting: PromiseLike<Iterable<O>>): Promise<Parcel<O>> {
    this.#isWaiting = true;
    try {
      this.#inner = (await waiting)[Symbol.iterator]();
    } catch (error) {
      throw this.failure(error);
    } finally {
      this.#isWaiting = false;
    }
    // Left meanwhile: what it held is settled, and nobody wants more of it.
    return this.#parcel === undefined ? new Parcel<O>([], null, null) : this.#flatten(parcel);
  }

  /** Fills `out` from the items at hand; answers the promise it met, if it met one. */
  #fill(items: readonly I[], out: O[], wanted: number): PromiseLike<Iterable<O>> | undefined {
    const transform = this.#transform;
    for (; this.#at < items.length; this.#at++) {
      if (this.#inner === undefined) {
        if (out.length === wanted) return undefined;
        const answer = this.#pending ?? transform(items[this.#at] as I);
        this.#pending = undefined;
        if (isThenable(answer)) return answer;
        if (Array.isArray(answer) && answer.length <= wanted - out.length) {
          for (const item of answer as O[]) out.push(item);
          continue;
        }
        this.#inner = answer[Symbol.iterator]();
      }
      for (;;) {
        if (out.length === wanted) return undefined;
        const next = this.#inner.next();
        if (next.done === true) break;
        out.push(next.value);
      }
      this.#inner = undefined;
    }
    return undefined;
  }
}
