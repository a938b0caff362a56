/**
 * A breaker stops writing to a sink that fails again and again, and tries it again now and then.
 *
 *     closed ── failures in a row ──► open ── resetMs ──► half-open ── trial succeeds ──► closed
 *                                       ▲                     │
 *                                       └── longer each time ─┘ trial fails
 *
 * While it is open, demand is closed: nothing is written, the buffer fills, the source waits. No item fails for it.
 */

import { checkCount, checkDuration, checkOptions } from '../options.ts';
import { runtime } from '../runtime.ts';

export interface CircuitBreakerOptions {
  /** So many failures in a row open it; errors in the data are none. Default 5. */
  readonly failures?: number | undefined;
  /** How long it stays open before one write is tried, in milliseconds. Doubles with each trial that fails. Default 10,000. */
  readonly resetMs?: number | undefined;
  /** No longer than this. Default ten times `resetMs`. */
  readonly maxResetMs?: number | undefined;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

export class CircuitBreaker {
  readonly #failures: number;
  readonly #resetMs: number;
  readonly #maxResetMs: number;
  #state: BreakerState = 'closed';
  #inRow = 0;
  #waitMs: number;
  #timer: unknown;
  #isTrying = false;
  #isStopped = false;
  /** How often it has opened. */
  openings = 0;
  /** Told when writes are possible that were not. */
  readonly #waiting = new Set<() => void>();

  /** @throws OptionError */
  constructor(what: string, options: CircuitBreakerOptions | undefined) {
    const { failures, resetMs, maxResetMs } = checkOptions(what, options, [
      'failures',
      'resetMs',
      'maxResetMs',
    ]);
    this.#failures = checkCount(`${what}.failures`, failures ?? 5);
    this.#resetMs = checkDuration(`${what}.resetMs`, resetMs ?? 10_000);
    this.#maxResetMs = checkDuration(
      `${what}.maxResetMs`,
      maxResetMs ?? Math.min(10 * this.#resetMs, 0x7fffffff),
    );
    this.#waitMs = this.#resetMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a write may begin now. */
  get allows(): boolean {
    return this.#state === 'closed' || (this.#state === 'half-open' && !this.#isTrying);
  }

  onAllowed(callback: () => void): void {
    this.#waiting.add(callback);
  }

  /** A write begins, which it allowed. */
  enter(): void {
    if (this.#state === 'half-open') this.#isTrying = true;
  }

  /** The sink answered: it took the items, or refused them for what they are. */
  answered(): void {
    this.#inRow = 0;
    if (this.#state === 'closed') return;
    this.#clearTimer();
    this.#state = 'closed';
    this.#isTrying = false;
    this.#waitMs = this.#resetMs;
    this.#tell();
  }

  /** A write failed in a way that may pass. */
  failed(): void {
    this.#inRow += 1;
    if (this.#state === 'half-open') {
      this.#waitMs = Math.min(this.#waitMs * 2, this.#maxResetMs);
      this.#open();
    } else if (this.#inRow >= this.#failures) {
      this.trip();
    }
  }

  /** Opens it, whatever the count: a batch has used up its attempts. */
  trip(): void {
    if (this.#state !== 'open') this.#open();
  }

  /** Nothing is written any more: no timer is left. */
  stop(): void {
    this.#isStopped = true;
    this.#clearTimer();
    this.#waiting.clear();
  }

  #open(): void {
    this.#state = 'open';
    this.#isTrying = false;
    this.openings += 1;
    if (!this.#isStopped) this.#timer ??= runtime.setTimer(this.#halfOpen, this.#waitMs);
  }

  readonly #halfOpen = (): void => {
    this.#timer = undefined;
    this.#state = 'half-open';
    this.#tell();
  };

  #tell(): void {
    for (const callback of [...this.#waiting]) callback();
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
