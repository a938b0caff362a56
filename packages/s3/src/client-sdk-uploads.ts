/** Uploads in parts, by the calls of the SDK. */

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Condition, ObjectAttributes, ObjectPlace, Upload, UploadedPart } from './client.ts';
import type { Requests } from './client-sdk-requests.ts';
import { attributesOf, conditionOf, decoderOf, etagOf, isListing } from './client-sdk-shapes.ts';
import { makeS3Error } from './error-translation.ts';
import { INCOMPLETE_ANSWER } from './error-verdicts.ts';
import { hasCode } from './errors.ts';

export class SdkUploads {
  readonly #requests: Requests;
  readonly #stage: string;

  constructor(requests: Requests, stage: string) {
    this.#requests = requests;
    this.#stage = stage;
  }

  async create(request: ObjectPlace & ObjectAttributes, signal: AbortSignal): Promise<Upload> {
    const { bucket, key } = request;
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ...attributesOf(request),
      ChecksumAlgorithm: await this.#requests.checksum(),
    });
    const translation = { stage: this.#stage, action: 'begin an upload', bucket, key };
    const { UploadId } = await this.#requests.send(translation, signal, command);
    if (UploadId === undefined) throw makeS3Error(INCOMPLETE_ANSWER, translation);
    return { bucket, key, uploadId: UploadId };
  }

  async part(
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
      ChecksumAlgorithm: await this.#requests.checksum(),
    });
    const translation = { stage: this.#stage, action: `upload part ${number} of an object`, bucket, key };
    const answer = await this.#requests.send(translation, signal, command, { bytes: body.byteLength });
    return { number, etag: etagOf(answer, translation), receipt: answer.ChecksumCRC32 };
  }

  async complete(
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
    const isNew = condition.ifNoneMatch !== undefined;
    const translation = { stage: this.#stage, action: 'complete an upload', bucket, key, isNew };
    return etagOf(await this.#requests.send(translation, signal, command), translation);
  }

  async abort({ bucket, key, uploadId }: Upload, signal: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId });
    const translation = { stage: this.#stage, action: 'abort an upload', bucket, key };
    try {
      await this.#requests.send(translation, signal, command);
    } catch (error) {
      if (!hasCode(error, 'SW_S3_UPLOAD_MISSING')) throw error;
    }
  }

  async list(
    { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
    signal: AbortSignal,
  ): Promise<readonly Upload[]> {
    const found: Upload[] = [];
    const translation = { stage: this.#stage, action: 'list uploads', bucket };
    let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: bucket,
        Prefix: prefix,
        EncodingType: 'url',
        ...markers,
      });
      const answer = await this.#requests.send(translation, signal, command);
      if (!isListing(answer, answer.Uploads)) throw makeS3Error(INCOMPLETE_ANSWER, translation);
      const decode = decoderOf(answer.EncodingType);
      for (const { Key = '', UploadId = '' } of answer.Uploads ?? [])
        found.push({ bucket, key: decode(Key), uploadId: UploadId });
      const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker } = answer;
      if (IsTruncated !== true) return found;
      // To begin at the beginning again would have no end.
      if (NextKeyMarker === '') throw makeS3Error(INCOMPLETE_ANSWER, translation);
      markers = { KeyMarker: decode(NextKeyMarker), UploadIdMarker: NextUploadIdMarker };
    }
  }
}
