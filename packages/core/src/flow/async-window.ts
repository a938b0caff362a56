/**
 * Calls of an asynchronous function, a bounded number at a time.
 *
 *     pull ◄── [ done, done, │ running, done, running ] ◄── launch ◄── [ rest of a parcel ] ◄── input.pull
 *               done prefix  │ at most `concurrency`
 *
 * In order, what is done waits until everything before it is done, in the window, which is as long as there is room
 * downstream, and at least `concurrency`. Out of order, whatever is done is handed on.
 */

import { Deferred, isThenable } from '../deferred.ts';
import { joinParcels, type Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import type { Stage } from './stage.ts';

interface Entry<I, O> {
  /** What its call was made with, while it runs. */
  item: Parcel<I> | undefined;
  /** What it came to; nothing while the call runs. */
  result: Parcel<O> | undefined;
  failed: boolean;
  error: unknown;
}

export interface AsyncWindowOptions<I, O> {
  readonly input: Stage<I>;
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly call: (item: I) => unknown;
  /** What belongs to different source batches is not to be joined. */
  readonly isCautious?: (() => boolean) | undefined;
  /** What a parcel of one item becomes, given what its call answered. */
  readonly finish: (parcel: Parcel<I>, answer: unknown) => Parcel<O>;
}

export class AsyncWindow<I, O> {
  readonly #options: AsyncWindowOptions<I, O>;
  #entries: Entry<I, O>[] = [];
  #running = 0;
  /** What was pulled and not yet launched, from `#at` on. */
  #rest: Parcel<I> | undefined;
  #at = 0;
  #pulling = false;
  /** Nothing more comes, or nothing more is wanted. */
  #ended = false;
  /** A call failed: no more are made. */
  #hasFailed = false;
  #isLeft = false;
  #inputError: { error: unknown } | undefined;
  #progress: Deferred | undefined;
  /** What is left of the last demand: the room downstream that what waits here may fill. */
  #room = 0;

  constructor(options: AsyncWindowOptions<I, O>) {
    this.#options = options;
  }

  /** Calls that run. */
  get running(): number {
    return this.#running;
  }

  /** Takes over in the middle of a parcel: `done` is what came before the call that turned out to be asynchronous. */
  adopt(
    done: Parcel<O> | undefined,
    item: Parcel<I>,
    answer: PromiseLike<unknown>,
    rest: Parcel<I> | undefined,
  ): void {
    if (done !== undefined) this.#entries.push(ended(done));
    this.#wait(item, answer);
    this.#rest = rest;
    this.#at = 0;
  }

  async pull(demand: number): Promise<Parcel<O> | undefined> {
    this.#room = demand;
    for (;;) {
      this.#launch();
      this.#fetch(demand);
      const ready = this.#gather(demand);
      if (ready !== undefined) {
        this.#room = demand - ready.items.length;
        return ready;
      }
      if (this.#inputError !== undefined && this.#entries.length === 0) throw this.#inputError.error;
      if (this.#ended && this.#entries.length === 0 && this.#rest === undefined) return undefined;
      this.#progress = new Deferred();
      await this.#progress.promise;
    }
  }

  /** @see Stage.leave. Calls that run are not waited for. */
  leave(): void {
    for (const { item, result } of this.#entries) (item ?? result)?.settle();
    const rest = this.#rest;
    if (rest !== undefined) rest.cut(this.#at, rest.items.length).settle();
    this.#isLeft = true;
    this.close();
  }

  /** No more calls, and no more pulls. */
  close(): void {
    this.#entries = [];
    this.#rest = undefined;
    this.#ended = true;
  }

  #launch(): void {
    const { concurrency, call } = this.#options;
    const most = Math.max(concurrency, this.#room);
    while (
      this.#rest !== undefined &&
      !this.#hasFailed &&
      this.#running < concurrency &&
      this.#entries.length < most
    ) {
      const rest = this.#rest;
      const at = this.#at;
      if (at === rest.items.length) {
        // All launched, or it came without items: then it goes through as it is.
        this.#rest = undefined;
        if (at === 0) this.#entries.push(ended(rest as unknown as Parcel<O>));
        return;
      }
      const item = rest.cut(at, at + 1);
      this.#at = at + 1;
      if (this.#at === rest.items.length) this.#rest = undefined;
      try {
        const answer = call(item.items[0] as I);
        if (isThenable(answer)) this.#wait(item, answer);
        else this.#entries.push(ended(this.#options.finish(item, answer)));
      } catch (error) {
        this.#hasFailed = true;
        this.#entries.push({ item: undefined, result: undefined, failed: true, error });
      }
    }
  }

  #wait(item: Parcel<I>, answer: PromiseLike<unknown>): void {
    const entry: Entry<I, O> = { item, result: undefined, failed: false, error: undefined };
    this.#entries.push(entry);
    this.#running += 1;
    answer.then(
      (value) => {
        entry.item = undefined;
        try {
          entry.result = this.#options.finish(item, value);
        } catch (error) {
          entry.failed = true;
          this.#hasFailed = true;
          entry.error = error;
        }
        this.#ran();
      },
      (error: unknown) => {
        entry.item = undefined;
        entry.failed = true;
        this.#hasFailed = true;
        entry.error = error;
        this.#ran();
      },
    );
  }

  #ran(): void {
    this.#running -= 1;
    this.#launch();
    this.#wake();
  }

  #fetch(demand: number): void {
    const free = this.#options.concurrency - this.#entries.length;
    if (this.#pulling || this.#ended || this.#rest !== undefined || free <= 0) return;
    let answer: Awaitable<Parcel<I> | undefined>;
    try {
      answer = this.#options.input.pull(Math.max(free, demand - this.#entries.length));
    } catch (error) {
      this.#inputFailed(error);
      return;
    }
    if (isThenable(answer)) {
      this.#pulling = true;
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
    } else {
      this.#fetched(answer);
    }
  }

  #fetched(parcel: Parcel<I> | undefined): void {
    this.#pulling = false;
    if (this.#ended) {
      if (this.#isLeft) parcel?.settle();
      return;
    }
    if (parcel === undefined) {
      this.#ended = true;
      return;
    }
    this.#rest = parcel;
    this.#at = 0;
    this.#launch();
  }

  #inputFailed(error: unknown): void {
    this.#pulling = false;
    this.#ended = true;
    this.#inputError = { error };
  }

  #gather(demand: number): Parcel<O> | undefined {
    const ready: Parcel<O>[] = [];
    let items = 0;
    const keep: Entry<I, O>[] = [];
    let at = 0;
    for (; at < this.#entries.length && items < demand; at++) {
      const entry = this.#entries[at] as Entry<I, O>;
      if (entry.failed) {
        if (ready.length > 0) break;
        throw entry.error;
      }
      const result = entry.result;
      if (result === undefined) {
        if (this.#options.ordered) break;
        keep.push(entry);
      } else if (ready.length > 0 && this.#options.isCautious?.() === true) {
        break;
      } else if (result.items.length === 0) {
        // By itself: joined to others it would look as if it were a part of the item after it.
        if (ready.length > 0) break;
        ready.push(result);
        at += 1;
        break;
      } else if (items + result.items.length > demand) {
        ready.push(result.cut(0, demand - items));
        entry.result = result.cut(demand - items, result.items.length);
        items = demand;
        break;
      } else {
        ready.push(result);
        items += result.items.length;
      }
    }
    if (ready.length === 0) return undefined;
    this.#entries = keep.concat(this.#entries.slice(at));
    return ready.length === 1 ? ready[0] : joinParcels(ready);
  }

  #wake(): void {
    this.#progress?.resolve();
    this.#progress = undefined;
  }
}

function ended<I, O>(result: Parcel<O>): Entry<I, O> {
  return { item: undefined, result, failed: false, error: undefined };
}
