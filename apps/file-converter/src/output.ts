/** The file that is written: under a temporary name beside its final one, which it gets when it is whole. */

import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import { Gzip } from '@streamweld/formats';
import { Refusal } from './table.ts';

export interface OutputOptions {
  readonly path: string;
  /** Of this run alone, in the same folder. What a thread that died has left there is written anew. */
  readonly temporary: string;
  readonly isGzip: boolean;
  /** Whether a file of that name may be replaced. */
  readonly force: boolean;
}

export class Output {
  readonly #options: OutputOptions;
  readonly #file: FileHandle;
  readonly #gzip: Gzip | undefined;

  private constructor(options: OutputOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
    this.#gzip = options.isGzip ? new Gzip() : undefined;
  }

  /** @throws Refusal where there is a file of that name: known before any work is done */
  static async open(options: OutputOptions): Promise<Output> {
    if (!options.force && (await exists(options.path))) throw occupied();
    return new Output(options, await open(options.temporary, 'w'));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#write(this.#gzip === undefined ? bytes : await this.#gzip.write(bytes));
  }

  /**
   * Gives it its name, once it is on disk.
   * @returns its bytes
   * @throws Refusal where a file of that name has come meanwhile
   */
  async finish(): Promise<number> {
    if (this.#gzip !== undefined) await this.#write(await this.#gzip.end());
    await this.#file.sync();
    const { size } = await this.#file.stat();
    await this.#file.close();
    const { path, temporary, force } = this.#options;
    if (force) await rename(temporary, path);
    else await linkNew(temporary, path);
    return size;
  }

  /** Leaves nothing under the temporary name; harmless after `finish`. */
  async discard(): Promise<void> {
    this.#gzip?.close();
    await this.#file.close().catch(() => {});
    await rm(this.#options.temporary, { force: true });
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
  }
}

/** Unlike a rename, a link never replaces what is there. */
async function linkNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw occupied();
    throw error;
  }
}

function occupied(): Refusal {
  return new Refusal('There is a file of that name already. --force replaces it.');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
