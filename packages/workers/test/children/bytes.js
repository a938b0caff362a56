/** Moves bytes in and out, and tells what became of those that it moved out before. */

/** @import { ThreadContext } from '@streamweld/workers' */

/** @type {Uint8Array | undefined} */
let last;

/**
 * @param {{ readonly bytes: Uint8Array<ArrayBuffer>, readonly how: 'copy' | 'move' | 'named' | 'part' | 'floats' | 'buffer' | 'twice' }} item
 * @param {ThreadContext} context
 */
export default function double({ bytes, how }, { transfer }) {
  const before = last?.byteLength;
  const doubled = bytes.map((byte) => byte * 2);
  last = doubled;
  switch (how) {
    case 'copy':
      return { bytes: doubled, before };
    case 'move':
      return { bytes: transfer(doubled), before };
    case 'named':
      return transfer({ bytes: doubled, before }, [doubled]);
    case 'part':
      return { bytes: transfer(doubled.subarray(1, 3)), before };
    case 'floats':
      return { bytes: transfer(Float64Array.of(1, 2, 3, 4).subarray(1, 3)), before };
    case 'buffer':
      // Node cuts small ones from a common piece of memory.
      return { bytes: transfer(Buffer.from('ab')), before };
    case 'twice':
      structuredClone(doubled, { transfer: [doubled.buffer] });
      return { bytes: transfer(doubled, [doubled.buffer]), before };
  }
}
