/** What a request to S3 asks for, read from its method, path and query alone. */

import type { IncomingMessage } from 'node:http';

export type S3Operation =
  | 'ListBuckets'
  | 'CreateBucket'
  | 'ListObjectsV2'
  | 'ListMultipartUploads'
  | 'DeleteObjects'
  | 'HeadObject'
  | 'GetObject'
  | 'PutObject'
  | 'DeleteObject'
  | 'GetObjectTagging'
  | 'PutObjectTagging'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'other';

export interface S3Request {
  readonly operation: S3Operation;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

type Place = 'service' | 'bucket' | 'object';

/** The first line that fits: a method, a place, and a parameter of the query that is there. */
const OPERATIONS: readonly (readonly [string, Place, string | undefined, S3Operation])[] = [
  ['GET', 'service', undefined, 'ListBuckets'],
  ['GET', 'bucket', 'uploads', 'ListMultipartUploads'],
  ['GET', 'bucket', 'list-type', 'ListObjectsV2'],
  ['PUT', 'bucket', undefined, 'CreateBucket'],
  ['POST', 'bucket', 'delete', 'DeleteObjects'],
  ['HEAD', 'object', undefined, 'HeadObject'],
  ['GET', 'object', 'uploadId', 'ListParts'],
  ['GET', 'object', 'tagging', 'GetObjectTagging'],
  ['GET', 'object', undefined, 'GetObject'],
  ['PUT', 'object', 'tagging', 'PutObjectTagging'],
  ['PUT', 'object', 'partNumber', 'UploadPart'],
  ['PUT', 'object', undefined, 'PutObject'],
  ['POST', 'object', 'uploads', 'CreateMultipartUpload'],
  ['POST', 'object', 'uploadId', 'CompleteMultipartUpload'],
  ['DELETE', 'object', 'uploadId', 'AbortMultipartUpload'],
  ['DELETE', 'object', undefined, 'DeleteObject'],
];

/** Of a client that puts the bucket into the path. */
export function readRequest({ method, url = '/', headers }: IncomingMessage): S3Request {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  // No URL is made of it: that would take `..` out of a key.
  const [, bucket = '', rest] = /^\/([^/]*)(?:\/(.*))?$/s.exec(path) ?? [];
  const key = decodeURIComponent(rest ?? '');
  const place: Place = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const found = OPERATIONS.find(
    ([its, where, parameter]) =>
      its === method && where === place && (parameter === undefined || query.has(parameter)),
  );
  return { operation: found?.[3] ?? 'other', bucket, key, query, headers };
}
