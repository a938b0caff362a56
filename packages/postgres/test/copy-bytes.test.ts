/** Numbers and dates as bytes: what JavaScript would write, or nothing. */

import { Random } from '@streamweld/testing';
import { describe, expect, it } from 'vitest';
import { putDate, putNumber } from '../src/copy-bytes.ts';

const bytes = Buffer.alloc(32, '?');

function textOf(value: number, put: (bytes: Uint8Array, at: number, value: number) => number): string {
  const end = put(bytes, 3, value);
  const text = bytes.toString('latin1', 3, end);
  bytes.fill('?');
  return text;
}

describe('numbers and dates as bytes', () => {
  it.each([
    0,
    -0,
    7,
    -7,
    10,
    99,
    100,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    999_999_999,
    1_000_000_000,
    1_000_000_007,
    1_999_999_999.5,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    0.5,
    -0.25,
    0.125,
    0.007,
    1.01,
    -12.3,
    123_456_789_012.345,
    999_999_999_999.999,
  ])('%d', (value) => {
    expect(textOf(value, putNumber)).toBe(String(value));
  });

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    1e21,
    1e-7,
    0.0001,
    0.1 + 0.2,
    1e12 + 0.125,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
  ])('leaves %d', (value) => {
    expect(textOf(value, putNumber)).toBe('');
  });

  it('writes any number as String does, or leaves it', () => {
    const random = new Random(6);
    let written = 0;
    for (let round = 0; round < 200_000; round++) {
      const digits = 10 ** random.integer(0, 17);
      const whole = random.integer(-digits, digits);
      const value = whole / 10 ** random.integer(0, 5);
      const text = textOf(value, putNumber);
      if (text === '') continue;
      written += 1;
      if (text !== String(value)) expect(text).toBe(String(value));
    }
    expect(written).toBeGreaterThan(100_000);
  });

  it('writes every third day of nine thousand years, at any time of it', () => {
    const random = new Random(7);
    let [days, wrong] = [0, 0];
    for (let day = Date.UTC(1000, 0, 1); day < Date.UTC(10_000, 0, 1); day += 3 * 86_400_000) {
      const time = day + random.integer(0, 86_399_999);
      days += 1;
      if (textOf(time, putDate) !== new Date(time).toISOString()) wrong += 1;
    }
    expect({ days, wrong }).toEqual({ days: 1_095_728, wrong: 0 });
  });

  it.each([
    -1,
    0,
    Date.UTC(1000, 0, 1),
    Date.UTC(2000, 1, 29, 23, 59, 59, 999),
    Date.UTC(9999, 11, 31, 23, 59, 59, 999),
  ])('writes the time %d', (time) => {
    expect(textOf(time, putDate)).toBe(new Date(time).toISOString());
  });

  it.each([Number.NaN, Date.UTC(1000, 0, 1) - 1, Date.UTC(10_000, 0, 1), 8.64e15, -8.64e15])(
    'leaves the time %d',
    (time) => {
      expect(textOf(time, putDate)).toBe('');
    },
  );
});
