/**
 * Which files there are, and which lane each belongs to: kept up by looking at the folders again and again.
 *
 *     app.log (X) ──mv──► app.log.1 (X), app.log (Y)       X was known: it only has another name
 *                                                          Y is new: it queues in the lane `app.log`, behind X
 *
 * A lane reads one file at a time. A file is known by its number, and known to be still the same by its first bytes.
 */

import type { Format } from '@streamweld/formats';
import { type FileHandle, type FileStat, type FileSystem, openPatiently, READ_FLAGS } from './client.ts';
import { dirname } from 'node:path';
import { toReadError } from './errors.ts';
import type { CheckedSourceOptions } from './options.ts';
import { findFiles } from './source-files.ts';
import { GrowingFile } from './source-growing.ts';
import { isGone, planLegs, Siblings, statAll } from './source-plan.ts';
import {
  beginsWith,
  type FileIdentity,
  type FilePosition,
  fileKey,
  isNameOf,
  readHead,
} from './source-position.ts';

/**
 * Times of modification are coarse: right after a change there may be another that leaves no trace in them. So a file
 * that changed is read once more when the last change lies this far back.
 */
const COARSE_MS = 50;

export interface Lane<T> {
  /** The one that is read, and those that came to its path since. Empty where a file is still to come. */
  readonly files: GrowingFile<T>[];
  /** The incarnation that the next file is, where there is none before it. */
  next: number;
  /** Files that were read to their end and are still there under a name that is read. */
  earlier: readonly FileIdentity[];
}

/** A file that was read to its end, and must not be taken for a new one while it is there. */
interface Earlier<T> {
  readonly identity: FileIdentity;
  readonly lane: Lane<T>;
  /** Where and how it was when it was last recognised. */
  path: string;
  stat: FileStat | undefined;
  seen: number;
  /** Since when no look has found it. */
  missingSince: number | undefined;
}

/** Whether a path leads to the file; `moved`: by now it leads elsewhere, and says nothing about it. */
type Found = 'same' | 'other' | 'moved';

export class Census<T> {
  readonly #paths: readonly string[];
  readonly #format: Format<T, never>;
  readonly #options: CheckedSourceOptions;
  readonly #fs: FileSystem;
  /** A look may fall into a chain of renames: what was not seen is gone when it was not for this long. */
  readonly #goneMs: number;
  readonly #lanes: Map<string, Lane<T>> = new Map();
  readonly #files: Map<string, GrowingFile<T>> = new Map();
  readonly #earlier: Map<string, Earlier<T>> = new Map();
  /** The paths that were found at the last look. */
  found: readonly string[] = [];
  #look = 0;

  constructor(
    paths: readonly string[],
    format: Format<T, never>,
    options: CheckedSourceOptions,
    goneMs: number,
  ) {
    this.#goneMs = goneMs;
    this.#paths = paths;
    this.#format = format;
    this.#options = options;
    this.#fs = options.client;
  }

  /** What an earlier run left: its files, wherever they are by now. New files are found by the first look. */
  async resume(positions: ReadonlyMap<string, FilePosition>): Promise<void> {
    if (positions.size === 0) return;
    const { name, onNotice } = this.#options;
    const { legs, found } = await planLegs(this.#fs, () => this.#find(), positions, name, onNotice);
    for (const [path, { incarnation, earlier = [] }] of positions) {
      const lane: Lane<T> = { files: [], next: incarnation + 1, earlier: [] };
      this.#lanes.set(path, lane);
      for (const file of earlier) this.#remember(file, lane, '');
    }
    for (const leg of legs) {
      // Two positions for one file: the first has it.
      if (leg.from === undefined || this.#files.has(fileKey(leg.stat as FileStat))) continue;
      this.#resumed(leg.lane, leg.path, leg.stat as FileStat, leg.from);
    }
    for (const [path, from] of positions) {
      const isSomewhere = this.lane(path).files.length > 0 || this.#files.has(fileKey(from.file));
      if (isSomewhere || found.includes(path)) continue;
      // Nowhere now, but its folder may only be away: should it come, it is known.
      const file = this.#resumed(path, path, from.file, from);
      file.isOver = true;
      file.missingSince = 0;
    }
  }

  #resumed(
    lane: string,
    path: string,
    { dev, ino }: Pick<FileStat, 'dev' | 'ino'>,
    from: FilePosition,
  ): GrowingFile<T> {
    const file = new GrowingFile(lane, path, { dev, ino }, this.#format, from.incarnation, from);
    this.#files.set(file.key, file);
    this.lane(lane).files.push(file);
    return file;
  }

  lane(path: string): Lane<T> {
    let lane = this.#lanes.get(path);
    if (lane === undefined) {
      lane = { files: [], next: 0, earlier: [] };
      this.#lanes.set(path, lane);
    }
    return lane;
  }

  /** Looks at everything. Answers the files that are new at the head of their lane, and those to be read. */
  async look(now: number): Promise<{ begun: GrowingFile<T>[]; changed: GrowingFile<T>[] }> {
    const begun: GrowingFile<T>[] = [];
    this.#look += 1;
    this.found = await this.#find();
    const known = [...this.#files.values()].map((file) => file.path);
    const stats = await statAll(this.#fs, [...this.found, ...known], this.#options.name);
    // First what lies where it lay, so that nothing of it is taken for something else.
    for (const file of this.#files.values()) {
      const stat = stats.get(file.path);
      if (stat !== undefined && fileKey(stat) === file.key) this.#saw(file, stat, now);
    }
    for (const path of this.found) {
      const stat = stats.get(path);
      if (stat === undefined || !stat.isFile()) continue;
      if (await this.#isKnown(path, stat, now)) continue;
      const file = this.#discover(path, stat, now);
      if (file !== undefined) begun.push(file);
    }
    const siblings = new Siblings(this.#fs);
    for (const file of this.#files.values()) {
      if (file.seen !== this.#look && !file.isOver) await this.#search(file, siblings, now);
    }
    this.#forget(now);
    const changed: GrowingFile<T>[] = [];
    for (const { files } of this.#lanes.values()) {
      const [file] = files;
      if (file !== undefined && isToBeRead(file, files.length > 1)) changed.push(file);
    }
    return { begun, changed };
  }

  /** The file is read to its end: its successor's turn, if it has one. */
  leave(file: GrowingFile<T>, now: number): GrowingFile<T> | undefined {
    const lane = this.lane(file.lane);
    const successor = lane.files[1];
    if (successor === undefined) {
      // Should it come back, it is known.
      file.isOver = true;
      return undefined;
    }
    lane.files.shift();
    if (this.#files.get(file.key) === file) this.#files.delete(file.key);
    successor.incarnation = file.incarnation + 1;
    // Under a name that is not read it is forgotten again; but one look does not tell.
    if (!this.isGone(file, now)) this.#remember(file.identity, lane, file.path);
    return successor;
  }

  /** Whether more than one look has not found it, and for long enough. */
  isGone({ missingSince, seen }: Pick<GrowingFile<T>, 'missingSince' | 'seen'>, now: number): boolean {
    return missingSince !== undefined && now - missingSince >= this.#goneMs && this.#look - seen > 1;
  }

  async #find(): Promise<string[]> {
    const { name, allowSpecial } = this.#options;
    return findFiles(this.#fs, this.#paths, name, allowSpecial, true);
  }

  #remember(identity: FileIdentity, lane: Lane<T>, path: string): void {
    // Of an empty file nothing can be known, and nothing need be: reading it again gives nothing.
    if (identity.head.bytes === 0) return;
    const seen = this.#look;
    const missingSince = undefined;
    this.#earlier.set(fileKey(identity), { identity, lane, path, stat: undefined, seen, missingSince });
    lane.earlier = [...lane.earlier, identity];
  }

  /** Earlier files that are gone need not be remembered. */
  #forget(now: number): void {
    for (const [key, file] of this.#earlier) {
      const { seen, lane, identity } = file;
      if (seen === this.#look) {
        file.missingSince = undefined;
        continue;
      }
      file.missingSince ??= now;
      if (!this.isGone(file, now)) continue;
      this.#earlier.delete(key);
      lane.earlier = lane.earlier.filter((one) => one !== identity);
    }
  }

  #saw(file: GrowingFile<T>, stat: FileStat, now: number): void {
    file.seen = this.#look;
    const isBack = file.missingSince !== undefined;
    file.missingSince = undefined;
    file.isDue = !file.isSettled;
    if (stat.size === file.size && stat.mtimeMs === file.mtimeMs && !isBack) {
      file.isSettled ||= now - file.changedAt >= COARSE_MS;
      return;
    }
    file.size = stat.size;
    file.mtimeMs = stat.mtimeMs;
    file.changedAt = now;
    file.isSettled = false;
    file.isDue = true;
    if (isBack) file.isOver = false;
    if (stat.size === 0) file.contentSince = undefined;
    else file.contentSince ??= now;
  }

  /** Whether the file at a path is one we have, or had. */
  async #isKnown(path: string, stat: FileStat, now: number): Promise<boolean> {
    const key = fileKey(stat);
    const file = this.#files.get(key);
    if (file !== undefined) {
      // It lies where it lay, or this is a second name for it.
      if (file.seen === this.#look) return true;
      // As long as we hold it open its number is nobody else's, even if it was cut before it was renamed.
      const found = file.isOpen ? 'same' : await this.#isAt(file, path);
      if (found === 'moved') return true;
      if (found === 'same') {
        file.path = path;
        this.#saw(file, stat, now);
        return true;
      }
      // Its number went to another file: it is no more.
      this.#files.delete(key);
      file.missingSince ??= now;
    }
    const earlier = this.#earlier.get(key);
    if (earlier === undefined) return false;
    const isUnchanged =
      earlier.path === path &&
      earlier.stat?.size === stat.size &&
      stat.mtimeMs !== undefined &&
      earlier.stat.mtimeMs === stat.mtimeMs;
    const found = isUnchanged ? 'same' : await this.#isEarlier(earlier, path, stat);
    if (found === 'other') return false;
    earlier.seen = this.#look;
    if (found === 'moved') return true;
    earlier.path = path;
    earlier.stat = stat;
    return true;
  }

  async #isEarlier({ identity }: Earlier<T>, path: string, stat: FileStat): Promise<Found> {
    if (stat.size < identity.size) return 'other';
    return this.#recognise(path, fileKey(identity), async (handle) =>
      beginsWith(await readHead(handle, stat.size), identity.head),
    );
  }

  async #isAt(file: GrowingFile<T>, path: string): Promise<Found> {
    if (file.identity.head.bytes === 0 && !isNameOf(path, file.path)) return 'other';
    return this.#recognise(path, file.key, (handle) => file.isSame(handle));
  }

  async #recognise(
    path: string,
    key: string,
    isSame: (handle: FileHandle) => Promise<boolean>,
  ): Promise<Found> {
    try {
      const handle = await openPatiently(this.#fs, path, READ_FLAGS);
      try {
        if (fileKey(await handle.stat()) !== key) return 'moved';
        return (await isSame(handle)) ? 'same' : 'other';
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isGone(error)) return 'moved';
      throw toReadError(error, path, this.#options.name);
    }
  }

  /** A new file. Answered where it is the first of its lane. */
  #discover(path: string, stat: FileStat, now: number): GrowingFile<T> | undefined {
    const lane = this.lane(path);
    const before = lane.files.at(-1);
    const file = new GrowingFile<T>(path, path, stat, this.#format, lane.next, undefined);
    if (before?.isOver === true) {
      lane.files.pop();
      if (this.#files.get(before.key) === before) this.#files.delete(before.key);
      file.incarnation = before.incarnation + 1;
    }
    this.#files.set(file.key, file);
    lane.files.push(file);
    this.#saw(file, stat, now);
    return lane.files.length === 1 ? file : undefined;
  }

  /** A file that is not where it was: renamed to a name that we do not read, or deleted. */
  async #search(file: GrowingFile<T>, siblings: Siblings, now: number): Promise<void> {
    for (const [path, stat] of (await siblings.of(file.path)).get(file.key) ?? []) {
      if (!file.isOpen && (await this.#isAt(file, path)) !== 'same') continue;
      file.path = path;
      this.#saw(file, stat, now);
      return;
    }
    // A folder that cannot be listed, a share that is away, says nothing about its files.
    if (!siblings.unknown.has(dirname(file.path))) file.missingSince ??= now;
  }
}

function isToBeRead<T>(file: GrowingFile<T>, hasSuccessor: boolean): boolean {
  if (file.isOver || file.isQueued) return false;
  return hasSuccessor || file.missingSince !== undefined || file.isDue;
}
