/** Waits in the thread, in a way that nothing but the end of the thread interrupts, until the test opens the gate. */

/** @import { ThreadContext } from '@streamweld/workers' */

/** Where `data` holds: whether the gate is open, and how many calls came to it. */
const OPEN = 0;
const CAME = 1;

/**
 * @param {number} n
 * @param {ThreadContext<Int32Array>} context
 */
export default function wait(n, { data }) {
  Atomics.add(data, CAME, 1);
  Atomics.notify(data, CAME);
  Atomics.wait(data, OPEN, 0);
  return n;
}
