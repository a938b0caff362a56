/** FileSource: files as a source of items. */

import type { Awaitable, Positioned, Source, SourceContext } from '@streamweld/core/connector';
import { type Format, type FormatName, toFormat } from '@streamweld/formats';
import { checkPaths, checkSourceOptions, type FileSourceOptions } from './options.ts';
import { Follower } from './source-follow.ts';
import { ReadOnce } from './source-once.ts';
import { checkPositions, comparePositions, type FilePosition } from './source-position.ts';
import type { FileReader } from './source-reader.ts';

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
  readonly comparePositions: (a: FilePosition, b: FilePosition) => number = comparePositions;
  readonly #reader: FileReader<T>;

  constructor(
    paths: string | readonly string[],
    options?: FileSourceOptions & { readonly format?: FormatName | Format<T, never> | undefined },
  ) {
    const list = checkPaths(paths);
    const checked = checkSourceOptions(options, list);
    const { maxLineBytes, follow, name } = checked;
    const format = toFormat(
      options?.format ?? 'lines',
      maxLineBytes === undefined ? undefined : { maxLineBytes },
    ) as Format<T, never>;
    this.name = name;
    this.#reader =
      follow === undefined
        ? new ReadOnce(list, format, checked)
        : new Follower(list, format, checked, follow);
  }

  async open(context: SourceContext<FilePosition>): Promise<void> {
    checkPositions(context.positions, this.name);
    await this.#reader.open(context);
  }

  pull(demand: number): Awaitable<Positioned<T, FilePosition> | undefined> {
    return this.#reader.pull(demand);
  }

  stop(): void {
    this.#reader.stop();
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

/**
 * Reads files: one, several, or all that a glob matches, sorted, one after the other.
 *
 * Items come with their place in their file, so that a run can be resumed exactly there. Every file is a lane, named by
 * its path. `.gz` is decompressed on the way. With `follow` it goes on with what is written later, and never ends.
 *
 *     new FileSource('logs/*.log.gz')                                     // lines, as strings
 *     new FileSource<Order>('orders.ndjson', { format: 'ndjson' })
 *     new FileSource(['a.csv', 'b.csv'], { format: 'csv' })               // an object a row, named by the header
 *     new FileSource('logs/*.log', { follow: true })                      // and the lines to come
 */
export const FileSource: FileSourceConstructor = Files as unknown as FileSourceConstructor;
