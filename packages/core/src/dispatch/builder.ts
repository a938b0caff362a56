/** How dispatchers are made. */

import { OptionError } from '../errors.ts';
import { toSink } from '../flow/to-sink.ts';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkMethod,
  checkOneOf,
  checkOptions,
  checkText,
} from '../options.ts';
import { runtime } from '../runtime.ts';
import { BroadcastStrategy } from './broadcast.ts';
import { DemandStrategy } from './demand.ts';
import type { DispatcherConfig, OnUnknown } from './dispatch-core.ts';
import { Dispatcher } from './dispatcher.ts';
import { refuseCheckpoint } from './exact-options.ts';
import { hashKey, type Key } from './hash.ts';
import { PartitionStrategy, routeByName } from './partition.ts';
import type { Logger } from './stall-watch.ts';
import type { DispatchStrategy } from './strategy.ts';

export interface DispatcherOptions {
  /** Shown in snapshots and errors. Default: the name of the strategy. */
  readonly name?: string | undefined;
  /** The buffer of a subscription that names none, and of each partition. */
  readonly bufferSize?: number | undefined;
  /** Is told when items wait for a sink that nobody subscribed. Default the console; `null`: nobody. */
  readonly logger?: Logger | null | undefined;
  /** How long they wait before it is told, in milliseconds. Default 5000. */
  readonly stallMs?: number | undefined;
  /**
   * Each item is written exactly once to every sink it goes to: the name of the checkpoint of the pipeline that feeds the
   * dispatcher. Every sink must keep positions, which it does under `<checkpoint>/<its name>`. For a broadcast, and for
   * partitions without a key; sinks are subscribed before the pipeline is run.
   */
  readonly checkpoint?: string | undefined;
}

export interface DemandOptions {
  /** Chance decides among sinks of equal demand, instead of whose turn it is. Default false. */
  readonly shuffle?: boolean | undefined;
}

export interface PartitionOptions<T> {
  /**
   * What order is kept by. Without it the partition is the key, and has one sink that writes one batch at a time. With
   * it a partition may have several sinks, and each may write several batches at once.
   */
  readonly key?: ((item: T) => Key) | undefined;
  /** What becomes of an item that fits no partition, or whose route or key throws. Default `'fail'`. */
  readonly onUnknown?: OnUnknown<T> | undefined;
}

/**
 * Makes dispatchers for items of type T.
 *
 * @example
 * const dispatcher = new DispatchedPipelineBuilder<number>().partition(['even', 'odd'], n => (n % 2 === 0 ? 'even' : 'odd'));
 * await dispatcher.subscribeSink(evenSink, 'even');
 */
export class DispatchedPipelineBuilder<T> {
  readonly #options: DispatcherOptions;

  constructor(options?: DispatcherOptions) {
    const checked = checkOptions('DispatchedPipelineBuilder', options, [
      'name',
      'bufferSize',
      'logger',
      'stallMs',
      'checkpoint',
    ]);
    if (checked.checkpoint !== undefined)
      checkText('DispatchedPipelineBuilder.checkpoint', checked.checkpoint);
    if (checked.name !== undefined) checkText('DispatchedPipelineBuilder.name', checked.name);
    if (checked.bufferSize !== undefined)
      checkCount('DispatchedPipelineBuilder.bufferSize', checked.bufferSize);
    if (checked.stallMs !== undefined) checkDuration('DispatchedPipelineBuilder.stallMs', checked.stallMs);
    if (checked.logger !== undefined && checked.logger !== null) {
      checkMethod('DispatchedPipelineBuilder.logger', checked.logger, 'warn');
    }
    this.#options = checked;
  }

  /** Every item to all sinks; the slowest sets the pace. */
  broadcast(): Dispatcher<T> {
    return new Dispatcher<T>(this.#config(new BroadcastStrategy<T>()));
  }

  /** Each item to the sink with the most free demand. */
  demand(options?: DemandOptions): Dispatcher<T> {
    const { shuffle } = checkOptions('demand', options, ['shuffle']);
    if (shuffle !== undefined) checkBoolean('demand.shuffle', shuffle);
    refuseCheckpoint(
      this.#options.checkpoint,
      'the demand rule',
      'Which sink an item goes to is chance: when it comes again, it may go to another.',
    );
    const random = shuffle === true ? () => runtime.random() : undefined;
    return new Dispatcher<T>(this.#config(new DemandStrategy<T>(random)));
  }

  /**
   * Each item to the sink of its partition, in order.
   *
   * Given names, `route` answers one of them. Given a count, `route` answers a key, which is hashed onto the partitions 0
   * to count − 1: the same on every machine.
   */
  partition<const P extends string | number>(
    names: readonly P[],
    route: (item: T) => NoInfer<P>,
    options?: PartitionOptions<T>,
  ): Dispatcher<T, P>;
  partition(count: number, route: (item: T) => Key, options?: PartitionOptions<T>): Dispatcher<T, number>;
  partition(
    namesOrCount: readonly (string | number)[] | number,
    route: (item: T) => unknown,
    options?: PartitionOptions<T>,
  ): Dispatcher<T, string | number> {
    checkFunction('partition route', route);
    const { key, onUnknown } = checkOptions('partition', options, ['key', 'onUnknown']);
    if (key !== undefined) checkFunction('partition.key', key);
    if (typeof onUnknown === 'string') checkOneOf('partition.onUnknown', onUnknown, ['fail', 'drop']);
    else if (onUnknown !== undefined) toSink(onUnknown);
    const { checkpoint } = this.#options;
    if (key !== undefined)
      refuseCheckpoint(
        checkpoint,
        'a key',
        'Writes of one partition would not be in the order of the source.',
      );
    if (onUnknown !== undefined && typeof onUnknown !== 'string')
      refuseCheckpoint(
        checkpoint,
        'a sink as onUnknown',
        "Choose 'fail' or 'drop', or name a partition for such items.",
      );
    const names = typeof namesOrCount === 'number' ? numbers(namesOrCount) : checkNames(namesOrCount);
    const strategy = new PartitionStrategy<T>(
      typeof namesOrCount === 'number'
        ? { kind: 'hash', route: route as (item: T) => Key, count: namesOrCount }
        : routeByName(route, names),
    );
    return new Dispatcher<T, string | number>({
      ...this.#config(strategy),
      partitions: names,
      hash: key === undefined ? undefined : (item) => hashKey(key(item)),
      onUnknown: onUnknown ?? 'fail',
      thrown: () => strategy.thrown,
    });
  }

  /** A dispatcher with a strategy of your own: see the rules of DispatchStrategy. Its answers are checked. */
  custom(strategy: DispatchStrategy<T>): Dispatcher<T> {
    checkMethod('custom strategy', strategy, 'dispatch');
    checkMethod('custom strategy', strategy, 'demand');
    checkText('custom strategy.name', strategy.name);
    refuseCheckpoint(
      this.#options.checkpoint,
      'a strategy of your own',
      'An item that comes again may go to another sink than before.',
    );
    return new Dispatcher<T>({ ...this.#config(strategy), isCustom: true });
  }

  #config(strategy: DispatchStrategy<T>): DispatcherConfig<T> {
    const { name, bufferSize, logger, stallMs, checkpoint } = this.#options;
    return {
      name: name ?? strategy.name,
      strategy,
      partitions: undefined,
      hash: undefined,
      onUnknown: 'fail',
      thrown: () => undefined,
      isCustom: false,
      bufferSize,
      checkpoint,
      logger: logger === undefined ? console : logger,
      stallMs: stallMs ?? 5000,
    };
  }
}

function numbers(count: number): readonly number[] {
  checkCount('partition count', count);
  return Array.from({ length: count }, (_, index) => index);
}

function checkNames(names: readonly (string | number)[]): readonly (string | number)[] {
  if (!Array.isArray(names) || names.length === 0) {
    throw new OptionError('partition names', 'a list of at least one name, or a count', names);
  }
  for (const name of names) {
    if (typeof name !== 'string' && typeof name !== 'number') {
      throw new OptionError('partition names', 'strings or numbers', name);
    }
  }
  if (new Set(names).size !== names.length) throw new OptionError('partition names', 'all different', names);
  return [...names];
}
