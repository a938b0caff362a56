/** S3Sink: items as objects of a bucket. */

import { randomUUID } from 'node:crypto';
import {
  type Accepted,
  isStreamWeldError,
  type Sink,
  type SinkContext,
  StreamWeldError,
  type WriteContext,
} from '@streamweld/core/connector';
import type { CsvRecord, CsvValue, Format } from '@streamweld/formats';
import type { S3Store } from './client.ts';
import { isTransient } from './errors.ts';
import { fromKept } from './ledger.ts';
import { Ledger } from './ledger-object.ts';
import { openStore } from './open-store.ts';
import type { Workshop } from './sink-body.ts';
import { PartBuffers } from './sink-buffers.ts';
import { CommittedWay } from './sink-committed.ts';
import { claim, claimantOf } from './sink-ledger.ts';
import { type CheckedSinkOptions, checkSinkOptions, type S3SinkOptions } from './sink-options.ts';
import { RollingWay } from './sink-rolling.ts';
import { sweep } from './sink-sweep.ts';
import type { WayOfWriting } from './sink-way.ts';
import { untilAborted } from './until-aborted.ts';

/** A sink of objects. Made by `new S3Sink(…)`. */
export interface S3Sink<T> extends Sink<T> {
  readonly name: string;
  readonly concurrency: 1;
  readonly atomic: true;
  readonly keepsPositions: boolean;
  open(context?: SinkContext): Promise<void>;
  positions(): ReadonlyMap<string, unknown>;
  keep(positions: ReadonlyMap<string, unknown>): Promise<void>;
  write(batch: readonly T[], context: WriteContext): Promise<void | Accepted>;
  flush(): Promise<void>;
  close(reason?: unknown): Promise<void>;
}

export interface S3SinkConstructor {
  new (options: S3SinkOptions<string> & { readonly format?: 'lines' | undefined }): S3Sink<string>;
  new (options: S3SinkOptions<Uint8Array> & { readonly format: 'bytes' }): S3Sink<Uint8Array>;
  new <T extends { readonly [K in keyof T]: CsvValue } = CsvRecord>(
    options: S3SinkOptions<T> & { readonly format: 'csv' },
  ): S3Sink<T>;
  new <T = unknown>(options: S3SinkOptions<T> & { readonly format: 'ndjson' }): S3Sink<T>;
  new <T>(options: S3SinkOptions<T> & { readonly format: Format<unknown, T> }): S3Sink<T>;
}

/** How long what an abandoned sink has begun may take to be taken back, in milliseconds; the next one takes the rest. */
const CLEAN_UP_MS = 5000;
/** Beside those of the open objects: so many parts are on their way while others fill. */
const SPARE_BUFFERS = 4;

class Objects<T> implements S3Sink<T> {
  readonly name: string;
  readonly concurrency = 1;
  readonly atomic = true;
  readonly keepsPositions: boolean;
  readonly batching: { readonly maxItems?: number; readonly lingerMs?: number };
  readonly #options: CheckedSinkOptions<T>;
  #life = new AbortController();
  /** Until it is told of a failure. */
  #context: SinkContext | undefined;
  #signal: AbortSignal | undefined;
  #store: S3Store | undefined;
  #ledger: Ledger | undefined;
  #opening: Promise<void> | undefined;
  #way: WayOfWriting<T> | undefined;

  constructor(options: S3SinkOptions<T>) {
    this.#options = checkSinkOptions(options);
    this.name = this.#options.reach.name;
    this.keepsPositions = this.#options.exactlyOnce;
    this.batching = this.#options.batching;
  }

  async open(context?: SinkContext): Promise<void> {
    this.#context = context;
    this.#signal = context?.signal;
    this.#life = new AbortController();
    this.#opening = this.#open(context);
    await untilAborted(this.#opening, context?.signal);
  }

  async #open(context: SinkContext | undefined): Promise<void> {
    const { reach, bucket, conditional, partBytes, maxOpen, exactlyOnce } = this.#options;
    const checkpoint = exactlyOnce ? (context?.checkpoint ?? null) : null;
    if (checkpoint !== null && !conditional) throw this.#impossible();
    const claimant = claimantOf(this.#options, checkpoint);
    const life = this.#life.signal;
    const store = openStore(reach);
    this.#store = store;
    const shop: Workshop = {
      stage: this.name,
      store,
      bucket,
      retryMs: reach.retryMs,
      conditional,
      buffers: new PartBuffers(partBytes, maxOpen + SPARE_BUFFERS),
    };
    const ledger = new Ledger({ ...shop, ...claimant.place, epoch: randomUUID() });
    this.#ledger = ledger;
    await ledger.takeOver((found) => claim(found, claimant), life);
    await sweep(shop, ledger.content, ledger.content.pending, life);
    const way = {
      options: this.#options,
      shop,
      ledger,
      life,
      fail: (error: unknown) => this.#fail(error),
    };
    this.#way = checkpoint === null ? new RollingWay(way) : new CommittedWay(way);
  }

  positions(): ReadonlyMap<string, unknown> {
    return fromKept(this.#ledger?.content.positions ?? []);
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    await untilAborted(Promise.resolve(this.#working().keep?.(positions)), this.#signal);
  }

  async write(batch: readonly T[], context: WriteContext): Promise<void | Accepted> {
    try {
      return await this.#working().write(batch, context);
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason;
      // Not of the items, and the same again cannot succeed: the run has to know.
      const isOfItems = (error as { retryable?: unknown } | null)?.retryable === false;
      if (isStreamWeldError(error) && !isOfItems && !isTransient(error)) this.#fail(error);
      throw error;
    }
  }

  async flush(): Promise<void> {
    await untilAborted(this.#working().flush(), this.#signal);
  }

  async close(reason?: unknown): Promise<void> {
    const way = this.#way;
    this.#way = undefined;
    try {
      if (reason === undefined) await way?.close();
      else this.#life.abort(reason);
    } catch (error) {
      this.#life.abort(error);
      throw error;
    } finally {
      if (this.#life.signal.aborted) {
        await this.#opening?.catch(() => {});
        await way?.abandon(this.#life.signal.reason, AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {});
      }
      this.#store?.close();
      this.#store = undefined;
    }
  }

  /** The run is told once. */
  #fail(error: unknown): void {
    const context = this.#context;
    this.#context = undefined;
    context?.fail(error);
  }

  #working(): WayOfWriting<T> {
    if (this.#way === undefined) throw new Error(`The sink '${this.name}' is not open.`);
    return this.#way;
  }

  #impossible(): StreamWeldError {
    return new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `'${this.name}' has conditional: false, and its run a checkpoint: without conditions nobody can tell whose turn it is. Leave conditional out, or set exactlyOnce: false and the store of the run keeps the checkpoint.`,
      { stage: this.name },
    );
  }
}

/**
 * Writes items as objects that appear whole.
 *
 *     new S3Sink({ bucket, key: 'orders/{sequence}.ndjson.gz', format: 'ndjson' })
 *     new S3Sink({ bucket, key: 'orders/{by}/{sequence}.csv', by: (order) => order.country, format: 'csv' })
 *     new S3Sink({ bucket, name: 'years', key: ({ sequence, openedAt }) => `${openedAt.getUTCFullYear()}/${sequence}` })
 */
export const S3Sink: S3SinkConstructor = Objects as unknown as S3SinkConstructor;
