/**
 * The bytes of one version of an object, from a place on. A body that is cut or goes silent is fetched again from where it
 * ended, by range and only if the object is still the same: never a mix of two.
 *
 * What is small is handed on when all of it is there, so that bytes that turn out to be damaged are fetched again and reach
 * nobody. Of what is larger they may have been handed on before the checksum is known, which is at the end.
 */

import { ignoreRejection } from '@streamweld/core/connector';
import type { ObjectBody, S3Store } from './client.ts';
import { isTransient, S3Error } from './errors.ts';
import { Patience } from './patience.ts';

/** How often damaged bytes are fetched again. */
const FETCHED_AGAIN = 2;

export interface BytesRequest {
  readonly bucket: string;
  readonly key: string;
  readonly from: number;
  readonly ifMatch: string | undefined;
  /** Up to so many bytes are handed on together. */
  readonly smallBytes: number;
}

/** Pulled chunk by chunk: a generator for each thing that is done to a chunk would cost more than all of them. */
export interface ObjectBytes {
  /** All bytes from the place on. */
  readonly size: number;
  readonly etag: string;
  readonly contentEncoding: string | undefined;
  /** Chunks are handed on before it is known whether they are what was stored. */
  readonly isUnchecked: boolean;
  /** All has come. Whether it is what was stored is told by the next `next`. */
  readonly isAtEnd: boolean;
  /** The next chunk, or nothing at the end. Not called again before it has answered, nor after it has thrown. */
  next(): Promise<Uint8Array | undefined>;
  /** Gives the connection back. Harmless at any time but while a chunk is waited for. */
  close(): void;
}

/** @throws S3Error SW_S3_OBJECT_MISSING, SW_S3_OBJECT_CHANGED */
export async function openBytes(
  store: S3Store,
  request: BytesRequest,
  retryMs: number,
  signal: AbortSignal,
): Promise<ObjectBytes> {
  const patience = new Patience(retryMs);
  // A range that is empty is refused as one that is beyond the end: whoever stands at the end has a byte once more.
  const before = request.from === 0 ? 0 : 1;
  const from = request.from - before;
  for (;;) {
    try {
      const body = await get(store, { ...request, from }, signal);
      return new Reading(store, { ...request, from, ifMatch: body.etag }, { body, before, patience, signal });
    } catch (error) {
      await patience.wait(error, signal);
    }
  }
}

/** A store may not know of conditions. */
async function get(store: S3Store, request: BytesRequest, signal: AbortSignal): Promise<ObjectBody> {
  const { bucket, key, ifMatch } = request;
  const body = await store.get(request, signal);
  if (ifMatch === undefined || body.etag === ifMatch) return body;
  body.destroy();
  throw new S3Error(
    'SW_S3_OBJECT_CHANGED',
    `Could not read key ${JSON.stringify(key)}: the object is not the one that it was, somebody replaced it.`,
    { bucket, key },
  );
}

interface ReadingOptions {
  readonly body: ObjectBody;
  /** How many bytes at the beginning are not wanted: none, or one. */
  readonly before: number;
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

class Reading implements ObjectBytes {
  readonly etag: string;
  readonly contentEncoding: string | undefined;
  readonly #store: S3Store;
  readonly #request: BytesRequest;
  readonly #patience: Patience;
  readonly #signal: AbortSignal;
  readonly #size: number;
  readonly #isSmall: boolean;
  #body: ObjectBody | undefined;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  /** The place behind what has come. */
  #at: number;
  #unwanted: number;
  /** All chunks of what is small, once they have come. */
  #together: Uint8Array[] | undefined;

  constructor(store: S3Store, request: BytesRequest, { body, before, patience, signal }: ReadingOptions) {
    this.etag = body.etag;
    this.contentEncoding = body.contentEncoding;
    this.#store = store;
    this.#request = request;
    this.#patience = patience;
    this.#signal = signal;
    this.#size = body.size;
    this.#isSmall = body.size - request.from <= request.smallBytes;
    this.#body = body;
    this.#at = request.from;
    this.#unwanted = before;
  }

  get size(): number {
    return this.#size - this.#request.from;
  }

  get isUnchecked(): boolean {
    return !this.#isSmall;
  }

  get isAtEnd(): boolean {
    return this.#isSmall ? this.#together?.length === 0 : this.#at === this.#size;
  }

  next(): Promise<Uint8Array | undefined> {
    return this.#unwanted === 0 ? this.#nextOf() : this.#nextWanted();
  }

  #nextOf(): Promise<Uint8Array | undefined> {
    return this.#isSmall ? this.#nextOfAll() : this.#next();
  }

  async #nextWanted(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = await this.#nextOf();
      if (chunk === undefined || this.#unwanted === 0) return chunk;
      const dropped = Math.min(this.#unwanted, chunk.byteLength);
      this.#unwanted -= dropped;
      if (dropped < chunk.byteLength) return chunk.subarray(dropped);
    }
  }

  close(): void {
    this.#body?.destroy();
    this.#body = undefined;
    const left = this.#chunks?.return?.();
    if (left !== undefined) ignoreRejection(left);
    this.#chunks = undefined;
  }

  async #nextOfAll(): Promise<Uint8Array | undefined> {
    for (let again = 0; this.#together === undefined; again += 1) {
      try {
        const chunks: Uint8Array[] = [];
        for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next())
          chunks.push(chunk);
        this.#together = chunks;
      } catch (error) {
        if (!isDamaged(error) || again === FETCHED_AGAIN) throw error;
        this.#at = this.#request.from;
      }
    }
    return this.#together.shift();
  }

  /** Goes on wherever a body ended that was not all. */
  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      try {
        const { done, value } = await (this.#chunks ?? (await this.#begin())).next();
        if (done !== true) {
          this.#at += value.byteLength;
          this.#patience.succeeded();
          return value;
        }
        if (this.#at !== this.#size) throw this.#short();
      } catch (error) {
        this.close();
        // Of what is small nobody has seen anything yet.
        if (isDamaged(error)) throw this.#isSmall ? error : this.#damaged(error);
        await this.#patience.wait(error, this.#signal);
      }
      // All has come, and if the connection ended it was after it.
      if (this.#at === this.#size) return undefined;
    }
  }

  async #begin(): Promise<AsyncIterator<Uint8Array>> {
    this.#body ??= await get(this.#store, { ...this.#request, from: this.#at }, this.#signal);
    this.#chunks = this.#body.chunks[Symbol.asyncIterator]();
    return this.#chunks;
  }

  #short(): S3Error {
    const { bucket, key } = this.#request;
    return new S3Error(
      'SW_S3_CONNECTION_LOST',
      `Could not read an object: it ended at byte ${this.#at} of ${this.#size}.`,
      { bucket, key, isTransient: true },
    );
  }

  #damaged(cause: unknown): S3Error {
    const { bucket, key } = this.#request;
    return new S3Error(
      'SW_S3_OBJECT_CORRUPT',
      `The bytes of key ${JSON.stringify(key)} are not those that were stored: their checksums differ. That is known at its end only, so items of it that were handed out may be wrong, and no run goes on from there. Take away what was written of it, and begin anew, with a checkpoint of another name.`,
      { bucket, key, cause },
    );
  }
}

function isDamaged(error: unknown): boolean {
  return isTransient(error) && (error as S3Error).code === 'SW_S3_OBJECT_CORRUPT';
}
