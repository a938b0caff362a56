/** through: a stage of the user's own that turns batches into batches, and may hold items back. */

import { isThenable } from '../deferred.ts';
import { joinParcels, type Parcel } from '../delivery/parcel.ts';
import type { Awaitable, Processor } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export class ThroughStage<I, O> extends Stage<O> {
  readonly #input: Stage<I>;
  readonly #processor: Processor<I, O>;
  /** The claims of what the processor has been given and not let out: nothing in them counts as done. */
  #held: Parcel<O>[] = [];
  /** What it answered beyond the demand. */
  #ready: Parcel<O> | undefined;
  #at = 0;
  #demand = 0;
  #flushed = false;

  constructor(input: Stage<I>, run: FlowRun, processor: Processor<I, O>) {
    super(processor.name ?? 'through', [input as Stage<unknown>], run);
    this.#input = input;
    this.#processor = processor;
  }

  override pull(demand: number): Awaitable<Parcel<O> | undefined> {
    this.#demand = demand;
    if (this.#ready !== undefined) return this.#slice(this.#ready);
    if (this.#flushed) return undefined;
    const answer = this.#input.pull(demand);
    return isThenable(answer) ? answer.then(this.#process) : this.#process(answer);
  }

  override close(reason: unknown): Awaitable<void> {
    this.#held = [];
    this.#ready = undefined;
    return this.#processor.close?.(reason);
  }

  readonly #process = (parcel: Parcel<I> | undefined): Awaitable<Parcel<O> | undefined> => {
    if (parcel === undefined) return this.#flush();
    if (parcel.items.length === 0) return this.#accept(parcel, []);
    try {
      const answer = this.#processor.process(parcel.items);
      return isThenable(answer)
        ? Promise.resolve(answer).then((items) => this.#accept(parcel, items), this.#reject)
        : this.#accept(parcel, answer);
    } catch (error) {
      throw this.failure(error);
    }
  };

  readonly #reject = (error: unknown): never => {
    throw this.failure(error);
  };

  #flush(): Awaitable<Parcel<O> | undefined> {
    this.#flushed = true;
    if (this.#processor.flush === undefined) return undefined;
    try {
      const answer = this.#processor.flush();
      return isThenable(answer)
        ? Promise.resolve(answer).then(this.#finish, this.#reject)
        : this.#finish(answer);
    } catch (error) {
      throw this.failure(error);
    }
  }

  readonly #finish = (items: readonly O[]): Parcel<O> | undefined => {
    const held = this.#release();
    return held.length === 0 && items.length === 0 ? undefined : this.#slice(this.#gather(held, items));
  };

  #accept(parcel: Parcel<I>, items: readonly O[]): Parcel<O> {
    this.#held.push(parcel.narrow([], []).replace<O>([]));
    const holdsBack = this.#processor.holdsBack?.() ?? this.#processor.flush !== undefined;
    return this.#slice(this.#gather(holdsBack ? [] : this.#release(), items));
  }

  #release(): Parcel<O>[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Items with the claims of everything they came from; claims that are still held cover the others. */
  #gather(held: readonly Parcel<O>[], items: readonly O[]): Parcel<O> {
    const only = held.length === 1 ? (held[0] as Parcel<O>) : undefined;
    if (only !== undefined && only.parts === null) return only.replace(items);
    const joined = joinParcels(held);
    if (joined.parts === null) return joined.replace(items);
    const last = joined.parts.length - 1;
    joined.parts = joined.parts.map((part, index) => ({ ...part, items: index === last ? items.length : 0 }));
    return joined.replace(items);
  }

  #slice(parcel: Parcel<O>): Parcel<O> {
    const from = this.#at;
    const to = Math.min(parcel.items.length, from + this.#demand);
    this.emitted += to - from;
    this.#ready = to < parcel.items.length ? parcel : undefined;
    this.#at = this.#ready === undefined ? 0 : to;
    return parcel.cut(from, to);
  }
}
