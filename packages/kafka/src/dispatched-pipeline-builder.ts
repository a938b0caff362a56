/** KafkaDispatchedPipelineBuilder: which rule a KafkaDispatcher follows. */

import type { Key } from '@streamweld/core';
import { checkCount, checkFunction } from '@streamweld/core/connector';
import { KafkaDispatcher } from './dispatcher.ts';
import {
  type CheckedDispatcherOptions,
  checkDispatcherOptions,
  type KafkaDispatcherOptions,
} from './dispatcher-options.ts';

/**
 * Builds the dispatchers that go past one process: items go through a topic, and the sinks that are subscribed to it may be
 * in any process of any machine. Their rules are those of core's dispatchers, and so is `subscribeSink`.
 *
 * @example
 * const dispatcher = new KafkaDispatchedPipelineBuilder<Order>({ brokers, topic: 'orders', name: 'shop' }).broadcast();
 * await dispatcher.subscribeSink(invoices, undefined, { name: 'invoices' });
 * await new ConcurrentPipeline(orders, dispatcher.createSink()).run();
 */
export class KafkaDispatchedPipelineBuilder<T> {
  readonly #options: CheckedDispatcherOptions<T>;

  /** @throws OptionError */
  constructor(options: KafkaDispatcherOptions<T>) {
    this.#options = checkDispatcherOptions(options);
  }

  /** Every item to each name that a sink is subscribed under; sinks of one name share what it gets. */
  broadcast(): KafkaDispatcher<T> {
    return new KafkaDispatcher<T>(this.#options, { kind: 'broadcast' });
  }

  /** Each item to one of the sinks, wherever they are. Of those who have a partition to read, a slow one takes less. */
  demand(): KafkaDispatcher<T> {
    return new KafkaDispatcher<T>(this.#options, { kind: 'demand' });
  }

  /**
   * Each item to the sink that has the partition of its key, and items of one key in order, also where partitions move from
   * one process to another. @param partitions that the topic has. @param key goes by Java's hash, as other clients do it.
   */
  partition(partitions: number, key: (item: T) => Key): KafkaDispatcher<T> {
    checkCount('partition count', partitions);
    checkFunction('partition key', key);
    return new KafkaDispatcher<T>(this.#options, { kind: 'partition', partitions, key });
  }
}
