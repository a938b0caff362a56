/** One request of a client: as long as it may take, no longer than its signal lets it, and its failure as one of ours. */

import { Deferred, onAbort, runtime } from '@streamweld/core/connector';
import { makeS3Error, type Translation, toS3Error } from './error-translation.ts';
import { NO_ANSWER } from './error-verdicts.ts';

interface Call<R> extends Translation {
  readonly ms: number;
  readonly signal: AbortSignal;
  /** What calls it off, where that is given. */
  readonly over?: AbortController | undefined;
  /** @param signal calls it off */
  readonly send: (signal: AbortSignal) => Promise<R>;
  /** What comes when nobody waits any more: its connection is given back. */
  readonly late?: ((answer: R) => void) | undefined;
}

/** @throws S3Error; the reason of the signal */
export async function call<R>({
  ms,
  signal,
  over = new AbortController(),
  send,
  late,
  ...translation
}: Call<R>): Promise<R> {
  signal.throwIfAborted();
  const settled = new Deferred<R>();
  let isOver = false;
  const fail = (reason: unknown): void => {
    isOver = true;
    settled.reject(reason);
    over.abort(reason);
  };
  const timer = runtime.setTimer(() => fail(makeS3Error(NO_ANSWER, translation)), ms);
  const forget = onAbort(signal, fail);
  send(over.signal).then(
    (answer) => (isOver ? late?.(answer) : settled.resolve(answer)),
    (error: unknown) => settled.reject(toS3Error(error, translation)),
  );
  try {
    return await settled.promise;
  } finally {
    runtime.clearTimer(timer);
    forget();
  }
}
