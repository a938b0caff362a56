/** Stores that a test opens, and what comes of a body. */

import { afterEach } from 'vitest';
import type { ObjectBody, S3Store } from '../src/client.ts';
import { openStore } from '../src/open-store.ts';
import { checkReach, type ReachOptions } from '../src/options.ts';

/** Opens stores for the tests of a file, and closes them after each. */
export function useStores(): (reach: ReachOptions) => S3Store {
  const opened: S3Store[] = [];
  afterEach(() => {
    for (const store of opened.splice(0)) store.close();
  });
  return (reach) => {
    const store = openStore(checkReach(reach, 'test'));
    opened.push(store);
    return store;
  };
}

export async function contentOf(body: ObjectBody): Promise<Buffer> {
  const { bytes, error } = await outcomeOf(body);
  if (error !== undefined) throw error;
  return bytes;
}

/** What came before it ended, and what ended it. */
export async function outcomeOf(body: ObjectBody): Promise<{ bytes: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body.chunks) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}
