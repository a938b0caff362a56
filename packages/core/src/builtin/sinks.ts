/** Sinks that need nothing but themselves. */

import { checkDuration, checkFunction, checkOptions } from '../options.ts';
import { runtime } from '../runtime.ts';
import type { Sink } from '../sink.ts';

/** A sink that keeps what it is given. */
export interface CollectSink<T> extends Sink<T> {
  readonly items: T[];
}

/** Keeps every item in memory, in `items`: for tests and small results. */
export function collect<T>(): CollectSink<T> {
  const items: T[] = [];
  return {
    name: 'collect',
    items,
    write: (batch) => {
      for (const item of batch) items.push(item);
    },
  };
}

/** A sink that counts. */
export interface CountSink extends Sink<unknown> {
  readonly count: number;
}

/** Counts items, and keeps none. */
export function count(): CountSink {
  let total = 0;
  return {
    name: 'count',
    get count() {
      return total;
    },
    write: (batch) => {
      total += batch.length;
    },
  };
}

/** Prints each item on the console. `format` makes the line; the default is what the console makes of the item. */
export function print<T>(format?: (item: T) => unknown): Sink<T> {
  if (format !== undefined) checkFunction('print', format);
  return {
    name: 'print',
    concurrency: 1,
    write: (batch) => {
      for (const item of batch) console.log(format === undefined ? item : format(item));
    },
  };
}

export interface ThroughputReading {
  readonly items: number;
  readonly itemsPerSecond: number;
}

export interface ThroughputSink extends Sink<unknown> {
  /** Items since the run began, and their average rate. */
  reading(): ThroughputReading;
}

/** Counts items and time, and keeps none. With `onReading` it says how it goes every so often while items come. */
export function throughput(options?: {
  readonly everyMs?: number | undefined;
  readonly onReading?: ((reading: ThroughputReading) => void) | undefined;
}): ThroughputSink {
  const { everyMs = 1000, onReading } = checkOptions('throughput', options, ['everyMs', 'onReading']);
  checkDuration('throughput.everyMs', everyMs);
  if (onReading !== undefined) checkFunction('throughput.onReading', onReading);
  let items = 0;
  let startedAt = runtime.now();
  let endedAt: number | undefined;
  let nextAt = startedAt + everyMs;
  const reading = (): ThroughputReading => {
    const ms = (endedAt ?? runtime.now()) - startedAt;
    return { items, itemsPerSecond: ms === 0 ? 0 : (items * 1000) / ms };
  };
  return {
    name: 'throughput',
    open: () => {
      startedAt = runtime.now();
      nextAt = startedAt + everyMs;
    },
    write: (batch) => {
      items += batch.length;
      const now = runtime.now();
      if (onReading === undefined || now < nextAt) return;
      nextAt = now + everyMs;
      onReading(reading());
    },
    close: () => {
      endedAt = runtime.now();
    },
    reading,
  };
}
