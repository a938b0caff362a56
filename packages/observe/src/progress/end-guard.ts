/**
 * Has a last word when the process ends: on its exit, and on signals that end it.
 *
 * Whoever else handles a signal decides what it does, as to drain; where nobody does, it ends the process as it would have.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @param onEnd must be synchronous. @returns what ends the guarding */
export function guardEnd(onEnd: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return;
    onEnd();
    release();
    process.kill(process.pid, signal);
  };
  const release = (): void => {
    process.off('exit', onEnd);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  process.on('exit', onEnd);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return release;
}
