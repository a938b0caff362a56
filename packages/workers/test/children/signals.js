/** Goes on until the signal aborts, and notes in shared memory how it came to know. */
import { once } from 'node:events';

/** @import { ThreadContext } from '@streamweld/workers' */

/**
 * @param {'loop' | 'wait'} how
 * @param {ThreadContext<Int32Array>} context
 */
export default async function untilAborted(how, { signal, data }) {
  Atomics.add(data, 0, 1);
  Atomics.notify(data, 0);
  if (how === 'wait' && !signal.aborted) await once(signal, 'abort');
  while (!signal.aborted);
  try {
    signal.throwIfAborted();
  } catch (error) {
    if (error === signal.reason) Atomics.add(data, 1, 1);
    throw error;
  }
}
