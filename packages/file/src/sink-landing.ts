/**
 * Waiting for the file system no longer than somebody wants the answer. A file system that hangs cannot be called off:
 * whoever waits is let go when the signal aborts, and what was asked for may still land.
 *
 *     asked ──► landed
 *       └─ aborted ──► let go ┄┄► landed      the close waits for that, and so does the same write when it comes again
 */

import { type Accepted, type Awaitable, onAbort, type WriteContext } from '@streamweld/core/connector';

type Answer = void | Accepted;

/** A write that nobody waited for to the end. */
interface Late<T> {
  readonly batch: readonly T[];
  readonly landed: Promise<Answer>;
}

export class Landing<T> {
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  #late: Late<T> | undefined;

  /** @param signal of the run. */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Answers as what is under way does; rejects with the reason where the run aborts before that. */
  follow<R>(underWay: Promise<R>): Promise<R> {
    return this.#follow(underWay, this.#signal, () => {});
  }

  followWrite(
    underWay: Promise<Answer>,
    batch: readonly T[],
    context: WriteContext | undefined,
  ): Promise<Answer> {
    return this.#follow(underWay, context?.signal, () => {
      this.#late = { batch, landed: underWay };
    });
  }

  /**
   * Where a write comes again that was let go and lands after all, that was it: a second time would double its items.
   * Where it failed in the end, it is begun again.
   */
  takeLate(
    batch: readonly T[],
    context: WriteContext | undefined,
    begin: () => Awaitable<Answer>,
  ): Promise<Answer> | undefined {
    const late = this.#late;
    this.#late = undefined;
    if (late === undefined || (context?.attempt ?? 1) === 1) return undefined;
    if (batch.length !== late.batch.length || batch.some((item, index) => item !== late.batch[index]))
      return undefined;
    return late.landed.catch(begin);
  }

  /** What was let go is over too. */
  async allLanded(): Promise<void> {
    this.#late = undefined;
    await Promise.allSettled(this.#underWay);
  }

  async #follow<R>(underWay: Promise<R>, signal: AbortSignal | undefined, letGo: () => void): Promise<R> {
    this.#underWay.add(underWay);
    let forget: (() => void) | undefined;
    try {
      return await new Promise<R>((resolve, reject) => {
        underWay.then(resolve, reject).finally(() => this.#underWay.delete(underWay));
        if (signal === undefined) return;
        forget = onAbort(signal, (reason) => {
          letGo();
          reject(reason as Error);
        });
      });
    } finally {
      forget?.();
    }
  }
}
