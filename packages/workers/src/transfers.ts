/** What of items is moved to a thread. */

import type { Transferable } from './options.ts';

/** Of views, their buffers; but not where others may look at the rest of one: then the item is copied. */
export function listTransfers<I>(
  items: readonly I[],
  transfer: (item: I) => readonly (Transferable | ArrayBufferView)[],
): Transferable[] {
  const all = new Set<Transferable>();
  for (const item of items) {
    for (const each of transfer(item)) {
      if (!ArrayBuffer.isView(each)) all.add(each);
      else if (each.byteLength === each.buffer.byteLength) all.add(each.buffer as ArrayBuffer);
    }
  }
  return [...all];
}

/** Whether it was moved away before. Node would send it all the same, and the thread could not read the message. */
export function isDetached(buffer: unknown): boolean {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength > 0) return false;
  try {
    return new Uint8Array(buffer).length > 0;
  } catch {
    return true;
  }
}
