/** Dispatcher: the face. What it does is in dispatch-core.ts, how it decides in the strategies. */

import { checkFunction } from '../options.ts';
import type { OperationObserver, Watchable } from '../observe.ts';
import type { Sink, SinkLike } from '../sink.ts';
import {
  DEFAULT_BATCH,
  DispatchCore,
  type DispatcherConfig,
  type DispatcherSnapshot,
} from './dispatch-core.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { SinkStatus, Subscription } from './subscription.ts';

/** The rest of the arguments of `subscribeSink`: a partition dispatcher wants to know which. */
export type SubscribeArguments<T, P> = [P] extends [never]
  ? [partition?: undefined, options?: SubscribeOptions<T>]
  : [partition: P, options?: SubscribeOptions<T>];

/**
 * One source, many sinks. Made by a DispatchedPipelineBuilder; fed through `createSink()`, which an ordinary pipeline,
 * or another dispatcher, takes as its sink.
 */
export class Dispatcher<T, P extends string | number = never> implements Watchable {
  readonly #core: DispatchCore<T>;

  /** Made by a DispatchedPipelineBuilder. @internal */
  constructor(config: DispatcherConfig<T>) {
    this.#core = new DispatchCore<T>(config);
    this.#core.face = this;
  }

  get name(): string {
    return this.#core.name;
  }

  /**
   * Subscribes a sink; resolves when it is open. From then on it gets its share of what flows.
   * @throws StreamWeldError SW_PARTITION_MISSING, SW_PARTITION_UNKNOWN, SW_PARTITION_TAKEN, SW_SUBSCRIPTION_EXISTS,
   * SW_SUBSCRIPTION_CYCLE, SW_DISPATCHER_CLOSED; SW_EXACTLY_ONCE_IMPOSSIBLE where the builder was given a checkpoint;
   * OptionError for options.
   */
  subscribeSink(sink: SinkLike<T>, ...[partition, options]: SubscribeArguments<T, P>): Promise<Subscription> {
    return this.#core.subscribeSink(sink, partition, options);
  }

  /**
   * A sink that feeds this dispatcher. Several may be open at once, and only one where the builder was given a
   * checkpoint; when the last of them ends, the subscribed sinks are closed.
   * @param batchSize the most items of one write into the dispatcher, and out of it where a sink does not say its own.
   * Default 500.
   */
  createSink(batchSize: number = DEFAULT_BATCH): Sink<T> {
    return this.#core.createSink(batchSize);
  }

  /** How each subscribed sink is doing, in order of subscription; those that left come last. */
  sinks(): SinkStatus[] {
    return this.#core.sinks();
  }

  /** What it looks like now: a plain object, built when asked for. */
  snapshot(): DispatcherSnapshot {
    return this.#core.snapshot();
  }

  /** Is told of each write to a subscribed sink from now on. @returns what ends it */
  observe(observer: OperationObserver): () => void {
    return this.#core.observers.add(checkFunction('observe', observer));
  }

  /** Dispatchers that are subscribed to it, by the id of their subscription. */
  behind(): ReadonlyMap<string, Watchable> {
    return this.#core.behind();
  }

  /** Abandons every sink; runs that still feed it fail with the reason. */
  abort(reason?: unknown): Promise<void> {
    return this.#core.abort(reason);
  }

  /** Aborts it, which does nothing where it has come to its end. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#core.abort(undefined);
  }
}
