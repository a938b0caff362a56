/** Waiting for what cannot be called off, no longer than somebody wants the answer. */

import { onAbort } from '@streamweld/core/connector';

/** Settles as the promise does, or rejects with the signal's reason before. */
export async function untilAborted<R>(promise: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return promise;
  let forget: (() => void) | undefined;
  try {
    return await new Promise<R>((resolve, reject) => {
      promise.then(resolve, reject);
      forget = onAbort(signal, (reason) => reject(reason as Error));
    });
  } finally {
    forget?.();
  }
}
