/** batch: arrays of up to `size` items, each counting as one item from then on. */

import { Deferred, isThenable } from '../deferred.ts';
import { concatItems, gatherParcels, type Parcel } from '../delivery/parcel.ts';
import { runtime } from '../runtime.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

export interface BatchOptions {
  /** An array that is not full goes on this long after its first item came, in milliseconds. Default: it waits. */
  readonly withinMs?: number | undefined;
}

export class BatchStage<T> extends Stage<readonly T[]> {
  #gathered: Parcel<T>[] = [];
  #count = 0;
  #pulling = false;
  #ended = false;
  #error: { error: unknown } | undefined;
  #isDue = false;
  #isLeft = false;
  #timer: unknown;
  #progress: Deferred | undefined;

  private readonly input: Stage<T>;
  private readonly size: number;
  private readonly withinMs: number | undefined;

  constructor(input: Stage<T>, run: FlowRun, size: number, withinMs: number | undefined) {
    super('batch', [input as Stage<unknown>], run);
    this.input = input;
    this.size = size;
    this.withinMs = withinMs;
  }

  override pull(): Awaitable<Parcel<readonly T[]> | undefined> {
    while (!this.#isReady()) {
      if (this.#pulling || !this.#fetch()) return this.#wait();
    }
    return this.#hand();
  }

  override leave(): void {
    this.#isLeft = true;
    this.#clearTimer();
    for (const parcel of this.#gathered) parcel.settle();
    this.#gathered = [];
    this.#count = 0;
    super.leave();
  }

  override close(): void {
    this.#clearTimer();
    this.#gathered = [];
    this.#count = 0;
    this.#ended = true;
    this.#progress?.resolve();
  }

  async #wait(): Promise<Parcel<readonly T[]> | undefined> {
    while (!this.#isReady()) {
      if (!this.#pulling && this.#fetch()) continue;
      this.#progress = new Deferred();
      await this.#progress.promise;
    }
    return this.#hand();
  }

  #isReady(): boolean {
    if (this.#count >= this.size || this.#ended) return true;
    // Batches that were emptied on the way, before any item came, wait for nothing.
    return this.#count > 0 ? this.#isDue : this.#gathered.length > 0;
  }

  #hand(): Parcel<readonly T[]> | undefined {
    this.#clearTimer();
    this.#isDue = false;
    if (this.#count === 0) {
      const rest = this.#gathered;
      this.#gathered = [];
      if (rest.length === 0 && this.#error !== undefined) throw this.#error.error;
      // Batches that were emptied on the way still have to be settled.
      return rest.length === 0 ? undefined : gatherParcels<T, readonly T[]>(rest, []).narrow([false], []);
    }
    const items =
      this.#gathered.length === 1 ? (this.#gathered[0] as Parcel<T>).items : concatItems(this.#gathered);
    const parcel = gatherParcels<T, readonly T[]>(this.#gathered, items);
    this.#gathered = [];
    this.#count = 0;
    this.emitted += 1;
    return parcel;
  }

  /** Asks for what is missing; answers whether that was answered at once. */
  #fetch(): boolean {
    try {
      const answer = this.input.pull(this.size - this.#count);
      if (!isThenable(answer)) {
        this.#accept(answer);
        return true;
      }
      this.#pulling = true;
      answer.then(this.#arrived, this.#failed);
      return false;
    } catch (error) {
      this.#ended = true;
      this.#error = { error };
      return true;
    }
  }

  readonly #arrived = (parcel: Parcel<T> | undefined): void => {
    this.#pulling = false;
    this.#accept(parcel);
    this.#wake();
  };

  readonly #failed = (error: unknown): void => {
    this.#pulling = false;
    this.#ended = true;
    this.#error = { error };
    this.#wake();
  };

  #accept(parcel: Parcel<T> | undefined): void {
    if (this.#isLeft) {
      parcel?.settle();
      // Whoever still waits asks no more.
      this.#ended = true;
      return;
    }
    if (this.#ended) return;
    if (parcel === undefined) {
      this.#ended = true;
      return;
    }
    this.#gathered.push(parcel);
    this.#count += parcel.items.length;
    if (this.withinMs !== undefined && this.#count > 0 && this.#count < this.size) {
      this.#timer ??= runtime.setTimer(this.#due, this.withinMs);
    }
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    this.#isDue = true;
    this.#wake();
  };

  #wake(): void {
    this.#progress?.resolve();
    this.#progress = undefined;
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
