/** The options of an S3Source: types, defaults, checks. */

import {
  type Awaitable,
  checkCount,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { GunzipOptions } from '@streamweld/formats';
import type { ListedObject } from './client.ts';
import { checkPrefix } from './endpoint.ts';
import { type CheckedReach, checkReach, REACH_OPTIONS, type ReachOptions } from './options.ts';

/** An object by its key; with an etag, only that version of it. */
export type ObjectKey = string | { readonly key: string; readonly etag?: string | undefined };

/** An object of which all is durable in every sink. */
export interface DoneObject {
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
}

/** What becomes of an object of which all is durable. */
export type AfterObject =
  | 'delete'
  | { readonly tags: Readonly<Record<string, string>> }
  | ((object: DoneObject) => Awaitable<void>);

export interface S3SourceOptions extends ReachOptions {
  readonly bucket: string;
  /** Reads the objects whose keys begin so, in the order of their keys. Default: all of the bucket. */
  readonly prefix?: string | undefined;
  /**
   * Reads these instead: a list, or whatever gives keys one after the other, such as a queue of notices. A list must
   * be the same when a run is resumed; what is given by an async iterable need not.
   */
  readonly keys?: Iterable<ObjectKey> | AsyncIterable<ObjectKey> | undefined;
  /** Which of the listed objects are read. */
  readonly filter?: ((object: ListedObject) => boolean) | undefined;
  /** The longest line or record, in bytes. Default 16 MiB. For a format given as an object, set it there. */
  readonly maxLineBytes?: number | undefined;
  /** `auto`: gzip where the key ends in `.gz`, the object's content encoding or its first bytes say so. Default `auto`. */
  readonly compression?: 'auto' | 'gzip' | 'none' | undefined;
  /** Limits against a gzip bomb: `maxBytes`, `maxRatio`. */
  readonly gunzip?: Pick<GunzipOptions, 'maxBytes' | 'maxRatio'> | undefined;
  /**
   * `listed`: one object after the other, as one lane with one position. `ready`: of those that are fetched whichever has
   * something, each a lane of its own with a position that stays. Default `listed`.
   */
  readonly order?: 'listed' | 'ready' | undefined;
  /** How much is fetched at once and ahead: so many objects, and so many bytes that wait. Default 8, and 32 MiB. */
  readonly readAhead?: ReadAheadOptions | undefined;
  /** What becomes of an object when all of it is durable in every sink. Default: it stays as it is. */
  readonly after?: AfterObject | undefined;
}

export interface ReadAheadOptions {
  /**
   * The most objects that are fetched at once. A connection each. Default 8; at most 40. Four times as many may be begun before
   * the first of them is read to its end, where those behind it have come whole.
   */
  readonly maxObjects?: number | undefined;
  /** The most bytes that wait for being decoded, all objects together. A few chunks of each may come on top. Default 32 MiB. */
  readonly maxBytes?: number | undefined;
}

export interface CheckedSourceOptions extends CheckedReach {
  readonly bucket: string;
  readonly prefix: string;
  readonly keys: Iterable<ObjectKey> | AsyncIterable<ObjectKey> | undefined;
  readonly filter: ((object: ListedObject) => boolean) | undefined;
  readonly maxLineBytes: number | undefined;
  readonly compression: 'auto' | 'gzip' | 'none';
  readonly gunzip: Pick<GunzipOptions, 'maxBytes' | 'maxRatio'>;
  readonly order: 'listed' | 'ready';
  readonly maxObjects: number;
  readonly maxBytes: number;
  readonly after: AfterObject | undefined;
  /** The name that was given, where keys are: what tells one queue from another. */
  readonly givenName: string | undefined;
}

/** The SDK has 50 connections: some are left for listing, deleting and trying again. */
const MOST_OBJECTS = 40;
/** What S3 lets an object have. */
const MOST_TAGS = 10;

export function checkSourceOptions(
  options: S3SourceOptions & { readonly format?: unknown },
): CheckedSourceOptions {
  const given = checkOptions('S3Source options', options, [
    ...REACH_OPTIONS,
    'bucket',
    'prefix',
    'keys',
    'filter',
    'format',
    'maxLineBytes',
    'compression',
    'gunzip',
    'order',
    'readAhead',
    'after',
  ]);
  const bucket = checkText('bucket', given.bucket);
  const { keys, filter, maxLineBytes } = given;
  const readAhead = checkOptions('readAhead', given.readAhead, ['maxObjects', 'maxBytes']);
  const prefix =
    given.prefix === undefined || given.prefix === '' ? '' : checkPrefix(checkText('prefix', given.prefix));
  if (keys !== undefined) {
    checkKeys(keys);
    for (const other of ['prefix', 'filter'] as const) {
      if (given[other] === undefined) continue;
      throw new OptionError(
        other,
        'left out beside keys',
        given[other],
        'Nothing is listed where keys are given.',
      );
    }
  }
  const maxObjects = checkCount('readAhead.maxObjects', readAhead.maxObjects ?? 8);
  if (maxObjects > MOST_OBJECTS)
    throw new OptionError(
      'readAhead.maxObjects',
      `at most ${MOST_OBJECTS}`,
      maxObjects,
      'Each takes a connection.',
    );
  return {
    ...checkReach(given, keys === undefined && prefix !== '' ? `${bucket}/${prefix}` : bucket),
    bucket,
    prefix,
    keys,
    filter: filter === undefined ? undefined : checkFunction('filter', filter),
    maxLineBytes: maxLineBytes === undefined ? undefined : checkCount('maxLineBytes', maxLineBytes),
    compression: checkOneOf('compression', given.compression ?? 'auto', ['auto', 'gzip', 'none']),
    gunzip: checkOptions('gunzip', given.gunzip, ['maxBytes', 'maxRatio']),
    order: checkOneOf('order', given.order ?? 'listed', ['listed', 'ready']),
    maxObjects,
    maxBytes: checkCount('readAhead.maxBytes', readAhead.maxBytes ?? 32 << 20),
    after: given.after === undefined ? undefined : checkAfter(given.after),
    givenName: keys === undefined ? undefined : given.name,
  };
}

function checkKeys(keys: unknown): void {
  const iterable = keys as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null;
  const isObject = typeof keys === 'object' && keys !== null;
  if (isObject && (typeof iterable?.[Symbol.iterator] === 'function' || isAsync(keys))) return;
  throw new OptionError('keys', 'a list of keys, or an iterable or async iterable of them', keys);
}

export function isAsync<T>(keys: Iterable<T> | AsyncIterable<T> | object): keys is AsyncIterable<T> {
  return typeof (keys as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === 'function';
}

function checkAfter(after: AfterObject): AfterObject {
  if (after === 'delete' || typeof after === 'function') return after;
  const { tags } = (after ?? {}) as { readonly tags?: unknown };
  const isPlain = typeof tags === 'object' && tags !== null && !Array.isArray(tags);
  const entries = isPlain ? Object.entries(tags) : [];
  if (
    entries.length === 0 ||
    entries.length > MOST_TAGS ||
    !entries.every(([, value]) => typeof value === 'string')
  )
    throw new OptionError('after', `'delete', { tags } with 1 to ${MOST_TAGS} texts, or a function`, after);
  return after;
}
