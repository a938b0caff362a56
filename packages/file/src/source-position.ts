/**
 * Where a run stands in a file, and by what the file is recognised again.
 *
 * A lane is a path; the files at that path come and go:
 *
 *     lane app.log    incarnation 0 ──► 1 ──► 2        each read to its end before the next is begun
 *
 * A file is recognised by its inode number, which a rename keeps, and by a fingerprint of its first bytes, which tells
 * it from what was written under the same number, or in the same place, later. Either alone would be deceived.
 */

import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { FileHandle, FileStat } from './client.ts';
import { FileError } from './errors.ts';

/** Where to resume in a lane. Plain data, so that any store can keep it. */
export interface FilePosition {
  /** Bytes of the decompressed file up to the end of the last item. */
  readonly offset: number;
  /** Items up to there. */
  readonly record: number;
  /** The columns of a CSV, so that its header need not be read again. */
  readonly header?: readonly string[] | undefined;
  /** There is nothing behind it: the file was read to its end. */
  readonly done?: true | undefined;
  /** How many files this lane had before this one: 0 until the file at its path is rotated, cut or replaced. */
  readonly incarnation: number;
  /** What the file is, to recognise it by. */
  readonly file: FileIdentity;
  /** Files of this lane that were read to their end and are still there under a name that is read. */
  readonly earlier?: readonly FileIdentity[] | undefined;
}

export interface FileIdentity {
  /** Bytes it had when it was opened. */
  readonly size: number;
  readonly mtimeMs?: number | undefined;
  readonly dev: number;
  readonly ino: number;
  /** A fingerprint of its first bytes. */
  readonly head: FileHead;
}

export interface FileHead {
  /** How many bytes it is of: at most 1,024. A file that grew since still begins with them. */
  readonly bytes: number;
  /** Their hash, and not the bytes themselves: a position goes into stores and reports, where no content belongs. */
  readonly hash: string;
}

const HEAD_BYTES = 1024;

export function hashHead(head: Uint8Array): FileHead {
  return { bytes: head.length, hash: createHash('sha256').update(head).digest('hex').slice(0, 32) };
}

/** Whether a file that begins with `bytes` can be the one that had this head. */
export function beginsWith(bytes: Uint8Array, head: FileHead): boolean {
  return bytes.length >= head.bytes && hashHead(bytes.subarray(0, head.bytes)).hash === head.hash;
}

export function identify(stat: FileStat, head: Uint8Array): FileIdentity {
  return {
    size: stat.size,
    ...(stat.mtimeMs === undefined ? undefined : { mtimeMs: stat.mtimeMs }),
    dev: stat.dev,
    ino: stat.ino,
    head: hashHead(head),
  };
}

/** The first bytes of a file, as many as a fingerprint takes, or there are. */
export async function readHead(handle: FileHandle, size: number): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(HEAD_BYTES, size));
  let length = 0;
  while (length < head.length) {
    const { bytesRead } = await handle.read(head, length, head.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return head.subarray(0, length);
}

/** The name of a file to the system, whatever its path. */
export function fileKey(file: { readonly dev: number; readonly ino: number }): string {
  return `${file.dev}:${file.ino}`;
}

/** A file of which no byte is known has its name as its only likeness: `app.log` may have become `app.log.1`. */
export function isNameOf(rotated: string, path: string): boolean {
  return basename(rotated).startsWith(basename(path));
}

/** Negative where `a` lies before `b` in their lane. */
export function comparePositions(a: FilePosition, b: FilePosition): number {
  return (
    a.incarnation - b.incarnation || a.offset - b.offset || Number(a.done ?? false) - Number(b.done ?? false)
  );
}

/** Refuses what cannot be a position of this version: resuming by half of one would be resuming wrongly. */
export function checkPositions(positions: ReadonlyMap<string, unknown>, stage: string): void {
  for (const [lane, position] of positions) {
    if (isPosition(position)) continue;
    throw new FileError(
      'SW_FILE_POSITION_INVALID',
      `Could not resume ${lane}: what is kept as its position is none, or one of an earlier version, which cannot ` +
        'tell whether the file is still the same. Forget that position to read the file from its beginning.',
      { stage, path: lane },
    );
  }
}

function isPosition(value: unknown): value is FilePosition {
  if (!isRecord(value)) return false;
  const { header, done, earlier } = value;
  return (
    isCount(value['offset']) &&
    isCount(value['record']) &&
    isCount(value['incarnation']) &&
    (header === undefined || (Array.isArray(header) && header.every((name) => typeof name === 'string'))) &&
    (done === undefined || done === true) &&
    isIdentity(value['file']) &&
    (earlier === undefined || (Array.isArray(earlier) && earlier.every(isIdentity)))
  );
}

function isIdentity(value: unknown): value is FileIdentity {
  if (!isRecord(value) || !isRecord(value['head'])) return false;
  const { size, mtimeMs, dev, ino, head } = value;
  return (
    [size, dev, ino].every((part) => typeof part === 'number') &&
    (mtimeMs === undefined || typeof mtimeMs === 'number') &&
    isCount(head['bytes']) &&
    typeof head['hash'] === 'string'
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
