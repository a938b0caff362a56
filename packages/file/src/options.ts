/** The options of FileSource and FileSink: types, defaults, checks. */

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
import type { GunzipOptions } from '@streamweld/formats';
import { type FileSystem, nodeFileSystem } from './client.ts';
import type { Roll } from './sink-part.ts';
import type { Fsync } from './sink-way.ts';
import type { FileError } from './errors.ts';

export type Compression = 'auto' | 'gzip' | 'none';

export interface FileSourceOptions {
  /** Shown in errors, reports and drawings. Default: `file` and the first path. */
  readonly name?: string | undefined;
  /** The longest line or record, in bytes. Default 16 MiB. For a format given as an object, set it there. */
  readonly maxLineBytes?: number | undefined;
  /** `auto`: gzip where the name ends in `.gz` or the first bytes say so. Default `auto`. */
  readonly compression?: Compression | undefined;
  /** Limits against a gzip bomb: `maxBytes`, `maxRatio`. */
  readonly gunzip?: Pick<GunzipOptions, 'maxBytes' | 'maxRatio'> | undefined;
  /** How much is read at once, in bytes. Two such chunks are held. Default 512 KiB. */
  readonly chunkBytes?: number | undefined;
  /** Reads pipes and devices too. Default `false`: they are refused, for they may block or never end. */
  readonly allowSpecial?: boolean | undefined;
  /** Goes on with what is written later, also to files that come later: such a source never ends. Default `false`. */
  readonly follow?: boolean | FollowOptions | undefined;
  /**
   * Told what went otherwise than one would expect and is no failure: a file that was replaced and is read from its
   * beginning. It has a `code` like any other error. Default: a warning of the process.
   */
  readonly onNotice?: ((notice: FileError) => void) | undefined;
  /** The file layer: `node:fs/promises`, or an object like it. */
  readonly client?: FileSystem | undefined;
}

export interface FollowOptions {
  /** How long to wait before the files are looked at again, in milliseconds. Hints of the system shorten it. Default 1000. */
  readonly pollMs?: number | undefined;
  /**
   * How long a record that may go on (lines with `recordStart`) waits for more lines before it is handed out, in
   * milliseconds. Default 1000.
   */
  readonly flushMs?: number | undefined;
  /** The most files open at once; there may be many more that are followed. Default 256. */
  readonly maxOpen?: number | undefined;
}

/** When a part is full: at the first of these. */
export interface RollOptions {
  /**
   * The most bytes of a part, as they are in the file. Only a single item may make it larger; where it is compressed, so
   * may what is written at once.
   */
  readonly maxBytes?: number | undefined;
  /** The most items of a part. */
  readonly maxItems?: number | undefined;
  /** How long after its first item a part is full, in milliseconds. */
  readonly everyMs?: number | undefined;
}

export interface FileSinkOptions {
  /** Shown in errors, reports and drawings. Default: `file` and the path. */
  readonly name?: string | undefined;
  /** `auto`: gzip where the name ends in `.gz`. Default `auto`. */
  readonly compression?: Compression | undefined;
  /** Of gzip, from 0 (store) to 9 (smallest). Default 6. */
  readonly level?: number | undefined;
  /**
   * The folder that no path leaves; relative paths start there. Default: the current folder for paths that a function
   * answers, no bound for a path that is given as a string.
   */
  readonly root?: string | undefined;
  /**
   * Writes behind what is in a file, instead of replacing it when the run has ended well. With a checkpoint files are
   * always written behind; then it says that what is there, and was not written by that checkpoint, may stay. Default
   * `false`.
   */
  readonly append?: boolean | undefined;
  /**
   * Begins a new file, a part, when one is full. The name must hold `{sequence}`, which becomes the number of the part:
   * `'hits-{sequence}.ndjson.gz'`.
   */
  readonly roll?: RollOptions | undefined;
  /**
   * When what was written is synced, so that it survives a power loss. `'batch'`: when the write returns, which is the
   * default with a checkpoint. `'close'`: by a flush, and at the end; the default without. `'never'`: left to the system.
   */
  readonly fsync?: Fsync | undefined;
  /** Creates missing folders. Default `true`. */
  readonly mkdir?: boolean | undefined;
  /** Permissions of new files. Default: those of the file that is replaced, else what the umask allows. */
  readonly mode?: number | undefined;
  /** The most files open at once; there may be more targets than that. Default 64. */
  readonly maxOpen?: number | undefined;
  /** How much is gathered for a file before it is written, in bytes. Default 1 MiB. */
  readonly bufferBytes?: number | undefined;
  /** How much is gathered for all files together, in bytes. Default 64 MiB. */
  readonly maxBufferedBytes?: number | undefined;
  /** The file layer: `node:fs/promises`, or an object like it. */
  readonly client?: FileSystem | undefined;
}

const COMPRESSIONS = ['auto', 'gzip', 'none'] as const;
const FSYNCS = ['batch', 'close', 'never'] as const;

export interface CheckedSourceOptions {
  readonly name: string;
  readonly maxLineBytes: number | undefined;
  readonly compression: Compression;
  readonly gunzip: Pick<GunzipOptions, 'maxBytes' | 'maxRatio'>;
  readonly chunkBytes: number;
  readonly allowSpecial: boolean;
  readonly follow: CheckedFollowOptions | undefined;
  readonly onNotice: (notice: FileError) => void;
  readonly client: FileSystem;
}

export interface CheckedFollowOptions {
  readonly pollMs: number;
  readonly flushMs: number;
  readonly maxOpen: number;
}

export function checkSourceOptions(
  options: (FileSourceOptions & { readonly format?: unknown }) | undefined,
  paths: readonly string[],
): CheckedSourceOptions {
  const given = checkOptions('FileSource options', options, [
    'format',
    'name',
    'maxLineBytes',
    'compression',
    'gunzip',
    'chunkBytes',
    'allowSpecial',
    'follow',
    'onNotice',
    'client',
  ]);
  const more = paths.length > 1 ? ` and ${paths.length - 1} more` : '';
  const follow = checkFollow(given.follow ?? false);
  if (follow !== undefined) checkFollowed(given, paths);
  return {
    name: checkText('name', given.name ?? `file ${paths[0]}${more}`),
    maxLineBytes:
      given.maxLineBytes === undefined ? undefined : checkCount('maxLineBytes', given.maxLineBytes),
    compression: checkOneOf('compression', given.compression ?? 'auto', COMPRESSIONS),
    gunzip: checkOptions('gunzip', given.gunzip, ['maxBytes', 'maxRatio']),
    chunkBytes: checkCount('chunkBytes', given.chunkBytes ?? 512 << 10),
    allowSpecial: checkBoolean('allowSpecial', given.allowSpecial ?? false),
    follow,
    onNotice: given.onNotice === undefined ? warn : checkFunction('onNotice', given.onNotice),
    client: checkClient(given.client),
  };
}

function checkFollow(value: boolean | FollowOptions): CheckedFollowOptions | undefined {
  if (value === false) return undefined;
  const given = value === true ? {} : checkOptions('follow', value, ['pollMs', 'flushMs', 'maxOpen']);
  return {
    pollMs: checkDuration('follow.pollMs', given.pollMs ?? 1000),
    flushMs: checkDuration('follow.flushMs', given.flushMs ?? 1000),
    maxOpen: checkCount('follow.maxOpen', given.maxOpen ?? 256),
  };
}

/** What cannot be followed: it does not grow at its end, or cannot be read twice. */
function checkFollowed(given: FileSourceOptions, paths: readonly string[]): void {
  const isZipped = given.compression !== 'none' && paths.find(isGzipName);
  if (typeof isZipped === 'string') {
    throw new OptionError(
      'paths',
      'names that do not end in .gz, beside follow',
      isZipped,
      'What is compressed cannot be followed: read it without follow when it is complete.',
    );
  }
  if (given.compression === 'gzip') {
    throw new OptionError(
      'compression',
      "'auto' or 'none' beside follow",
      'gzip',
      'What is compressed cannot be followed: read it without follow when it is complete.',
    );
  }
  if (given.allowSpecial === true) {
    throw new OptionError(
      'allowSpecial',
      'left out beside follow',
      true,
      'A pipe is read to its end without.',
    );
  }
}

function warn(notice: FileError): void {
  process.emitWarning(notice.message, { type: 'StreamWeldWarning', code: notice.code });
}

/** One path or several, as a list. */
export function checkPaths(value: string | readonly string[]): readonly string[] {
  const paths: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (paths.length === 0) throw new OptionError('paths', 'a path, or a list of at least one', value);
  return paths.map((path) => checkText('paths', path));
}

export interface CheckedSinkOptions {
  readonly name: string;
  readonly append: boolean;
  readonly roll: Roll | undefined;
  /** Not said: it depends on whether there is a checkpoint. */
  readonly fsync: Fsync | undefined;
  readonly compression: Compression;
  readonly level: number;
  readonly root: string | undefined;
  readonly mkdir: boolean;
  readonly mode: number | undefined;
  readonly maxOpen: number;
  readonly bufferBytes: number;
  readonly maxBufferedBytes: number;
  readonly client: FileSystem;
}

export function checkSinkOptions(
  options: (FileSinkOptions & { readonly format?: unknown }) | undefined,
  path: unknown,
): CheckedSinkOptions {
  const given = checkOptions('FileSink options', options, [
    'format',
    'name',
    'compression',
    'level',
    'root',
    'append',
    'roll',
    'fsync',
    'mkdir',
    'mode',
    'maxOpen',
    'bufferBytes',
    'maxBufferedBytes',
    'client',
  ]);
  if (typeof path !== 'function') checkText('path', path);
  const root = given.root === undefined ? undefined : checkText('root', given.root);
  const { level = 6, mode } = given;
  if (checkCount('level', level, 0) > 9) throw new OptionError('level', 'a whole number from 0 to 9', level);
  if (mode !== undefined && checkCount('mode', mode, 0) > 0o777) {
    throw new OptionError('mode', 'permissions from 0 to 0o777', mode);
  }
  return {
    name: checkText('name', given.name ?? (typeof path === 'string' ? `file ${path}` : 'files')),
    append: checkBoolean('append', given.append ?? false),
    roll: checkRoll(given.roll),
    fsync: given.fsync === undefined ? undefined : checkOneOf('fsync', given.fsync, FSYNCS),
    compression: checkOneOf('compression', given.compression ?? 'auto', COMPRESSIONS),
    level,
    root: root ?? (typeof path === 'function' ? '.' : undefined),
    mkdir: checkBoolean('mkdir', given.mkdir ?? true),
    mode,
    maxOpen: checkCount('maxOpen', given.maxOpen ?? 64),
    bufferBytes: checkCount('bufferBytes', given.bufferBytes ?? 1 << 20),
    maxBufferedBytes: checkCount('maxBufferedBytes', given.maxBufferedBytes ?? 64 << 20),
    client: checkClient(given.client),
  };
}

function checkRoll(roll: RollOptions | undefined): Roll | undefined {
  if (roll === undefined) return undefined;
  const { maxBytes, maxItems, everyMs } = checkOptions('roll', roll, ['maxBytes', 'maxItems', 'everyMs']);
  if (maxBytes === undefined && maxItems === undefined && everyMs === undefined) {
    throw new OptionError('roll', 'an object with maxBytes, maxItems or everyMs', roll);
  }
  return {
    maxBytes: maxBytes === undefined ? Number.POSITIVE_INFINITY : checkCount('roll.maxBytes', maxBytes),
    maxItems: maxItems === undefined ? Number.POSITIVE_INFINITY : checkCount('roll.maxItems', maxItems),
    everyMs: everyMs === undefined ? Number.POSITIVE_INFINITY : checkEvery(everyMs),
  };
}

function checkEvery(everyMs: number): number {
  if (checkDuration('roll.everyMs', everyMs) > 0) return everyMs;
  throw new OptionError('roll.everyMs', 'a duration above 0', everyMs);
}

export function checkClient(client: FileSystem | undefined): FileSystem {
  const fs = client ?? nodeFileSystem;
  for (const call of ['open', 'stat', 'readdir', 'mkdir', 'rename', 'unlink'] as const) {
    checkFunction(`client.${call}`, fs?.[call]);
  }
  return fs;
}

/** Whether a file of this name is to be gzip, as far as the name tells. */
export function isGzipName(path: string): boolean {
  return path.toLowerCase().endsWith('.gz');
}
