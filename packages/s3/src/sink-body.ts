/**
 * One object on its way: bytes are gathered to parts, parts are sent as they fill, and the object appears whole.
 *
 *     write ──► a buffer fills ──► part 1 ┐
 *               a buffer fills ──► part 2 ├─► complete: it is there
 *               what is left   ──► part 3 ┘
 *     what never fills a buffer is one PUT
 *
 * It is told from others by an id of its own, which is stored with it: where the answer to its last request is lost, and the
 * store says that it is there or that its upload is gone, that id tells whether it was this one.
 */

import { randomUUID } from 'node:crypto';
import { ignoreRejection } from '@streamweld/core/connector';
import type { ObjectAttributes, ObjectFacts, S3Store, Upload, UploadedPart } from './client.ts';
import { hasCode, S3Error } from './errors.ts';
import { patiently } from './patience.ts';
import type { PartBuffers } from './sink-buffers.ts';

/** What the objects of a sink have in common. */
export interface Workshop {
  readonly stage: string;
  readonly store: S3Store;
  readonly bucket: string;
  readonly retryMs: number;
  readonly conditional: boolean;
  readonly buffers: PartBuffers;
}

/** What each object carries. */
const OBJECT_ID = 'streamweld-object';
export const SEQUENCE = 'streamweld-sequence';
export const EPOCH = 'streamweld-epoch';

export interface BodyOptions extends ObjectAttributes {
  readonly key: string;
  /** Called and waited for before an upload is begun that would stay open if nobody completed it. */
  readonly beforeUpload?: (() => Promise<void>) | undefined;
  /** Ends all that is under way. */
  readonly signal: AbortSignal;
}

export class Body {
  readonly key: string;
  /** Bytes that were written. */
  length = 0;
  readonly #shop: Workshop;
  readonly #options: BodyOptions;
  readonly #id = randomUUID();
  #buffer: Buffer | undefined;
  #filled = 0;
  #upload: Promise<Upload> | undefined;
  /** An upload may have been begun twice: its first answer was lost. */
  #hasTwin = false;
  #parts = 0;
  readonly #sending = new Set<Promise<void>>();
  readonly #sent: UploadedPart[] = [];
  /** What ended a part ends the whole. */
  #failure: { readonly error: unknown } | undefined;

  constructor(shop: Workshop, options: BodyOptions) {
    this.#shop = shop;
    this.#options = options;
    this.key = options.key;
  }

  /** Resolves when it is taken over: the bytes may be changed then. */
  async write(bytes: Uint8Array): Promise<void> {
    const { buffers } = this.#shop;
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#failure !== undefined) throw this.#failure.error;
      this.#buffer ??= await buffers.take(this.#options.signal);
      const piece = bytes.subarray(at, at + buffers.size - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.byteLength;
      at += piece.byteLength;
      this.length += piece.byteLength;
      if (this.#filled === buffers.size) this.#send();
    }
  }

  /** It is there when this resolves. */
  async complete(): Promise<void> {
    if (this.#upload === undefined) return this.#put();
    if (this.#filled > 0) this.#send();
    await Promise.all(this.#sending);
    if (this.#failure !== undefined) throw this.#failure.error;
    const upload = await this.#upload;
    const parts = this.#sent.toSorted((a, b) => a.number - b.number);
    const { store } = this.#shop;
    await this.#settle((signal) => store.completeUpload(upload, parts, this.#condition, signal));
    // It is there: what could not be cleaned up is swept by the next sink.
    if (this.#hasTwin) await this.#abortAll(this.#options.signal).catch(() => {});
  }

  /** Nothing of it stays. Its signal has aborted, and what was under way has ended. */
  async abandon(signal: AbortSignal): Promise<void> {
    await Promise.allSettled(this.#sending);
    if (this.#buffer !== undefined) this.#shop.buffers.drop();
    this.#buffer = undefined;
    if (this.#upload === undefined) return;
    const upload = await this.#upload.catch(() => undefined);
    if (upload === undefined || this.#hasTwin) await this.#abortAll(signal);
    else await this.#shop.store.abortUpload(upload, signal);
  }

  get #condition(): { ifNoneMatch?: '*' } {
    return this.#shop.conditional ? { ifNoneMatch: '*' } : {};
  }

  get #attributes(): ObjectAttributes {
    const { contentType, contentEncoding, metadata } = this.#options;
    return { contentType, contentEncoding, metadata: { ...metadata, [OBJECT_ID]: this.#id } };
  }

  async #put(): Promise<void> {
    const { store, bucket, buffers } = this.#shop;
    const buffer = this.#buffer;
    const body = buffer?.subarray(0, this.#filled) ?? new Uint8Array();
    const { key } = this;
    await this.#settle((signal) =>
      store.put({ bucket, key, body, ...this.#attributes, ...this.#condition }, signal),
    );
    this.#buffer = undefined;
    if (buffer !== undefined) buffers.give(buffer);
  }

  #send(): void {
    const buffer = this.#buffer as Buffer;
    const body = buffer.subarray(0, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    this.#parts += 1;
    this.#upload ??= this.#begin();
    const sending = this.#sendPart(this.#upload, this.#parts, body).then(
      () => this.#shop.buffers.give(buffer),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#shop.buffers.drop();
      },
    );
    this.#sending.add(sending);
    void sending.then(() => this.#sending.delete(sending));
  }

  #begin(): Promise<Upload> {
    const { store, bucket, retryMs } = this.#shop;
    const { beforeUpload, signal } = this.#options;
    const begun = (async () => {
      await beforeUpload?.();
      return patiently(retryMs, signal, async () => {
        try {
          return await store.createUpload({ bucket, key: this.key, ...this.#attributes }, signal);
        } catch (error) {
          this.#hasTwin = true;
          throw error;
        }
      });
    })();
    ignoreRejection(begun);
    return begun;
  }

  async #sendPart(begun: Promise<Upload>, number: number, body: Uint8Array): Promise<void> {
    const upload = await begun;
    const { store, retryMs } = this.#shop;
    const { signal } = this.#options;
    this.#sent.push(await patiently(retryMs, signal, () => store.uploadPart(upload, number, body, signal)));
  }

  /** The request that makes it appear, until it has. */
  async #settle(request: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { retryMs } = this.#shop;
    const { signal } = this.#options;
    await patiently(retryMs, signal, async () => {
      try {
        await request(signal);
      } catch (error) {
        if (!mayBeThere(error)) throw this.#explained(error);
        const { store, bucket } = this.#shop;
        const found = await store.head({ bucket, key: this.key }, signal);
        if (found !== undefined && this.#isThis(found)) return;
        throw found !== undefined && this.#isOfThisSink(found) ? repeated(this.#shop, this.key) : error;
      }
    });
  }

  #isThis({ metadata, size }: ObjectFacts): boolean {
    return metadata[OBJECT_ID] === this.#id && size === this.length;
  }

  #isOfThisSink({ metadata }: ObjectFacts): boolean {
    return metadata[EPOCH] !== undefined && metadata[EPOCH] === this.#options.metadata?.[EPOCH];
  }

  /** All uploads of its key: nobody else has one. */
  async #abortAll(signal: AbortSignal): Promise<void> {
    await abortUploads(this.#shop, [this.key], signal);
  }

  #explained(error: unknown): unknown {
    const { conditional, bucket, stage } = this.#shop;
    if (!conditional || !hasCode(error, 'SW_S3_UNSUPPORTED')) return error;
    return unconditional(error, stage, bucket);
  }
}

/** Nobody else has written it. */
export function repeated({ stage, bucket }: Pick<Workshop, 'stage' | 'bucket'>, key: string): S3Error {
  return new S3Error(
    'SW_S3_KEY_REPEATED',
    `'${stage}' makes the key ${JSON.stringify(key)} for two of its own objects, and writes none over another. Let its key tell them apart: by sequence, a number that never comes twice, and by by, where there is one.`,
    { stage, bucket, key },
  );
}

/** A store that does not know `If-None-Match` and `If-Match`. */
export function unconditional(cause: unknown, stage: string, bucket: string): S3Error {
  return new S3Error(
    'SW_S3_UNSUPPORTED',
    `'${stage}' writes on condition that nobody else has, and the store of bucket ${JSON.stringify(bucket)} says that it cannot. Set conditional: false if nobody else writes these keys; exactly once needs a store that can.`,
    { stage, bucket, cause },
  );
}

/** What a store answers to a request that it has carried out before. */
function mayBeThere(error: unknown): boolean {
  return hasCode(error, 'SW_S3_OBJECT_EXISTS') || hasCode(error, 'SW_S3_UPLOAD_MISSING');
}

/** Uploads of exactly these keys. */
export async function abortUploads(
  { store, bucket, retryMs }: Pick<Workshop, 'store' | 'bucket' | 'retryMs'>,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const key of keys) {
    const uploads = await patiently(retryMs, signal, () => store.uploads({ bucket, prefix: key }, signal));
    for (const upload of uploads) {
      if (upload.key === key) await patiently(retryMs, signal, () => store.abortUpload(upload, signal));
    }
  }
}
