/** Waiting that ends with an abort, also where what is waited for never comes. */

/** @throws what the signal was aborted with */
export async function untilAborted<R>(task: Promise<R>, signal: AbortSignal): Promise<R> {
  let give: (reason: unknown) => void = () => {};
  const aborted = new Promise<never>((_, reject) => (give = reject));
  const onAbort = (): void => give(signal.reason);
  // Whichever comes second is nobody's.
  task.catch(() => {});
  aborted.catch(() => {});
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([task, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
