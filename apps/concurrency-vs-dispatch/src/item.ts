/** What moves, and the keys that say what belongs together. */

export interface Item {
  /** 0, 1, 2 … in the order in which the source hands them out. */
  readonly id: number;
  /** Of `KEYS`. Items of one key are to stay together and in order, as those of a customer. */
  readonly key: string;
}

export const KEYS: readonly string[] = 'abcdefghijkl'.split('');

/** The same keys in the same order for the same seed. */
export function keysFrom(seed: number): () => string {
  // mulberry32: 32 bits of state, well enough spread for a dozen keys.
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return KEYS[((mixed ^ (mixed >>> 14)) >>> 0) % KEYS.length] as string;
  };
}
