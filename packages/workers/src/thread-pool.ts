/**
 * The threads of one run: the only file that knows the pool library.
 *
 *     run(items) ── gate: `threads` at once ──► piscina ──► thread.cjs ──► the user's function
 *            ▲                                                  │
 *            └──────────── answer, over the thread's port ──────┘
 *
 * The library starts threads, gives each a task at a time, and tells when one has died. What waits, waits here: a thread
 * that dies takes nothing with it but the batch that was in it.
 */

import { fileURLToPath } from 'node:url';
import { Deferred, runtime } from '@streamweld/core/connector';
import { Piscina } from 'piscina';
import { deathOf, idleDeath, startFailure, TIMED_OUT } from './deaths.ts';
import type { WorkersError } from './errors.ts';
import { type Answer, IS_ABORTED, MODULES_LOADED, type Task, type ThreadData } from './messages.ts';
import type { Settings, Transferable } from './options.ts';

/** JavaScript in the source folder, which is published too: it is the same file for the build and for the sources. */
const THREAD = fileURLToPath(new URL('../src/thread.cjs', import.meta.url));

/** A thread died with a batch in it. */
export class ThreadDeath {
  readonly error: WorkersError;

  constructor(error: WorkersError) {
    this.error = error;
  }
}

/** A batch could not be sent, and no thread has seen it. */
export class SendFailure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

export type Outcome = Answer | ThreadDeath | SendFailure;

export class ThreadPool {
  readonly #settings: Settings;
  readonly #control = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #pool: Piscina<Task, void>;
  /** Those that are waited for, by the number of their batch. */
  readonly #answers = new Map<number, Deferred<Answer>>();
  readonly #waiting: Deferred[] = [];
  #nextId = 0;
  #running = 0;
  #idle: Deferred | undefined;
  #isClosed = false;
  /** No thread is given anything any more. */
  #failure: WorkersError | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { module, takes, data, threads, resourceLimits, execArgv } = settings;
    const workerData: ThreadData = { module: module.href, takes, data, control: this.#control };
    this.#pool = new Piscina({
      filename: THREAD,
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: Infinity,
      // Otherwise a thread without work stands still, with whatever the user's module has open.
      atomics: 'disabled',
      recordTiming: false,
      workerData,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    });
    this.#pool.on('message', (answer: Answer) => this.#answers.get(answer.id)?.resolve(answer));
    this.#pool.on('error', (cause: unknown) => this.#diedIdle(cause));
    this.#pool.on('workerDestroy', () => queueMicrotask(() => this.#checkStarted()));
  }

  /** Whether any thread came as far as loading the module. */
  get hasLoaded(): boolean {
    return Atomics.load(this.#control, MODULES_LOADED) > 0;
  }

  /** Has a thread work on a batch, as soon as one is free. Rejects where no thread will do any more. */
  async run(items: readonly unknown[], transferList: readonly Transferable[]): Promise<Outcome> {
    if (this.#running >= this.#settings.threads) {
      const turn = new Deferred();
      this.#waiting.push(turn);
      await turn.promise;
    } else {
      this.#running += 1;
    }
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed) throw closed();
      return await this.#send({ id: this.#nextId++, items }, transferList);
    } finally {
      const next = this.#waiting.shift();
      // A turn is handed on as it is.
      if (next !== undefined) next.resolve();
      else this.#running -= 1;
      if (this.#running === 0) this.#idle?.resolve();
    }
  }

  /** Gives up: whoever waits is told, and what comes later too. */
  fail(failure: WorkersError): WorkersError {
    this.#failure ??= failure;
    for (const [id, answer] of this.#answers) {
      this.#answers.delete(id);
      answer.reject(this.#failure);
    }
    return this.#failure;
  }

  /** Functions that look at their signal see it. */
  abort(): void {
    Atomics.store(this.#control, IS_ABORTED, 1);
    Atomics.notify(this.#control, IS_ABORTED);
  }

  /**
   * Ends the threads, in the midst of a call where it does not end within `graceMs`.
   * @param isWell nothing failed before: then a thread that died since the last batch is told of.
   */
  async close(isWell: boolean): Promise<void> {
    this.#isClosed = true;
    if (this.#running > 0) {
      this.abort();
      await this.#settle();
    }
    // Where none could be started, the library holds a task that nobody waits for, and would reject it.
    if (this.#pool.threads.length > 0) await this.#pool.destroy();
    if (isWell && this.#failure !== undefined) throw this.#failure;
  }

  async #settle(): Promise<void> {
    const idle = new Deferred();
    this.#idle = idle;
    const timer = runtime.setTimer(() => idle.resolve(), this.#settings.graceMs);
    await idle.promise;
    runtime.clearTimer(timer);
  }

  async #send(task: Task, transferList: readonly Transferable[]): Promise<Outcome> {
    const { id } = task;
    const answer = new Deferred<Answer>();
    this.#answers.set(id, answer);
    const { controller, timer } = this.#limit();
    const run = {
      transferList: [...transferList],
      ...(controller === undefined ? {} : { signal: controller.signal }),
    };
    try {
      this.#pool.run(task, run).then(undefined, (cause: unknown) => {
        // Where it answered before it died, nothing is lost.
        if (this.#isClosed) answer.reject(closed());
        else
          answer.reject(
            isOfSending(cause) ? new SendFailure(cause) : new ThreadDeath(deathOf(this.#settings, cause)),
          );
      });
    } catch (cause) {
      runtime.clearTimer(timer);
      throw this.fail(startFailure(this.#settings, cause));
    }
    try {
      return await answer.promise;
    } catch (error) {
      if (error instanceof SendFailure || error instanceof ThreadDeath) return error;
      throw error;
    } finally {
      runtime.clearTimer(timer);
      this.#answers.delete(id);
    }
  }

  /** What ends a thread that takes too long, where there is such a limit. */
  #limit(): { controller: AbortController | undefined; timer: unknown } {
    const { timeoutMs } = this.#settings;
    if (timeoutMs === undefined) return { controller: undefined, timer: undefined };
    const controller = new AbortController();
    return { controller, timer: runtime.setTimer(() => controller.abort(TIMED_OUT), timeoutMs) };
  }

  /** A thread died that had nothing to do. */
  #diedIdle(cause: unknown): void {
    this.fail(this.hasLoaded ? idleDeath(this.#settings, cause) : startFailure(this.#settings, cause));
  }

  /** Where the last thread is gone and something still waits for one, none ever came so far. */
  #checkStarted(): void {
    if (this.#isClosed || this.#pool.threads.length > 0 || this.#pool.queueSize === 0) return;
    this.fail(startFailure(this.#settings, undefined));
  }
}

/** What the library throws for what cannot be cloned or transferred; of an error in a thread only a copy comes here. */
function isOfSending(cause: unknown): boolean {
  if (cause instanceof DOMException) return cause.name === 'DataCloneError';
  const { code } = (cause ?? {}) as { code?: unknown };
  return code === 'ERR_INVALID_TRANSFER_OBJECT' || code === 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST';
}

/** Nobody sees it: the stage is over. */
function closed(): Error {
  return new DOMException('The threads were closed.', 'AbortError');
}
