/** The options of a KafkaSource: types, defaults, checks. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import { type CheckedReach, checkReach, checkTimeout, REACH_OPTIONS, type ReachOptions } from './options.ts';
import { parseLane } from './position.ts';
import { fits } from './topic-list.ts';

/** Where a partition begins of which the group has committed nothing: by lane, `orders/0`, the offset of the first record. */
export type StartOffsets = Readonly<Record<string, string | number | bigint>>;

export interface KafkaSourceOptions extends ReachOptions {
  /** Names, and expressions for names; topics that come later are found too. An expression finds no name that begins with `__`. */
  readonly topics: string | RegExp | readonly (string | RegExp)[];
  /** Whoever has the same `groupId` shares the partitions, and what is committed. */
  readonly groupId: string;
  /**
   * Where to begin where nothing is committed: the first record, the next that comes, the first at or after a time, or offsets
   * by lane (`{ 'orders/0': 500 }`; other lanes begin at the first record). A partition that is added to a topic in which
   * the group has committed begins at its first record, also with `'latest'`. Default `'earliest'`.
   */
  readonly from?: 'earliest' | 'latest' | Date | StartOffsets | undefined;
  /**
   * What happens where the records that come next are gone, because of retention or of a topic that was made anew: the run
   * fails, or goes on at the first or behind the last that is there. Default `'fail'`.
   */
  readonly onOutOfRange?: 'fail' | 'earliest' | 'latest' | undefined;
  /** Whether records of transactions that are open or aborted are read. Default false. */
  readonly readUncommitted?: boolean | undefined;
  /**
   * Who commits the offsets: the source, or the transaction of a KafkaSink that keeps positions. Default `'source'`.
   */
  readonly commitBy?: 'source' | 'sink' | undefined;
  /** The most records and bytes that wait here, all partitions together. Default 50,000 and 32 MiB; one fetch of each broker may come on top. */
  readonly buffer?:
    | { readonly maxItems?: number | undefined; readonly maxBytes?: number | undefined }
    | undefined;
  /** Of whom nothing is heard for so long the group takes the partitions away, in milliseconds. Default 30,000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** How long the group waits for its members when it shares out anew, in milliseconds. Default 60,000. */
  readonly rebalanceTimeoutMs?: number | undefined;
  /**
   * How long what is in flight may take to be written and committed before the partitions are given up, in milliseconds; and
   * how long a run that ends waits for a group that shares itself out anew.
   * Default 5000; at most half of `sessionTimeoutMs`.
   */
  readonly drainMs?: number | undefined;
  /** How often new partitions, and new topics for an expression, are looked for, in milliseconds. Default 60,000. */
  readonly metadataMaxAgeMs?: number | undefined;
  /** How long the source tries to come back into its group before the run fails, in milliseconds. Default 120,000. */
  readonly reconnectMs?: number | undefined;
}

export interface CheckedSourceOptions extends CheckedReach {
  readonly topics: readonly (string | RegExp)[];
  readonly groupId: string;
  readonly from: 'earliest' | 'latest' | Date | ReadonlyMap<string, bigint>;
  readonly onOutOfRange: 'fail' | 'earliest' | 'latest';
  readonly readUncommitted: boolean;
  readonly commitBy: 'source' | 'sink';
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly drainMs: number;
  readonly metadataMaxAgeMs: number;
  readonly reconnectMs: number;
}

export function checkSourceOptions(options: KafkaSourceOptions): CheckedSourceOptions {
  const given = checkOptions('KafkaSource options', options, [
    ...REACH_OPTIONS,
    'topics',
    'groupId',
    'from',
    'onOutOfRange',
    'readUncommitted',
    'commitBy',
    'buffer',
    'sessionTimeoutMs',
    'rebalanceTimeoutMs',
    'drainMs',
    'metadataMaxAgeMs',
    'reconnectMs',
  ]);
  const topics = checkTopics(given.topics);
  const buffer = checkOptions('buffer', given.buffer, ['maxItems', 'maxBytes']);
  const sessionTimeoutMs = checkTimeout('sessionTimeoutMs', given.sessionTimeoutMs ?? 30_000);
  const most = Math.floor(sessionTimeoutMs / 2);
  const drainMs = checkDuration('drainMs', given.drainMs ?? Math.min(5000, most));
  if (drainMs > most) {
    throw new OptionError(
      'drainMs',
      `at most half of sessionTimeoutMs, ${most}`,
      drainMs,
      'While it waits nobody tells the group that the member lives.',
    );
  }
  return {
    ...checkReach(
      given,
      topics.map((topic) => (typeof topic === 'string' ? topic : topic.source)).join(', '),
    ),
    topics,
    groupId: checkText('groupId', given.groupId),
    from: checkFrom(given.from ?? 'earliest', topics),
    onOutOfRange: checkOneOf('onOutOfRange', given.onOutOfRange ?? 'fail', ['fail', 'earliest', 'latest']),
    readUncommitted: checkBoolean('readUncommitted', given.readUncommitted ?? false),
    commitBy: checkOneOf('commitBy', given.commitBy ?? 'source', ['source', 'sink']),
    maxItems: checkCount('buffer.maxItems', buffer.maxItems ?? 50_000),
    maxBytes: checkCount('buffer.maxBytes', buffer.maxBytes ?? 32 << 20),
    sessionTimeoutMs,
    rebalanceTimeoutMs: checkTimeout('rebalanceTimeoutMs', given.rebalanceTimeoutMs ?? 60_000),
    drainMs,
    metadataMaxAgeMs: checkTimeout('metadataMaxAgeMs', given.metadataMaxAgeMs ?? 60_000),
    reconnectMs: checkDuration('reconnectMs', given.reconnectMs ?? 120_000),
  };
}

function checkTopics(given: unknown): readonly (string | RegExp)[] {
  const topics: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (topics.length === 0) throw new OptionError('topics', 'one topic or more', given);
  return topics.map((topic) => (topic instanceof RegExp ? topic : checkText('topics', topic)));
}

function checkFrom(given: unknown, topics: readonly (string | RegExp)[]): CheckedSourceOptions['from'] {
  if (given === 'earliest' || given === 'latest') return given;
  if (given instanceof Date) {
    if (Number.isNaN(given.getTime())) throw new OptionError('from', 'a date that is one', given);
    return given;
  }
  if (typeof given !== 'object' || given === null) {
    throw new OptionError('from', "'earliest', 'latest', a Date, or offsets by lane", given);
  }
  return new Map(
    Object.entries(given).map(([lane, offset]) => {
      const place = parseLane(lane);
      if (place === undefined) throw new OptionError('from', "offsets by lane, '<topic>/<partition>'", lane);
      if (
        !topics.some((topic) =>
          typeof topic === 'string' ? topic === place.topic : fits(topic, place.topic),
        )
      )
        throw new OptionError('from', 'offsets in the topics that are read', lane, 'Check the name.');
      if (/^\d{1,19}$/.test(String(offset))) return [lane, BigInt(offset as string)];
      throw new OptionError(`from[${JSON.stringify(lane)}]`, 'a whole number of at least 0', offset);
    }),
  );
}
