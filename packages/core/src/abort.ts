/**
 * One listener for many waiters. A long-lived signal that gets a listener per waiting item grows without bound
 * (and Node warns after ten), so each signal carries a single listener here, and none when nobody waits.
 */

/**
 * Answers as the promise does, or rejects with the reason once the signal aborts. What is under way cannot be called off
 * by that, and may still land.
 */
export async function untilAborted<R>(signal: AbortSignal, underWay: Promise<R>): Promise<R> {
  let forget: (() => void) | undefined;
  try {
    return await new Promise<R>((resolve, reject) => {
      underWay.then(resolve, reject);
      forget = onAbort(signal, reject);
    });
  } finally {
    forget?.();
  }
}

type OnAbort = (reason: unknown) => void;

interface Hub {
  readonly waiters: Set<OnAbort>;
  readonly listener: () => void;
}

const hubs = new WeakMap<AbortSignal, Hub>();

/**
 * Calls back once if the signal aborts; at once if it already has. The answer takes the wish back, and must be
 * called when the wait is over.
 */
export function onAbort(signal: AbortSignal, callback: OnAbort): () => void {
  if (signal.aborted) {
    callback(signal.reason);
    return () => {};
  }
  let hub = hubs.get(signal);
  if (hub === undefined) {
    const waiters = new Set<OnAbort>();
    const listener = (): void => {
      hubs.delete(signal);
      for (const waiter of [...waiters]) waiter(signal.reason);
    };
    hub = { waiters, listener };
    hubs.set(signal, hub);
    signal.addEventListener('abort', listener, { once: true });
  }
  const { waiters, listener } = hub;
  // A wish of its own, so that the same function may wait twice.
  const waiter: OnAbort = (reason) => callback(reason);
  waiters.add(waiter);
  return () => {
    waiters.delete(waiter);
    if (waiters.size > 0 || hubs.get(signal)?.waiters !== waiters) return;
    hubs.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}
