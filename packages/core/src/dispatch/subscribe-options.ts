/** The options of a subscription, and their checks. */

import { OVERFLOWS, type Overflow } from '../channel/channel.ts';
import { OptionError } from '../errors.ts';
import { checkPolicies, type WritePolicyOptions } from '../policy/write-policies.ts';
import { checkCount, checkFunction, checkOneOf, checkOptions, checkText } from '../options.ts';

export interface SubscribeOptions<T> extends WritePolicyOptions<T> {
  /** Shown in `sinks()`, snapshots and errors. Default: the sink's own name. */
  readonly name?: string | undefined;
  /**
   * The most items that wait for this sink or are being written to it. Default 1000; of a demand dispatcher twice the
   * size of a write times `maxConcurrency`, since what is queued stays where it is.
   */
  readonly bufferSize?: number | undefined;
  /**
   * Writes at once, up to the sink's own `concurrency`. Default 1. Above it order is not kept, except at a partition
   * dispatcher with a `key`, where it is kept per key.
   */
  readonly maxConcurrency?: number | undefined;
  /**
   * How many items its sink may have accepted and not yet made durable: then it is flushed. Default 100,000. Not used
   * where there is a key.
   */
  readonly maxUncommitted?: number | undefined;
  /** What happens when its buffer is full. Default `'wait'`: backpressure. A demand dispatcher has no other. */
  readonly overflow?: Overflow | undefined;
  /** Is given what an overflow dropped. */
  readonly onDrop?: ((items: readonly T[]) => void) | undefined;
  /** Of a broadcast, and of a custom strategy that looks at it: which items it wants. It may be asked twice about an item. */
  readonly selector?: ((item: T) => boolean) | undefined;
  /**
   * `'fail'`, the default: a failure of this sink fails the dispatcher and the runs that feed it. `'detach'`: it only
   * ends this branch; what it did not take goes to its `deadLetter`, or is counted as `failed`, and counts as done.
   */
  readonly onError?: 'fail' | 'detach' | undefined;
}

const KNOWN = [
  'name',
  'bufferSize',
  'maxConcurrency',
  'maxUncommitted',
  'overflow',
  'onDrop',
  'selector',
  'onError',
  'retry',
  'deadLetter',
  'circuitBreaker',
  'rateLimit',
  'writeTimeout',
] as const;

/** @throws OptionError */
export function checkSubscribeOptions<T>(
  options: SubscribeOptions<T> | undefined,
  strategy: string,
  hasKey: boolean,
): SubscribeOptions<T> {
  const checked = checkOptions('subscribeSink', options, KNOWN);
  const { name, bufferSize, maxConcurrency, maxUncommitted, overflow, onDrop, selector, onError } = checked;
  if (name !== undefined) checkText('subscribeSink.name', name);
  if (bufferSize !== undefined) checkCount('subscribeSink.bufferSize', bufferSize);
  if (maxConcurrency !== undefined) checkCount('subscribeSink.maxConcurrency', maxConcurrency);
  if (maxUncommitted !== undefined) checkCount('subscribeSink.maxUncommitted', maxUncommitted);
  if (overflow !== undefined) checkOneOf('subscribeSink.overflow', overflow, OVERFLOWS);
  if (onDrop !== undefined) checkFunction('subscribeSink.onDrop', onDrop);
  if (selector !== undefined) checkFunction('subscribeSink.selector', selector);
  if (onError !== undefined) checkOneOf('subscribeSink.onError', onError, ['fail', 'detach']);
  checkPolicies('subscribeSink.', checked as WritePolicyOptions<never>);
  if (selector !== undefined && strategy !== 'broadcast' && strategy !== 'custom') {
    throw new OptionError('subscribeSink.selector', 'left out', selector, 'Only a broadcast has selectors.');
  }
  if (strategy === 'partition' && !hasKey && (maxConcurrency ?? 1) > 1) {
    throw new OptionError(
      'subscribeSink.maxConcurrency',
      '1 at a partition without a key',
      maxConcurrency,
      'The order of a partition would be lost. Give the builder a key: partition(names, route, { key }).',
    );
  }
  if (strategy === 'demand' && overflow !== undefined && overflow !== 'wait') {
    throw new OptionError(
      'subscribeSink.overflow',
      "'wait' at a demand dispatcher",
      overflow,
      'A sink that never says it is full would be given everything.',
    );
  }
  if (hasKey && overflow !== undefined && overflow !== 'wait') {
    throw new OptionError('subscribeSink.overflow', "'wait' where there is a key", overflow);
  }
  return checked;
}
