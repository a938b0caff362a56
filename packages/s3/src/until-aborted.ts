/** Waiting for what cannot be called off, no longer than somebody wants the answer. */

import { onAbort, runtime } from '@streamweld/core/connector';

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

/** Resolves when the promise has settled, one way or the other, the signal has aborted, or it took too long. */
export async function untilSettled(
  promise: Promise<void>,
  mostMs: number,
  signal: AbortSignal,
): Promise<void> {
  let forget: (() => void) | undefined;
  let timer: unknown;
  await new Promise<void>((resolve) => {
    promise.then(resolve, () => resolve());
    timer = runtime.setTimer(resolve, mostMs);
    forget = onAbort(signal, () => resolve());
  });
  runtime.clearTimer(timer);
  forget?.();
}
