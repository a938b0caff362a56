/** What an earlier sink with the same ledger left behind: uploads that are open, and objects that do not count. */

import type { LedgerContent, PendingObjects } from './ledger.ts';
import { patiently } from './patience.ts';
import { abortUploads, EPOCH, SEQUENCE, type Workshop } from './sink-body.ts';

/** Uploads are aborted. Objects are taken away where positions are kept, and they are those that are meant. */
export async function sweep(
  shop: Workshop,
  { checkpoint }: Pick<LedgerContent, 'checkpoint'>,
  pending: readonly PendingObjects[],
  signal: AbortSignal,
): Promise<void> {
  for (const each of pending) {
    await abortUploads(shop, each.keys, signal);
    if (checkpoint !== null) await deleteObjects(shop, each, signal);
  }
}

async function deleteObjects(
  { store, bucket, retryMs }: Workshop,
  { sequence, epoch, keys }: PendingObjects,
  signal: AbortSignal,
): Promise<void> {
  for (const key of keys) {
    const found = await patiently(retryMs, signal, () => store.head({ bucket, key }, signal));
    if (found?.metadata[SEQUENCE] !== String(sequence) || found.metadata[EPOCH] !== epoch) continue;
    await patiently(retryMs, signal, () => store.delete(bucket, [key], signal));
  }
}
