/**
 * The temporary that stands for a file until it is finished.
 *
 *     create ──► append ◄─┐ ──► sync ──► publish        renamed to its name: visible, whole
 *                └────────┘          └──► abandon        removed, or cut back to what was promised
 *
 * It lies in the folder of its target, for only within a file system is a rename one step. Its name begins with a dot,
 * so that no glob takes it for a file.
 */

import { basename, dirname, join, resolve } from 'node:path';
import { runtime } from '@streamweld/core/connector';
import { type FileHandle, type FileStat, type FileSystem, syncFolder } from './client.ts';
import { errnoOf, FileError, toFileError } from './errors.ts';
import type { HandlePool } from './sink-handles.ts';

/** What all temporaries of a sink share. */
export interface Workshop {
  readonly fs: FileSystem;
  readonly handles: HandlePool;
  readonly stage: string;
  readonly mkdir: boolean;
  readonly mode: number | undefined;
  /** Folders whose names have changed since they were synced last. */
  readonly changedFolders: Set<string>;
  isAbandoned: boolean;
}

/** The longest file name that most file systems take, in bytes, less what a temporary adds. */
const LONGEST_NAME = 255 - 16;

export class Temporary {
  readonly path: string;
  readonly #shop: Workshop;
  /** Where it lies; empty until it is created. */
  #place = '';
  /** Bytes of whole writes. What lies behind them, after a failure, is written over or thrown away. */
  #length = 0;
  #synced = 0;
  /** Bytes that were promised to be durable: they outlive even a failed run. */
  #promised = 0;

  constructor(path: string, shop: Workshop) {
    this.path = path;
    this.#shop = shop;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  async create(): Promise<void> {
    if (this.#place !== '') return;
    this.#checkAbandoned();
    const folder = dirname(this.path);
    try {
      const existing = await this.#statTarget();
      const mode = this.#shop.mode ?? (existing && existing.mode & 0o777);
      try {
        await this.#createIn(folder, mode);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || !this.#shop.mkdir) throw error;
        await this.#makeFolder(folder);
        await this.#createIn(folder, mode);
      }
    } catch (error) {
      throw this.#failed(error);
    }
    this.#shop.changedFolders.add(folder);
  }

  /** Adds to the end, all or nothing: a write that failed half-way is as if it had not been, and may be repeated. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#checkAbandoned();
    await this.create();
    try {
      await this.#shop.handles.use(this.#place, (handle) => this.#writeAll(handle, bytes));
      this.#length += bytes.length;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Waits until the disk has it. */
  async sync(): Promise<void> {
    if (this.#place === '' || this.#synced === this.#length) return;
    const length = this.#length;
    try {
      await this.#shop.handles.use(this.#place, (handle) => this.#syncData(handle));
    } catch (error) {
      throw this.#failed(error);
    }
    this.#synced = length;
  }

  /** What is synced now was promised to be durable. */
  promise(): void {
    this.#promised = this.#synced;
  }

  /** Gives it its name; until then nothing of it is seen. */
  async publish(): Promise<void> {
    if (this.#place === '') return;
    try {
      await this.#shop.handles.close(this.#place);
      await this.#shop.fs.rename(this.#place, this.path);
    } catch (error) {
      throw this.#failed(error);
    }
    this.#place = '';
    this.#shop.changedFolders.add(dirname(this.path));
  }

  /** Removes it, or cuts it back to what was promised and leaves it beside its target. */
  async abandon(): Promise<void> {
    const place = this.#place;
    if (place === '') return;
    const { fs, handles } = this.#shop;
    try {
      if (this.#promised > 0) {
        await handles.use(place, (handle) => handle.truncate(this.#promised));
        await handles.close(place);
        return;
      }
      // What is thrown away may fail to be closed.
      await handles.close(place).catch(() => {});
      await fs.unlink(place);
      this.#place = '';
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT')
        throw toFileError(error, 'remove', place, this.#shop.stage, 'SW_FILE_WRITE_FAILED');
    }
  }

  async #statTarget(): Promise<FileStat | undefined> {
    let stat: FileStat;
    try {
      stat = await this.#shop.fs.stat(this.path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    if (stat.isFile()) return stat;
    const [code, kind] = stat.isDirectory()
      ? (['SW_FILE_IS_DIRECTORY', 'a folder'] as const)
      : (['SW_FILE_NOT_REGULAR', 'a pipe, a socket or a device, which a file would replace'] as const);
    throw new FileError(code, `Could not write ${this.path}: it is ${kind}. Name a file.`, {
      stage: this.#shop.stage,
      path: this.path,
    });
  }

  async #makeFolder(folder: string): Promise<void> {
    const first = await this.#shop.fs.mkdir(folder, { recursive: true });
    if (typeof first !== 'string') return;
    // Each new folder is a new name in the one above it.
    const above = dirname(resolve(first));
    for (let made = resolve(folder); made !== above && made !== dirname(made); made = dirname(made)) {
      this.#shop.changedFolders.add(dirname(made));
    }
  }

  async #createIn(folder: string, mode: number | undefined): Promise<void> {
    const name = basename(this.path);
    for (let attempt = 1; ; attempt += 1) {
      const mark = Math.floor(runtime.random() * 36 ** 8)
        .toString(36)
        .padStart(8, '0');
      const place = join(
        folder,
        Buffer.byteLength(name) > LONGEST_NAME ? `.${mark}.tmp` : `.${name}.${mark}.tmp`,
      );
      try {
        await this.#shop.handles.create(place, mode ?? 0o666, async (handle) => {
          this.#place = place;
          // The umask took its part; what the user or the old file asks for is exact.
          if (mode !== undefined) await handle.chmod(mode);
        });
        return;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST' || attempt === 5) throw error;
      }
    }
  }

  async #writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      this.#checkAbandoned();
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, this.#length + done);
      if (bytesWritten === 0)
        throw new FileError('SW_FILE_WRITE_FAILED', `${this.path} takes no more bytes.`);
      done += bytesWritten;
    }
  }

  /** After a failed sync the system may forget what it could not write, and call the next sync a success. */
  async #syncData(handle: FileHandle): Promise<void> {
    try {
      await handle.datasync();
    } catch (cause) {
      throw new FileError(
        'SW_FILE_SYNC_FAILED',
        `Could not sync ${this.path}: what was written may not be on disk. The run cannot go on; the cause says more.`,
        { stage: this.#shop.stage, path: this.path, cause },
      );
    }
  }

  #checkAbandoned(): void {
    if (!this.#shop.isAbandoned) return;
    throw new FileError('SW_FILE_WRITE_FAILED', `Writing ${this.path} was abandoned.`, { path: this.path });
  }

  #failed(error: unknown): unknown {
    return toFileError(error, 'write', this.path, this.#shop.stage, 'SW_FILE_WRITE_FAILED');
  }
}

/** Syncs every folder in which a name has changed. */
export async function syncFolders({ fs, changedFolders, stage }: Workshop): Promise<void> {
  for (const folder of [...changedFolders]) {
    try {
      await syncFolder(fs, folder);
    } catch (cause) {
      throw new FileError(
        'SW_FILE_SYNC_FAILED',
        `Could not sync the folder ${folder}: the names in it may not survive a power loss. The cause says more.`,
        { stage, path: folder, cause },
      );
    }
    changedFolders.delete(folder);
  }
}
