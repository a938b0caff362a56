/** An object store of an S3Client of the AWS SDK: the only place that knows its commands. */

import type { Readable } from 'node:stream';
import {
  type $Command,
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
  UploadPartCommand,
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
import { call } from './client-sdk-call.ts';
import { makeS3Error, type Translation } from './error-translation.ts';
import { INCOMPLETE_ANSWER, verdictOf } from './error-verdicts.ts';
import { hasCode } from './errors.ts';
import {
  attributesOf,
  conditionOf,
  CONTROL,
  decoderOf,
  factsOf,
  listenToBody,
  quoted,
} from './client-sdk-shapes.ts';

export interface SdkStoreOptions {
  /** How long the store may take for an answer; what carries bytes may take as much longer as they need at SLOWEST. */
  readonly requestTimeoutMs: number;
  /** How long nothing of a body may come while it is waited for. */
  readonly stallMs: number;
  /** Whether it ends the client: it is not the user's. */
  readonly isOwn: boolean;
}

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/** Bytes a millisecond. */
const SLOWEST = 64;
/** The most that one request deletes. */
const DELETED_AT_ONCE = 1000;

export class SdkStore implements S3Store {
  readonly #client: S3Client;
  readonly #options: SdkStoreOptions;

  constructor(client: S3Client, options: SdkStoreOptions) {
    this.#client = client;
    this.#options = options;
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
    const answer = await this.#send({ action: 'list objects', bucket }, signal, command);
    const decode = decoderOf(answer.EncodingType);
    const objects = (answer.Contents ?? []).map(
      ({ Key = '', Size = 0, ETag = '' }): ListedObject => ({
        key: decode(Key),
        size: Size,
        etag: quoted(ETag),
      }),
    );
    return { objects, token: answer.IsTruncated === true ? answer.NextContinuationToken : undefined };
  }

  async head({ bucket, key }: ObjectPlace, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
    try {
      const answer = await this.#send({ action: 'look at an object', bucket, key }, signal, command);
      return factsOf(answer);
    } catch (error) {
      if (hasCode(error, 'SW_S3_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  async get(request: GetRequest, signal: AbortSignal): Promise<ObjectBody> {
    const { bucket, key, from = 0, to, ifMatch } = request;
    const translation = { action: 'read an object', bucket, key };
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      IfMatch: ifMatch,
      Range: from === 0 && to === undefined ? undefined : `bytes=${from}-${to === undefined ? '' : to - 1}`,
    });
    listenToBody(command);
    const answer = await call({
      ...translation,
      ms: this.#options.requestTimeoutMs,
      signal,
      send: (abortSignal) => this.#client.send(command, { abortSignal }),
      late: ({ Body }) => (Body as Readable | undefined)?.destroy(),
    });
    const { ContentLength = 0, ContentRange, Body } = answer;
    const body = new SdkBody(Body as Readable, {
      ...translation,
      size: ContentLength,
      stallMs: this.#options.stallMs,
      signal,
    });
    // Of a range it is what all of the object has.
    const whole = Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? ContentLength);
    return { ...factsOf(answer), size: whole, chunks: body.chunks, destroy: () => body.destroy() };
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
    const answer = await this.#send(
      { action: 'write an object', bucket, key, isNew: request.ifNoneMatch !== undefined },
      signal,
      command,
      body.byteLength,
    );
    return quoted(answer.ETag ?? '');
  }

  async createUpload(request: ObjectPlace & ObjectAttributes, signal: AbortSignal): Promise<Upload> {
    const { bucket, key } = request;
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ...attributesOf(request),
      ChecksumAlgorithm: await this.#checksum(),
    });
    const translation = { action: 'begin an upload', bucket, key };
    const { UploadId } = await this.#send(translation, signal, command);
    if (UploadId === undefined) throw makeS3Error(INCOMPLETE_ANSWER, translation);
    return { bucket, key, uploadId: UploadId };
  }

  async uploadPart(
    { bucket, key, uploadId }: Upload,
    number: number,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const command = new UploadPartCommand({
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      PartNumber: number,
      Body: body,
      ChecksumAlgorithm: await this.#checksum(),
    });
    const answer = await this.#send(
      { action: `upload part ${number} of an object`, bucket, key },
      signal,
      command,
      body.byteLength,
    );
    return { number, etag: quoted(answer.ETag ?? ''), receipt: answer.ChecksumCRC32 };
  }

  async completeUpload(
    { bucket, key, uploadId }: Upload,
    parts: readonly UploadedPart[],
    condition: Condition,
    signal: AbortSignal,
  ): Promise<string> {
    const command = new CompleteMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      MultipartUpload: {
        // An upload that was begun with checksums is completed with those of all its parts.
        Parts: parts.map(({ number, etag, receipt }) => ({
          PartNumber: number,
          ETag: etag,
          ChecksumCRC32: receipt as string | undefined,
        })),
      },
      ...conditionOf(condition),
    });
    const answer = await this.#send(
      { action: 'complete an upload', bucket, key, isNew: condition.ifNoneMatch !== undefined },
      signal,
      command,
    );
    return quoted(answer.ETag ?? '');
  }

  async abortUpload({ bucket, key, uploadId }: Upload, signal: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId });
    try {
      await this.#send({ action: 'abort an upload', bucket, key }, signal, command);
    } catch (error) {
      if (!hasCode(error, 'SW_S3_UPLOAD_MISSING')) throw error;
    }
  }

  async uploads(
    { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
    signal: AbortSignal,
  ): Promise<readonly Upload[]> {
    const found: Upload[] = [];
    let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
    while (markers !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: bucket,
        Prefix: prefix,
        EncodingType: 'url',
        ...markers,
      });
      const answer = await this.#send({ action: 'list uploads', bucket }, signal, command);
      const decode = decoderOf(answer.EncodingType);
      for (const { Key = '', UploadId = '' } of answer.Uploads ?? [])
        found.push({ bucket, key: decode(Key), uploadId: UploadId });
      const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker } = answer;
      markers =
        IsTruncated === true
          ? { KeyMarker: decode(NextKeyMarker), UploadIdMarker: NextUploadIdMarker }
          : undefined;
    }
    return found;
  }

  async delete(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void> {
    const one = keys.length === 1 ? keys : keys.filter((key) => CONTROL.test(key));
    const many = keys.length === 1 ? [] : keys.filter((key) => !CONTROL.test(key));
    for (let at = 0; at < many.length; at += DELETED_AT_ONCE)
      await this.#deleteAtOnce(bucket, many.slice(at, at + DELETED_AT_ONCE), signal);
    for (const key of one) {
      const command = new DeleteObjectCommand({ Bucket: bucket, Key: key });
      try {
        await this.#send({ action: 'delete an object', bucket, key }, signal, command);
      } catch (error) {
        if (!hasCode(error, 'SW_S3_OBJECT_MISSING')) throw error;
      }
    }
  }

  async #deleteAtOnce(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void> {
    const action = 'delete objects';
    const command = new DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) },
    });
    const { Errors = [] } = await this.#send({ action, bucket }, signal, command);
    const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed === undefined) return;
    throw makeS3Error(verdictOf(failed.Code), { action, bucket, key: failed.Key }, { s3Error: failed.Code });
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
    await this.#send({ action: 'tag an object', bucket, key }, signal, command);
  }

  close(): void {
    if (this.#options.isOwn) this.#client.destroy();
  }

  /** @param bytes how many it carries */
  #send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    translation: Translation,
    signal: AbortSignal,
    command: Command<I, O>,
    bytes = 0,
  ): Promise<O> {
    return call({
      ...translation,
      ms: this.#options.requestTimeoutMs + Math.ceil(bytes / SLOWEST),
      signal,
      send: (abortSignal) => this.#client.send(command, { abortSignal }),
    });
  }

  /** As the client's own option says: some stores break on checksums. */
  async #checksum(): Promise<'CRC32' | undefined> {
    const { requestChecksumCalculation } = this.#client.config;
    return (await requestChecksumCalculation()) === 'WHEN_REQUIRED' ? undefined : 'CRC32';
  }
}
