/** Waiting that an abort ends. */

import { Deferred, onAbort } from '@streamweld/core/connector';

/** Answers as the promise does, or rejects with the reason once the signal aborts. What is under way cannot be called off by that. */
export async function untilAborted<R>(signal: AbortSignal, underWay: Promise<R>): Promise<R> {
  const settled = new Deferred<R>();
  underWay.then(settled.resolve, settled.reject);
  const forget = onAbort(signal, settled.reject);
  try {
    return await settled.promise;
  } finally {
    forget();
  }
}
