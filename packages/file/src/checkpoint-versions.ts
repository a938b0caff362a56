/**
 * The versions of one checkpoint: files `<name>.<version>.json` in a folder, the highest is the one that counts.
 *
 *     temporary ──► fsync ──► claim <version> ──► rename over the claim ──► fsync folder ──► still the last? ──► prune
 *                             open(…, 'wx'): one               from here on it is read                │
 *                             writer alone                                                            └─ no: taken
 *
 * A version is claimed by creating it empty, which can succeed for one writer only; an empty file is a claim that was
 * not filled, and holds nothing. The version before stays until the next one is durable, and versions are removed in
 * their order. So a writer that was away for long can tell that others went on without it: there is a version above its
 * own, or the one below its own is gone. That holds between processes too.
 */

import { randomUUID } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { decodeCheckpoint, encodeCheckpoint, type Positions } from './checkpoint-content.ts';
import { fileNameOf } from './checkpoint-names.ts';
import { type FileHandle, type FileSystem, syncFolder } from './client.ts';
import { errnoOf, FileError, type FileErrorCode, toFileError } from './errors.ts';

/** What all checkpoints of a store share. */
export interface CheckpointFolder {
  readonly path: string;
  readonly fs: FileSystem;
  readonly mode: number;
  readonly stage: string;
  /** Whether it is known to be there, also after a power loss. */
  isMade: boolean;
  /** After a failed sync of the folder nothing in it can be promised any more. */
  broken: FileError | undefined;
}

export interface Found {
  /** All versions there are, also those that hold nothing, in their order. */
  readonly versions: readonly number[];
  /** What the newest whole one holds. */
  readonly positions: Positions | undefined;
}

/** How often a folder that changes under our eyes is looked at again. */
const LOOKS = 100;

export class Versions {
  readonly #folder: CheckpointFolder;
  readonly #pipeline: string;
  readonly #name: string;

  constructor(folder: CheckpointFolder, pipeline: string) {
    this.#folder = folder;
    this.#pipeline = pipeline;
    this.#name = fileNameOf(pipeline);
  }

  /**
   * The newest version that is whole. Where it is not, the one before counts.
   * @throws FileError SW_FILE_CHECKPOINT_DAMAGED where none is whole, SW_FILE_CHECKPOINT_NEWER where one is of a format
   * that is not known here.
   */
  async find(): Promise<Found> {
    for (let look = 1; ; look += 1) {
      const versions = await this.#list();
      let damaged: string | undefined;
      let isGone = false;
      for (const version of versions.toReversed()) {
        const path = this.#path(version);
        const text = await this.#read(path);
        // Removed since it was listed: there is a newer one.
        isGone ||= text === undefined;
        if (text === undefined || text === '') continue;
        const content = decodeCheckpoint(text, this.#pipeline, version);
        if (content.kind === 'positions') return { versions, positions: content.positions };
        if (content.kind === 'newer') throw this.#newer(path, content.format);
        damaged ??= path;
      }
      if (isGone && look < LOOKS) continue;
      if (damaged !== undefined) throw this.#damaged(damaged);
      return { versions, positions: undefined };
    }
  }

  /**
   * Adds the version after `last` (0 where there is none). Answers false where somebody else had gone on from there:
   * then nothing was added.
   */
  async add(last: number, positions: string): Promise<boolean> {
    const { fs, broken } = this.#folder;
    if (broken !== undefined) throw broken;
    await this.#makeFolder();
    const version = last + 1;
    const path = this.#path(version);
    const text = encodeCheckpoint(this.#pipeline, version, positions);
    const temporary = join(this.#folder.path, `.${this.#name}.${randomUUID()}.tmp`);
    let isClaimed = false;
    try {
      await this.#writeTemporary(temporary, Buffer.from(text));
      isClaimed = await this.#claim(path);
      if (isClaimed) {
        await fs.rename(temporary, path);
        await this.#syncPath(this.#folder.path);
        if (await this.#isLast(version)) return true;
      }
    } catch (error) {
      await this.#forget(temporary, isClaimed ? path : undefined);
      // Whoever takes the name over sweeps our temporary away.
      if (isClaimed && errnoOf(error) === 'ENOENT' && ((await this.#list()).at(-1) ?? 0) > version)
        return false;
      throw this.#failed(error, 'write', path, 'SW_FILE_WRITE_FAILED');
    }
    // Nobody misses it: there is a newer one.
    await this.#forget(temporary, isClaimed ? path : undefined);
    return false;
  }

  /** Takes back a version that could not be added, so that its number can be claimed again. */
  async #forget(temporary: string, claim: string | undefined): Promise<void> {
    await this.#folder.fs.unlink(temporary).catch(() => {});
    if (claim !== undefined) await this.#folder.fs.unlink(claim).catch(() => {});
  }

  /** Removes versions, in their order; answers those that stay because one could not be removed. */
  async remove(versions: readonly number[]): Promise<readonly number[]> {
    for (const [index, version] of versions.entries()) {
      try {
        await this.#folder.fs.unlink(this.#path(version));
      } catch (error) {
        // They do no harm, and the next save tries again.
        if (errnoOf(error) !== 'ENOENT') return versions.slice(index);
      }
    }
    return [];
  }

  /** Removes what killed writers left; a writer that is still alive learns that it was fenced. */
  async sweep(): Promise<void> {
    for (const { name } of await this.#entries()) {
      if (!name.startsWith(`.${this.#name}.`) || !name.endsWith('.tmp')) continue;
      await this.#folder.fs.unlink(join(this.#folder.path, name)).catch(() => {});
    }
  }

  async #list(): Promise<number[]> {
    const versions: number[] = [];
    for (const entry of await this.#entries()) {
      if (!entry.name.startsWith(`${this.#name}.`) || !entry.isFile()) continue;
      const [, digits] = /^\.([1-9]\d{0,14})\.json$/.exec(entry.name.slice(this.#name.length)) ?? [];
      if (digits !== undefined) versions.push(Number(digits));
    }
    return versions.sort((a, b) => a - b);
  }

  async #entries(): ReturnType<FileSystem['readdir']> {
    try {
      return await this.#folder.fs.readdir(this.#folder.path, { withFileTypes: true });
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw this.#failed(error, 'read', this.#folder.path, 'SW_FILE_READ_FAILED');
    }
  }

  /** The text of a file; undefined where it is gone. */
  async #read(path: string): Promise<string | undefined> {
    try {
      const handle = await this.#folder.fs.open(path, 'r');
      try {
        return await readAll(handle);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw this.#failed(error, 'read', path, 'SW_FILE_READ_FAILED');
    }
  }

  async #writeTemporary(path: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.#folder.fs.open(path, 'wx', this.#folder.mode);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, done);
        if (bytesWritten === 0) throw new FileError('SW_FILE_WRITE_FAILED', `${path} takes no more bytes.`);
        done += bytesWritten;
      }
      // A failure here says nothing about the next temporary, which is another file.
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Creates it, empty; false where it is there already. */
  async #claim(path: string): Promise<boolean> {
    try {
      const handle = await this.#folder.fs.open(path, 'wx', this.#folder.mode);
      await handle.close();
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** Whether nobody has added a version since the one before this was the last. */
  async #isLast(version: number): Promise<boolean> {
    if (version === 1) return (await this.#list()).at(-1) === 1;
    // The upper one first. Versions go in their order: where the lower one is still there after that, nothing was
    // removed before, so an upper one that is not there never was.
    return !(await this.#exists(version + 1)) && (await this.#exists(version - 1));
  }

  async #exists(version: number): Promise<boolean> {
    const path = this.#path(version);
    try {
      await this.#folder.fs.stat(path);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw this.#failed(error, 'read', path, 'SW_FILE_READ_FAILED');
    }
  }

  async #makeFolder(): Promise<void> {
    const { path, fs } = this.#folder;
    if (this.#folder.isMade) return;
    try {
      await fs.mkdir(path, { recursive: true });
    } catch (error) {
      throw this.#failed(error, 'create', path, 'SW_FILE_WRITE_FAILED');
    }
    // All names on the way are made durable, also those that were there: whoever created them may have been killed
    // before that.
    for (let folder = resolve(path); folder !== dirname(folder); folder = dirname(folder)) {
      await this.#syncPath(dirname(folder));
    }
    this.#folder.isMade = true;
  }

  async #syncPath(path: string): Promise<void> {
    const { fs, stage } = this.#folder;
    try {
      await syncFolder(fs, path);
    } catch (cause) {
      // A folder above that we may not read is not one that we made.
      if (errnoOf(cause) === 'EACCES' && path !== this.#folder.path) return;
      const error = new FileError(
        'SW_FILE_SYNC_FAILED',
        `Could not sync the folder ${path}: a checkpoint in it may not survive a power loss. The cause says more.`,
        { stage, path, cause },
      );
      this.#folder.broken = error;
      throw error;
    }
  }

  #path(version: number): string {
    return join(this.#folder.path, `${this.#name}.${version}.json`);
  }

  #failed(error: unknown, action: string, path: string, otherwise: FileErrorCode): Error {
    return toFileError(error, action, path, this.#folder.stage, otherwise);
  }

  #damaged(path: string): FileError {
    return new FileError(
      'SW_FILE_CHECKPOINT_DAMAGED',
      `The checkpoint ${path} is damaged, and no other version of it is whole. Bring it back from a copy, or remove ` +
        'all its versions to begin from the start of the source.',
      { stage: this.#folder.stage, path },
    );
  }

  #newer(path: string, format: number): FileError {
    return new FileError(
      'SW_FILE_CHECKPOINT_NEWER',
      `The checkpoint ${path} is of format ${format}, which a later version of @streamweld/file wrote. ` +
        'Use that version, or remove the file to begin from the start of the source.',
      { stage: this.#folder.stage, path },
    );
  }
}

async function readAll(handle: FileHandle): Promise<string> {
  const { size } = await handle.stat();
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.toString('utf8', 0, length);
}
