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
import { behind, type ObjectBytes } from './source-bytes.ts';
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
    const decoder = this.#decoder;
    while (decoder !== undefined && this.#state !== 'done') {
      const items = decoder.take(max);
      if (items.length > 0) return items;
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.byteLength;
        if (this.#waitingBytes < this.#around.share) this.#room?.resolve();
        decoder.push(chunk);
      } else if (this.#state === 'come') {
        this.#state = 'ended';
        decoder.end();
      } else if (this.#state === 'ended') {
        this.#state = 'done';
      } else {
        break;
      }
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return [];
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
    const { share } = this.#around;
    try {
      const chunks = await this.#open();
      if (chunks === undefined) return;
      for await (const chunk of chunks) {
        if (this.#isClosed) return;
        this.#waiting.push(chunk);
        this.#waitingBytes += chunk.byteLength;
        this.#around.onMore();
        while (this.#waitingBytes >= share && !this.#isClosed) {
          this.#room = new Deferred();
          await this.#room.promise;
        }
        if (this.#isClosed) return;
      }
      this.#state = 'come';
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#around.onMore();
    }
  }

  async #open(): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { leg } = this;
    const { format, options } = this.#around;
    const offset = leg.from?.offset ?? 0;
    const isZipped = leg.from?.gzip === true;
    const { etag, contentEncoding, chunks } = await this.#around.open(leg, isZipped ? 0 : offset);
    this.#etag = etag;
    if (this.#isClosed || !this.#around.begin(leg, etag)) {
      this.#isSkipped = true;
      await chunks.return();
      return undefined;
    }
    const [head, all] = await peek(chunks);
    this.#isGzip = offset > 0 ? isZipped : isCompressed(leg.key, contentEncoding, head, options.compression);
    this.#decoder = format.decoder({
      offset,
      record: leg.from?.record,
      header: leg.from?.header,
      // Nobody writes into what came from the network, or was decompressed.
      ownsChunks: true,
    });
    if (!this.#isGzip) return all;
    return behind(gunzip(all, options.gunzip), offset, () =>
      invalidPosition(options.name, `in key ${JSON.stringify(leg.key)}: it has not so many bytes`),
    );
  }
}

/** An error of a format knows the record and the byte, and now the object. */
function atKey(error: unknown, key: string, stage: string): unknown {
  if (!(error instanceof StreamWeldError) || error instanceof S3Error) return error;
  return new StreamWeldError(error.code, `${key}: ${error.message}`, { stage, cause: error });
}

function isCompressed(
  key: string,
  contentEncoding: string | undefined,
  head: Uint8Array,
  compression: CheckedSourceOptions['compression'],
): boolean {
  if (compression !== 'auto') return compression === 'gzip';
  return key.toLowerCase().endsWith('.gz') || /\bgzip\b/i.test(contentEncoding ?? '') || isGzip(head);
}

/** The first bytes, as many as tell gzip, and all of them. */
async function peek(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<[Uint8Array, AsyncIterable<Uint8Array>]> {
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < 2) {
    const { done, value } = await chunks.next();
    if (done === true) break;
    first.push(value);
    bytes += value.byteLength;
  }
  const [only] = first;
  const head = first.length === 1 && only !== undefined ? only : Buffer.concat(first);
  return [head, again(head, chunks)];
}

async function* again(
  head: Uint8Array,
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (head.byteLength > 0) yield head;
    yield* chunks;
  } finally {
    await chunks.return();
  }
}
