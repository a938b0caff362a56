/**
 * The bytes of one version of an object, from a place on. A body that is cut or goes silent is fetched again from where it
 * ended, by range and only if the object is still the same: never a mix of two.
 *
 * What is small is handed on when all of it is there, so that bytes that turn out to be damaged are fetched again and reach
 * nobody. Of what is larger they may have been handed on before the checksum is known, which is at the end.
 */

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

export interface ObjectBytes {
  readonly etag: string;
  readonly contentEncoding: string | undefined;
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>;
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
  const body = await open(store, { ...request, from }, patience, signal);
  const { etag, contentEncoding, size } = body;
  const reading = new Reading(store, { ...request, from, ifMatch: etag }, { size, patience, signal });
  const chunks = size - from <= request.smallBytes ? reading.together(body) : reading.asItComes(body);
  return { etag, contentEncoding, chunks: before === 0 ? chunks : behind(chunks, before) };
}

/**
 * All but the first bytes.
 * @param tooFew what to throw where there are not so many
 */
export async function* behind(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
  tooFew?: () => Error,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = bytes;
  for await (const chunk of chunks) {
    const dropped = Math.min(left, chunk.byteLength);
    left -= dropped;
    if (dropped < chunk.byteLength) yield dropped === 0 ? chunk : chunk.subarray(dropped);
  }
  if (left > 0 && tooFew !== undefined) throw tooFew();
}

async function open(
  store: S3Store,
  request: BytesRequest,
  patience: Patience,
  signal: AbortSignal,
): Promise<ObjectBody> {
  for (;;) {
    try {
      return await get(store, request, signal);
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
  readonly size: number;
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

class Reading {
  readonly #store: S3Store;
  readonly #request: BytesRequest;
  readonly #options: ReadingOptions;
  /** The place behind what has come. */
  #at: number;

  constructor(store: S3Store, request: BytesRequest, options: ReadingOptions) {
    this.#store = store;
    this.#request = request;
    this.#options = options;
    this.#at = request.from;
  }

  async *together(first: ObjectBody): AsyncGenerator<Uint8Array, void, undefined> {
    let body: ObjectBody | undefined = first;
    for (let again = 0; ; again += 1) {
      const chunks: Uint8Array[] = [];
      try {
        for await (const chunk of this.#all(body)) chunks.push(chunk);
        yield* chunks;
        return;
      } catch (error) {
        if (!isDamaged(error) || again === FETCHED_AGAIN) throw error;
      }
      this.#at = this.#request.from;
      body = undefined;
    }
  }

  async *asItComes(first: ObjectBody): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#all(first);
    } catch (error) {
      throw isDamaged(error) ? this.#damaged(error) : error;
    }
  }

  /** To the end, from wherever it stands. */
  async *#all(first: ObjectBody | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const { size, patience, signal } = this.#options;
    for (let body = first; ; body = undefined) {
      try {
        body ??= await get(this.#store, { ...this.#request, from: this.#at }, signal);
        for await (const chunk of body.chunks) {
          this.#at += chunk.byteLength;
          patience.succeeded();
          yield chunk;
        }
        if (this.#at === size) return;
        throw this.#short();
      } catch (error) {
        if (isDamaged(error)) throw error;
        await patience.wait(error, signal);
        // All had come, and the connection ended after it.
        if (this.#at === size) return;
      } finally {
        body?.destroy();
      }
    }
  }

  #short(): S3Error {
    const { bucket, key } = this.#request;
    return new S3Error(
      'SW_S3_CONNECTION_LOST',
      `Could not read an object: it ended at byte ${this.#at} of ${this.#options.size}.`,
      { bucket, key, isTransient: true },
    );
  }

  #damaged(cause: unknown): S3Error {
    const { bucket, key } = this.#request;
    return new S3Error(
      'SW_S3_OBJECT_CORRUPT',
      `The bytes of key ${JSON.stringify(key)} are not those that were stored: their checksums differ. That is known at its end only, so items of it that were handed out may be wrong. Read the object again from its beginning.`,
      { bucket, key, cause },
    );
  }
}

function isDamaged(error: unknown): boolean {
  return isTransient(error) && (error as S3Error).code === 'SW_S3_OBJECT_CORRUPT';
}
