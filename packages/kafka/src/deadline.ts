/** A deadline around what a client may never answer (it may hang for good): then nobody waits for it any more. */

import { onAbort, runtime } from '@streamweld/core/connector';

export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
  readonly ms: number;

  constructor(ms: number) {
    super(`It took longer than ${ms} ms.`);
    this.ms = ms;
  }
}

/**
 * As the promise does, or rejects when the time is over, or when the signal aborts: what is under way then goes on alone.
 * @throws DeadlinePassed, the reason of the signal, or what the promise rejects with
 */
export function within<T>(ms: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const over = (): void => {
      runtime.clearTimer(timer);
      forget?.();
    };
    const failed = (reason: unknown): void => {
      over();
      reject(reason);
    };
    promise.then((value) => {
      over();
      resolve(value);
    }, failed);
    const timer = runtime.setTimer(() => failed(new DeadlinePassed(ms)), ms);
    const isAborted = signal?.aborted === true;
    const forget = signal === undefined || isAborted ? undefined : onAbort(signal, failed);
    if (isAborted) failed(signal.reason);
  });
}
