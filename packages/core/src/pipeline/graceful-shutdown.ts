/** GracefulShutdown: what a program does at Ctrl-C. */

import { OptionError, StreamWeldError, suppress } from '../errors.ts';
import { type HostProcess, hostProcess } from '../host.ts';
import { checkDuration, checkFunction, checkMethod, checkOptions, checkText } from '../options.ts';
import { runtime } from '../runtime.ts';
import type { ConcurrentPipeline } from './concurrent-pipeline.ts';
import type { RunReport } from './report.ts';

export interface GracefulShutdownOptions {
  /** Is told in words what the first signal did. Default: a line on stderr. */
  readonly say?: ((line: string) => void) | undefined;
  /** By which a program is asked to end. Default `['SIGINT', 'SIGTERM']`. */
  readonly signals?: readonly string[] | undefined;
  /** What is said at the first. Default `'Stopping: what is on its way is finished. Ctrl-C again aborts.'` */
  readonly stopping?: string | undefined;
  /** The message of the error after the second. Default `'Aborted by a second Ctrl-C: what was not finished is not there.'` */
  readonly aborted?: string | undefined;
}

/** What the first signal drains, and the second aborts. */
export interface Stoppable {
  /** Is called once, at the first signal. What it answers is not waited for: the end of the task is. */
  drain(): unknown;
  /** Is called at the second, for what does not heed the signal of the shutdown by itself. */
  abort?(): unknown;
}

const SIGNALS = ['SIGINT', 'SIGTERM'];
/** No program is told of these. */
const UNHEARD = ['SIGKILL', 'SIGSTOP'];
const STOPPING = 'Stopping: what is on its way is finished. Ctrl-C again aborts.';
const ABORTED = 'Aborted by a second Ctrl-C: what was not finished is not there.';

/**
 * Ends a program well. The first Ctrl-C, or SIGTERM, drains what runs: it finishes what it has begun, and begins nothing
 * new. The second aborts it: `run()` and `while()` reject with SW_PROGRAM_INTERRUPTED. From then on signals do what they do by
 * default, so a third one ends the process at once.
 *
 * It listens from the moment that it is made until it is disposed of. It is for programs, which own their process: a
 * library takes a `signal` from its caller.
 *
 * @example
 * using shutdown = new GracefulShutdown();
 * const report = await shutdown.run(pipeline);
 */
export class GracefulShutdown {
  readonly #host: HostProcess;
  readonly #signals: readonly string[];
  readonly #say: (line: string) => void;
  readonly #stopping: string;
  readonly #aborted: string;
  readonly #controller = new AbortController();
  readonly #running = new Set<Running>();
  #isWanted = false;

  /** @throws StreamWeldError SW_PROCESS_MISSING where there is no process, as in a browser */
  constructor(options?: GracefulShutdownOptions) {
    const { say, signals, stopping, aborted } = checkOptions('GracefulShutdown', options, [
      'say',
      'signals',
      'stopping',
      'aborted',
    ]);
    this.#say = say === undefined ? sayOnStderr : checkFunction('say', say);
    this.#signals = signals === undefined ? SIGNALS : checkSignals(signals);
    this.#stopping = stopping === undefined ? STOPPING : checkText('stopping', stopping);
    this.#aborted = aborted === undefined ? ABORTED : checkText('aborted', aborted);
    const host = hostProcess();
    if (host === undefined) {
      throw new StreamWeldError(
        'SW_PROCESS_MISSING',
        'GracefulShutdown listens to the signals of a process, and there is none here. Call drain() and abort() of the pipeline where you are told to stop.',
      );
    }
    this.#host = host;
    for (const signal of this.#signals) host.on(signal, this.#onSignal);
  }

  /** Whether the program was asked to end: then begin nothing new. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Aborts at the second signal, with the error that `run()` and `while()` reject with. For whatever else takes one. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Runs a pipeline that the first signal drains. Where one came before, it begins and drains at once. Several may run at
   * the same time.
   * @param options.deadlineMs what a drain may take before the run is aborted with SW_DRAIN_TIMEOUT. Default: as long as it takes.
   * @throws StreamWeldError SW_PROGRAM_INTERRUPTED after the second signal; otherwise as `run()` of the pipeline
   */
  async run<T>(
    pipeline: ConcurrentPipeline<T>,
    options?: { readonly deadlineMs?: number | undefined },
  ): Promise<RunReport> {
    const { deadlineMs } = checkOptions('run', options, ['deadlineMs']);
    if (deadlineMs !== undefined) checkDuration('run.deadlineMs', deadlineMs);
    // The signal aborts it.
    return this.while({ drain: () => pipeline.drain({ deadlineMs }) }, () =>
      pipeline.run({ signal: this.signal }),
    );
  }

  /**
   * Does something that can be stopped. `task` begins at once; where a signal came before, it is drained as soon as it has
   * begun. Tasks may run at the same time, and one in another. Settles when the task does. A drain that fails while the task
   * ends well rejects it too.
   * @throws StreamWeldError SW_PROGRAM_INTERRUPTED where the task fails after the second signal: what made it fail is in `suppressed`
   */
  async while<R>(stoppable: Stoppable, task: () => R | Promise<R>): Promise<R> {
    checkMethod('stoppable', stoppable, 'drain');
    checkFunction('task', task);
    const running = new Running(stoppable);
    this.#running.add(running);
    try {
      const underWay = task();
      if (this.#isWanted) running.drain();
      if (this.signal.aborted) running.abort();
      const result = await underWay;
      running.throwIfFailed();
      return result;
    } catch (error) {
      if (!this.signal.aborted) throw error;
      // What an abort makes fail on its way out is not what happened.
      suppress(this.signal.reason, error);
      throw this.signal.reason;
    } finally {
      this.#running.delete(running);
    }
  }

  /** As a signal does: the first call drains, the second aborts. For a key, or a button. */
  stop(): void {
    if (this.signal.aborted) return;
    if (this.#isWanted) {
      // Whoever will not wait for the abort either has the means of the system; in a later turn, because whoever else hears
      // this signal may look whether he is alone with it.
      runtime.yield(() => this[Symbol.dispose]());
      this.#controller.abort(new StreamWeldError('SW_PROGRAM_INTERRUPTED', this.#aborted));
      for (const running of this.#running) running.abort();
      return;
    }
    this.#isWanted = true;
    this.#say(this.#stopping);
    for (const running of this.#running) running.drain();
  }

  /** Takes its listeners away: from here on signals do what they do by default. What runs goes on. */
  [Symbol.dispose](): void {
    for (const signal of this.#signals) this.#host.off(signal, this.#onSignal);
  }

  readonly #onSignal = (): void => this.stop();
}

/** One task, from its beginning to its end. */
class Running {
  readonly #stoppable: Stoppable;
  readonly #failures: unknown[] = [];
  #isDraining = false;

  constructor(stoppable: Stoppable) {
    this.#stoppable = stoppable;
  }

  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    void this.#attempt(() => this.#stoppable.drain());
  }

  abort(): void {
    void this.#attempt(() => this.#stoppable.abort?.());
  }

  throwIfFailed(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Nobody waits for it: a failure is kept for whoever waits for the task. */
  async #attempt(call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#failures.push(error);
    }
  }
}

function checkSignals(signals: readonly string[]): readonly string[] {
  const isHeard = (signal: unknown) =>
    typeof signal === 'string' && signal.startsWith('SIG') && !UNHEARD.includes(signal);
  if (Array.isArray(signals) && signals.length > 0 && signals.every(isHeard)) return [...signals];
  throw new OptionError(
    'signals',
    `an array of names such as 'SIGINT', without ${UNHEARD.join(' and ')}`,
    signals,
  );
}

function sayOnStderr(line: string): void {
  console.error(line);
}
