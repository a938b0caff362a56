/**
 * Trying again what may pass: a store that is busy, or away. The SDK gives up after three attempts within a second, and a
 * store that asks for fewer requests means half a minute.
 *
 * What was tried again may have been done the first time, and its answer lost: then a PUT that is to make a new object finds
 * it there (SW_S3_OBJECT_EXISTS), a completed upload is not open any more (SW_S3_UPLOAD_MISSING), and an upload may have been
 * begun twice. Whoever calls knows what to make of that.
 */

import { onAbort, runtime } from '@streamweld/core/connector';
import { isTransient, S3Error } from './errors.ts';

/** The first pause is up to that long, in milliseconds, and each is up to twice as long as the one before. */
const FIRST_MS = 100;
const LONGEST_MS = 10_000;

export class Patience {
  readonly #budgetMs: number;
  #since: number | undefined;
  #failures = 0;

  /** @param budgetMs how long failures in a row may last, from the first one on. 0: nothing is tried again. */
  constructor(budgetMs: number) {
    this.#budgetMs = budgetMs;
  }

  /**
   * Something failed: resolves when it is time to try again.
   * @throws the error, where trying again is of no use, or the patience is at its end; the reason of the signal
   */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!isTransient(error)) throw error;
    this.#since ??= runtime.now();
    this.#failures += 1;
    const leftMs = this.#since + this.#budgetMs - runtime.now();
    if (leftMs <= 0) throw this.#exhausted(error);
    const mostMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - 1));
    // Those that failed together are not to come back together. What is left is used: the last attempt is at its end.
    await pause(Math.min(leftMs, mostMs * (0.5 + runtime.random() / 2)), signal);
  }

  /** It went on: whatever fails next is the first failure. */
  succeeded(): void {
    this.#since = undefined;
    this.#failures = 0;
  }

  #exhausted(error: unknown): unknown {
    if (!(error instanceof S3Error) || this.#failures === 1) return error;
    return error.after(this.#failures, runtime.now() - (this.#since ?? 0));
  }
}

/**
 * Tries until it succeeds.
 * @throws what the last attempt threw; the reason of the signal
 */
export async function patiently<R>(
  budgetMs: number,
  signal: AbortSignal,
  attempt: () => Promise<R>,
): Promise<R> {
  const patience = new Patience(budgetMs);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await patience.wait(error, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = runtime.setTimer(() => {
      forget();
      resolve();
    }, ms);
    const forget = onAbort(signal, (reason) => {
      runtime.clearTimer(timer);
      reject(reason);
    });
  });
}
