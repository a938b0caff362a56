/**
 * What to read, and from where: the files there are now, matched with the positions of an earlier run.
 *
 * Every position looks for its file first, wherever it may be called by now; what no position claims is new:
 *
 *     positions   app.log: file X at 700           found    app.log (Y)   app.log.1 (X)
 *     legs        app.log: X, as app.log.1, from 700  ──►  then Y, as app.log, from 0, the next incarnation
 */

import { dirname } from 'node:path';
// Lanes are written with `/` on every system.
import { join } from 'node:path/posix';
import { isGzip } from '@streamweld/formats';
import { type FileStat, type FileSystem, openPatiently, READ_FLAGS } from './client.ts';
import { errnoOf, type FileError, toFileError } from './errors.ts';
import { Limiter } from './limiter.ts';
import { isGzipName } from './options.ts';
import { replaced, shortened } from './source-notices.ts';
import {
  beginsWith,
  type FileIdentity,
  type FileHead,
  type FilePosition,
  fileKey,
  isNameOf,
  readHead,
} from './source-position.ts';

/** One file of a lane, to be read from a position or from its beginning. */
export interface Leg {
  readonly lane: string;
  /** Where it lies: the path that the lane is named by or, once renamed, another. */
  readonly path: string;
  readonly stat: FileStat | undefined;
  readonly from: FilePosition | undefined;
  readonly incarnation: number;
  /** Whether its path is among those that are read: then it must not be taken for a new file later. */
  readonly isFound: boolean;
  /** Files of the lane that must not be taken for new ones. */
  readonly earlier: readonly FileIdentity[];
}

/** Looks at that many files at once: the threads that look are few. */
const LOOKS = 16;

/** How often is looked: one look may fall into a chain of renames, and see a file under none of its names. */
const PLANS = 5;

export interface Plan {
  readonly found: readonly string[];
  readonly legs: readonly Leg[];
}

export async function planLegs(
  fs: FileSystem,
  find: () => Promise<readonly string[]>,
  positions: ReadonlyMap<string, FilePosition>,
  stage: string,
  notice: (notice: FileError) => void,
): Promise<Plan> {
  for (let plan = 1; ; plan += 1) {
    const found = await find();
    // A first run looks at nothing before its turn.
    if (positions.size === 0) return { found, legs: found.map(legOfNew) };
    const { legs, lost, notices } = await planOnce(fs, found, positions, stage);
    if (lost > 0 && plan < PLANS) continue;
    for (const one of notices) notice(one);
    return { found, legs };
  }
}

function legOfNew(path: string): Leg {
  return {
    lane: path,
    path,
    stat: undefined,
    from: undefined,
    incarnation: 0,
    isFound: true,
    earlier: [],
  };
}

/** `lost` is the number of positions whose file was not found. */
async function planOnce(
  fs: FileSystem,
  found: readonly string[],
  positions: ReadonlyMap<string, FilePosition>,
  stage: string,
): Promise<{ legs: Leg[]; lost: number; notices: FileError[] }> {
  const stats = await statAll(fs, found, stage);
  const names = new Map([...stats].map(([path, stat]) => [fileKey(stat), path]));
  const siblings = new Siblings(fs);
  const legs = new Map<string, Leg[]>();
  const claimed = new Set<string>();
  const lost = new Map<string, FileError>();
  const earlier = [...positions.values()].flatMap((position) => position.earlier ?? []);
  for (const [lane, from] of positions) {
    const place = await locate(lane, from);
    if (place === undefined) continue;
    claimed.add(fileKey(place.stat));
    const leg: Leg = {
      lane,
      ...place,
      from,
      incarnation: from.incarnation,
      isFound: stats.has(place.path),
      earlier: from.earlier?.filter(isThere) ?? [],
    };
    legs.set(lane, [leg]);
  }
  const notices: FileError[] = [];
  for (const [lane, problem] of lost) {
    // In the place of a file that was read to its end, one that is known too: a chain of rotated files moved on.
    const own = stats.get(lane);
    const isExpected = own === undefined || claimed.has(fileKey(own));
    if (!isExpected || positions.get(lane)?.done !== true) notices.push(problem);
  }
  for (const path of found) {
    const stat = stats.get(path);
    if (stat !== undefined && (claimed.has(fileKey(stat)) || (await isEarlier(path, stat)))) continue;
    const before = positions.get(path);
    const former = legs.get(path) ?? [];
    const leg: Leg = {
      lane: path,
      path,
      stat,
      from: undefined,
      incarnation: before === undefined ? 0 : before.incarnation + 1,
      isFound: true,
      earlier: before?.earlier?.filter(isThere) ?? [],
    };
    legs.set(path, [...former, leg]);
  }
  return { legs: [...legs.keys()].sort().flatMap((lane) => legs.get(lane) ?? []), lost: lost.size, notices };

  function isThere(file: FileIdentity): boolean {
    return names.has(fileKey(file));
  }

  /** The path and state of the file that a position belongs to. */
  async function locate(
    lane: string,
    from: FilePosition,
  ): Promise<{ path: string; stat: FileStat } | undefined> {
    const key = fileKey(from.file);
    const own = stats.get(lane);
    if (own !== undefined && !own.isFile()) return { path: lane, stat: own };
    let isShorter = false;
    for (const [path, stat] of await candidates(lane, key, from.file.head)) {
      const likeness = await compare(path, stat, from);
      if (likeness === 'same') return { path, stat };
      if (likeness === 'shorter') isShorter = true;
    }
    // A copy that took the place of what it was copied from has another number, and is the same all the same.
    if (own !== undefined && fileKey(own) !== key && from.file.head.bytes > 0) {
      if ((await compare(lane, own, from)) === 'same') return { path: lane, stat: own };
    }
    if (from.offset > 0) {
      lost.set(
        lane,
        isShorter ? shortened(lane, from, stage) : replaced(lane, from, own !== undefined, stage),
      );
    }
    return undefined;
  }

  /** Where a file of that number lies: first under its own name, then under any that is read, then beside it. */
  async function candidates(lane: string, key: string, head: FileHead): Promise<[string, FileStat][]> {
    const paths: [string, FileStat][] = [];
    const own = stats.get(lane);
    if (own !== undefined && fileKey(own) === key) paths.push([lane, own]);
    const name = names.get(key);
    if (name !== undefined && name !== lane) paths.push([name, stats.get(name) as FileStat]);
    if (paths.length === 0) paths.push(...((await siblings.of(lane)).get(key) ?? []));
    return paths.filter(([path]) => path === lane || head.bytes > 0 || isNameOf(path, lane));
  }

  async function compare(
    path: string,
    stat: FileStat,
    { file, offset }: FilePosition,
  ): Promise<'same' | 'other' | 'shorter'> {
    const isUnchanged =
      file.mtimeMs !== undefined && stat.mtimeMs === file.mtimeMs && fileKey(stat) === fileKey(file);
    // A position beyond the end is looked at more closely: what is zipped is longer than its file.
    if (isUnchanged && stat.size === file.size && file.head.bytes > 0 && offset <= stat.size) return 'same';
    const head = await headAt(fs, path, stat.size, stage);
    if (head === undefined || !beginsWith(head, file.head)) {
      return fileKey(stat) === fileKey(file) && stat.size < offset ? 'shorter' : 'other';
    }
    const isZipped = isGzipName(path) || isGzip(head);
    return !isZipped && stat.size < offset ? 'shorter' : 'same';
  }

  async function isEarlier(path: string, stat: FileStat): Promise<boolean> {
    const known = earlier.filter(
      // Of an empty file nothing can be recognised.
      (file) => file.head.bytes > 0 && fileKey(file) === fileKey(stat) && file.size <= stat.size,
    );
    if (known.length === 0) return false;
    const head = await headAt(fs, path, stat.size, stage);
    return head !== undefined && known.some((file) => beginsWith(head, file.head));
  }
}

/** What is at these paths. What went away meanwhile, or cannot be reached, is left out. */
export async function statAll(
  fs: FileSystem,
  paths: Iterable<string>,
  stage: string,
): Promise<Map<string, FileStat>> {
  const limiter = new Limiter(LOOKS);
  const stats = new Map<string, FileStat>();
  const looks = [...new Set(paths)].map((path) =>
    limiter.run(async () => {
      try {
        stats.set(path, await fs.stat(path));
      } catch (error) {
        if (!isGone(error)) throw toFileError(error, 'read', path, stage, 'SW_FILE_READ_FAILED');
      }
    }),
  );
  await Promise.all(looks);
  return stats;
}

export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '');
}

/** The first bytes of the file at a path; nothing where it went away. */
async function headAt(
  fs: FileSystem,
  path: string,
  size: number,
  stage: string,
): Promise<Uint8Array | undefined> {
  try {
    const handle = await openPatiently(fs, path, READ_FLAGS);
    try {
      return await readHead(handle, size);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isGone(error)) return undefined;
    throw toFileError(error, 'read', path, stage, 'SW_FILE_READ_FAILED');
  }
}

/** The files in a folder by their number. Each folder is looked at once. */
export class Siblings {
  readonly #fs: FileSystem;
  readonly #folders: Map<string, Promise<Map<string, [string, FileStat][]>>> = new Map();
  /** Folders that could not be listed: nothing is known about them, not even that a file is gone. */
  readonly unknown: Set<string> = new Set();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  of(path: string): Promise<Map<string, [string, FileStat][]>> {
    const folder = dirname(path);
    let files = this.#folders.get(folder);
    if (files === undefined) {
      files = this.#list(folder);
      this.#folders.set(folder, files);
    }
    return files;
  }

  async #list(folder: string): Promise<Map<string, [string, FileStat][]>> {
    const byKey = new Map<string, [string, FileStat][]>();
    try {
      const entries = await this.#fs.readdir(folder, { withFileTypes: true });
      const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
      for (const [path, stat] of await statAll(this.#fs, paths, '')) {
        const key = fileKey(stat);
        byKey.set(key, [...(byKey.get(key) ?? []), [path, stat]]);
      }
    } catch {
      // It is looked at in search of what may not be there: not to find it is an answer.
      this.unknown.add(folder);
    }
    return byKey;
  }
}
