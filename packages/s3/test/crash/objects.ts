/** The objects that are read while their reader is killed: the same at each start, small and large, empty, and some compressed. */

import { gzipSync } from 'node:zlib';

export interface Line {
  readonly object: number;
  readonly n: number;
  readonly text: string;
}

/** How many bytes an item has in an object that is too large to be looked at before it is handed on. */
const LARGE = 20_000;

export function keyOf(object: number): string {
  return `${String(object).padStart(6, '0')}.ndjson${isZipped(object) ? '.gz' : ''}`;
}

export function linesOf(object: number): Line[] {
  const isLarge = object % 20 === 7 || object % 20 === 12;
  const count = object % 10 === 3 ? 0 : isLarge ? 65 : (object * 37) % 401;
  // What is compressed is to stay large.
  const text = isLarge ? letters(object, LARGE) : String(object % 10).repeat(100);
  return Array.from({ length: count }, (_, n) => ({ object, n, text }));
}

export function bodyOf(object: number): Buffer {
  const lines = linesOf(object);
  const body = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return isZipped(object) && lines.length > 0 ? gzipSync(body) : body;
}

function isZipped(object: number): boolean {
  return object % 4 === 3;
}

function letters(seed: number, length: number): string {
  let state = seed + 1;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return String.fromCharCode(97 + ((state >>> 16) % 26));
  }).join('');
}
