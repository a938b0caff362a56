/** flatMap: a cursor over what the function answers, item by item, which stops where the demand ends. */

import { isThenable } from '../deferred.ts';
import { joinParcels, Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export class FlatMapStage<I, O> extends Stage<O> {
  readonly #input: Stage<I>;
  readonly #transform: (item: I) => Awaitable<Iterable<O>>;
  /** What was pulled, by source batch; the first is being worked through. */
  #parcels: Parcel<I>[] = [];
  /** The next item of the first parcel. */
  #at = 0;
  #inner: Iterator<O> | undefined;
  #demand = 0;
  /** Items pulled and handed on so far: how many one becomes says how many to ask for. */
  #pulled = 0;

  constructor(input: Stage<I>, run: FlowRun, transform: (item: I) => Awaitable<Iterable<O>>) {
    super('flatMap', [input as Stage<unknown>], run);
    this.#input = input;
    this.#transform = transform;
  }

  override pull(demand: number): Awaitable<Parcel<O> | undefined> {
    this.#demand = demand;
    if (this.#parcels.length > 0) return this.#flatten();
    const ratio = Math.max(1, this.emitted / this.#pulled);
    const answer = this.#input.pull(this.#pulled === 0 ? 1 : Math.ceil(demand / ratio));
    return isThenable(answer) ? answer.then(this.#accept) : this.#accept(answer);
  }

  override close(): void {
    this.#parcels = [];
    this.#inner?.return?.();
    this.#inner = undefined;
  }

  readonly #accept = (parcel: Parcel<I> | undefined): Awaitable<Parcel<O> | undefined> => {
    if (parcel === undefined) return undefined;
    this.#pulled += parcel.items.length;
    this.#parcels = splitByBatch(parcel);
    this.#at = 0;
    return this.#flatten();
  };

  /** Works through what is at hand, up to the demand or the first promise. */
  #flatten(): Awaitable<Parcel<O>> {
    const ready: Parcel<O>[] = [];
    let wanted = this.#demand;
    let waiting: PromiseLike<Iterable<O>> | undefined;
    while (wanted > 0 && this.#parcels.length > 0) {
      const parcel = this.#parcels[0] as Parcel<I>;
      const out: O[] = [];
      try {
        waiting = this.#fill(parcel.items, out, wanted);
      } catch (error) {
        throw this.failure(error);
      }
      wanted -= out.length;
      if (waiting === undefined && this.#at === parcel.items.length && this.#inner === undefined) {
        this.#parcels.shift();
        this.#at = 0;
        ready.push(parcel.replace(out));
      } else if (out.length > 0) {
        parcel.retain(1);
        ready.push(new Parcel(out, parcel.receipt, false, null));
      }
      if (waiting !== undefined) break;
    }
    // What is ready goes on before anything is waited for; the next pull waits.
    if (ready.length === 0 && waiting !== undefined) return this.#resume(waiting);
    if (waiting !== undefined) this.#pending = waiting;
    this.emitted += this.#demand - wanted;
    return ready.length === 1 ? (ready[0] as Parcel<O>) : joinParcels(ready);
  }

  /** The promise that the item at `#at` answered, while it was not waited for. */
  #pending: PromiseLike<Iterable<O>> | undefined;

  async #resume(waiting: PromiseLike<Iterable<O>>): Promise<Parcel<O>> {
    try {
      this.#inner = (await waiting)[Symbol.iterator]();
    } catch (error) {
      throw this.failure(error);
    }
    return this.#flatten();
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

/** A parcel whose items grow in number has to be of one source batch: the counts of parts would no longer fit. */
function splitByBatch<T>(parcel: Parcel<T>): Parcel<T>[] {
  if (parcel.parts === null) return [parcel];
  let at = 0;
  return parcel.parts.map(({ receipt, items, end }) => {
    const piece = new Parcel(parcel.items.slice(at, at + items), receipt, end, null);
    at += items;
    return piece;
  });
}
