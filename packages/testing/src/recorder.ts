/** A sink that writes down what was asked of it. */

import { Deferred, runtime, type Sink } from '@streamweld/core/connector';

export interface RecordedCall {
  readonly call: 'open' | 'write' | 'flush' | 'close';
  /** On the runtime's clock, in milliseconds. */
  readonly at: number;
  /** Of a write: how many items, and which try. */
  readonly items?: number;
  readonly attempt?: number;
  /** Of a close. */
  readonly reason?: unknown;
}

export interface RecorderOptions<T> {
  readonly name?: string | undefined;
  /** For `itemsOf`. */
  readonly keyOf?: ((item: T) => unknown) | undefined;
  /** How many items are kept, the last of them; all are counted. Default: all. */
  readonly maxItems?: number | undefined;
}

export interface Recorder<T> extends Sink<T> {
  /** What was written, in order. */
  readonly items: readonly T[];
  /** Sizes of the writes, in order. */
  readonly sizes: readonly number[];
  readonly calls: readonly RecordedCall[];
  /** How many items were ever written. */
  readonly count: number;
  /** Those of one key, in order. */
  itemsOf(key: unknown): readonly T[];
  /** Resolves once so many items were written. */
  has(count: number): Promise<void>;
}

/**
 * A recorder: a sink that keeps what it is given, and answers questions about it.
 *
 * @example
 * const written = recorder<Order>({ keyOf: (order) => order.customer });
 * await new ConcurrentPipeline(source, written).run();
 * written.itemsOf('ann');
 */
export function recorder<T>(options: RecorderOptions<T> = {}): Recorder<T> {
  const { name = 'recorder', keyOf, maxItems = Number.POSITIVE_INFINITY } = options;
  const items: T[] = [];
  const sizes: number[] = [];
  const calls: RecordedCall[] = [];
  const waiting: { readonly count: number; readonly reached: Deferred }[] = [];
  let count = 0;
  const record = (call: Omit<RecordedCall, 'at'>): void => void calls.push({ ...call, at: runtime.now() });
  return {
    name,
    items,
    sizes,
    calls,
    get count() {
      return count;
    },
    itemsOf(key) {
      if (keyOf === undefined) throw new Error('recorder: itemsOf needs the option keyOf.');
      return items.filter((item) => keyOf(item) === key);
    },
    has(wanted) {
      const reached = new Deferred();
      if (count >= wanted) reached.resolve();
      else waiting.push({ count: wanted, reached });
      return reached.promise;
    },
    open: () => record({ call: 'open' }),
    write(batch, { attempt }) {
      record({ call: 'write', items: batch.length, attempt });
      sizes.push(batch.length);
      for (const item of batch) items.push(item);
      if (items.length > maxItems) items.splice(0, items.length - maxItems);
      count += batch.length;
      for (const { count: wanted, reached } of waiting) if (count >= wanted) reached.resolve();
    },
    flush: () => record({ call: 'flush' }),
    close: (reason) => record({ call: 'close', reason }),
  };
}
