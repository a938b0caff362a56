/** A file that is written under its own name, at its end. */

import { dirname } from 'node:path';
import type { FileHandle } from './client.ts';
import { errnoOf } from './errors.ts';
import {
  type Body,
  checkAbandoned,
  createIn,
  statFile,
  syncData,
  type Workshop,
  writeAll,
  writeFailure,
} from './sink-workshop.ts';

export class InPlace implements Body {
  readonly path: string;
  readonly #shop: Workshop;
  #length: number;
  #synced: number;
  #promised: number;
  #isThere: boolean;
  /** It was made here, and goes again where nothing of it was promised. */
  #isMade = false;
  /** A failure may have left bytes behind its length. */
  #isTorn = false;

  /** @param length what it holds already; `undefined`: it is not there, and `create` makes it. */
  constructor(path: string, shop: Workshop, length: number | undefined) {
    this.path = path;
    this.#shop = shop;
    this.#isThere = length !== undefined;
    this.#length = length ?? 0;
    this.#synced = this.#length;
    this.#promised = this.#length;
  }

  get length(): number {
    return this.#length;
  }

  async create(): Promise<void> {
    if (this.#isThere) return;
    checkAbandoned(this.#shop, this.path);
    const { handles, mode } = this.#shop;
    const folder = dirname(this.path);
    try {
      // What an earlier attempt has left under a name that is ours is cut off.
      const existing = await statFile(this.#shop, this.path);
      this.#isTorn = existing !== undefined && existing.size > 0;
      if (existing === undefined) {
        this.#isMade = true;
        await createIn(this.#shop, folder, () =>
          handles.create(this.path, mode ?? 0o666, async (handle) => {
            if (mode !== undefined) await handle.chmod(mode);
          }),
        );
        this.#shop.changedFolders.add(folder);
      }
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#isThere = true;
  }

  async append(bytes: Uint8Array): Promise<void> {
    checkAbandoned(this.#shop, this.path);
    await this.create();
    try {
      await this.#shop.handles.use(this.path, async (handle) => {
        if (this.#isTorn) await this.#cut(handle);
        try {
          await writeAll(this.#shop, handle, bytes, this.#length, this.path);
        } catch (error) {
          this.#isTorn = true;
          await this.#cut(handle).catch(() => {});
          throw error;
        }
      });
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#length += bytes.length;
  }

  async cutBack(length: number): Promise<void> {
    if (this.#length > length) {
      this.#length = length;
      this.#synced = Math.min(this.#synced, length);
      this.#isTorn = true;
    }
    if (!this.#isTorn) return;
    try {
      await this.#shop.handles.use(this.path, (handle) => this.#cut(handle));
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
  }

  async #cut(handle: FileHandle): Promise<void> {
    await handle.truncate(this.#length);
    this.#isTorn = false;
  }

  async sync(): Promise<void> {
    if (!this.#isThere || this.#synced === this.#length) return;
    const length = this.#length;
    try {
      await this.#shop.handles.use(this.path, (handle) => syncData(this.#shop, handle, this.path));
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#synced = length;
  }

  promise(): void {
    this.#promised = this.#synced;
  }

  async finish(): Promise<void> {
    try {
      if (this.#isTorn) await this.#shop.handles.use(this.path, (handle) => this.#cut(handle));
      await this.#shop.handles.close(this.path);
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
  }

  /** Whoever reads it sees no more than what was promised, and nothing torn. */
  async abandon(): Promise<void> {
    if (!this.#isThere) return;
    if (this.#isMade && this.#promised === 0) return this.#remove();
    await this.cutBack(this.#promised);
    await this.finish();
  }

  async #remove(): Promise<void> {
    const { fs, handles } = this.#shop;
    // What is thrown away may fail to be closed.
    await handles.close(this.path).catch(() => {});
    try {
      await fs.unlink(this.path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw writeFailure(this.#shop, error, this.path);
    }
    this.#length = 0;
    this.#synced = 0;
    this.#isTorn = false;
    this.#isThere = false;
  }
}
