/** The options of the formats, and their checks. */

import { checkCount, checkOneOf, OptionError } from '@streamweld/core/connector';
import type { DecoderOptions } from './format.ts';

export interface TextOptions {
  /** The longest line or CSV record, in bytes without its line end. Default 16 MiB. */
  readonly maxLineBytes?: number | undefined;
  /** What to do with a longer one: fail, or leave it out and count it in `skipped`. Default 'fail'. */
  readonly onLongLine?: 'fail' | 'skip' | undefined;
  /** What to do with bytes that are not UTF-8: fail, or put U+FFFD in their place. Default 'fail'. */
  readonly invalidUtf8?: 'fail' | 'replace' | undefined;
}

export interface LinesOptions extends TextOptions {
  /**
   * Joins lines into records, such as stack traces: says whether a line begins a record; any other belongs to the one
   * before it. A record is bounded by `maxLineBytes` as a line is.
   */
  readonly recordStart?: RegExp | ((line: string) => boolean) | undefined;
}

export interface NdjsonOptions extends TextOptions {
  /** How deep objects and arrays may nest. Default 1,000: code that walks a value by recursion survives it. */
  readonly maxDepth?: number | undefined;
}

export interface CsvOptions extends TextOptions {
  /**
   * `true`: the first record names the columns, items are objects. A list of names: there is no header, these are the
   * columns. `false`: there is no header, items are arrays. Default `true`.
   */
  readonly header?: boolean | readonly string[] | undefined;
  /** One ASCII character. Default `,`. */
  readonly delimiter?: string | undefined;
}

export interface BytesOptions {
  /** Give pieces of exactly this many bytes, the last one shorter. Without it: the chunks as they come. */
  readonly chunkBytes?: number | undefined;
}

export interface GunzipOptions {
  /** The most decompressed bytes. Default: no limit, for memory is bounded anyway. */
  readonly maxBytes?: number | undefined;
  /**
   * The most decompressed bytes for each compressed one, looked at beyond the first 16 MiB. Default 500: text is
   * seldom above 100, DEFLATE cannot pass 1,032.
   */
  readonly maxRatio?: number | undefined;
  /** Leaves out this many decompressed bytes at the beginning: to go on at the `offset` of a decoder. Default 0. */
  readonly skipBytes?: number | undefined;
}

export interface GzipOptions {
  /** 0 (store) to 9 (smallest). Default 6. */
  readonly level?: number | undefined;
}

/** The check for whether a line begins a record. */
export function checkRecordStart(value: RegExp | ((line: string) => boolean)): (line: string) => boolean {
  if (typeof value === 'function') return value;
  if (!(value instanceof RegExp))
    throw new OptionError('recordStart', 'a regular expression or a function', value);
  if (value.global || value.sticky) {
    throw new OptionError(
      'recordStart',
      'a regular expression without the flags g and y',
      value.flags,
      'With them it would remember where the last match ended.',
    );
  }
  return (line) => value.test(line);
}

export const TEXT_OPTIONS = ['maxLineBytes', 'onLongLine', 'invalidUtf8'] as const;

export interface CheckedTextOptions {
  readonly maxLineBytes: number;
  readonly onLongLine: 'fail' | 'skip';
  readonly invalidUtf8: 'fail' | 'replace';
}

/** A string of V8 has at most 2^29 − 24 characters, and a line becomes one string. */
const MAX_STRING = 0x1fffffe8;

export function checkTextOptions(options: TextOptions): CheckedTextOptions {
  const maxLineBytes = checkCount('maxLineBytes', options.maxLineBytes ?? 16 << 20);
  if (maxLineBytes > MAX_STRING) {
    throw new OptionError(
      'maxLineBytes',
      `at most ${MAX_STRING}`,
      maxLineBytes,
      'A longer line is no string.',
    );
  }
  return {
    maxLineBytes,
    onLongLine: checkOneOf('onLongLine', options.onLongLine ?? 'fail', ['fail', 'skip']),
    invalidUtf8: checkOneOf('invalidUtf8', options.invalidUtf8 ?? 'fail', ['fail', 'replace']),
  };
}

export interface Start {
  readonly offset: number;
  readonly record: number;
}

export function checkStart(options: DecoderOptions | undefined): Start {
  return {
    offset: checkCount('offset', options?.offset ?? 0, 0),
    record: checkCount('record', options?.record ?? 0, 0),
  };
}
