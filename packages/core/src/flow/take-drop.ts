/** take and drop: the first so many items, and all but those. */

import { isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export class TakeStage<T> extends Stage<T> {
  #left: number;

  private readonly input: Stage<T>;

  constructor(input: Stage<T>, run: FlowRun, count: number) {
    super('take', [input as Stage<unknown>], run);
    this.input = input;
    this.#left = count;
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    if (this.#left === 0) return undefined;
    const answer = this.input.pull(Math.min(demand, this.#left));
    return isThenable(answer) ? answer.then(this.#count) : this.#count(answer);
  }

  readonly #count = (parcel: Parcel<T> | undefined): Parcel<T> | undefined => {
    if (parcel !== undefined) {
      this.#left -= parcel.items.length;
      this.emitted += parcel.items.length;
      if (this.#left === 0) this.input.leave();
    }
    return parcel;
  };
}

export class DropStage<T> extends Stage<T> {
  #left: number;

  private readonly input: Stage<T>;

  constructor(input: Stage<T>, run: FlowRun, count: number) {
    super('drop', [input as Stage<unknown>], run);
    this.input = input;
    this.#left = count;
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    const answer = this.input.pull(demand);
    return isThenable(answer) ? answer.then(this.#drop) : this.#drop(answer);
  }

  readonly #drop = (parcel: Parcel<T> | undefined): Parcel<T> | undefined => {
    if (parcel === undefined) return undefined;
    const { items } = parcel;
    const skipped = Math.min(this.#left, items.length);
    this.#left -= skipped;
    this.emitted += items.length - skipped;
    if (skipped === 0) return parcel;
    return parcel.narrow(
      items.map((_, at) => at >= skipped),
      items.slice(skipped),
    );
  };
}
