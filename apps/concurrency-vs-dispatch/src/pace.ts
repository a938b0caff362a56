/** How long an item takes: the work of source and sinks here is timed waiting, as of a disk, a database or a service. */

import { runtime } from '@streamweld/core/connector';

/** The most that a timer which came late is made up for, so that a machine that slept does not race. Milliseconds. */
const MOST_LATE_MS = 50;

export class Pace {
  /** Of one item, in milliseconds, 0 for none. May be changed at any time; it holds from the next item on. */
  costMs: number;
  /** How late the last timer came; negative, if it came early. */
  #lateMs = 0;

  constructor(costMs: number) {
    this.costMs = costMs;
  }

  /**
   * Waits as long as an item takes. Timers come up to a millisecond early or late, and later on a busy machine: by so
   * much the next wait is longer or shorter, so that the mean is what was asked for.
   * @returns nothing where there is nothing to wait for
   */
  wait(signal: AbortSignal | undefined): Promise<void> | undefined {
    const ms = this.costMs - this.#lateMs;
    if (ms <= 0) {
      this.#lateMs = -ms;
      return undefined;
    }
    const dueAt = runtime.now() + ms;
    return sleep(ms, signal).then(() => {
      this.#lateMs = Math.min(MOST_LATE_MS, runtime.now() - dueAt);
    });
  }
}

/** Ends early where the signal aborts: then nobody waits for what comes of it. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      runtime.clearTimer(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = runtime.setTimer(end, ms);
    if (signal?.aborted === true) end();
    else signal?.addEventListener('abort', end);
  });
}
