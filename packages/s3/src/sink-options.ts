/** The options of S3Sink: types, defaults, checks. */

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
import { type Format, type FormatName, toFormat } from '@streamweld/formats';
import { type CheckedReach, checkReach, REACH_OPTIONS, type ReachOptions } from './options.ts';
import { makeKeyRule, type S3Key, type S3Part } from './sink-key.ts';

/** When an object is complete, whichever comes first. Where the sink delivers exactly once, each write is an object instead. */
export interface S3RollOptions {
  /** With so many bytes, as they are stored. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** Default: no limit. */
  readonly maxItems?: number | undefined;
  /** So long after its first item, in milliseconds. Default 60,000. */
  readonly maxAgeMs?: number | undefined;
  /** When nothing came for so long, in milliseconds. Default: no limit. */
  readonly maxIdleMs?: number | undefined;
}

export interface S3SinkOptions<T = unknown> extends ReachOptions {
  readonly bucket: string;
  /**
   * With `{sequence}`, and `{by}` where there is a `by`; or a function of the part, which makes another key for each `sequence` and
   * `by`. `.gz` at its end compresses.
   */
  readonly key: S3Key;
  /** Default 'lines'. */
  readonly format?: FormatName | Format<unknown, T> | undefined;
  /** Items of which it answers the same go to the same objects. Default: all of them. */
  readonly by?: ((item: T) => string) | undefined;
  /** Default 'auto': by the `.gz` of the key. */
  readonly compression?: 'auto' | 'gzip' | 'none' | undefined;
  /** Of gzip, from 0 to 9. Default 6. */
  readonly level?: number | undefined;
  readonly roll?: S3RollOptions | undefined;
  /** Bytes of one part of an upload, from 5 MiB on. So much is held in memory for each of maxOpen, and for four more. Default 5 MiB, the least that S3 takes. */
  readonly partBytes?: number | undefined;
  /** The most objects that are written to at once: of more, the one that was left alone for longest is completed. Default 8. */
  readonly maxOpen?: number | undefined;
  /** Where a run has a checkpoint, whether this sink keeps it, and each item is written once. Default true. */
  readonly exactlyOnce?: boolean | undefined;
  /**
   * The key of the sink's own small object. Default: `.streamweld/`, and what tells this sink from others: its `key`; where that is
   * a function, its `name`, or the checkpoint of its run where that delivers exactly once. Where there is none of them, one is
   * needed: SW_S3_LEDGER_UNNAMED.
   */
  readonly ledger?: string | undefined;
  /** Whether the store is told not to replace what is there. Default true; false for stores that do not know it. */
  readonly conditional?: boolean | undefined;
  /** Stored with each object. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default: what the format says. */
  readonly contentType?: string | undefined;
  /** The most items of one write, and how long it waits for them. */
  readonly batching?:
    | { readonly maxItems?: number | undefined; readonly lingerMs?: number | undefined }
    | undefined;
}

interface Roll {
  readonly maxBytes: number;
  readonly maxItems: number;
  readonly maxAgeMs: number;
  readonly maxIdleMs: number;
}

export interface CheckedSinkOptions<T> {
  readonly reach: CheckedReach;
  readonly bucket: string;
  readonly makeKey: (part: S3Part) => string;
  readonly format: Format<unknown, T>;
  readonly by: ((item: T) => string) | undefined;
  readonly isZipped: (key: string) => boolean;
  readonly level: number;
  readonly roll: Roll;
  readonly partBytes: number;
  readonly maxOpen: number;
  readonly exactlyOnce: boolean;
  readonly ledger: string | undefined;
  /** The key, where it is no function. */
  readonly template: string | undefined;
  /** What the user calls it. */
  readonly givenName: string | undefined;
  readonly conditional: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly batching: { readonly maxItems?: number; readonly lingerMs?: number };
}

/** What S3 asks of all parts but the last. */
const LEAST_PART = 5 << 20;
/** S3 takes 10,000 of an object, and what fills one may go a little beyond it. */
const MOST_PARTS = 9900;

export function checkSinkOptions<T>(options: S3SinkOptions<T>): CheckedSinkOptions<T> {
  const given = checkOptions('S3Sink options', options, [
    ...REACH_OPTIONS,
    'bucket',
    'key',
    'format',
    'by',
    'compression',
    'level',
    'roll',
    'partBytes',
    'maxOpen',
    'exactlyOnce',
    'ledger',
    'conditional',
    'metadata',
    'contentType',
    'batching',
  ]);
  const bucket = checkText('bucket', given.bucket);
  const { key } = given;
  if (typeof key !== 'function') checkText('key', key);
  const by = given.by === undefined ? undefined : checkFunction('by', given.by);
  const format = toFormat(given.format ?? 'lines') as unknown as Format<unknown, T>;
  const compression = checkOneOf('compression', given.compression ?? 'auto', ['auto', 'gzip', 'none']);
  const level = checkCount('level', given.level ?? 6, 0);
  if (level > 9) throw new OptionError('level', 'a whole number from 0 to 9', level);
  const roll = checkRoll(given.roll);
  const partBytes = checkCount('partBytes', given.partBytes ?? LEAST_PART, LEAST_PART);
  const mostBytes = partBytes * MOST_PARTS;
  if (roll.maxBytes > mostBytes && roll.maxBytes !== Number.POSITIVE_INFINITY) {
    throw new OptionError(
      'roll.maxBytes',
      `at most ${MOST_PARTS} times partBytes`,
      roll.maxBytes,
      'Raise partBytes.',
    );
  }
  const reach = checkReach(given, typeof key === 'string' ? `${bucket}/${key}` : bucket);
  return {
    reach,
    bucket,
    makeKey: makeKeyRule(key, by !== undefined, reach.name),
    format,
    by,
    isZipped:
      compression === 'auto' ? (made) => made.toLowerCase().endsWith('.gz') : () => compression === 'gzip',
    level,
    roll: { ...roll, maxBytes: Math.min(roll.maxBytes, mostBytes) },
    partBytes,
    maxOpen: checkCount('maxOpen', given.maxOpen ?? 8),
    exactlyOnce: checkBoolean('exactlyOnce', given.exactlyOnce ?? true),
    ledger: given.ledger === undefined ? undefined : checkText('ledger', given.ledger),
    template: typeof key === 'string' ? key : undefined,
    givenName: given.name,
    conditional: checkBoolean('conditional', given.conditional ?? true),
    metadata: checkMetadata(given.metadata),
    contentType: checkText(
      'contentType',
      given.contentType ?? format.contentType ?? 'application/octet-stream',
    ),
    batching: checkBatching(given.batching),
  };
}

function checkRoll(given: S3RollOptions | undefined): Roll {
  const { maxBytes, maxItems, maxAgeMs, maxIdleMs } = checkOptions('roll', given, [
    'maxBytes',
    'maxItems',
    'maxAgeMs',
    'maxIdleMs',
  ]);
  const endless = Number.POSITIVE_INFINITY;
  const count = (option: string, value: number | undefined, otherwise: number): number =>
    value === undefined ? otherwise : value === endless ? endless : checkCount(option, value);
  const duration = (option: string, value: number | undefined, otherwise: number): number => {
    if (value === undefined) return otherwise;
    if (value === endless) return endless;
    if (checkDuration(option, value) > 0) return value;
    throw new OptionError(option, 'a duration above 0', value);
  };
  return {
    maxBytes: count('roll.maxBytes', maxBytes, 64 << 20),
    maxItems: count('roll.maxItems', maxItems, endless),
    maxAgeMs: duration('roll.maxAgeMs', maxAgeMs, 60_000),
    maxIdleMs: duration('roll.maxIdleMs', maxIdleMs, endless),
  };
}

function checkMetadata(
  given: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const checked = given ?? {};
  for (const [name, value] of Object.entries(checked)) {
    if (!/^[a-z0-9-]+$/.test(name) || name.startsWith('streamweld-')) {
      throw new OptionError('metadata', 'names of a-z, 0-9 and -, none beginning with streamweld-', name);
    }
    if (typeof value !== 'string' || !/^[\x20-\x7e]*$/.test(value)) {
      throw new OptionError(`metadata.${name}`, 'text of ASCII characters', typeof value);
    }
  }
  return checked;
}

function checkBatching(given: S3SinkOptions['batching']): { maxItems?: number; lingerMs?: number } {
  const { maxItems, lingerMs } = checkOptions('batching', given, ['maxItems', 'lingerMs']);
  return {
    ...(maxItems === undefined ? undefined : { maxItems: checkCount('batching.maxItems', maxItems) }),
    ...(lingerMs === undefined ? undefined : { lingerMs: checkDuration('batching.lingerMs', lingerMs) }),
  };
}
