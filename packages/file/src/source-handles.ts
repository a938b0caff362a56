/** The handles of files that are followed: no more than so many, and the one used least recently is given up first. */

import { type FileSystem, READ_FLAGS } from './client.ts';
import type { GrowingFile } from './source-growing.ts';
import { isGone } from './source-plan.ts';

export class OpenHandles<T> {
  readonly #fs: FileSystem;
  readonly #most: number;
  /** The least recently used first. */
  readonly #files: Set<GrowingFile<T>> = new Set();

  constructor(fs: FileSystem, most: number) {
    this.#fs = fs;
    this.#most = most;
  }

  /** Sees to it that a file has a handle; says no where it is not there any more. */
  async open(file: GrowingFile<T>): Promise<boolean> {
    this.#files.delete(file);
    if (!file.isOpen) {
      while (this.#files.size >= this.#most && (await this.makeRoom()));
      try {
        if (!(await file.open(await this.#fs.open(file.path, READ_FLAGS)))) return false;
      } catch (error) {
        if (isGone(error)) return false;
        throw error;
      }
    }
    this.#files.add(file);
    return true;
  }

  /** Gives one handle up, if it can. */
  async makeRoom(): Promise<boolean> {
    for (const file of this.#files) {
      // What a file that ends has decoded could not be read again.
      if (file.ending !== undefined) continue;
      await this.release(file);
      return true;
    }
    return false;
  }

  async release(file: GrowingFile<T>): Promise<void> {
    this.#files.delete(file);
    await file.release();
  }

  async releaseAll(): Promise<void> {
    const closed = await Promise.allSettled([...this.#files].map((file) => this.release(file)));
    for (const outcome of closed) if (outcome.status === 'rejected') throw outcome.reason;
  }
}
