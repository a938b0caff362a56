/** The store behind the options: a client that is made here, or one of the user's. */

import { S3Client } from '@aws-sdk/client-s3';
import type { S3Store } from './client.ts';
import { SdkStore } from './client-sdk.ts';
import { type CheckedReach, isS3Store } from './options.ts';

/** How often the client tries by itself; whoever calls has the patience. */
const ATTEMPTS = 1;

export function openStore({ client, config, requestTimeoutMs, stallMs }: CheckedReach): S3Store {
  if (isS3Store(client)) return borrow(client);
  const isOwn = client === undefined;
  return new SdkStore(
    (client as S3Client | undefined) ?? new S3Client({ maxAttempts: ATTEMPTS, ...config }),
    {
      requestTimeoutMs,
      stallMs,
      isOwn,
    },
  );
}

/** Whose it is closes it. */
function borrow(store: S3Store): S3Store {
  return {
    list: (request, signal) => store.list(request, signal),
    head: (place, signal) => store.head(place, signal),
    get: (request, signal) => store.get(request, signal),
    put: (request, signal) => store.put(request, signal),
    createUpload: (place, signal) => store.createUpload(place, signal),
    uploadPart: (upload, number, body, signal) => store.uploadPart(upload, number, body, signal),
    completeUpload: (upload, parts, condition, signal) =>
      store.completeUpload(upload, parts, condition, signal),
    abortUpload: (upload, signal) => store.abortUpload(upload, signal),
    uploads: (place, signal) => store.uploads(place, signal),
    delete: (bucket, keys, signal) => store.delete(bucket, keys, signal),
    tag: (place, tags, signal) => store.tag(place, tags, signal),
    close() {},
  };
}
