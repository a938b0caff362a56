import { describe, expect, it } from 'vitest';
import { Caution } from '../../src/delivery/caution.ts';

const compare = (_lane: string, a: unknown, b: unknown): number => (a as number) - (b as number);

describe('Caution', () => {
  it('covers a lane up to the furthest position, and forgets it beyond that', () => {
    const caution = new Caution(new Map([['a', 5]]), compare);
    expect(caution.covers('b', 1)).toBe(false);
    expect([4, 5].map((position) => caution.covers('a', position))).toEqual([true, true]);
    expect(caution.isNeeded).toBe(true);
    expect(caution.covers('a', 6)).toBe(false);
    expect(caution.isNeeded).toBe(false);
    expect(caution.covers('a', 4)).toBe(false);
  });

  it('compares no positions of a lane that it does not know', () => {
    const caution = new Caution(new Map([['a', 5]]), (lane, a, b) => {
      if (lane !== 'a') throw new Error('not asked for');
      return compare(lane, a, b);
    });
    expect(caution.covers('b', 1)).toBe(false);
    expect(() => caution.passed('b', 1)).not.toThrow();
  });

  it('is needed until each lane has come up to the furthest position', () => {
    const caution = new Caution(
      new Map([
        ['a', 5],
        ['b', 2],
      ]),
      compare,
    );
    caution.passed('a', 4);
    caution.passed('c', 9);
    caution.passed('b', 2);
    expect(caution.covers('b', 1)).toBe(false);
    expect(caution.isNeeded).toBe(true);
    caution.passed('a', 5);
    expect(caution.isNeeded).toBe(false);
  });

  it('leaves the map that it was given as it is', () => {
    const ahead = new Map([['a', 5]]);
    new Caution(ahead, compare).passed('a', 5);
    expect(ahead.size).toBe(1);
  });
});
