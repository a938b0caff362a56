/**
 * One object while it is read. Its chunks are fetched, and decompressed, ahead of who takes items, up to its share of the bytes
 * that may wait; then its body is not pulled any more until some are taken.
 *
 *     body ──► (gunzip) ──► waiting chunks, a bound in bytes ──► decoder ──► items
 *
 * The last chunk waits until it is known how the object ends: so its end, or that it came damaged, is in the position that
 * comes with the last items. One that comes later, and without items, a sink that keeps positions would not have after a crash.
 */

import { Deferred } from '@streamweld/core/connector';
import { type Format, gunzip, isGzip } from '@streamweld/formats';
import { hasCode, type S3Error } from './errors.ts';
import { invalidPosition, type S3Position } from './position.ts';
import type { ObjectBytes } from './source-bytes.ts';
import { isOfDamage, toldOf } from './source-failures.ts';
import { ObjectItems, WaitingChunks } from './source-items.ts';
import type { Leg } from './source-legs.ts';
import type { CheckedSourceOptions } from './source-options.ts';

export interface Surroundings<T> {
  readonly format: Format<T, never>;
  readonly options: CheckedSourceOptions;
  /** How many bytes may wait. */
  readonly share: number;
  open(leg: Leg, from: number): Promise<ObjectBytes>;
  /** Whether this version is to be read at all. */
  begin(leg: Leg, etag: string): boolean;
  /** Where one ended that was read under this key, where a queue tells of it again and not of which version. */
  ended(leg: Leg): S3Position | undefined;
  /** Something has come, so many bytes with what was there before, or went wrong. */
  onMore(bytes: number): void;
  /** Nothing more is fetched: its connection is free. */
  onFetched(): void;
}

export class OpenObject<T> {
  readonly leg: Leg;
  readonly #around: Surroundings<T>;
  readonly #waiting: WaitingChunks;
  /** The chunk that may be the last. */
  #last: Uint8Array | undefined;
  #room: Deferred | undefined;
  #items: ObjectItems<T> | undefined;
  #etag = '';
  #isGzip = false;
  #isSkipped = false;
  /** An earlier run had read it, and deleted it then. */
  #isDeleted = false;
  #failure: { readonly error: unknown } | undefined;
  #isDamaged = false;
  #isClosed = false;
  #isFetching = true;
  /** How many bytes of it there may be, as far as that is known. */
  #size: number;
  readonly #fetching: Promise<void>;

  constructor(leg: Leg, around: Surroundings<T>) {
    this.leg = leg;
    this.#size = leg.size === undefined || isNamedGzip(leg.key) ? around.share : leg.size;
    this.#around = around;
    this.#waiting = new WaitingChunks(() => {
      // Not for each chunk: to stop and start a connection costs more than to read from it.
      if (this.#waiting.bytes <= around.share / 2) this.#room?.resolve();
    });
    this.#fetching = this.#fetch();
  }

  /** Which version it is, once that is known. */
  get etag(): string {
    return this.#etag;
  }

  /** It turned out to be one that was read before: nothing is known of it. */
  get isSkipped(): boolean {
    return this.#isSkipped;
  }

  get isDone(): boolean {
    return this.#isDeleted || this.#items?.isDone === true;
  }

  /** Items of it that were handed out may be wrong. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  get isFetching(): boolean {
    return this.#isFetching;
  }

  /** How many bytes of it wait, or may come to wait. */
  get reservedBytes(): number {
    const { bytes } = this.#waiting;
    return this.#isFetching ? Math.max(bytes, Math.min(this.#size, this.#around.share)) : bytes;
  }

  /**
   * Up to so many items of what has come. None: nothing has come for now, or it is done.
   * @throws S3Error, FormatError, when all before was taken
   */
  take(max: number): readonly T[] {
    try {
      const items = this.#items?.take(max) ?? [];
      if (items.length === 0 && this.#failure !== undefined) throw this.#failure.error;
      return items;
    } catch (error) {
      const { bucket, name } = this.#around.options;
      throw toldOf(error, this.leg, bucket, name);
    }
  }

  /** Where to resume after what was taken. */
  position(): S3Position {
    const { key, from, index, list } = this.leg;
    if (this.#isDeleted && from !== undefined) return { ...from, done: true };
    const { offset = 0, record = 0, header } = this.#items?.place ?? {};
    return {
      key,
      etag: this.#etag,
      offset,
      record,
      ...(header === undefined ? undefined : { header }),
      ...(this.#isGzip ? { gzip: true } : undefined),
      ...(this.isDone ? { done: true } : undefined),
      ...(index === undefined ? undefined : { index, list }),
      ...(this.#isDamaged ? { damaged: true } : undefined),
    };
  }

  /** Once the signal of its bytes has aborted, or all of it has come: nothing of it is left afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#room?.resolve();
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    let bytes: ObjectBytes | undefined;
    try {
      bytes = await this.#open();
      if (bytes === undefined || this.#isSkipped) return;
      const first = await this.#begin(bytes);
      if (this.#isGzip) {
        for await (const chunk of this.#inflated(first, bytes)) {
          const before = this.#holdBack(chunk);
          if (before !== undefined) await this.#keep(before);
          if (this.#isClosed) return;
        }
      } else {
        for (let chunk = first; chunk !== undefined; chunk = await bytes.next()) {
          const certain = bytes.isAtEnd ? this.#holdBack(chunk) : chunk;
          const wait = certain === undefined ? undefined : this.#keep(certain);
          if (wait !== undefined) await wait;
          if (this.#isClosed) return;
        }
      }
      this.#waiting.areAll = true;
    } catch (error) {
      this.#failure = { error };
      this.#isDamaged = bytes?.isUnchecked === true && isOfDamage(error);
    } finally {
      bytes?.close();
      if (this.#last !== undefined && !this.#isClosed) this.#waiting.push(this.#last);
      this.#isFetching = false;
      this.#around.onFetched();
      this.#around.onMore(this.#waiting.bytes);
    }
  }

  /** Nothing, where we had deleted it. */
  async #open(): Promise<ObjectBytes | undefined> {
    const { leg } = this;
    const offset = leg.from?.gzip === true ? 0 : (leg.from?.offset ?? 0);
    let bytes: ObjectBytes;
    try {
      bytes = await this.#around.open(leg, offset);
    } catch (error) {
      // We delete what is done alone.
      const read = leg.from ?? this.#around.ended(leg);
      if (read === undefined || this.#around.options.after !== 'delete' || !isNoKey(error)) throw error;
      // Whoever keeps positions with items has none of an end that was left out on the way.
      this.#isDeleted = leg.from !== undefined;
      this.#isSkipped = !this.#isDeleted;
      this.#etag = read.etag;
      return undefined;
    }
    this.#etag = bytes.etag;
    this.#isSkipped = this.#isClosed || !this.#around.begin(leg, bytes.etag);
    return bytes;
  }

  /** Finds out how the object is to be read; answers the first bytes, if there are any. */
  async #begin(bytes: ObjectBytes): Promise<Uint8Array | undefined> {
    const { key, from } = this.leg;
    const { format, options } = this.#around;
    let first = await bytes.next();
    if (first?.byteLength === 1) first = Buffer.concat([first, (await bytes.next()) ?? new Uint8Array()]);
    this.#isGzip =
      from === undefined || from.offset === 0
        ? isCompressed(key, bytes.contentEncoding, first, options.compression)
        : from.gzip === true;
    this.#size = this.#isGzip ? this.#around.share : bytes.size;
    const decoder = format.decoder({
      offset: from?.offset,
      record: from?.record,
      header: from?.header,
      // Nobody writes into what came from the network, or was decompressed.
      ownsChunks: true,
    });
    this.#items = new ObjectItems(decoder, this.#waiting);
    return first;
  }

  /** What is decompressed, from the place on where it is to be resumed. The place has to be there. */
  async *#inflated(
    first: Uint8Array | undefined,
    bytes: ObjectBytes,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { gunzip: limits, name } = this.#around.options;
    let left = this.leg.from?.offset ?? 0;
    for await (const chunk of gunzip(all(first, bytes), limits)) {
      const dropped = Math.min(left, chunk.byteLength);
      left -= dropped;
      if (dropped < chunk.byteLength) yield dropped === 0 ? chunk : chunk.subarray(dropped);
    }
    if (left === 0) return;
    throw invalidPosition(name, `in key ${JSON.stringify(this.leg.key)}: it has not so many bytes`);
  }

  /** Answers the chunk before it, which is not the last. */
  #holdBack(chunk: Uint8Array): Uint8Array | undefined {
    const before = this.#last;
    this.#last = chunk;
    return before;
  }

  /** Answers a wait for room, where there is none left. */
  #keep(chunk: Uint8Array): Promise<void> | undefined {
    this.#waiting.push(chunk);
    this.#around.onMore(this.#waiting.bytes);
    if (this.#waiting.bytes < this.#around.share || this.#isClosed) return undefined;
    this.#room = new Deferred();
    return this.#room.promise;
  }
}

/** By its name: an answer without one may be of something else than the store. */
function isNoKey(error: unknown): boolean {
  return hasCode(error, 'SW_S3_OBJECT_MISSING') && (error as S3Error).s3Error === 'NoSuchKey';
}

async function* all(
  first: Uint8Array | undefined,
  bytes: ObjectBytes,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let chunk = first; chunk !== undefined; chunk = await bytes.next()) yield chunk;
}

function isNamedGzip(key: string): boolean {
  return key.toLowerCase().endsWith('.gz');
}

function isCompressed(
  key: string,
  contentEncoding: string | undefined,
  first: Uint8Array | undefined,
  compression: CheckedSourceOptions['compression'],
): boolean {
  if (compression !== 'auto') return compression === 'gzip';
  return (
    isNamedGzip(key) || /\bgzip\b/i.test(contentEncoding ?? '') || (first !== undefined && isGzip(first))
  );
}
