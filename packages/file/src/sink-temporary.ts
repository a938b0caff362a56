/**
 * The temporary that stands for a file until it is finished.
 *
 *     create ──► append ◄─┐ ──► sync ──► finish         renamed to its name: visible, whole
 *                └────────┘          └──► abandon        removed, or cut back to what was promised
 *
 * It lies in the folder of its target, for only within a file system is a rename one step. Its name begins with a dot,
 * so that no glob takes it for a file.
 */

import { basename, dirname, join } from 'node:path';
import { runtime } from '@streamweld/core/connector';
import { errnoOf, toFileError } from './errors.ts';
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

/** The longest file name that most file systems take, in bytes, less what a temporary adds. */
const LONGEST_NAME = 255 - 16;

export class Temporary implements Body {
  readonly path: string;
  readonly #shop: Workshop;
  /** The name it gets; where it is numbered, the number is found only then. */
  readonly #nameOf: (() => Promise<string>) | undefined;
  /** Where it lies; empty until it is created. */
  #place = '';
  #length = 0;
  #synced = 0;
  #promised = 0;
  /** A failure may have left bytes behind its length. */
  #isTorn = false;

  constructor(path: string, shop: Workshop, nameOf?: () => Promise<string>) {
    this.path = path;
    this.#shop = shop;
    this.#nameOf = nameOf;
  }

  get length(): number {
    return this.#length;
  }

  async create(): Promise<void> {
    if (this.#place !== '') return;
    checkAbandoned(this.#shop, this.path);
    const folder = dirname(this.path);
    try {
      const existing = this.#nameOf === undefined ? await statFile(this.#shop, this.path) : undefined;
      const mode = this.#shop.mode ?? (existing && existing.mode & 0o777);
      await createIn(this.#shop, folder, () => this.#createIn(folder, mode));
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#shop.changedFolders.add(folder);
  }

  async append(bytes: Uint8Array): Promise<void> {
    checkAbandoned(this.#shop, this.path);
    await this.create();
    try {
      await this.#shop.handles.use(this.#place, (handle) =>
        writeAll(this.#shop, handle, bytes, this.#length, this.path),
      );
    } catch (error) {
      this.#isTorn = true;
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#length += bytes.length;
  }

  /** Nobody sees it yet: it is cut off when it is finished. */
  async cutBack(length: number): Promise<void> {
    if (length >= this.#length) return;
    this.#length = length;
    this.#synced = Math.min(this.#synced, length);
    this.#isTorn = true;
  }

  async sync(): Promise<void> {
    if (this.#place === '' || this.#synced === this.#length) return;
    const length = this.#length;
    try {
      await this.#shop.handles.use(this.#place, (handle) => syncData(this.#shop, handle, this.path));
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#synced = length;
  }

  promise(): void {
    this.#promised = this.#synced;
  }

  /** Gives it its name; until then nothing of it is seen. */
  async finish(): Promise<void> {
    if (this.#place === '') return;
    const { fs, handles, changedFolders } = this.#shop;
    try {
      if (this.#isTorn) await handles.use(this.#place, (handle) => handle.truncate(this.#length));
      this.#isTorn = false;
      await handles.close(this.#place);
      await fs.rename(this.#place, (await this.#nameOf?.()) ?? this.path);
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#place = '';
    changedFolders.add(dirname(this.path));
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
}
