/** FileSource: files as a source of items. */

import {
  type Awaitable,
  ignoreRejection,
  isThenable,
  onAbort,
  type Positioned,
  type Source,
  type SourceContext,
  StreamWeldError,
} from '@streamweld/core/connector';
import { type Format, type FormatName, toFormat } from '@streamweld/formats';
import { FileError, toFileError } from './errors.ts';
import {
  type CheckedSourceOptions,
  checkPaths,
  checkSourceOptions,
  type FileSourceOptions,
} from './options.ts';
import { type FilePosition, OpenFile } from './source-file.ts';
import { findFiles } from './source-files.ts';

/** A source of the items of files. Made by `new FileSource(…)`. */
export interface FileSource<T> extends Source<T, FilePosition> {
  readonly name: string;
  open(context: SourceContext<FilePosition>): Promise<void>;
  pull(demand: number): Awaitable<Positioned<T, FilePosition> | undefined>;
  stop(): void;
  comparePositions(a: FilePosition, b: FilePosition): number;
  close(reason?: unknown): Promise<void>;
}

export interface FileSourceConstructor {
  new (
    paths: string | readonly string[],
    options?: FileSourceOptions & { readonly format?: 'lines' | undefined },
  ): FileSource<string>;
  new (
    paths: string | readonly string[],
    options: FileSourceOptions & { readonly format: 'csv' },
  ): FileSource<Record<string, string>>;
  new (
    paths: string | readonly string[],
    options: FileSourceOptions & { readonly format: 'bytes' },
  ): FileSource<Uint8Array>;
  new <T = unknown>(
    paths: string | readonly string[],
    options: FileSourceOptions & { readonly format: 'ndjson' },
  ): FileSource<T>;
  new <T>(
    paths: string | readonly string[],
    options: FileSourceOptions & { readonly format: Format<T, never> },
  ): FileSource<T>;
}

class Files<T> implements FileSource<T> {
  readonly name: string;
  readonly #paths: readonly string[];
  readonly #format: Format<T, never>;
  readonly #options: CheckedSourceOptions;
  #positions: ReadonlyMap<string, FilePosition> = new Map();
  #waiting: readonly string[] = [];
  /** How many of the files are behind us, or being read. */
  #begun = 0;
  #file: OpenFile<T> | undefined;
  #isStopped = false;
  #wake: (() => void) | undefined;
  #unlisten: (() => void) | undefined;
  /** The pull that is under way: what it opens must be closed. */
  #pulling: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    paths: string | readonly string[],
    options?: FileSourceOptions & { readonly format?: FormatName | Format<T, never> | undefined },
  ) {
    this.#paths = checkPaths(paths);
    this.#options = checkSourceOptions(options, this.#paths);
    const { maxLineBytes } = this.#options;
    const format = toFormat(
      options?.format ?? 'lines',
      maxLineBytes === undefined ? undefined : { maxLineBytes },
    );
    this.#format = format as Format<T, never>;
    this.name = this.#options.name;
  }

  async open(context: SourceContext<FilePosition>): Promise<void> {
    const { client, allowSpecial } = this.#options;
    this.#positions = context.positions;
    this.#begun = 0;
    this.#isStopped = false;
    this.#unlisten = onAbort(context.signal, () => this.stop());
    this.#waiting = await findFiles(client, this.#paths, this.name, allowSpecial);
  }

  pull(demand: number): Awaitable<Positioned<T, FilePosition> | undefined> {
    for (;;) {
      const file = this.#file;
      if (this.#isStopped || file === undefined) break;
      try {
        const items = file.take(demand);
        if (items.length > 0) return { items, position: file.position(), lane: file.path };
        const more = file.advance();
        if (isThenable(more)) return this.#later(demand, more);
        if (!more) return this.#finish(file);
      } catch (error) {
        throw this.#failed(error, file.path);
      }
    }
    if (this.#isStopped || this.#begun === this.#waiting.length) return undefined;
    return this.#later(demand, this.#openNext());
  }

  stop(): void {
    this.#isStopped = true;
    this.#file?.interrupt();
    this.#wake?.();
  }

  comparePositions(a: FilePosition, b: FilePosition): number {
    return a.offset - b.offset || Number(a.done ?? false) - Number(b.done ?? false);
  }

  async close(): Promise<void> {
    this.stop();
    this.#unlisten?.();
    // An open that is under way gives us a handle to close.
    await this.#pulling?.catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await this.#closing;
    await file?.close();
  }

  /** Waits, and goes on pulling; a stop ends the wait, with nothing. */
  #later(demand: number, wait: PromiseLike<unknown>): Promise<Positioned<T, FilePosition> | undefined> {
    const path = this.#file?.path;
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      this.#pulling = Promise.resolve(wait).then(
        () => {
          this.#wake = undefined;
          return this.pull(demand);
        },
        (error: unknown) => {
          throw path === undefined ? error : this.#failed(error, path);
        },
      );
      this.#pulling.then(resolve as (value: unknown) => void, reject);
    });
  }

  async #openNext(): Promise<void> {
    await this.#closing;
    while (this.#begun < this.#waiting.length && !this.#isStopped) {
      const path = this.#waiting[this.#begun] as string;
      const from = this.#positions.get(path);
      this.#begun += 1;
      try {
        if (from?.done === true && (await this.#isUnchanged(path, from))) continue;
        this.#file = await OpenFile.open(path, this.#format, this.#options, from);
        return;
      } catch (error) {
        throw this.#failed(error, path);
      }
    }
  }

  /** A file that was read to its end and has its size still is not opened again, nor decompressed. */
  async #isUnchanged(path: string, from: FilePosition): Promise<boolean> {
    const { size } = await this.#options.client.stat(path);
    return size === from.file.size;
  }

  /** Nothing more to write, but done up to here: a resumed run passes the file by. */
  #finish(file: OpenFile<T>): Positioned<T, FilePosition> {
    this.#file = undefined;
    this.#closing = file.close();
    ignoreRejection(this.#closing);
    return { items: [], position: file.position(), lane: file.path };
  }

  #failed(error: unknown, path: string): StreamWeldError {
    if (!(error instanceof StreamWeldError))
      return toFileError(error, 'read', path, this.name, 'SW_FILE_READ_FAILED');
    if (error instanceof FileError) return error;
    // An error of the format knows the record and the byte, and now the file.
    return new StreamWeldError(error.code, `${path}: ${error.message}`, { stage: this.name, cause: error });
  }
}

/**
 * Reads files: one, several, or all that a glob matches, sorted, one after the other.
 *
 * Items come with their place in their file, so that a run can be resumed exactly there. Every file is a lane, named by
 * its path. `.gz` is decompressed on the way.
 *
 *     new FileSource('logs/*.log.gz')                                     // lines, as strings
 *     new FileSource<Order>('orders.ndjson', { format: 'ndjson' })
 *     new FileSource(['a.csv', 'b.csv'], { format: 'csv' })               // an object a row, named by the header
 */
export const FileSource: FileSourceConstructor = Files as unknown as FileSourceConstructor;
