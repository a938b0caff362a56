/** An object store of an S3Client of the AWS SDK. */

import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type {
  Condition,
  GetRequest,
  ListedObject,
  ListPage,
  ListRequest,
  ObjectAttributes,
  ObjectBody,
  ObjectFacts,
  ObjectPlace,
  PutRequest,
  S3Store,
  Upload,
  UploadedPart,
} from './client.ts';
import { SdkBody } from './client-sdk-body.ts';
import { Getters } from './client-sdk-getters.ts';
import { Requests } from './client-sdk-requests.ts';
import {
  attributesOf,
  CONTROL,
  conditionOf,
  decoderOf,
  etagOf,
  factsOf,
  isListing,
  quoted,
} from './client-sdk-shapes.ts';
import { SdkUploads } from './client-sdk-uploads.ts';
import { isName, makeS3Error } from './error-translation.ts';
import { INCOMPLETE_ANSWER, NO_RANGES, verdictOf } from './error-verdicts.ts';
import { hasCode } from './errors.ts';

export interface SdkStoreOptions {
  /** The name of the source or sink that asks: its errors say it. */
  readonly stage: string;
  readonly requestTimeoutMs: number;
  /** How long nothing of a body may come while it is waited for. */
  readonly stallMs: number;
  /** Whether it ends the client: it is not the user's. */
  readonly isOwn: boolean;
}

/** The most that one request deletes. */
const DELETED_AT_ONCE = 1000;

export class SdkStore implements S3Store {
  readonly #client: S3Client;
  readonly #options: SdkStoreOptions;
  readonly #stage: string;
  readonly #requests: Requests;
  readonly #uploads: SdkUploads;
  readonly #getters: Getters = new Getters();

  constructor(client: S3Client, options: SdkStoreOptions) {
    this.#client = client;
    this.#options = options;
    this.#stage = options.stage;
    this.#requests = new Requests(client, options);
    this.#uploads = new SdkUploads(this.#requests, options.stage);
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const { bucket, prefix, startAfter, token, maxKeys } = request;
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      // What XML cannot hold comes whole.
      EncodingType: 'url',
      StartAfter: startAfter,
      ContinuationToken: token,
      MaxKeys: maxKeys,
    });
    const translation = { stage: this.#stage, action: 'list objects', bucket };
    const answer = await this.#requests.send(translation, signal, command);
    if (!isListing(answer, answer.Contents)) throw makeS3Error(INCOMPLETE_ANSWER, translation);
    const decode = decoderOf(answer.EncodingType);
    const objects = (answer.Contents ?? []).map(
      ({ Key = '', Size = 0, ETag = '' }): ListedObject => ({
        key: decode(Key),
        size: Size,
        etag: quoted(ETag),
      }),
    );
    if (answer.IsTruncated !== true) return { objects, token: undefined };
    // To take it for the last page would leave objects out.
    if (!answer.NextContinuationToken) throw makeS3Error(INCOMPLETE_ANSWER, translation);
    return { objects, token: answer.NextContinuationToken };
  }

  async head({ bucket, key }: ObjectPlace, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
    const translation = { stage: this.#stage, action: 'look at an object', bucket, key };
    try {
      const answer = await this.#requests.send(translation, signal, command);
      return factsOf(answer, etagOf(answer, translation));
    } catch (error) {
      if (hasCode(error, 'SW_S3_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  async get(request: GetRequest, signal: AbortSignal): Promise<ObjectBody> {
    const { bucket, key, from = 0, to, ifMatch } = request;
    const translation = { stage: this.#stage, action: 'read an object', bucket, key };
    const getter = this.#getters.take();
    const command = getter.command({
      Bucket: bucket,
      Key: key,
      IfMatch: ifMatch,
      Range: from === 0 && to === undefined ? undefined : `bytes=${from}-${to === undefined ? '' : to - 1}`,
    });
    const answer = await this.#requests.send(translation, signal, command, {
      over: getter.over,
      late: ({ Body }) => (Body as Readable | undefined)?.destroy(),
    });
    const { ContentLength, ContentRange, Body } = answer;
    const { stallMs } = this.#options;
    const body = new SdkBody(Body as Readable, {
      ...translation,
      size: ContentLength,
      stallMs,
      signal,
      onClose: () => this.#getters.give(getter),
    });
    if (!answer.ETag) {
      body.destroy();
      throw makeS3Error(INCOMPLETE_ANSWER, translation);
    }
    // Who knows of no ranges sends all of it: what came would be taken for what lies further behind.
    if (Number(/^bytes (\d+)-/.exec(ContentRange ?? '')?.[1] ?? 0) !== from) {
      body.destroy();
      throw makeS3Error(NO_RANGES, translation);
    }
    // Of a range it is what all of the object has.
    const whole = Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? ContentLength ?? 0);
    return {
      ...factsOf(answer, quoted(answer.ETag)),
      size: whole,
      chunks: body,
      destroy: () => body.destroy(),
    };
  }

  async put(request: PutRequest, signal: AbortSignal): Promise<string> {
    const { bucket, key, body } = request;
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      ...attributesOf(request),
      ...conditionOf(request),
    });
    const isNew = request.ifNoneMatch !== undefined;
    const translation = { stage: this.#stage, action: 'write an object', bucket, key, isNew };
    const answer = await this.#requests.send(translation, signal, command, { bytes: body.byteLength });
    return etagOf(answer, translation);
  }

  createUpload(request: ObjectPlace & ObjectAttributes, signal: AbortSignal): Promise<Upload> {
    return this.#uploads.create(request, signal);
  }

  uploadPart(upload: Upload, number: number, body: Uint8Array, signal: AbortSignal): Promise<UploadedPart> {
    return this.#uploads.part(upload, number, body, signal);
  }

  completeUpload(
    upload: Upload,
    parts: readonly UploadedPart[],
    condition: Condition,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#uploads.complete(upload, parts, condition, signal);
  }

  abortUpload(upload: Upload, signal: AbortSignal): Promise<void> {
    return this.#uploads.abort(upload, signal);
  }

  uploads(
    place: { readonly bucket: string; readonly prefix: string },
    signal: AbortSignal,
  ): Promise<readonly Upload[]> {
    return this.#uploads.list(place, signal);
  }

  async delete(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void> {
    // A list of keys is XML, which cannot hold all of them.
    const isOne = (key: string): boolean => keys.length === 1 || CONTROL.test(key);
    const many = keys.filter((key) => !isOne(key));
    for (let at = 0; at < many.length; at += DELETED_AT_ONCE)
      await this.#deleteAtOnce(bucket, many.slice(at, at + DELETED_AT_ONCE), signal);
    for (const key of keys.filter(isOne)) await this.#deleteOne(bucket, key, signal);
  }

  async #deleteOne(bucket: string, key: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key });
    const translation = { stage: this.#stage, action: 'delete an object', bucket, key };
    try {
      await this.#requests.send(translation, signal, command);
    } catch (error) {
      if (!hasCode(error, 'SW_S3_OBJECT_MISSING')) throw error;
    }
  }

  async #deleteAtOnce(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void> {
    const translation = { stage: this.#stage, action: 'delete objects', bucket };
    const command = new DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) },
    });
    const { Errors = [] } = await this.#requests.send(translation, signal, command);
    const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed === undefined) return;
    const { Code = '', Key } = failed;
    throw makeS3Error(
      verdictOf(Code),
      { ...translation, key: Key },
      { s3Error: isName(Code) ? Code : undefined },
    );
  }

  async tag(
    { bucket, key }: ObjectPlace,
    tags: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const command = new PutObjectTaggingCommand({
      Bucket: bucket,
      Key: key,
      Tagging: { TagSet: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
    });
    const translation = { stage: this.#stage, action: 'tag an object', bucket, key };
    await this.#requests.send(translation, signal, command);
  }

  close(): void {
    if (this.#options.isOwn) this.#client.destroy();
  }
}
