/** Ctrl-C: the first one lets the run finish what it has begun, a second one aborts it. */

import type { ConcurrentPipeline, RunReport } from '@streamweld/core';

/** What a run rejects with that was aborted by a second Ctrl-C. */
export class Interrupted extends Error {
  constructor() {
    super('Aborted by a second Ctrl-C: no output is there that was not finished.');
  }
}

/** What a Ctrl-C drains, and a second one aborts if nothing else does. */
export interface Stoppable {
  drain(): Promise<unknown>;
  abort?(): void;
}

export class Stop {
  readonly #say: (line: string) => void;
  readonly #controller = new AbortController();
  #running: Stoppable | undefined;
  #isWanted = false;

  /** @param say tells the user what a Ctrl-C has done. */
  constructor(say: (line: string) => void) {
    this.#say = say;
    process.on('SIGINT', this.#stop);
    process.on('SIGTERM', this.#stop);
  }

  /** Whether one was pressed: then nothing new is begun. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Aborts at the second. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs a pipeline that a Ctrl-C drains. */
  run<T>(pipeline: ConcurrentPipeline<T>): Promise<RunReport> {
    // The signal aborts it.
    const running = { drain: () => pipeline.drain() };
    return this.while(running, () => pipeline.run({ signal: this.signal }));
  }

  /** Does something that a Ctrl-C can stop. */
  async while<R>(running: Stoppable, task: () => Promise<R>): Promise<R> {
    this.#running = running;
    try {
      const ended = task();
      // It was pressed when this was not running yet.
      if (this.#isWanted) this.#drain();
      return await ended;
    } finally {
      this.#running = undefined;
    }
  }

  readonly #stop = (): void => {
    if (this.#isWanted) {
      this.#controller.abort(new Interrupted());
      this.#running?.abort?.();
      return;
    }
    this.#isWanted = true;
    this.#say('Stopping: files under way are finished, and no other is begun. Ctrl-C again gives them up.');
    this.#drain();
  };

  #drain(): void {
    // Whoever waits for the run hears of a failure.
    this.#running?.drain().catch(() => {});
  }
}
