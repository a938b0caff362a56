/**
 * Tries a call again that keeps positions, where giving up at the first refusal would cost a whole run: five times, a
 * tenth of a second apart, then two, four and eight. In a hurry it tries once and waits for nothing.
 */

import { Deferred, isThenable } from '../deferred.ts';
import { runtime } from '../runtime.ts';
import type { Awaitable } from '../source.ts';

const ATTEMPTS = 5;
const FIRST_WAIT_MS = 100;

export class Persistence {
  #isHurried = false;
  readonly #waiting = new Map<unknown, Deferred>();

  /**
   * A call that answers at once is answered at once: a commit then keeps pace with items that never wait.
   * @throws what the last attempt threw; at once what says that another attempt cannot help.
   */
  try(call: () => Awaitable<void>): Awaitable<void> {
    let answer: Awaitable<void>;
    try {
      answer = call();
    } catch (error) {
      if (this.#isHurried || isFinal(error)) throw error;
      return this.#goOn(call, Promise.reject(error));
    }
    return isThenable(answer) ? this.#goOn(call, answer) : undefined;
  }

  async #goOn(call: () => Awaitable<void>, first: PromiseLike<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await (attempt === 1 ? first : call());
        return;
      } catch (error) {
        if (this.#isHurried || attempt === ATTEMPTS || isFinal(error)) throw error;
      }
      await this.#wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  /** From now on nothing is waited for: the run is coming to its end. */
  hurry(): void {
    this.#isHurried = true;
    for (const [timer, woken] of this.#waiting) {
      runtime.clearTimer(timer);
      woken.resolve();
    }
    this.#waiting.clear();
  }

  #wait(ms: number): Promise<void> {
    const woken = new Deferred();
    const timer = runtime.setTimer(() => {
      this.#waiting.delete(timer);
      woken.resolve();
    }, ms);
    this.#waiting.set(timer, woken);
    return woken.promise;
  }
}

function isFinal(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, retryable } = error as { code?: unknown; retryable?: unknown };
  return code === 'SW_CHECKPOINT_FENCED' || retryable === false;
}
