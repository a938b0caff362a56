/**
 * Flow: the description of a source and what is done to its items, for a pipeline to run.
 *
 * A flow does nothing by itself. Each operator answers a new flow; a run builds the chain of stages from it.
 */

import { isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { OptionError, StreamWeldError, suppress } from '../errors.ts';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
} from '../options.ts';
import type { Awaitable, ConcurrentProcessor, Processor, SourceLike } from '../source.ts';
import { BatchStage, type BatchOptions } from './batch.ts';
import { FlatMapStage } from './flat-map.ts';
import { type AsyncOptions, FilterStage, type MapOptions, MapStage, TapStage } from './item-stage.ts';
import { ConcatStage, MergeStage } from './merge.ts';
import { SourceStage } from './source-stage.ts';
import type { FlowRun, Stage } from './stage.ts';
import { DropStage, TakeStage } from './take-drop.ts';
import { ThrottleStage } from './throttle.ts';
import { ThroughStage } from './through.ts';
import { ThroughManyStage, type ThroughOptions } from './through-many.ts';
import { toSource } from './to-source.ts';
import { type StandardSchema, type ValidateOptions, ValidateStage } from './validate.ts';

/**
 * A source, and what is done to its items on the way. Made by {@link from}; run by a ConcurrentPipeline, or by
 * iterating over it.
 *
 * Operators work on whole batches, keep the order of items unless told `{ ordered: false }`, and never lose the
 * position of an item they drop. Where a function may answer a promise, it is waited for; how many such calls may be in
 * flight is the option `concurrency`, or the pipeline's `maxConcurrency`.
 */
export class Flow<T> implements AsyncIterable<T> {
  readonly #build: (run: FlowRun) => Stage<T>;

  /** Flows are made by `from` and by operators. @internal */
  constructor(build: (run: FlowRun) => Stage<T>) {
    this.#build = build;
  }

  /** The chain of stages, for one run. @internal */
  build(run: FlowRun): Stage<T> {
    return this.#build(run);
  }

  /** Each item becomes another. Where the function throws or rejects, `onError` says what becomes of the item. */
  map<U>(transform: (item: T) => Awaitable<U>, options?: MapOptions): Flow<U> {
    checkFunction('map transform', transform);
    const checked = checkOptions('map', options, ['concurrency', 'ordered', 'onError']);
    checkAsyncValues('map', checked);
    checkOneOf('map.onError', checked.onError ?? 'fail', ON_REFUSED);
    return this.#then((input, run) => new MapStage(input, run, checked, transform));
  }

  /** Keeps the items for which the predicate is true. */
  filter<S extends T>(predicate: (item: T) => item is S, options?: AsyncOptions): Flow<S>;
  filter(predicate: (item: T) => Awaitable<boolean>, options?: AsyncOptions): Flow<T>;
  filter(predicate: (item: T) => Awaitable<boolean>, options?: AsyncOptions): Flow<T> {
    checkFunction('filter predicate', predicate);
    const checked = checkAsync('filter', options);
    return this.#then((input, run) => new FilterStage(input, run, checked, predicate));
  }

  /**
   * Each item becomes none, one or many: what an iterable holds. The iterable is read no faster than there is demand,
   * so it may be endless. A promise of one is waited for, one after the other.
   */
  flatMap<U>(transform: (item: T) => Awaitable<Iterable<U>>): Flow<U> {
    checkFunction('flatMap transform', transform);
    return this.#then((input, run) => new FlatMapStage(input, run, transform));
  }

  /** The first `count` items, then the end. The source is asked for no more. */
  take(count: number): Flow<T> {
    checkCount('take count', count, 0);
    return this.#then((input, run) => new TakeStage(input, run, count));
  }

  /** All but the first `count` items. */
  drop(count: number): Flow<T> {
    checkCount('drop count', count, 0);
    return this.#then((input, run) => new DropStage(input, run, count));
  }

  /** Looks at each item and passes it on; a promise is waited for. */
  tap(look: (item: T) => unknown, options?: AsyncOptions): Flow<T> {
    checkFunction('tap', look);
    const checked = checkAsync('tap', options);
    return this.#then((input, run) => new TapStage(input, run, checked, look));
  }

  /**
   * Checks each item against a Standard Schema (zod, valibot, arktype and others) and passes on what the schema makes
   * of it. An item that does not fit fails the run, is dropped and counted, or goes to the dead letter, as `onInvalid` says.
   */
  validate<O>(schema: StandardSchema<T, O> | StandardSchema<unknown, O>, options?: ValidateOptions): Flow<O> {
    if (typeof schema?.['~standard']?.validate !== 'function') {
      throw new StreamWeldError(
        'SW_OPTION_INVALID',
        'validate needs a Standard Schema: an object with a ~standard.validate function.',
      );
    }
    const checked = checkOptions('validate', options, ['concurrency', 'ordered', 'onInvalid']);
    checkAsyncValues('validate', checked);
    checkOneOf('validate.onInvalid', checked.onInvalid ?? 'fail', ON_REFUSED);
    return this.#then((input, run) => new ValidateStage(input, run, checked, schema as StandardSchema<T, O>));
  }

  /**
   * Arrays of `size` items, the last perhaps shorter; each array counts as one item from here on. With `withinMs` an
   * array goes on that long after its first item came, full or not: an endless source needs it. For the size of writes
   * there is `Sink.batching`.
   */
  batch(size: number, options?: BatchOptions): Flow<readonly T[]> {
    checkCount('batch size', size);
    const { withinMs } = checkOptions('batch', options, ['withinMs']);
    if (withinMs !== undefined) checkDuration('batch.withinMs', withinMs);
    return this.#then((input, run) => new BatchStage(input, run, size, withinMs));
  }

  /**
   * A stage of your own. Give a factory, and every run gets a fresh one. One that names its `concurrency` works on several
   * batches at once; the options are for such a one.
   */
  through<U>(
    processor: ConcurrentProcessor<T, U> | (() => ConcurrentProcessor<T, U>),
    options?: ThroughOptions,
  ): Flow<U>;
  through<U>(processor: Processor<T, U> | (() => Processor<T, U>)): Flow<U>;
  through<U>(processor: AnyProcessor<T, U> | (() => AnyProcessor<T, U>), options?: ThroughOptions): Flow<U> {
    if (typeof processor !== 'function') checkProcessor(processor);
    const checked = checkOptions('through', options, ['ordered', 'onError']);
    if (checked.ordered !== undefined) checkBoolean('through.ordered', checked.ordered);
    checkOneOf('through.onError', checked.onError ?? 'fail', ON_REFUSED);
    return this.#then((input, run) => {
      if (run.isSketch === true && typeof processor === 'function')
        return new ThroughStage<T, U>(input, run, { name: processor.name || 'through', process: () => [] });
      const made = typeof processor === 'function' ? processor() : processor;
      checkProcessor(made);
      if ('concurrency' in made) return new ThroughManyStage(input, run, made, checked);
      if (options === undefined) return new ThroughStage(input, run, made);
      throw new StreamWeldError(
        'SW_OPTION_INVALID',
        'The options of through are for a processor that works on several batches at once: give it a concurrency, or leave them out.',
      );
    });
  }

  /** Items of this flow and others as they come; each keeps its own order and positions. */
  merge<U = T>(...others: readonly SourceLikeOrFlow<U>[]): Flow<T | U> {
    const flows = others.map((other) => from(other));
    return new Flow<T | U>(
      (run) => new MergeStage<T | U>([this.#build(run), ...flows.map((flow) => flow.build(run))], run),
    );
  }

  /** The items of this flow, then those of the others, one after the other. */
  concat<U = T>(...others: readonly SourceLikeOrFlow<U>[]): Flow<T | U> {
    const flows = others.map((other) => from(other));
    return new Flow<T | U>(
      (run) => new ConcatStage<T | U>([this.#build(run), ...flows.map((flow) => flow.build(run))], run),
    );
  }

  /** At most `items` in any `perMs` milliseconds after a first burst of as many. */
  throttle(items: number, options: { readonly perMs: number }): Flow<T> {
    checkCount('throttle items', items);
    const { perMs } = checkOptions('throttle', options, ['perMs']);
    checkDuration('throttle.perMs', perMs);
    if (perMs === 0) throw new OptionError('throttle.perMs', 'a duration above 0 milliseconds', perMs);
    return this.#then((input, run) => new ThrottleStage(input, run, items, perMs));
  }

  #then<U>(next: (input: Stage<T>, run: FlowRun) => Stage<U>): Flow<U> {
    return new Flow((run) => next(this.#build(run), run));
  }

  /** Runs the flow in the loop's own time: asks for items as the loop takes them. Leaving the loop closes the source. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const run: FlowRun = { concurrency: 1, sources: [], stages: [], dropped: () => {} };
    const stage = this.#build(run);
    const controller = new AbortController();
    let failure: { error: unknown } | undefined;
    let wake: ((error: unknown) => void) | undefined;
    // A source that reports its failure is not waited for, and what is answered after that is discarded (S11).
    const fail = (error: unknown): void => {
      controller.abort(error);
      for (const each of run.stages) each.abandon();
      wake?.(error);
    };
    try {
      for (const source of run.sources) await source.open(NO_POSITIONS, controller.signal, fail);
      for (;;) {
        if (controller.signal.aborted) throw controller.signal.reason;
        const answer = stage.pull(ITERATION_DEMAND);
        const parcel = isThenable(answer)
          ? await new Promise<Parcel<T> | undefined>((resolve, reject) => {
              wake = reject;
              answer.then(resolve, reject);
              // It may have told in the midst of the pull.
              if (controller.signal.aborted) reject(controller.signal.reason);
            })
          : answer;
        if (controller.signal.aborted) throw controller.signal.reason;
        if (parcel === undefined) break;
        yield* parcel.items;
        parcel.settle();
      }
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      await closeStages(run, failure);
    }
  }
}

type AnyProcessor<I, O> = Processor<I, O> | ConcurrentProcessor<I, O>;

function checkProcessor(processor: AnyProcessor<never, unknown>): void {
  if (typeof processor?.process !== 'function') {
    throw new StreamWeldError(
      'SW_OPTION_INVALID',
      'through needs a Processor (an object with process), or a function that makes one.',
    );
  }
  if (!('concurrency' in processor)) return;
  checkCount('processor.concurrency', processor.concurrency);
  if (processor.maxItems !== undefined) checkCount('processor.maxItems', processor.maxItems);
  if ('flush' in processor || 'holdsBack' in processor) {
    throw new StreamWeldError(
      'SW_OPTION_INVALID',
      'A processor that works on several batches at once holds nothing back. Leave out flush and holdsBack, or concurrency.',
    );
  }
}

const ON_REFUSED = ['fail', 'drop', 'deadLetter'] as const;

/** Small, because a loop may be left at any item, and what was pulled by then is lost to other readers. */
const ITERATION_DEMAND = 16;

const NO_POSITIONS: ReadonlyMap<string, unknown> = new Map();

/** Closes every stage, the last first; a failure only counts where nothing failed before. */
async function closeStages(run: FlowRun, failure: { error: unknown } | undefined): Promise<void> {
  let first = failure;
  for (const stage of [...run.stages].reverse()) {
    try {
      await stage.close(first?.error);
    } catch (error) {
      if (first === undefined) first = { error };
      else suppress(first.error, error);
    }
  }
  if (first !== undefined && failure === undefined) throw first.error;
}

/** A source of any kind, or a flow. */
export type SourceLikeOrFlow<T> = SourceLike<T> | Flow<T>;

/**
 * Begins a flow: with a Source, an iterable, an async iterable, a web ReadableStream or a Node Readable.
 *
 * @example
 * from([1, 2, 3]).map((n) => n * 2)
 * @throws StreamWeldError SW_SOURCE_INVALID for anything else.
 */
export function from<T>(source: SourceLikeOrFlow<T>): Flow<T> {
  if (source instanceof Flow) return source;
  const first = toSource(source);
  if (first === source) return new Flow((run) => new SourceStage<T>(first, run));
  let isUsed = false;
  return new Flow((run) => {
    if (isUsed && canBeReadOnce(source)) {
      throw new StreamWeldError(
        'SW_FLOW_USED',
        'This flow begins with a stream or an iterator, which can be read once, and it was run before. Make a new one for each run.',
      );
    }
    isUsed = true;
    return new SourceStage<T>(toSource(source), run);
  });
}

/** Streams, generators and other iterators; an array or a set gives a new iterator each time. */
function canBeReadOnce(source: unknown): boolean {
  if (typeof source !== 'object' || source === null) return false;
  return 'next' in source || 'read' in source || 'getReader' in source;
}

function checkAsync(operator: string, options: AsyncOptions | undefined): AsyncOptions {
  const checked = checkOptions(operator, options, ['concurrency', 'ordered']);
  checkAsyncValues(operator, checked);
  return checked;
}

function checkAsyncValues(operator: string, { concurrency }: AsyncOptions): void {
  if (concurrency !== undefined) checkCount(`${operator}.concurrency`, concurrency);
}
