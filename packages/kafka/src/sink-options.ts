/** The options of KafkaSink: types, defaults, checks. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { Compression } from './client.ts';
import { type CheckedReach, checkReach, checkTimeout, REACH_OPTIONS, type ReachOptions } from './options.ts';

/** Text is written as UTF-8. */
export type RecordBytes = string | Uint8Array;

/** Of one name there may be several; a name without a value is not written. */
export type HeaderValues = Readonly<Record<string, RecordBytes | readonly RecordBytes[] | undefined>>;

export interface KafkaSinkOptions<T> extends ReachOptions {
  /** Where records go: a topic for all of them, or a function of the item. It has to be there. */
  readonly topic: string | ((item: T) => string);
  /** Records of one key are in one partition, in order. Null: in any. Default: null. */
  readonly key?: ((item: T) => RecordBytes | null | undefined) | undefined;
  /** Null is a tombstone. Default: text and bytes as they are, null as null, anything else as JSON. */
  readonly value?: ((item: T) => RecordBytes | null) | undefined;
  readonly headers?: ((item: T) => HeaderValues | undefined) | undefined;
  /** Its number, from 0 on. Default, also where it answers undefined: by the key, as Java's client does it. */
  readonly partition?: ((item: T) => number | undefined) | undefined;
  /** A Date, or milliseconds since 1970. Default, also where it answers undefined: the time of writing. */
  readonly timestamp?: ((item: T) => Date | number | undefined) | undefined;
  /**
   * `gzip` is built in; `snappy` needs the package `kafkajs-snappy`, `lz4` the package `lz4-napi`, `zstd` the package
   * `zstd-napi`, beside this one. Default `none`.
   */
  readonly compression?: Compression | undefined;
  /** Who must have a record before it counts as written: `all` replicas in sync, the `leader`, or `none`. Default `all`. */
  readonly acks?: 'all' | 'leader' | 'none' | undefined;
  /** Whether a lost answer may not write a record twice. It needs acks from `all`. Default: with these, true. */
  readonly idempotent?: boolean | undefined;
  /**
   * The most bytes of one batch of one partition, before compression: what the topic takes (`max.message.bytes`), or less. A
   * larger record is a batch of its own. Default 1,000,000.
   */
  readonly maxBatchBytes?: number | undefined;
  /** The items of one write, and how long one that is not full waits. Default: up to 10,000 items, and no waiting. */
  readonly batching?:
    | { readonly maxItems?: number | undefined; readonly lingerMs?: number | undefined }
    | undefined;
  /** The most writes at once, each by a producer of its own, as far as the run's `maxConcurrency` allows. Default 4. */
  readonly writers?: number | undefined;
  /** How long a write is tried again before it fails, in milliseconds. Default 120,000. */
  readonly deliveryTimeoutMs?: number | undefined;
  /**
   * For exactly once from Kafka to Kafka, with `.checkpoint(…)`: each source batch is written in a transaction that commits
   * the offsets of its reader too. It is a prefix: each partition that is read has a producer named for it.
   */
  readonly transactionalId?: string | undefined;
  /** After so long the brokers abort a transaction that is not ended, in milliseconds. Default 60,000. */
  readonly transactionTimeoutMs?: number | undefined;
}

export interface CheckedSinkOptions<T> {
  readonly reach: CheckedReach;
  readonly topic: string | ((item: T) => string);
  readonly key: ((item: T) => RecordBytes | null | undefined) | undefined;
  readonly value: ((item: T) => RecordBytes | null) | undefined;
  readonly headers: ((item: T) => HeaderValues | undefined) | undefined;
  readonly partition: ((item: T) => number | undefined) | undefined;
  readonly timestamp: ((item: T) => Date | number | undefined) | undefined;
  readonly compression: Compression;
  readonly acks: -1 | 0 | 1;
  readonly isIdempotent: boolean;
  readonly maxBatchBytes: number;
  readonly maxItems: number;
  readonly lingerMs: number;
  readonly writers: number;
  readonly deliveryTimeoutMs: number;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
}

const ACKS = { all: -1, leader: 1, none: 0 } as const;

export function checkSinkOptions<T>(options: KafkaSinkOptions<T>): CheckedSinkOptions<T> {
  const given = checkOptions('KafkaSink options', options, [
    ...REACH_OPTIONS,
    'topic',
    'key',
    'value',
    'headers',
    'partition',
    'timestamp',
    'compression',
    'acks',
    'idempotent',
    'maxBatchBytes',
    'batching',
    'writers',
    'deliveryTimeoutMs',
    'transactionalId',
    'transactionTimeoutMs',
  ]);
  const { topic, transactionalId } = given;
  if (typeof topic !== 'function') checkText('topic', topic);
  for (const name of ['key', 'value', 'headers', 'partition', 'timestamp'] as const) {
    if (given[name] !== undefined) checkFunction(name, given[name]);
  }
  const acks = ACKS[checkOneOf('acks', given.acks ?? 'all', ['all', 'leader', 'none'])];
  const isIdempotent = checkBoolean('idempotent', given.idempotent ?? acks === -1);
  if (isIdempotent && acks !== -1) {
    throw new OptionError('idempotent', "false where acks is not 'all'", isIdempotent);
  }
  if (transactionalId !== undefined) {
    checkText('transactionalId', transactionalId);
    if (!isIdempotent) throw new OptionError('idempotent', 'true with a transactionalId', isIdempotent);
    if (given.writers !== undefined || given.batching !== undefined) {
      throw new OptionError(
        'transactionalId',
        'given without writers and batching',
        undefined,
        'A transaction holds one batch of the source.',
      );
    }
  }
  const batching = checkOptions('batching', given.batching, ['maxItems', 'lingerMs']);
  return {
    reach: checkReach(given, typeof topic === 'string' ? topic : 'topics'),
    topic,
    key: given.key,
    value: given.value,
    headers: given.headers,
    partition: given.partition,
    timestamp: given.timestamp,
    compression: checkOneOf('compression', given.compression ?? 'none', [
      'none',
      'gzip',
      'snappy',
      'lz4',
      'zstd',
    ]),
    acks,
    isIdempotent,
    maxBatchBytes: checkCount('maxBatchBytes', given.maxBatchBytes ?? 1_000_000),
    // With a transactionalId one source batch a write: what is kept together is of one partition.
    maxItems:
      transactionalId === undefined ? checkCount('batching.maxItems', batching.maxItems ?? 10_000) : 1,
    lingerMs: checkDuration('batching.lingerMs', batching.lingerMs ?? 0),
    writers: transactionalId === undefined ? checkCount('writers', given.writers ?? 4) : 1,
    deliveryTimeoutMs: checkTimeout('deliveryTimeoutMs', given.deliveryTimeoutMs ?? 120_000),
    transactionalId,
    transactionTimeoutMs: checkTimeout('transactionTimeoutMs', given.transactionTimeoutMs ?? 60_000),
  };
}
