/**
 * What can go wrong between bytes and items: one table of codes, one class.
 *
 * A message says which record, at which byte offset, and what to do. It never quotes an item: what is being read
 * may be anybody's data.
 */

import { StreamWeldError } from '@streamweld/core/connector';

/** The codes of this package. docs/errors.md has a heading for each; a test holds the two together. */
export const FORMAT_ERROR_CODES = {
  SW_FORMAT_INVALID_UTF8: 'Bytes that are not UTF-8 were read as text.',
  SW_FORMAT_LINE_TOO_LONG: 'A line or CSV record is longer than maxLineBytes.',
  SW_FORMAT_INVALID_JSON: 'A line of NDJSON is not JSON.',
  SW_FORMAT_TOO_DEEP: 'A line of NDJSON nests deeper than maxDepth.',
  SW_FORMAT_TRUNCATED: 'The input ends in the middle of a record.',
  SW_FORMAT_INVALID_CSV: 'A quoted CSV field goes on after its closing quote.',
  SW_FORMAT_INVALID_HEADER:
    'The header of a CSV names a column twice, or is missing where a decoder must have it.',
  SW_FORMAT_RAGGED_ROW: 'A CSV record has more or fewer fields than there are columns.',
  SW_FORMAT_CLOSED:
    'A decoder or a Gzip was given more after its end, or a Gzip before its last write had settled.',
  SW_FORMAT_LINE_BREAK: 'An item that is to become one line contains a line end.',
  SW_FORMAT_INVALID_ITEM: 'An item cannot be written in this format.',
  SW_FORMAT_GZIP_INVALID: 'Bytes that are not gzip, or damaged gzip, were decompressed.',
  SW_FORMAT_GZIP_TRUNCATED: 'Gzip data ends before its end mark.',
  SW_FORMAT_GZIP_BOMB: 'Gzip data decompresses to more than maxBytes or maxRatio allow.',
} as const;

export type FormatErrorCode = keyof typeof FORMAT_ERROR_CODES;

export interface FormatErrorPlace {
  /** The number of the record, counted from 1. */
  readonly record?: number;
  /** The byte it is about, in the decoded (decompressed) stream. */
  readonly offset?: number;
  /** In an encoder: the index of the item in what `encode` was given. */
  readonly index?: number;
  readonly cause?: unknown;
}

/** An error of a decoder or an encoder, with the place it is about in numbers. */
export class FormatError extends StreamWeldError {
  override readonly name: string = 'FormatError';
  declare readonly code: FormatErrorCode;
  readonly record: number | undefined;
  readonly offset: number | undefined;
  readonly index: number | undefined;

  constructor(code: FormatErrorCode, message: string, place: FormatErrorPlace = {}) {
    super(code, message, 'cause' in place ? { cause: place.cause } : {});
    this.record = place.record;
    this.offset = place.offset;
    this.index = place.index;
  }
}
