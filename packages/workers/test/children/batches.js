/** A function of batches: answers how many there were, and does with each as it says. */

/** @import { ThreadContext } from '@streamweld/workers' */

/**
 * @param {readonly (number | 'refuse' | 'throw' | 'exit' | 'none' | 'function')[]} items
 * @param {ThreadContext} context
 * @returns {(number | string)[]}
 */
export default function work(items, { refuse }) {
  /** @type {any[]} */
  const results = [];
  for (const [at, item] of items.entries()) {
    if (item === 'throw') throw new Error('one of them');
    if (item === 'exit') process.exit(1);
    if (item === 'none') return /** @type {any} */ ('none');
    if (item === 'function') results.push(() => {});
    else if (item === 'refuse') refuse(at, new Error('not that one'));
    else results.push(item);
  }
  return [`${items.length}`, ...results];
}
