/** A deadline around what a client may never answer (it may hang for good): then nobody waits for it any more. */

import { ignoreRejection, runtime } from '@streamweld/core/connector';

export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
  readonly ms: number;

  constructor(ms: number) {
    super(`It took longer than ${ms} ms.`);
    this.ms = ms;
  }
}

/** @throws DeadlinePassed, or what the promise rejects with */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = runtime.setTimer(() => reject(new DeadlinePassed(ms)), ms);
    const settled = (): void => runtime.clearTimer(timer);
    promise.then(resolve, reject);
    ignoreRejection(promise.finally(settled));
  });
}
