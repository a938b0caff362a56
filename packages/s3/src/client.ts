/**
 * What this package asks of an object store, by its shape: everything else is written against it, and `client-sdk.ts` makes it
 * of an S3Client of the AWS SDK. Each call is tried once, as far as the client allows: whoever calls tries again, and knows when
 * to stop (`patience.ts`).
 *
 * Every one of them rejects with an S3Error, and settles soon once its signal aborts, with the signal's reason.
 */

export interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
}

/** What a store says of an object without its content. */
export interface ObjectFacts {
  /** Bytes. */
  readonly size: number;
  /** With its quotation marks, as the store gives it. It changes with the content. */
  readonly etag: string;
  readonly contentEncoding: string | undefined;
  /** The user's metadata: names in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

export interface ListPage {
  /** In the order of the bytes of their UTF-8. */
  readonly objects: readonly ListedObject[];
  /** Where the next page begins; none where this is the last. */
  readonly token: string | undefined;
}

export interface ListRequest {
  readonly bucket: string;
  readonly prefix: string;
  /** Only keys behind it. */
  readonly startAfter?: string | undefined;
  readonly token?: string | undefined;
  /** The most keys of a page. */
  readonly maxKeys?: number | undefined;
}

export interface GetRequest extends ObjectPlace {
  /** The first byte. Default 0. */
  readonly from?: number | undefined;
  /** The first byte that is not wanted any more. */
  readonly to?: number | undefined;
  /** Only if it is still that one: else SW_S3_OBJECT_CHANGED. */
  readonly ifMatch?: string | undefined;
}

/** An object, or a range of it, as it arrives. */
export interface ObjectBody extends ObjectFacts {
  /** Once, and to its end, or `destroy`. A connection that is lost in the middle, and bytes that are not what was stored, throw. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Gives the connection back. Harmless at any time, and when it is over. */
  destroy(): void;
}

/** What a store is told of an object with its content. */
export interface ObjectAttributes {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** When a store is to refuse: SW_S3_OBJECT_EXISTS, SW_S3_OBJECT_CHANGED. */
export interface Condition {
  readonly ifNoneMatch?: '*' | undefined;
  readonly ifMatch?: string | undefined;
}

export interface PutRequest extends ObjectPlace, ObjectAttributes, Condition {
  readonly body: Uint8Array;
}

/** A multipart upload that is open. */
export interface Upload extends ObjectPlace {
  readonly uploadId: string;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  /** What else the store wants to hear again when the upload is completed: its checksums. */
  readonly receipt: unknown;
}

export interface S3Store {
  list(request: ListRequest, signal: AbortSignal): Promise<ListPage>;
  /** Undefined where there is none. */
  head(place: ObjectPlace, signal: AbortSignal): Promise<ObjectFacts | undefined>;
  /** @throws S3Error SW_S3_OBJECT_MISSING */
  get(request: GetRequest, signal: AbortSignal): Promise<ObjectBody>;
  /** Answers its etag. */
  put(request: PutRequest, signal: AbortSignal): Promise<string>;
  createUpload(place: ObjectPlace & ObjectAttributes, signal: AbortSignal): Promise<Upload>;
  /** @param number from 1 on. All but the last have 5 MiB at least. */
  uploadPart(upload: Upload, number: number, body: Uint8Array, signal: AbortSignal): Promise<UploadedPart>;
  /**
   * The object appears now, whole. Answers its etag.
   * @throws S3Error SW_S3_UPLOAD_MISSING where there is no such upload any more: it may have been completed, and the answer lost.
   */
  completeUpload(
    upload: Upload,
    parts: readonly UploadedPart[],
    condition: Condition,
    signal: AbortSignal,
  ): Promise<string>;
  /** What it had is gone. One that is not there any more does no harm. */
  abortUpload(upload: Upload, signal: AbortSignal): Promise<void>;
  /** Those that are open, of keys that begin so. Some stores know them by the whole of a key alone. */
  uploads(
    place: { readonly bucket: string; readonly prefix: string },
    signal: AbortSignal,
  ): Promise<readonly Upload[]>;
  /** Those that are not there do no harm. */
  delete(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void>;
  tag(place: ObjectPlace, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** Of a store that was opened here, its connections. */
  close(): void;
}
