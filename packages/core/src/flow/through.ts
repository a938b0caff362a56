/** through: a stage of the user's own that turns batches into batches, and may hold items back. */

import { isThenable } from '../deferred.ts';
import { ClaimGroup, Parcel } from '../delivery/parcel.ts';
import type { Awaitable, Processor } from '../source.ts';
import { type FlowRun, never, Stage } from './stage.ts';

export class ThroughStage<I, O> extends Stage<O> {
  readonly #input: Stage<I>;
  readonly #processor: Processor<I, O>;
  /**
   * The claims of all it was given since it last held nothing back. What came out meanwhile has a piece of them, and
   * they are done when the last piece is: which item came from which batch only the processor knows.
   */
  #held: ClaimGroup | undefined;
  /** What it answered beyond the demand. */
  #ready: Parcel<O> | undefined;
  #at = 0;
  #demand = 0;
  #flushed = false;
  /** Its processor is called no more, except to be closed. */
  #isOver = false;
  #isLeft = false;
  /** Its processor has not answered yet. */
  #isWaiting = false;

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

  override get calls(): number {
    return this.#isWaiting ? 1 : 0;
  }

  override leave(): void {
    this.#isLeft = true;
    this.#held?.settle();
    this.#held = undefined;
    const ready = this.#ready;
    ready?.cut(this.#at, ready.items.length).settle();
    this.#ready = undefined;
    super.leave();
  }

  override abandon(): void {
    this.#isOver = true;
  }

  override async close(reason: unknown): Promise<void> {
    this.#isOver = true;
    this.#held = undefined;
    this.#ready = undefined;
    try {
      await this.#processor.close?.(reason);
    } catch (error) {
      throw this.failure(error);
    }
  }

  readonly #process = (parcel: Parcel<I> | undefined): Awaitable<Parcel<O> | undefined> => {
    // The stage before it may still answer, or end because it was closed: nobody waits for that any more.
    if (this.#isOver) return never();
    if (this.#isLeft) return parcel === undefined ? undefined : this.#accept(parcel, []);
    if (parcel === undefined) return this.#flush();
    if (parcel.items.length === 0) return this.#accept(parcel, []);
    try {
      const answer = this.#processor.process(parcel.items);
      if (!isThenable(answer)) return this.#accept(parcel, answer);
      this.#isWaiting = true;
      return Promise.resolve(answer).then((items) => {
        this.#isWaiting = false;
        return this.#isOver ? never() : this.#accept(parcel, items);
      }, this.#reject);
    } catch (error) {
      throw this.failure(error);
    }
  };

  readonly #reject = (error: unknown): never => {
    this.#isWaiting = false;
    throw this.failure(error);
  };

  #flush(): Awaitable<Parcel<O> | undefined> {
    this.#flushed = true;
    if (this.#processor.flush === undefined) return undefined;
    try {
      const answer = this.#processor.flush();
      if (!isThenable(answer)) return this.#finish(answer);
      this.#isWaiting = true;
      return Promise.resolve(answer).then(this.#finish, this.#reject);
    } catch (error) {
      throw this.failure(error);
    }
  }

  readonly #finish = (items: readonly O[]): Parcel<O> | undefined => {
    this.#isWaiting = false;
    const held = this.#held ?? null;
    this.#held = undefined;
    return held === null && items.length === 0 ? undefined : this.#slice(new Parcel(items, held, null));
  };

  #accept(parcel: Parcel<I>, items: readonly O[]): Parcel<O> {
    if (this.#isLeft) {
      // It was asked for before that: nobody comes for what it became.
      parcel.settle();
      return new Parcel<O>([], null, null);
    }
    const holdsBack = this.#processor.holdsBack?.() ?? this.#processor.flush !== undefined;
    const held = this.#held;
    if (held === undefined && !holdsBack) return this.#slice(parcel.unify().replace(items));
    const parts = parcel.listParts();
    if (held === undefined) this.#held = parts.length === 0 ? undefined : new ClaimGroup(parts);
    else held.add(parts);
    const claims = this.#held ?? null;
    if (!holdsBack) this.#held = undefined;
    else if (items.length === 0) return new Parcel<O>([], null, null);
    else claims?.retain(1);
    return this.#slice(new Parcel(items, claims, null));
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
