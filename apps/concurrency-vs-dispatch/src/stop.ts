/** Ctrl-C: the first one lets the run deliver what it has begun, a second one ends it. */

/** Somebody wanted it to end at once. */
export class Interrupted extends Error {}

export class Stop {
  readonly #controller = new AbortController();
  readonly #say: (line: string) => void;
  #drain: (() => void) | undefined;
  #isWanted = false;

  /** @param say tells the user what a Ctrl-C has done */
  constructor(say: (line: string) => void) {
    this.#say = say;
    process.on('SIGINT', this.press);
    process.on('SIGTERM', this.press);
  }

  /** Whether one was pressed: then nothing new is begun. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Aborts at the second. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does something that the first one drains. */
  async while<R>(drain: () => void, task: () => Promise<R>): Promise<R> {
    this.#drain = drain;
    try {
      const ended = task();
      // It was pressed when this was not running yet.
      if (this.#isWanted) drain();
      return await ended;
    } finally {
      this.#drain = undefined;
    }
  }

  /** From here on a Ctrl-C is not its own any more. */
  [Symbol.dispose](): void {
    process.off('SIGINT', this.press);
    process.off('SIGTERM', this.press);
  }

  /** As a Ctrl-C does; of a terminal that hands over every key, it comes as one. */
  readonly press = (): void => {
    if (this.#isWanted) {
      this.#controller.abort(
        new Interrupted('Ended by a second Ctrl-C: nothing more is delivered, and nothing is proved.'),
      );
      return;
    }
    this.#isWanted = true;
    this.#say('Stopping: what is on its way is delivered and proved. Ctrl-C again ends it.');
    this.#drain?.();
  };
}
