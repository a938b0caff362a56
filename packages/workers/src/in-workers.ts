/** inWorkers: a stage whose work is done on threads. */

import { type ConcurrentProcessor, onAbort, type ProcessContext } from '@streamweld/core/connector';
import { BatchRun } from './batch-run.ts';
import { checkWorkersOptions, type Settings, type Transferable, type WorkersOptions } from './options.ts';
import { ThreadPool } from './thread-pool.ts';

/** What a function on a thread is given beside its item, or its items. */
export interface ThreadContext<D = unknown> {
  /**
   * Aborts with the run, and when a stage after this one has enough. `signal.aborted` and `signal.throwIfAborted()` tell
   * it also to a loop that never waits.
   */
  readonly signal: AbortSignal;
  /** The option `data` of the stage. */
  readonly data: D;
  /**
   * Moves an ArrayBuffer, or what a view looks at, back instead of copying it: `return transfer(bytes)`. Of a view of a
   * part of a buffer it answers a copy of that part. What lies deeper is named: `transfer({ name, bytes }, [bytes])`.
   */
  readonly transfer: <V>(value: V, list?: readonly (Transferable | ArrayBufferView)[]) => V;
  /**
   * Gives up the item at this index of the batch, with `takes: 'batch'`, and the others go on: the answer is what became of
   * them. For a function of single items it is as if it threw: `refuse(0, error)`.
   */
  readonly refuse: (index: number, error: unknown) => void;
}

/** What a module exports as its default: the work for an item. */
export type ItemFunction = (item: never, context: ThreadContext<never>) => unknown;

/** What a module exports as its default for `takes: 'batch'`. It answers an array of any length. */
export type BatchFunction = (
  items: readonly never[],
  context: ThreadContext<never>,
) => readonly unknown[] | PromiseLike<readonly unknown[]>;

type ItemOf<F> = F extends (item: infer I, ...rest: never[]) => unknown ? I : never;
type ItemsOf<F> = F extends (items: readonly (infer I)[], ...rest: never[]) => unknown ? I : never;
type ResultOf<F extends (...args: never[]) => unknown> = Awaited<ReturnType<F>>;
type ResultsOf<F extends (...args: never[]) => unknown> =
  ResultOf<F> extends readonly (infer O)[] ? O : never;

/**
 * A stage of a flow whose work is done on threads: for `through`. Every run starts threads of its own, when there is work
 * for them, and ends them with itself.
 *
 * The module is loaded once in each thread; its default export is called with each item. Items and results are copied
 * between threads, so send a description of the work, such as the path of a file, or transfer buffers.
 *
 * An error that the function throws is that of its item; a thread that dies takes the batch that was in it along, which is
 * run again, in halves, until the item is found. A function may so be called more than once for an item.
 *
 * @param module the address of the module: `new URL('./convert.js', import.meta.url)`.
 * @example
 * from(paths).through(inWorkers<typeof import('./convert.js').default>(new URL('./convert.js', import.meta.url)))
 * @throws OptionError
 */
export function inWorkers<F extends BatchFunction>(
  module: URL | string,
  options: WorkersOptions<ItemsOf<F>> & { readonly takes: 'batch' },
): () => ConcurrentProcessor<ItemsOf<F>, ResultsOf<F>>;
export function inWorkers<F extends ItemFunction>(
  module: URL | string,
  options?: WorkersOptions<ItemOf<F>> & { readonly takes?: 'item' | undefined },
): () => ConcurrentProcessor<ItemOf<F>, ResultOf<F>>;
export function inWorkers(
  module: URL | string,
  options?: WorkersOptions<never>,
): () => ConcurrentProcessor<unknown, unknown> {
  const settings = checkWorkersOptions(module, options);
  return () => new WorkersStage(settings);
}

/** Batches that wait for a thread, for each thread: so that none waits for the next. */
const AHEAD = 1;

class WorkersStage implements ConcurrentProcessor<unknown, unknown> {
  readonly name: string;
  readonly concurrency: number;
  readonly maxItems: number;
  readonly #settings: Settings;
  #pool: ThreadPool | undefined;
  #stopListening: (() => void) | undefined;

  constructor(settings: Settings) {
    this.name = settings.name;
    this.concurrency = settings.threads * (1 + AHEAD);
    this.maxItems = settings.batchSize;
    this.#settings = settings;
  }

  process(batch: readonly unknown[], { signal, refuse }: ProcessContext): Promise<readonly unknown[]> {
    const pool = (this.#pool ??= new ThreadPool(this.#settings));
    this.#stopListening ??= onAbort(signal, () => pool.abort());
    return new BatchRun(pool, this.#settings, refuse).run(batch);
  }

  async close(reason?: unknown): Promise<void> {
    this.#stopListening?.();
    await this.#pool?.close(reason === undefined);
  }
}
