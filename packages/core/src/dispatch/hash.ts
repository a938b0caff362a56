/** A hash that is the same on every machine and in every version: it decides which partition a key belongs to. */

import { StreamWeldError, describe } from '../errors.ts';

/** What an item can be partitioned by. Numbers and bigints of the same value are the same key; `1` and `'1'` are not. */
export type Key = string | number | bigint | boolean | Uint8Array;

/**
 * 32 bits of a key, well mixed: the finaliser of MurmurHash3 over integers, FNV-1a before it over text and bytes.
 * @throws StreamWeldError SW_KEY_INVALID for NaN, null, undefined and objects.
 */
export function hashKey(key: Key): number {
  switch (typeof key) {
    case 'number':
      if ((key | 0) === key) return mix(key);
      if (key === key) return hashText(digits(key));
      break;
    case 'string':
      return hashText(key);
    case 'bigint':
      return key >= -0x80000000n && key <= 0x7fffffffn ? mix(Number(key)) : hashText(String(key));
    case 'boolean':
      return mix(key ? 1 : 0);
    default:
      if (key instanceof Uint8Array) return hashBytes(key);
  }
  throw new StreamWeldError(
    'SW_KEY_INVALID',
    `A key must be a string, a number that is not NaN, a bigint, a boolean or a Uint8Array, got ${describe(key)}.`,
  );
}

/** A number as a bigint of its value writes it: large ones in full, where `String` rounds them. */
function digits(key: number): string {
  return Number.isInteger(key) && !Number.isSafeInteger(key) ? String(BigInt(key)) : String(key);
}

/** The finaliser of MurmurHash3: 32 bits of a whole number that fits in 32. */
export function mix(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

function hashBytes(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return mix(h);
}
