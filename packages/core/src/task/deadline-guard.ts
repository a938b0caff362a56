/**
 * Waits for somebody else's promise, but no longer than a deadline that may be set while it waits: a handler that
 * ignores the abort cannot hold the run.
 */

import { isThenable } from '../deferred.ts';
import { runtime } from '../runtime.ts';
import type { Awaitable } from '../source.ts';

/** What a wait is rejected with that was given up. */
export class GivenUp {
  readonly what: string;
  /** What else failed meanwhile. */
  readonly failure: { readonly error: unknown } | undefined;

  constructor(what: string, failure?: { readonly error: unknown }) {
    this.what = what;
    this.failure = failure;
  }
}

export class DeadlineGuard {
  /** Who waits, by how to give it up. */
  readonly #waiting = new Map<() => void, string>();
  readonly #stuck: string[] = [];
  #timer: unknown;
  /** The deadline has passed: what does not answer at once is given up. */
  #isOver = false;

  /** What was given up, in words. */
  get stuck(): readonly string[] {
    return this.#stuck;
  }

  /** Counts as given up what somebody called had to give up himself. */
  noteStuck(what: string): void {
    if (!this.#stuck.includes(what)) this.#stuck.push(what);
  }

  /** What is being waited for, in words. */
  get waiting(): string[] {
    return [...this.#waiting.values()];
  }

  /** Calls, and waits for the answer. @param what names it, should it have to be given up. */
  async wait<T>(what: string, call: () => Awaitable<T>): Promise<T> {
    const answer = call();
    if (!isThenable(answer)) return answer;
    let giveUp: (() => void) | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        giveUp = () => {
          this.#stuck.push(what);
          reject(new GivenUp(what));
        };
        this.#waiting.set(giveUp, what);
        if (this.#isOver) this.#timer ??= runtime.setTimer(this.#expire, 0);
        answer.then(resolve, reject);
      });
    } finally {
      if (giveUp !== undefined) this.#waiting.delete(giveUp);
    }
  }

  /** From now on, waits end after `ms`; a deadline set before is forgotten. */
  setDeadline(ms: number): void {
    this.clear();
    this.#isOver = false;
    this.#timer = runtime.setTimer(this.#expire, ms);
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    this.#isOver = true;
    for (const giveUp of [...this.#waiting.keys()]) giveUp();
  };

  clear(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
