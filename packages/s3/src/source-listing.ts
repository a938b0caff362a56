/** The objects behind a prefix, in the order of their keys, a page ahead of who reads. */

import { ignoreRejection } from '@streamweld/core/connector';
import type { ListedObject, ListPage, S3Store } from './client.ts';
import { S3Error } from './errors.ts';
import { patiently } from './patience.ts';
import { compareKeys } from './position.ts';

export interface ListingOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly filter: ((object: ListedObject) => boolean) | undefined;
  readonly retryMs: number;
  readonly name: string;
  /** Whether somebody builds on the order of the keys. */
  readonly isOrdered: boolean;
  /** A page has come: the store is there, and lets itself be listed. */
  readonly onPage?: (() => void) | undefined;
}

/** Where sinks keep their ledgers, unless they are told another key: nothing of it is data. */
export const LEDGERS = '.streamweld/';

/**
 * Each object once. What only stands for a folder, an empty object whose key ends with a slash, is left out; so are the ledgers
 * of sinks, unless it is them that are asked for.
 * @param startAfter only keys behind it
 */
export async function* listObjects(
  store: S3Store,
  { bucket, prefix, filter, retryMs, name, isOrdered, onPage }: ListingOptions,
  startAfter: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ListedObject, void, undefined> {
  const fetch = (token?: string): Promise<ListPage> => {
    const page = patiently(retryMs, signal, () => store.list({ bucket, prefix, startAfter, token }, signal));
    // Whoever leaves in the middle of a page does not wait for the next.
    ignoreRejection(page);
    return page;
  };
  let last = startAfter;
  for (let next: Promise<ListPage> | undefined = fetch(); next !== undefined; ) {
    const { objects, token }: ListPage = await next;
    onPage?.();
    next = token === undefined ? undefined : fetch(token);
    for (const object of objects) {
      if (isOrdered && last !== undefined && compareKeys(last, object.key) >= 0)
        throw outOfOrder(name, bucket);
      last = object.key;
      if (object.size === 0 && object.key.endsWith('/')) continue;
      if (object.key.startsWith(LEDGERS) && !prefix.startsWith(LEDGERS)) continue;
      if (filter === undefined || filter(object)) yield object;
    }
  }
  if (last !== undefined || !prefix.startsWith('/')) return;
  const meant = prefix.replace(/^\/+/, '');
  const { objects } = await patiently(retryMs, signal, () =>
    store.list({ bucket, prefix: meant, maxKeys: 1 }, signal),
  );
  if (objects.length > 0) throw slashed(name, bucket, prefix, meant);
}

/** A key may begin with a slash, and hardly one does: who writes a prefix as a path reads nothing, and would not know. */
function slashed(stage: string, bucket: string, prefix: string, meant: string): S3Error {
  return new S3Error(
    'SW_S3_KEY_INVALID',
    `No key begins with '${prefix}', and some begin with '${meant}': keys have no slash before them. Write prefix: '${meant}'.`,
    { stage, bucket },
  );
}

function outOfOrder(stage: string, bucket: string): S3Error {
  return new S3Error(
    'SW_S3_UNSUPPORTED',
    "The store does not list objects in the order of the bytes of their keys, so one position cannot say what was read. Read with order: 'ready', or give the keys.",
    { stage, bucket },
  );
}
