/**
 * Commits what is done, by count and by time: one commit at a time, and a last one at the end.
 */

import { isThenable } from '../deferred.ts';
import { runtime } from '../runtime.ts';
import type { Awaitable } from '../source.ts';
import type { LaneBook } from './lane.ts';

export interface CommitPolicy {
  /** A commit follows at the latest after this many items became done. */
  readonly items: number;
  /** And at the latest this long after one did, in milliseconds. */
  readonly ms: number;
}

export class Committer {
  readonly #policy: CommitPolicy;
  readonly #book: LaneBook;
  readonly #commit: (positions: ReadonlyMap<string, unknown>) => Awaitable<void>;
  readonly #onFail: (error: unknown) => void;
  #pending = 0;
  /** When the first of what is pending became done; undefined: nothing is. It may have no items, and still a position. */
  #since: number | undefined;
  /** One for many commits, since timers cost more than the rest of a commit: it waits for the rest where it comes too soon. */
  #timer: unknown;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(
    policy: CommitPolicy,
    book: LaneBook,
    commit: (positions: ReadonlyMap<string, unknown>) => Awaitable<void>,
    onFail: (error: unknown) => void,
  ) {
    this.#policy = policy;
    this.#book = book;
    this.#commit = commit;
    this.#onFail = onFail;
  }

  /** `items` more are done, and some position moved. */
  moved(items: number): void {
    if (this.#stopped) return;
    this.#since ??= runtime.now();
    this.#pending += items;
    if (this.#running !== undefined) return;
    if (this.#pending >= this.#policy.items) this.#start();
    else this.#timer ??= runtime.setTimer(this.#onTimer, this.#policy.ms);
  }

  /** No more commits by themselves. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** After the one under way, commits what moved since. */
  async last(): Promise<void> {
    this.stop();
    await this.#running;
    const moved = this.#book.takeMoved();
    if (moved.size === 0) return;
    await this.#commit(moved);
    this.#book.committed(moved);
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    if (this.#running !== undefined || this.#since === undefined) return;
    const restMs = this.#since + this.#policy.ms - runtime.now();
    // A timer of Node may come a little before its time.
    if (restMs < 1) this.#start();
    else this.#timer = runtime.setTimer(this.#onTimer, restMs);
  };

  #start(): void {
    this.#since = undefined;
    this.#pending = 0;
    const moved = this.#book.takeMoved();
    if (moved.size === 0) return;
    try {
      const answer = this.#commit(moved);
      if (isThenable(answer)) this.#running = this.#finish(answer, moved);
      else this.#book.committed(moved);
    } catch (error) {
      this.#failed(error, moved);
    }
  }

  /** What was not committed is still to be: the run's last commit tries once more. */
  #failed(error: unknown, moved: ReadonlyMap<string, unknown>): void {
    this.#book.giveBack(moved);
    this.#onFail(error);
  }

  async #finish(commit: PromiseLike<void>, moved: ReadonlyMap<string, unknown>): Promise<void> {
    try {
      await commit;
      this.#book.committed(moved);
    } catch (error) {
      this.#failed(error, moved);
    }
    this.#running = undefined;
    if (this.#stopped) return;
    if (this.#pending >= this.#policy.items) this.#start();
    else if (this.#timer === undefined) this.#onTimer();
  }
}
