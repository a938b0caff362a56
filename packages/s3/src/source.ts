/** S3Source: the items of objects. */

import {
  type Awaitable,
  onAbort,
  type Positioned,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import { type Format, type FormatName, toFormat } from '@streamweld/formats';
import type { S3Store } from './client.ts';
import { openStore } from './open-store.ts';
import { comparePositions, type S3Position } from './position.ts';
import { type CheckedSourceOptions, checkSourceOptions, type S3SourceOptions } from './source-options.ts';
import { AfterObjects } from './source-after.ts';
import { ObjectReader } from './source-reader.ts';

/** A source of the items of objects. Made by `new S3Source(…)`. */
export interface S3Source<T> extends Source<T, S3Position> {
  readonly name: string;
  open(context: SourceContext<S3Position>): Promise<void>;
  pull(demand: number): Awaitable<Positioned<T, S3Position> | undefined>;
  stop(): void;
  /** Only with `after`. */
  commit?(positions: ReadonlyMap<string, S3Position>): Promise<void>;
  comparePositions(a: S3Position, b: S3Position): number;
  close(reason?: unknown): Promise<void>;
}

export interface S3SourceConstructor {
  new (options: S3SourceOptions & { readonly format?: 'lines' | undefined }): S3Source<string>;
  new (options: S3SourceOptions & { readonly format: 'csv' }): S3Source<Record<string, string>>;
  new (options: S3SourceOptions & { readonly format: 'bytes' }): S3Source<Uint8Array>;
  new <T = unknown>(options: S3SourceOptions & { readonly format: 'ndjson' }): S3Source<T>;
  new <T>(options: S3SourceOptions & { readonly format: Format<T, never> }): S3Source<T>;
}

class Objects<T> implements S3Source<T> {
  readonly name: string;
  readonly comparePositions: (a: S3Position, b: S3Position) => number = comparePositions;
  readonly #options: CheckedSourceOptions;
  readonly #format: Format<T, never>;
  /** Ends whatever is fetched. */
  #over: AbortController = new AbortController();
  #isClosed: AbortController = new AbortController();
  /** Only where objects are seen to: positions are kept by whoever has a checkpoint. */
  readonly commit?: (positions: ReadonlyMap<string, S3Position>) => Promise<void>;
  #after: AfterObjects | undefined;
  #store: S3Store | undefined;
  #reader: ObjectReader<T> | undefined;
  #forget: (() => void) | undefined;

  constructor(options: S3SourceOptions & { readonly format?: FormatName | Format<T, never> | undefined }) {
    this.#options = checkSourceOptions(options);
    const { maxLineBytes, name } = this.#options;
    this.#format = toFormat(
      options.format ?? 'lines',
      maxLineBytes === undefined ? undefined : { maxLineBytes },
    ) as Format<T, never>;
    this.name = name;
    if (this.#options.after !== undefined) this.commit = async (positions) => this.#after?.commit(positions);
  }

  async open(context: SourceContext<S3Position>): Promise<void> {
    const { positions, signal } = context;
    // What ended an earlier run does not end this one.
    this.#over = new AbortController();
    this.#isClosed = new AbortController();
    this.#forget = onAbort(signal, (reason) => this.#end(reason));
    signal.throwIfAborted();
    const options = this.#options;
    const store = openStore(options);
    this.#store = store;
    const after =
      options.after === undefined
        ? undefined
        : new AfterObjects(store, options, options.after, this.#isClosed.signal);
    this.#after = after;
    this.#reader = new ObjectReader(
      store,
      this.#format,
      options,
      positions,
      this.#over.signal,
      (lane, position) => after?.ended(lane, position),
      (lane) => context.settled(lane),
    );
    await this.#reader.begun();
  }

  pull(demand: number): Awaitable<Positioned<T, S3Position> | undefined> {
    return this.#over.signal.aborted ? undefined : this.#reader?.pull(demand);
  }

  stop(): void {
    this.#end(new Error('The source was stopped.'));
  }

  async close(): Promise<void> {
    this.stop();
    this.#isClosed.abort(new Error('The source was closed.'));
    this.#forget?.();
    await this.#reader?.close();
    this.#store?.close();
  }

  #end(reason: unknown): void {
    this.#reader?.stop();
    this.#over.abort(reason);
  }
}

/**
 * Reads objects: those behind a prefix, in the order of their keys, or those whose keys are given.
 *
 * Items come with their place in their object, so that a run can be resumed exactly there. `.gz` is decompressed on the way.
 *
 *     new S3Source({ bucket: 'logs', prefix: '2024/' })                          // lines, as strings
 *     new S3Source<Order>({ bucket: 'orders', format: 'ndjson' })
 *     new S3Source({ bucket: 'logs', keys: ['a.csv', 'b.csv'], format: 'csv' })  // an object a row, named by the header
 */
export const S3Source: S3SourceConstructor = Objects as unknown as S3SourceConstructor;
