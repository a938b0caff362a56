/**
 * Says so when items wait for a sink that nobody has subscribed: a run that hangs silently helps nobody. While it
 * watches, its timer also keeps the process from ending with the items undelivered.
 */

import { runtime } from '../runtime.ts';

/** What messages are given to: the console, pino and others have this shape. */
export interface Logger {
  warn(message: string): void;
}

export class StallWatch {
  readonly #logger: Logger | null;
  readonly #firstMs: number;
  readonly #describe: () => string;
  #nextMs: number;
  #timer: unknown;

  /** @param describe says what is missing, when it is time to. */
  constructor(logger: Logger | null, firstMs: number, describe: () => string) {
    this.#logger = logger;
    this.#firstMs = firstMs;
    this.#nextMs = firstMs;
    this.#describe = describe;
  }

  set(isStalled: boolean): void {
    if (isStalled) {
      this.#timer ??= runtime.setTimer(this.#due, this.#nextMs);
    } else if (this.#timer !== undefined) {
      runtime.clearTimer(this.#timer);
      this.#timer = undefined;
      this.#nextMs = this.#firstMs;
    }
  }

  readonly #due = (): void => {
    try {
      this.#logger?.warn(this.#describe());
    } catch {
      // A logger that fails must not end the process.
    }
    // Ever more seldom: it is a reminder, not a flood.
    this.#nextMs = Math.min(this.#nextMs * 2, 300_000);
    this.#timer = runtime.setTimer(this.#due, this.#nextMs);
  };
}
