/** Ctrl-C: the first one lets the run finish what it has begun, a second one aborts it. */

import type { ConcurrentPipeline, RunReport } from '@streamweld/core';

/** What a run rejects with that was aborted by a second Ctrl-C. */
export class Interrupted extends Error {
  constructor() {
    super('Aborted by a second Ctrl-C: what was not finished is not there.');
  }
}

export class Stop {
  readonly #say: (line: string) => void;
  readonly #controller = new AbortController();
  #running: { drain(): Promise<RunReport> } | undefined;
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
  async run<T>(pipeline: ConcurrentPipeline<T>): Promise<RunReport> {
    this.#running = pipeline;
    try {
      return await pipeline.run({ signal: this.signal });
    } finally {
      this.#running = undefined;
    }
  }

  readonly #stop = (): void => {
    if (this.#isWanted) {
      this.#controller.abort(new Interrupted());
      return;
    }
    this.#isWanted = true;
    this.#say('Stopping: what is on its way is finished and reported. Ctrl-C again aborts.');
    // Whoever waits for the run hears of a failure.
    this.#running?.drain().catch(() => {});
  };
}
