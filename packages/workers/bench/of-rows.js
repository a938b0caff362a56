import { ofRows } from './work.js';

/** @import { ThreadContext } from '@streamweld/workers' */

/**
 * @param {readonly import('./work.js').Row[]} rows
 * @param {ThreadContext} context
 */
export default function copied(rows, { transfer }) {
  const done = ofRows(rows);
  return [transfer(done, [done.bytes])];
}
