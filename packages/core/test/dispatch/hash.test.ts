import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey, type Key } from '../../src/dispatch/hash.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * What must never change: it decides which partition, on every machine and in every version, a key belongs to.
 * (1 and 42 are the published values of MurmurHash3's finaliser.)
 */
const VECTORS: readonly (readonly [Key, number])[] = [
  [0, 0],
  [1, 0x514e28b7],
  [-1, 2180083513],
  [42, 142593372],
  [2147483647, 4190899880],
  [-2147483648, 1832674720],
  [2147483648, 1961913383],
  [0.5, 579616613],
  [1e21, 210459121],
  [Number.POSITIVE_INFINITY, 3097715827],
  [1n, 0x514e28b7],
  [2n ** 64n, 2021849038],
  [true, 0x514e28b7],
  [false, 0],
  ['', 2872998923],
  ['a', 444641715],
  ['streamweld', 3108665449],
  ['🌊', 4218119878],
  [new Uint8Array(0), 2872998923],
  [new Uint8Array([0]), 91794203],
  [new Uint8Array([1, 2, 255]), 1944460967],
];

describe('hashKey', () => {
  it.each(VECTORS)('is what it always was for %s', (key, hash) => {
    expect(hashKey(key)).toBe(hash);
  });

  it('refuses what is no key', () => {
    for (const key of [Number.NaN, null, undefined, {}, [], Symbol('x'), () => 1, new Date(0)]) {
      expect(() => hashKey(key as Key)).toThrow(expect.objectContaining({ code: 'SW_KEY_INVALID' }));
    }
  });

  it('takes every other number: zero of either sign, fractions and infinities', () => {
    expect(hashKey(-0)).toBe(hashKey(0));
    const hashes = [0.5, -0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 31, 5e-324].map(
      hashKey,
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('answers 32 bits without a sign', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.integer(),
          fc.bigInt(),
          fc.boolean(),
          fc.uint8Array(),
          fc.double({ noNaN: true }),
        ),
        (key) => {
          const hash = hashKey(key);
          expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
          expect(hashKey(key)).toBe(hash);
        },
      ),
    );
  });

  it('is the same for a number and a bigint of the same value, of any size', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (n) => {
        expect(hashKey(BigInt(n))).toBe(hashKey(n));
      }),
    );
    for (const n of [
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31),
      -(2 ** 31) - 1,
      2 ** 53,
      2 ** 60,
      2 ** 64 + 4096,
      1e21,
      -1e21,
      1e300,
    ]) {
      expect([n, hashKey(BigInt(n))]).toEqual([n, hashKey(n)]);
    }
  });

  it('tells a number from its text, and bytes by their content alone', () => {
    expect(hashKey(1)).not.toBe(hashKey('1'));
    expect(hashKey(Buffer.from('abc'))).toBe(hashKey(bytes('abc')));
    expect(hashKey(bytes('xabcx').subarray(1, 4))).toBe(hashKey(bytes('abc')));
  });

  it.each([2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 48, 64])(
    'spreads keys evenly over %i partitions',
    (partitions) => {
      const count = 20_000;
      const kinds: Record<string, (i: number) => Key> = {
        integers: (i) => i,
        'every tenth integer': (i) => i * 10,
        'integers below zero': (i) => -i,
        'large integers': (i) => 2 ** 40 + i,
        bigints: (i) => BigInt(i) << 64n,
        text: (i) => `user-${i}`,
        'text that begins alike': (i) => `${'x'.repeat(40)}${i}`,
        bytes: (i) => bytes(String(i)),
      };
      for (const [kind, make] of Object.entries(kinds)) {
        const counts = new Array<number>(partitions).fill(0);
        for (let i = 0; i < count; i++) {
          const at = hashKey(make(i)) % partitions;
          counts[at] = (counts[at] as number) + 1;
        }
        const expected = count / partitions;
        const chi = counts.reduce((sum, observed) => sum + (observed - expected) ** 2 / expected, 0);
        // Of a good hash chi-square has mean n−1 and variance 2(n−1): five deviations are beyond chance.
        const freedom = partitions - 1;
        expect([kind, chi < freedom + 5 * Math.sqrt(2 * freedom) + 5]).toEqual([kind, true]);
      }
    },
  );
});
