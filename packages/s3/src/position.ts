/**
 * Where a reader of objects stands: an object, and the place in it.
 *
 *     s3://bucket/prefix       a ──► b ──► c ──► …      one lane: the place is `b`, so many bytes in
 *     s3://bucket/a@etag, …                             a lane for each object, where they are not read in one order
 *
 * An object is recognised by its etag: another content has another one, and the place in it means nothing.
 */

import type { SourceContext } from '@streamweld/core/connector';
import { S3Error } from './errors.ts';

/** Where to resume in a lane. Plain data, so that any store can keep it. */
export interface S3Position {
  readonly key: string;
  readonly etag: string;
  /** Bytes of the decompressed object up to the end of the last item. */
  readonly offset: number;
  /** Items up to there. */
  readonly record: number;
  /** The columns of a CSV, so that its header need not be read again. */
  readonly header?: readonly string[] | undefined;
  /** The object is compressed: it is resumed from its beginning. */
  readonly gzip?: true | undefined;
  /** The object was read to its end. */
  readonly done?: true | undefined;
  /** Of keys that are given as a list: which of them it is. */
  readonly index?: number | undefined;
  /** And a hash of all keys up to there: another list is not resumed by accident. */
  readonly list?: string | undefined;
  /** What came of the object was damaged, as its end showed: nobody goes on from here. */
  readonly damaged?: true | undefined;
}

/** Which object a lane is of, where each has its own. Another content under the same key is another lane. */
export function laneOf(bucket: string, key: string, etag: string): string {
  return `s3://${bucket}/${key}@${etag.replaceAll('"', '')}`;
}

/** In the order of a listing: by the bytes of their UTF-8. */
export function compareKeys(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Negative where `a` lies before `b` in their lane. */
export function comparePositions(a: S3Position, b: S3Position): number {
  return (
    (a.index ?? 0) - (b.index ?? 0) ||
    compareKeys(a.key, b.key) ||
    a.offset - b.offset ||
    Number(a.done ?? false) - Number(b.done ?? false) ||
    Number(a.damaged ?? false) - Number(b.damaged ?? false)
  );
}

/** What a position must be like beside being one: the lane has to be one of this source. */
export interface Resumable {
  readonly stage: string;
  /** Why it cannot be one of this source; nothing where it can. */
  readonly misfit: (lane: string, position: S3Position) => string | undefined;
}

/** Refuses what this source cannot have given: resuming by half of a position would be resuming wrongly. */
export function checkPositions(
  positions: SourceContext<S3Position>['positions'],
  { stage, misfit }: Resumable,
): void {
  for (const [lane, position] of positions) {
    const why = isPosition(position) ? misfit(lane, position) : 'what is kept is no position of an S3Source';
    if (why !== undefined) throw invalidPosition(stage, `lane ${JSON.stringify(lane)}: ${why}`);
  }
}

export function invalidPosition(stage: string, why: string): S3Error {
  return new S3Error(
    'SW_S3_POSITION_INVALID',
    `Could not resume ${why}. Is the checkpoint of another source, or were its options changed? Give the run a checkpoint of another name to read from the beginning.`,
    { stage },
  );
}

function isPosition(value: unknown): value is S3Position {
  if (typeof value !== 'object' || value === null) return false;
  const { key, etag, offset, record, header, gzip, done, index, list, damaged } = value as Record<
    string,
    unknown
  >;
  return (
    typeof key === 'string' &&
    key !== '' &&
    typeof etag === 'string' &&
    etag !== '' &&
    isCount(offset) &&
    isCount(record) &&
    (header === undefined || (Array.isArray(header) && header.every((name) => typeof name === 'string'))) &&
    (gzip === undefined || gzip === true) &&
    (done === undefined || done === true) &&
    (damaged === undefined || damaged === true) &&
    (index === undefined ? list === undefined : isCount(index) && typeof list === 'string')
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
