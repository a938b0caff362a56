/** The real server that the tests of this package run against, and a bucket of it for each file. */

import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { openS3Faults, type S3Faults } from '../../../tools/services/s3-faults.ts';
import { findS3, type S3Service, type S3ServiceOptions, S3Unavailable } from '../../../tools/services/s3.ts';
import type { ReachOptions } from '../src/options.ts';

export interface Buckets {
  readonly service: S3Service;
  /** Of this file alone. */
  readonly bucket: string;
  /** How a source, a sink or a store reaches the server. */
  readonly reach: ReachOptions;
  /** The same, through a proxy that does what is planned; what was planned is forgotten after each test. */
  readonly throughFaults: ReachOptions;
  readonly faults: S3Faults;
  /** The SDK itself, straight to the server. */
  readonly bare: S3Client;
  put(key: string, body: string | Uint8Array, more?: Readonly<Record<string, unknown>>): Promise<void>;
  read(key: string): Promise<Buffer>;
  /** All keys that begin so, in the order of the listing. */
  keys(prefix?: string): Promise<string[]>;
  /** The keys of uploads that are open, and begin with one of these. MinIO knows them by the whole of their key alone. */
  uploads(...prefixes: string[]): Promise<string[]>;
}

/** Also one that was given: for tests that need no fault, and do not crash it. */
export const ANY_S3: S3ServiceOptions = { from: ['given', 'versitygw', 'minio'] };

/** Describes tests that need a server. Where there is none they are skipped, and say why; in CI that is a failure. */
export function describeWithS3(
  name: string,
  body: (buckets: () => Buckets) => void,
  // What was given cannot be crashed, and no proxy leads to it.
  options: S3ServiceOptions = { from: ['versitygw', 'minio'] },
): void {
  describe(name, async () => {
    const found = await findS3(options);
    if (found instanceof S3Unavailable) {
      console.warn(`Skipped: ${name}. ${found.message}`);
      describe.skip(found.message, () =>
        body(() => {
          throw found;
        }),
      );
      return;
    }
    let buckets: Buckets | undefined;
    beforeAll(async () => {
      buckets = await open(found);
    });
    afterEach(() => buckets?.faults.clear());
    afterAll(async () => {
      if (buckets !== undefined && found.kind === 'given') await removeBucket(buckets);
      buckets?.bare.destroy();
      await buckets?.faults.close();
      await found.stop();
    });
    body(() => {
      if (buckets === undefined) throw new Error('The buckets are there while a test runs.');
      return buckets;
    });
  });
}

async function open(service: S3Service): Promise<Buckets> {
  const { region, credentials, endpoint } = service;
  const faults = await openS3Faults({ port: service.port });
  const config: S3ClientConfig = { endpoint, region, credentials, forcePathStyle: true };
  const bare = new S3Client(config);
  const Bucket = `test-${randomUUID()}`;
  await bare.send(new CreateBucketCommand({ Bucket }));
  const reach: ReachOptions = { endpoint, region, credentials };
  return {
    service,
    bucket: Bucket,
    reach,
    throughFaults: { ...reach, endpoint: faults.endpoint },
    faults,
    bare,
    async put(Key, Body, more) {
      await bare.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
    },
    async read(Key) {
      const { Body } = await bare.send(new GetObjectCommand({ Bucket, Key }));
      const chunks: Buffer[] = [];
      for await (const chunk of Body as Readable) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    async keys(Prefix) {
      const keys: string[] = [];
      for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
        const page = await bare.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken: token }));
        keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
        token = page.NextContinuationToken;
      }
      return keys;
    },
    async uploads(...prefixes) {
      const found = new Map<string | undefined, string>();
      for (const Prefix of prefixes) {
        const { Uploads } = await bare.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
        for (const { UploadId, Key = '' } of Uploads ?? []) found.set(UploadId, Key);
      }
      return [...found.values()];
    },
  };
}

/** Of a server that goes on. */
async function removeBucket({ bare, bucket, keys }: Buckets): Promise<void> {
  for (const Key of await keys()) await bare.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  const { Uploads = [] } = await bare.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  for (const { Key, UploadId } of Uploads)
    await bare.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  await bare.send(new DeleteBucketCommand({ Bucket: bucket }));
}
