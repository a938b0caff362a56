/** What a sink has accepted and not yet made durable: a number with a limit, at which the sink is flushed. */

import { Deferred } from '../deferred.ts';
import { runtime } from '../runtime.ts';

export interface UncommittedOptions {
  /** How many items there may be. */
  readonly max: number;
  readonly flush: () => Promise<void>;
  /** Whether a write is outstanding: a flush waits for it. */
  readonly isWriting: () => boolean;
  /** A flush has ended. */
  readonly onFlushed: () => void;
  readonly onFail: (error: unknown) => void;
}

export class Uncommitted {
  readonly #options: UncommittedOptions;
  #empty: Deferred | undefined;
  /** Writes that the sink has taken into its own hands, and not settled. */
  #deferred = 0;
  #state: 'none' | 'wanted' | 'running' | 'done' | 'failed' = 'none';
  items = 0;

  constructor(options: UncommittedOptions) {
    this.#options = options;
  }

  get isFlushing(): boolean {
    return this.#state === 'running';
  }

  /** Whether more may be written. At the limit it may not, and the sink is flushed when nothing is being written. */
  allowsMore(): boolean {
    // After a flush that failed nothing more comes than what is buffered, and it need not wait.
    if (this.#state === 'failed') return true;
    if (this.#state === 'none' && this.items < this.#options.max) return true;
    if (this.#state === 'none' || this.#state === 'wanted') this.#flushWhenIdle();
    return false;
  }

  /** Counts them until it is decided what became of them. */
  add(items: number, durable: Promise<void>, ended: () => void, failed: (error: unknown) => void): void {
    this.items += items;
    durable.then(
      () => {
        this.#decided(items);
        ended();
      },
      (error: unknown) => {
        this.#decided(items);
        failed(error);
      },
    );
  }

  /** The sink has so many writes more in its own hands: they have no part in the limit. */
  defer(count: 1 | -1): void {
    this.#deferred += count;
    if (this.#isEmpty()) this.giveUp();
  }

  /** Resolves when it is decided of all of them, or after `ms`. */
  empty(ms: number): Promise<void> {
    if (this.#isEmpty()) return Promise.resolve();
    this.#empty ??= new Deferred();
    const { promise, resolve } = this.#empty;
    const timer = runtime.setTimer(resolve, ms);
    return promise.then(() => runtime.clearTimer(timer));
  }

  /** Nobody waits any more. */
  giveUp(): void {
    this.#empty?.resolve();
    this.#empty = undefined;
  }

  #isEmpty(): boolean {
    return this.items === 0 && this.#deferred === 0;
  }

  #decided(items: number): void {
    this.items -= items;
    if (this.#isEmpty()) this.giveUp();
    if (this.#state === 'done' && this.items < this.#options.max) this.#state = 'none';
  }

  #flushWhenIdle(): void {
    this.#state = 'wanted';
    if (this.#options.isWriting()) return;
    this.#state = 'running';
    this.#options.flush().then(
      () => {
        this.#state = this.items < this.#options.max ? 'none' : 'done';
        this.#options.onFlushed();
      },
      (error: unknown) => {
        this.#state = 'failed';
        this.#options.onFail(error);
        this.#options.onFlushed();
      },
    );
  }
}
