/** Counts, in memory that all threads share, how often each item was tried; fails as often as the item says. */

/** @import { ThreadContext } from '@streamweld/workers' */

/**
 * @param {{ readonly n: number, readonly fails?: number, readonly exits?: number }} item
 * @param {ThreadContext<Int32Array>} context
 */
export default function count({ n, fails = 0, exits = 0 }, { data }) {
  const tries = Atomics.add(data, n, 1) + 1;
  if (tries <= exits) process.exit(1);
  if (tries <= fails) throw new Error(`failure ${tries} of ${n}`);
  return n;
}
