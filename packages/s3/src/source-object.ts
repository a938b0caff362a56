/**
 * One object while it is read. Its chunks are fetched, and decompressed, ahead of who takes items, up to its share of the bytes
 * that may wait; then its body is not pulled any more until some are taken.
 *
 *     body ──► (gunzip) ──► waiting chunks, a bound in bytes ──► decoder ──► items
 */

import { Deferred, StreamWeldError } from '@streamweld/core/connector';
import { type Decoder, type Format, gunzip, isGzip } from '@streamweld/formats';
import { S3Error } from './errors.ts';
import { invalidPosition, type S3Position } from './position.ts';
import type { ObjectBytes } from './source-bytes.ts';
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
  /** Something has come, or went wrong. */
  onMore(): void;
}

export class OpenObject<T> {
  readonly leg: Leg;
  readonly #around: Surroundings<T>;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #room: Deferred | undefined;
  #decoder: Decoder<T> | undefined;
  #etag = '';
  #isGzip = false;
  /** What becomes of the object: it is fetched, all of it has come, all of it was taken. */
  #state: 'fetched' | 'come' | 'ended' | 'done' = 'fetched';
  #isSkipped = false;
  /** What the decoder threw, behind items that were handed out. */
  #thrown: { readonly error: unknown } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isClosed = false;
  readonly #fetching: Promise<void>;

  constructor(leg: Leg, around: Surroundings<T>) {
    this.leg = leg;
    this.#around = around;
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
    return this.#state === 'done';
  }

  /**
   * Up to so many items of what has come. None: nothing has come for now, or it is done.
   * @throws S3Error, FormatError, when all before was taken
   */
  take(max: number): readonly T[] {
    try {
      return this.#take(max);
    } catch (error) {
      throw atKey(error, this.leg.key, this.#around.options.name);
    }
  }

  #take(max: number): readonly T[] {
    if (this.#thrown !== undefined) throw this.#thrown.error;
    const decoder = this.#decoder;
    while (decoder !== undefined && this.#state !== 'done') {
      const items = decoder.take(max);
      if (items.length > 0) return this.#andMore(decoder, items, max);
      if (!this.#advance(decoder)) break;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return [];
  }

  /** Puts small batches together, of what is there, and the end of the object with its last. */
  #andMore(decoder: Decoder<T>, first: readonly T[], max: number): readonly T[] {
    const isAll = this.#waiting.length === 0 && this.#state === 'fetched';
    if (first.length > max / 2 || isAll) return first;
    const items = [...first];
    try {
      while (items.length <= max / 2) {
        const more = decoder.take(max - items.length);
        items.push(...more);
        if (more.length === 0 && !this.#advance(decoder)) break;
      }
    } catch (error) {
      // All before comes first. A decoder need not throw it twice.
      this.#thrown = { error };
    }
    return items;
  }

  /** When nothing is left to take: the next chunk, or the end. Says whether there may be something to take now. */
  #advance(decoder: Decoder<T>): boolean {
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.byteLength;
      // Not for each chunk: to stop and start a connection costs more than to read from it.
      if (this.#waitingBytes <= this.#around.share / 2) this.#room?.resolve();
      decoder.push(chunk);
      return true;
    }
    if (this.#state === 'come') {
      this.#state = 'ended';
      decoder.end();
      return true;
    }
    if (this.#state === 'ended') this.#state = 'done';
    return false;
  }

  /** Where to resume after what was taken. */
  position(): S3Position {
    const { offset = 0, record = 0, header } = this.#decoder ?? {};
    const { key, index } = this.leg;
    return {
      key,
      etag: this.#etag,
      offset,
      record,
      ...(header === undefined ? undefined : { header }),
      ...(this.#isGzip ? { gzip: true } : undefined),
      ...(this.isDone ? { done: true } : undefined),
      ...(index === undefined ? undefined : { index }),
    };
  }

  /** Once the signal of its bytes has aborted, or all of it has come: nothing of it is left afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#room?.resolve();
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    let bytes: ObjectBytes | undefined;
    try {
      bytes = await this.#open();
      if (this.#isSkipped) return;
      const first = await this.#begin(bytes);
      if (this.#isGzip) {
        for await (const chunk of this.#inflated(first, bytes)) {
          await this.#keep(chunk);
          if (this.#isClosed) return;
        }
      } else {
        for (let chunk = first; chunk !== undefined; chunk = await bytes.next()) {
          const wait = this.#keep(chunk);
          if (wait !== undefined) await wait;
          if (this.#isClosed) return;
        }
      }
      this.#state = 'come';
    } catch (error) {
      this.#failure = { error };
    } finally {
      bytes?.close();
      this.#around.onMore();
    }
  }

  async #open(): Promise<ObjectBytes> {
    const { leg } = this;
    const offset = leg.from?.gzip === true ? 0 : (leg.from?.offset ?? 0);
    const bytes = await this.#around.open(leg, offset);
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
    this.#decoder = format.decoder({
      offset: from?.offset,
      record: from?.record,
      header: from?.header,
      // Nobody writes into what came from the network, or was decompressed.
      ownsChunks: true,
    });
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

  /** Answers a wait for room, where there is none left. */
  #keep(chunk: Uint8Array): Promise<void> | undefined {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    this.#around.onMore();
    if (this.#waitingBytes < this.#around.share || this.#isClosed) return undefined;
    this.#room = new Deferred();
    return this.#room.promise;
  }
}

async function* all(
  first: Uint8Array | undefined,
  bytes: ObjectBytes,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let chunk = first; chunk !== undefined; chunk = await bytes.next()) yield chunk;
}

/** An error of a format knows the record and the byte, and now the object. */
function atKey(error: unknown, key: string, stage: string): unknown {
  if (!(error instanceof StreamWeldError) || error instanceof S3Error) return error;
  return new StreamWeldError(error.code, `${key}: ${error.message}`, { stage, cause: error });
}

function isCompressed(
  key: string,
  contentEncoding: string | undefined,
  first: Uint8Array | undefined,
  compression: CheckedSourceOptions['compression'],
): boolean {
  if (compression !== 'auto') return compression === 'gzip';
  return (
    key.toLowerCase().endsWith('.gz') ||
    /\bgzip\b/i.test(contentEncoding ?? '') ||
    (first !== undefined && isGzip(first))
  );
}
