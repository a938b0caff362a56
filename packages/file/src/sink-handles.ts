/**
 * Handles of the files being written, no more than a bound: the one that was used longest ago is closed, and opened
 * again when its file is written next. Each file is worked on by one at a time.
 */

import { type FileHandle, type FileSystem, openPatiently } from './client.ts';
import { FileError } from './errors.ts';

interface Entry {
  handle: FileHandle | undefined;
  isBusy: boolean;
}

export class HandlePool {
  readonly #fs: FileSystem;
  readonly #maxOpen: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(fs: FileSystem, maxOpen: number) {
    this.#fs = fs;
    this.#maxOpen = maxOpen;
  }

  /** Lends the handle of a file that exists, opened for writing where it is not open. */
  use<R>(path: string, action: (handle: FileHandle) => Promise<R>): Promise<R> {
    return this.#lend(path, 'r+', undefined, action);
  }

  /** Creates a file that must not exist yet, and lends its handle. */
  create<R>(path: string, mode: number | undefined, action: (handle: FileHandle) => Promise<R>): Promise<R> {
    return this.#lend(path, 'wx', mode, action);
  }

  async #lend<R>(
    path: string,
    flags: string,
    mode: number | undefined,
    action: (handle: FileHandle) => Promise<R>,
  ): Promise<R> {
    const entry = this.#entries.get(path) ?? { handle: undefined, isBusy: false };
    entry.isBusy = true;
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    try {
      if (entry.handle === undefined) {
        while (this.#entries.size + this.#closing.size > this.#maxOpen && (await this.#closeIdle()));
        entry.handle = await openPatiently(this.#fs, path, flags, mode, () => this.#closeIdle());
      }
      return await action(entry.handle);
    } finally {
      entry.isBusy = false;
      if (entry.handle === undefined) this.#entries.delete(path);
    }
  }

  /** Closes the handle that was used longest ago and is not in use; says whether there was one. */
  async #closeIdle(): Promise<boolean> {
    for (const [path, entry] of this.#entries) {
      if (entry.isBusy || entry.handle === undefined) continue;
      this.#entries.delete(path);
      const closing = closeSafely(path, entry.handle).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
      await closing;
      return true;
    }
    // None is idle; one that is just being closed makes room as well.
    for (const closing of this.#closing) {
      await closing;
      return true;
    }
    return false;
  }

  async close(path: string): Promise<void> {
    const handle = this.#entries.get(path)?.handle;
    this.#entries.delete(path);
    await handle?.close();
  }

  /** Closes all; the first failure is thrown when all had their turn. */
  async closeAll(): Promise<void> {
    const handles = [...this.#entries.values()].map((entry) => entry.handle);
    this.#entries.clear();
    const results = await Promise.allSettled(handles.map(async (handle) => handle?.close()));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** A close that fails (network file systems write then) may have lost what was written, whoever asked for the room. */
async function closeSafely(path: string, handle: FileHandle): Promise<void> {
  try {
    await handle.close();
  } catch (cause) {
    throw new FileError(
      'SW_FILE_SYNC_FAILED',
      `Closing ${path} failed: what was written to it may be lost.`,
      {
        path,
        cause,
      },
    );
  }
}
