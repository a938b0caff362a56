/** The options of a KafkaDispatchedPipelineBuilder: types, defaults, checks. */

import type { DeadLetter, SinkLike } from '@streamweld/core';
import { checkFunction, checkOneOf, checkOptions, checkText, OptionError } from '@streamweld/core/connector';
import { checkReach, checkTimeout, REACH_OPTIONS, type ReachOptions } from './options.ts';
import type { KafkaRecord } from './record.ts';
import type { RecordBytes } from './sink-options.ts';

export interface KafkaDispatcherOptions<T> extends Omit<ReachOptions, 'name'> {
  /** What items go through. It has to be there; its partitions are how many can work on it at once in one group. */
  readonly topic: string;
  /** Of the dispatcher, the same in every process: the groups are named by it. */
  readonly name: string;
  /** What is written of an item. Default: JSON. */
  readonly encode?: ((item: T) => RecordBytes | null) | undefined;
  /** The item that a record is. Default: of JSON. */
  readonly decode?: ((record: KafkaRecord) => T) | undefined;
  /**
   * What becomes of a record that cannot be decoded: the subscription fails, the record is dropped, or it goes to a dead
   * letter, of which a function makes one for each subscription. Default `'fail'`.
   */
  readonly onInvalid?: 'fail' | 'drop' | (() => SinkLike<DeadLetter<KafkaRecord>>) | undefined;
  /** Where a group begins that has read nothing yet. Default `'earliest'`. */
  readonly from?: 'earliest' | 'latest' | undefined;
  /** Of whom nothing is heard for so long others get its share, in milliseconds. Default 30,000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Is told when a subscription has failed. Default: the console. */
  readonly logger?: { warn(message: string): void } | null | undefined;
}

export interface CheckedDispatcherOptions<T> {
  readonly reach: Omit<ReachOptions, 'name'>;
  readonly topic: string;
  readonly name: string;
  readonly encode: (item: T) => RecordBytes | null;
  readonly decode: (record: KafkaRecord) => T;
  readonly onInvalid: 'fail' | 'drop' | (() => SinkLike<DeadLetter<KafkaRecord>>);
  readonly begin: 'earliest' | 'latest';
  readonly sessionTimeoutMs: number | undefined;
  readonly logger: { warn(message: string): void } | null;
}

export function checkDispatcherOptions<T>(options: KafkaDispatcherOptions<T>): CheckedDispatcherOptions<T> {
  const given = checkOptions('KafkaDispatchedPipelineBuilder', options, [
    ...REACH_OPTIONS.filter((name) => name !== 'name'),
    'topic',
    'name',
    'encode',
    'decode',
    'onInvalid',
    'from',
    'sessionTimeoutMs',
    'logger',
  ]);
  const { topic, name, encode, decode, onInvalid = 'fail', from = 'earliest', ...others } = given;
  const { sessionTimeoutMs, logger, ...reach } = others;
  checkText('KafkaDispatchedPipelineBuilder.topic', topic);
  checkText('KafkaDispatchedPipelineBuilder.name', name);
  checkReach(reach, name);
  if (encode !== undefined) checkFunction('KafkaDispatchedPipelineBuilder.encode', encode);
  if (decode !== undefined) checkFunction('KafkaDispatchedPipelineBuilder.decode', decode);
  if (typeof onInvalid !== 'function')
    checkOneOf('KafkaDispatchedPipelineBuilder.onInvalid', onInvalid, ['fail', 'drop']);
  if (sessionTimeoutMs !== undefined)
    checkTimeout('KafkaDispatchedPipelineBuilder.sessionTimeoutMs', sessionTimeoutMs);
  checkLogger(logger);
  checkOneOf('KafkaDispatchedPipelineBuilder.from', from, ['earliest', 'latest']);
  return {
    reach,
    topic,
    name,
    encode: encode ?? ((item) => JSON.stringify(item)),
    decode: decode ?? decodeJson,
    onInvalid,
    begin: from,
    sessionTimeoutMs,
    logger: logger === undefined ? console : logger,
  };
}

function checkLogger(logger: unknown): void {
  if (logger === undefined || logger === null) return;
  if (typeof (logger as { warn?: unknown }).warn === 'function') return;
  throw new OptionError(
    'KafkaDispatchedPipelineBuilder.logger',
    'null, or an object with a warn(message)',
    logger,
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeJson<T>({ value }: KafkaRecord): T {
  if (value === null) throw new Error('It has no value.');
  return JSON.parse(utf8.decode(value)) as T;
}
