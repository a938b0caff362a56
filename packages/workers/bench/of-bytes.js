import { ofBytes } from './work.js';

/** @import { ThreadContext } from '@streamweld/workers' */

/**
 * @param {Uint8Array<ArrayBuffer>} read
 * @param {ThreadContext} context
 */
export default function moved(read, { transfer }) {
  const done = ofBytes(read);
  return transfer(done, [done.bytes]);
}
