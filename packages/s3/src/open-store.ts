/** The store behind the options: a client that is made here, or one of the user's. What it throws says whose it is. */

import { S3Client } from '@aws-sdk/client-s3';
import type { ObjectBody, S3Store } from './client.ts';
import { SdkStore } from './client-sdk.ts';
import { S3Error } from './errors.ts';
import { type CheckedReach, isS3Store } from './options.ts';

/** How often the client tries by itself; whoever calls has the patience. */
const ATTEMPTS = 1;

export function openStore({ client, config, requestTimeoutMs, stallMs, name }: CheckedReach): S3Store {
  if (isS3Store(client)) return borrow(client, name);
  const isOwn = client === undefined;
  return new SdkStore(
    (client as S3Client | undefined) ?? new S3Client({ maxAttempts: ATTEMPTS, ...config }),
    {
      stage: name,
      requestTimeoutMs,
      stallMs,
      isOwn,
    },
  );
}

/** Whose it is closes it, and it may be that of several. */
function borrow(store: S3Store, stage: string): S3Store {
  const told = async <R>(answer: Promise<R>): Promise<R> => {
    try {
      return await answer;
    } catch (error) {
      throw at(stage, error);
    }
  };
  return {
    list: (request, signal) => told(store.list(request, signal)),
    head: (place, signal) => told(store.head(place, signal)),
    get: async (request, signal) => bodyAt(stage, await told(store.get(request, signal))),
    put: (request, signal) => told(store.put(request, signal)),
    createUpload: (place, signal) => told(store.createUpload(place, signal)),
    uploadPart: (upload, number, body, signal) => told(store.uploadPart(upload, number, body, signal)),
    completeUpload: (upload, parts, condition, signal) =>
      told(store.completeUpload(upload, parts, condition, signal)),
    abortUpload: (upload, signal) => told(store.abortUpload(upload, signal)),
    uploads: (place, signal) => told(store.uploads(place, signal)),
    delete: (bucket, keys, signal) => told(store.delete(bucket, keys, signal)),
    tag: (place, tags, signal) => told(store.tag(place, tags, signal)),
    close() {},
  };
}

function bodyAt(stage: string, body: ObjectBody): ObjectBody {
  const { size, etag, contentEncoding, metadata } = body;
  const chunks = chunksAt(stage, body.chunks);
  return { size, etag, contentEncoding, metadata, chunks, destroy: () => body.destroy() };
}

async function* chunksAt(stage: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw at(stage, error);
  }
}

function at(stage: string, error: unknown): unknown {
  return error instanceof S3Error ? error.at(stage) : error;
}
