/**
 * Operators that look at one item at a time: map, filter, tap, validate. They work through a whole parcel in one loop,
 * and go over to an AsyncWindow for good when the function answers with its first promise.
 */

import { isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import { AsyncWindow } from './async-window.ts';
import { checkLetters, giveUp, type OnRefused } from './refused.ts';
import { type FlowRun, Stage } from './stage.ts';

export interface AsyncOptions {
  /** How many calls may be in flight. Default: the run's `maxConcurrency`. */
  readonly concurrency?: number | undefined;
  /** `false`: results go on as they come. Default `true`. */
  readonly ordered?: boolean | undefined;
}

export interface MapOptions extends AsyncOptions {
  /**
   * What happens to an item for which the function throws or rejects: fail the run, drop the item and count it, or send it
   * to the dead letter of the pipeline. Default `'fail'`.
   */
  readonly onError?: OnRefused | undefined;
}

/** What a call came to that failed, where the run goes on without its item. */
class Refusal {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** What the loop of an operator came to, when it met a promise at item `at`. */
export interface Suspended {
  readonly at: number;
  readonly answer: PromiseLike<unknown>;
}

export abstract class ItemStage<I, O> extends Stage<O> {
  override readonly isOrdered: boolean;
  readonly #input: Stage<I>;
  readonly #options: AsyncOptions;
  readonly #run: FlowRun;
  #window: AsyncWindow<I, O> | undefined;
  #demand = 0;
  /** What the loop is in. */
  #parcel: Parcel<I> | undefined;
  protected readonly onRefused: OnRefused;
  /** What calls that still run come to is nobody's any more. */
  #hasLeft = false;

  constructor(
    name: string,
    input: Stage<I>,
    run: FlowRun,
    options: AsyncOptions,
    onRefused: OnRefused = 'fail',
  ) {
    super(name, [input as Stage<unknown>], run);
    this.onRefused = onRefused;
    checkLetters(name, onRefused, run);
    this.isOrdered = options.ordered ?? true;
    this.#input = input;
    this.#options = options;
    this.#run = run;
  }

  /** Calls the user's function. */
  protected abstract call(item: I): unknown;

  /**
   * Calls it for each item up to the first promise. Fills `kept` (which of the items stay) and `out` (what they became);
   * answers where it was suspended, if it was.
   */
  protected abstract loop(items: readonly I[], kept: boolean[] | undefined, out: O[]): Suspended | undefined;

  /** What an item becomes, given what the call answered: nothing, if it is to be dropped. */
  protected abstract finish(item: I, answer: unknown): readonly O[];

  /** Whether items may be dropped. */
  protected readonly narrows: boolean = false;
  /** Whether the run goes on without items for which the function fails. */
  protected readonly catches: boolean = false;

  override pull(demand: number): Awaitable<Parcel<O> | undefined> {
    if (this.onRefused === 'deadLetter') {
      const room = this.#run.deadLetter?.room();
      if (room !== undefined) return room.then(() => this.pull(demand));
    }
    this.#demand = demand;
    if (this.#window !== undefined) return this.#pullWindow(demand);
    const answer = this.#input.pull(demand);
    return isThenable(answer) ? answer.then(this.#apply) : this.#apply(answer);
  }

  override get calls(): number {
    return this.#window?.running ?? 0;
  }

  override leave(): void {
    this.#hasLeft = true;
    this.#window?.leave();
    super.leave();
  }

  /** No more calls: nobody takes their answers. */
  override abandon(): void {
    this.close();
  }

  override close(): void {
    this.#hasLeft = true;
    this.#window?.close();
  }

  readonly #apply = (parcel: Parcel<I> | undefined): Awaitable<Parcel<O> | undefined> => {
    if (parcel === undefined) return undefined;
    const kept: boolean[] | undefined = this.narrows && parcel.parts !== null ? [] : undefined;
    const out: O[] = [];
    let suspended: Suspended | undefined;
    this.#parcel = parcel;
    try {
      suspended = this.loop(parcel.items, kept, out);
    } catch (error) {
      throw this.failure(error);
    } finally {
      this.#parcel = undefined;
    }
    if (suspended !== undefined) return this.#suspend(parcel, suspended, kept, out);
    this.emitted += out.length;
    if (kept !== undefined) parcel.narrow(kept, parcel.items);
    return parcel.replace(out);
  };

  #suspend(
    parcel: Parcel<I>,
    { at, answer }: Suspended,
    kept: boolean[] | undefined,
    out: O[],
  ): Awaitable<Parcel<O> | undefined> {
    const length = parcel.items.length;
    const done = at === 0 ? undefined : parcel.cut(0, at);
    if (kept !== undefined) done?.narrow(kept, done.items);
    const item = parcel.cut(at, at + 1);
    const rest = at + 1 === length ? undefined : parcel.cut(at + 1, length);
    this.#window = new AsyncWindow<I, O>({
      input: this.#input,
      concurrency: this.#options.concurrency ?? this.#run.concurrency,
      ordered: this.#options.ordered ?? true,
      isCautious: this.#run.isCautious,
      call: (one) => {
        try {
          return this.#guard(this.call(one));
        } catch (error) {
          if (this.catches) return new Refusal(error);
          throw this.failure(error);
        }
      },
      finish: (one, value) => {
        this.#parcel = one as Parcel<I>;
        if (value instanceof Refusal) {
          this.refuse(0, value.error);
          return one.narrow([], []).replace<O>([]);
        }
        const items = this.finish(one.items[0] as I, value);
        return items.length === 0 ? one.narrow([], []).replace<O>([]) : one.replace(items);
      },
    });
    this.#window.adopt(done?.replace(out), item, this.#guard(answer) as PromiseLike<unknown>, rest);
    return this.#pullWindow(this.#demand);
  }

  /** Where the run goes on without items that fail, a rejection is an answer. */
  #guard(answer: unknown): unknown {
    return this.catches && isThenable(answer)
      ? answer.then(undefined, (error: unknown) => new Refusal(error))
      : answer;
  }

  /** The run goes on without this item of the parcel that the loop is in. */
  protected refuse(at: number, error: unknown): void {
    if (this.#hasLeft) return;
    giveUp(this, this.onRefused, this.#run, this.#parcel as Parcel<I>, at, error);
  }

  async #pullWindow(demand: number): Promise<Parcel<O> | undefined> {
    try {
      const parcel = await this.#window?.pull(demand);
      if (parcel !== undefined) this.emitted += parcel.items.length;
      return parcel;
    } catch (error) {
      throw this.failure(error);
    }
  }
}

export class MapStage<I, O> extends ItemStage<I, O> {
  protected override readonly narrows: boolean;
  protected override readonly catches: boolean;
  private readonly transform: (item: I) => Awaitable<O>;

  constructor(input: Stage<I>, run: FlowRun, options: MapOptions, transform: (item: I) => Awaitable<O>) {
    super('map', input, run, options, options.onError);
    this.transform = transform;
    this.catches = this.onRefused !== 'fail';
    this.narrows = this.catches;
  }

  protected override call(item: I): unknown {
    return this.transform(item);
  }

  protected override loop(items: readonly I[], kept: boolean[] | undefined, out: O[]): Suspended | undefined {
    if (this.catches) return this.#catchingLoop(items, kept, out);
    const transform = this.transform;
    for (let at = 0; at < items.length; at++) {
      const answer = transform(items[at] as I);
      if (isThenable(answer)) return { at, answer };
      out.push(answer);
    }
    return undefined;
  }

  #catchingLoop(items: readonly I[], kept: boolean[] | undefined, out: O[]): Suspended | undefined {
    for (let at = 0; at < items.length; at++) {
      let answer: Awaitable<O>;
      try {
        answer = this.transform(items[at] as I);
        // Also a "then" of theirs may throw.
        if (isThenable(answer)) return { at, answer };
      } catch (error) {
        if (kept !== undefined) kept.push(false);
        this.refuse(at, error);
        continue;
      }
      if (kept !== undefined) kept.push(true);
      out.push(answer);
    }
    return undefined;
  }

  protected override finish(_item: I, answer: unknown): readonly O[] {
    return [answer as O];
  }
}

export class FilterStage<T> extends ItemStage<T, T> {
  protected override readonly narrows = true;

  private readonly predicate: (item: T) => Awaitable<boolean>;

  constructor(
    input: Stage<T>,
    run: FlowRun,
    options: AsyncOptions,
    predicate: (item: T) => Awaitable<boolean>,
  ) {
    super('filter', input, run, options);
    this.predicate = predicate;
  }

  protected override call(item: T): unknown {
    return this.predicate(item);
  }

  protected override loop(items: readonly T[], kept: boolean[] | undefined, out: T[]): Suspended | undefined {
    const predicate = this.predicate;
    for (let at = 0; at < items.length; at++) {
      const item = items[at] as T;
      const answer = predicate(item);
      if (isThenable(answer)) return { at, answer };
      if (kept !== undefined) kept.push(Boolean(answer));
      if (answer) out.push(item);
    }
    return undefined;
  }

  protected override finish(item: T, answer: unknown): readonly T[] {
    return answer ? [item] : [];
  }
}

export class TapStage<T> extends ItemStage<T, T> {
  private readonly look: (item: T) => unknown;

  constructor(input: Stage<T>, run: FlowRun, options: AsyncOptions, look: (item: T) => unknown) {
    super('tap', input, run, options);
    this.look = look;
  }

  protected override call(item: T): unknown {
    return this.look(item);
  }

  protected override loop(items: readonly T[], _kept: undefined, out: T[]): Suspended | undefined {
    const look = this.look;
    for (let at = 0; at < items.length; at++) {
      const item = items[at] as T;
      const answer = look(item);
      if (isThenable(answer)) return { at, answer };
      out.push(item);
    }
    return undefined;
  }

  protected override finish(item: T): readonly T[] {
    return [item];
  }
}
