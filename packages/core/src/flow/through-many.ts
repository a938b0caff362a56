/**
 * through, for a processor that works on several batches at once.
 *
 *     pull ◄── [ done, done, │ running, done, running ] ◄── launch ◄── [ rest of a parcel ] ◄── input.pull
 *               done prefix  │ at most `concurrency` at once
 *
 * What is pulled is shared out: a parcel of twelve items, for four calls that could be made, becomes four batches of three;
 * none is larger than the processor's `maxItems`. In order, what is done waits until everything before it is done, in the
 * window, which is as long as there is room downstream, and at least `concurrency` batches. Out of order, whatever is done
 * is handed on.
 */

import { Deferred, isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { OptionError } from '../errors.ts';
import type { ConcurrentProcessor } from '../source.ts';
import { checkLetters, giveUp, type OnRefused } from './refused.ts';
import { type FlowRun, Stage } from './stage.ts';

export interface ThroughOptions {
  /** `false`: results go on as they come. Default `true`. */
  readonly ordered?: boolean | undefined;
  /**
   * What happens to an item that the processor refuses: fail the run, drop the item and count it, or send it to the
   * dead letter of the pipeline. Default `'fail'`.
   */
  readonly onError?: OnRefused | undefined;
}

interface Entry<I, O> {
  /** The batch, while the processor works on it. */
  batch: Parcel<I> | undefined;
  /** What it came to. */
  result: Parcel<O> | undefined;
  failure: { readonly error: unknown } | undefined;
}

export class ThroughManyStage<I, O> extends Stage<O> {
  override readonly isOrdered: boolean;
  readonly #input: Stage<I>;
  readonly #run: FlowRun;
  readonly #processor: ConcurrentProcessor<I, O>;
  readonly #onRefused: OnRefused;
  readonly #controller = new AbortController();
  #entries: Entry<I, O>[] = [];
  #running = 0;
  /** What was pulled and not yet given to the processor, from `#at` on, in batches of `#size`. */
  #rest: Parcel<I> | undefined;
  #at = 0;
  #size = 1;
  #isPulling = false;
  /** Nothing more comes. */
  #hasEnded = false;
  #inputFailure: { readonly error: unknown } | undefined;
  /** A batch failed: the processor is given no more. */
  #hasFailed = false;
  /** Nobody takes what calls that still run come to. */
  #isOver = false;
  #isLeft = false;
  #progress: Deferred | undefined;

  constructor(
    input: Stage<I>,
    run: FlowRun,
    processor: ConcurrentProcessor<I, O>,
    { ordered, onError }: ThroughOptions,
  ) {
    super(processor.name ?? 'through', [input as Stage<unknown>], run);
    this.#input = input;
    this.#run = run;
    this.#processor = processor;
    this.#onRefused = onError ?? 'fail';
    this.isOrdered = ordered ?? true;
    checkLetters(this.name, this.#onRefused, run);
  }

  override get calls(): number {
    return this.#running;
  }

  override async pull(demand: number): Promise<Parcel<O> | undefined> {
    const { deadLetter } = this.#run;
    for (;;) {
      if (this.#onRefused === 'deadLetter') await deadLetter?.room();
      this.#fetch(demand);
      const ready = this.#take(demand);
      if (ready !== undefined) return ready;
      if (this.#entries.length === 0) {
        if (this.#inputFailure !== undefined) throw this.#inputFailure.error;
        if (this.#hasEnded && this.#rest === undefined) return undefined;
      }
      this.#progress = new Deferred();
      await this.#progress.promise;
    }
  }

  override leave(): void {
    this.#isLeft = true;
    for (const { batch, result } of this.#entries) (batch ?? result)?.settle();
    const rest = this.#rest;
    if (rest !== undefined) rest.cut(this.#at, rest.items.length).settle();
    this.abandon();
    // Whoever still waits asks no more.
    this.#wake();
    super.leave();
  }

  override abandon(): void {
    this.#isOver = true;
    this.#hasEnded = true;
    this.#entries = [];
    this.#rest = undefined;
    this.#controller.abort();
  }

  override async close(reason: unknown): Promise<void> {
    this.abandon();
    try {
      await this.#processor.close?.(reason);
    } catch (error) {
      throw this.failure(error);
    }
  }

  #launch(): void {
    const { concurrency } = this.#processor;
    while (this.#rest !== undefined && !this.#hasFailed && this.#running < concurrency) {
      const rest = this.#rest;
      const to = Math.min(this.#at + this.#size, rest.items.length);
      const batch = rest.cut(this.#at, to);
      this.#at = to;
      if (to === rest.items.length) this.#rest = undefined;
      this.#process(batch);
    }
  }

  #process(batch: Parcel<I>): void {
    const entry: Entry<I, O> = { batch, result: undefined, failure: undefined };
    const refused = new Map<number, unknown>();
    this.#entries.push(entry);
    // It came without items, for the sake of its position.
    if (batch.items.length === 0) {
      this.#finish(entry, batch, [], refused);
      return;
    }
    const refuse = (index: number, error: unknown): void => {
      if (!Number.isInteger(index) || index < 0 || index >= batch.items.length) {
        throw new OptionError('refuse index', `an index of the batch, 0 to ${batch.items.length - 1}`, index);
      }
      if (!refused.has(index)) refused.set(index, error);
    };
    try {
      const answer = this.#processor.process(batch.items, { signal: this.#controller.signal, refuse });
      if (!isThenable(answer)) {
        this.#finish(entry, batch, answer, refused);
        return;
      }
      this.#running += 1;
      answer.then(
        (items) => this.#ran(() => this.#finish(entry, batch, items, refused)),
        (error: unknown) => this.#ran(() => this.#fail(entry, error)),
      );
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  #ran(end: () => void): void {
    this.#running -= 1;
    if (this.#isOver) return;
    end();
    this.#launch();
    this.#wake();
  }

  #finish(
    entry: Entry<I, O>,
    batch: Parcel<I>,
    items: readonly O[],
    refused: ReadonlyMap<number, unknown>,
  ): void {
    if (refused.size > 0 && this.#onRefused === 'fail') {
      this.#fail(entry, refused.values().next().value);
      return;
    }
    for (const [at, error] of refused) giveUp(this, this.#onRefused, this.#run, batch, at, error);
    entry.batch = undefined;
    entry.result = batch.unify().replace(items);
  }

  #fail(entry: Entry<I, O>, error: unknown): void {
    entry.batch = undefined;
    entry.failure = { error: this.failure(error) };
    this.#hasFailed = true;
  }

  #fetch(room: number): void {
    if (this.#isPulling || this.#hasEnded || this.#hasFailed || this.#rest !== undefined) return;
    const { concurrency, maxItems = 1 } = this.#processor;
    // Where there is no room left, still a batch for each call that could be made.
    const demand = Math.max((concurrency - this.#entries.length) * maxItems, room - this.#held());
    if (demand <= 0) return;
    try {
      const answer = this.#input.pull(demand);
      if (!isThenable(answer)) {
        this.#fetched(answer);
        return;
      }
      this.#isPulling = true;
      answer.then(
        (parcel) => {
          this.#fetched(parcel);
          this.#wake();
        },
        (error: unknown) => {
          this.#inputFailed(error);
          this.#wake();
        },
      );
    } catch (error) {
      this.#inputFailed(error);
    }
  }

  #fetched(parcel: Parcel<I> | undefined): void {
    this.#isPulling = false;
    if (this.#isLeft) parcel?.settle();
    if (this.#isOver) return;
    if (parcel === undefined) {
      this.#hasEnded = true;
      return;
    }
    const { concurrency, maxItems = Infinity } = this.#processor;
    this.#rest = parcel;
    this.#at = 0;
    const calls = Math.max(1, concurrency - this.#entries.length);
    this.#size = Math.max(1, Math.min(maxItems, Math.ceil(parcel.items.length / calls)));
    this.#launch();
  }

  #inputFailed(error: unknown): void {
    this.#isPulling = false;
    this.#hasEnded = true;
    this.#inputFailure = { error };
  }

  /** What is ready, of one batch: the first, or of those that are done the first where order does not count. */
  #take(demand: number): Parcel<O> | undefined {
    const at = this.isOrdered ? 0 : this.#entries.findIndex(({ batch }) => batch === undefined);
    const entry = this.#entries[at];
    if (entry?.failure !== undefined) throw entry.failure.error;
    const result = entry?.result;
    if (entry === undefined || result === undefined) return undefined;
    const count = Math.min(demand, result.items.length);
    const ready = result.cut(0, count);
    if (ready === result) this.#entries.splice(at, 1);
    else entry.result = result.cut(count, result.items.length);
    this.emitted += count;
    return ready;
  }

  /** Items that are being worked on, or wait to be handed on. */
  #held(): number {
    return this.#entries.reduce((sum, { batch, result }) => sum + ((batch ?? result)?.items.length ?? 0), 0);
  }

  #wake(): void {
    this.#progress?.resolve();
    this.#progress = undefined;
  }
}
