/** When a write that failed is tried again, and how often. */

import { OptionError } from '../errors.ts';
import { checkBoolean, checkCount, checkDuration, checkFunction, checkOptions } from '../options.ts';
import { runtime } from '../runtime.ts';

export interface BackoffOptions {
  /** The wait before the second attempt, in milliseconds. Default 100. */
  readonly firstMs?: number | undefined;
  /** How much longer each further wait is. Default 2. */
  readonly factor?: number | undefined;
  /** No wait is longer. Default 30,000. */
  readonly maxMs?: number | undefined;
}

export interface RetryOptions {
  /** How often a batch is written at most, the first time included. */
  readonly attempts: number;
  readonly backoff?: BackoffOptions | undefined;
  /** The share of each wait that is left to chance, from 0 to 1, so that many do not come back at once. Default 0.5. */
  readonly jitter?: number | undefined;
  /**
   * Asked about each error that does not itself say `retryable: false`. `false` says that the items are at fault: they
   * are not written again, and go to the dead letter, if there is one.
   */
  readonly retryable?: ((error: unknown) => boolean) | undefined;
  /**
   * A batch with bad items that the sink does not name is halved until they are found, also where the sink is not
   * `atomic`: good items may then be written more than once. Default `false`; atomic sinks are always halved.
   */
  readonly halve?: boolean | undefined;
}

const NO_RETRY: RetryOptions = { attempts: 1 };

/** The rules of one sink, checked. */
export class RetryPolicy {
  readonly attempts: number;
  readonly halve: boolean;
  readonly isRetryable: ((error: unknown) => boolean) | undefined;
  readonly #firstMs: number;
  readonly #factor: number;
  readonly #maxMs: number;
  readonly #jitter: number;

  /** @param options none: one attempt. @throws OptionError */
  constructor(what: string, options: RetryOptions = NO_RETRY) {
    const { attempts, backoff, jitter, retryable, halve } = checkOptions<RetryOptions>(what, options, [
      'attempts',
      'backoff',
      'jitter',
      'retryable',
      'halve',
    ]);
    this.attempts = checkCount(`${what}.attempts`, attempts);
    this.halve = halve === undefined ? false : checkBoolean(`${what}.halve`, halve);
    this.isRetryable = retryable === undefined ? undefined : checkFunction(`${what}.retryable`, retryable);
    const waits = checkOptions(`${what}.backoff`, backoff, ['firstMs', 'factor', 'maxMs']);
    this.#firstMs = checkDuration(`${what}.backoff.firstMs`, waits.firstMs ?? 100);
    this.#maxMs = checkDuration(`${what}.backoff.maxMs`, waits.maxMs ?? 30_000);
    this.#factor = checkNumber(`${what}.backoff.factor`, waits.factor ?? 2, 1, 1000);
    this.#jitter = checkNumber(`${what}.jitter`, jitter ?? 0.5, 0, 1);
  }

  /** How long to wait after so many failures, in milliseconds. */
  delayMs(failures: number): number {
    // Held below infinity, of which not even no wait at all can be multiplied.
    const growth = Math.min(this.#factor ** (failures - 1), Number.MAX_VALUE);
    const longest = Math.min(this.#maxMs, this.#firstMs * growth);
    return longest * (1 - this.#jitter * runtime.random());
  }
}

function checkNumber(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new OptionError(option, `a number from ${min} to ${max}`, value);
}
