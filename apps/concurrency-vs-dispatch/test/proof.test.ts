/** A proof that cannot fail proves nothing: each fault is seen, by the modes that promise the contrary. */

import { describe, expect, it } from 'vitest';
import { KEYS, keysFrom } from '../src/item.ts';
import { MODES } from '../src/modes.ts';
import { Notes } from '../src/notes.ts';
import { prove } from '../src/proof.ts';

/** A sink that was given items by their ids; their keys repeat `a`, `b`, unless it is said otherwise. */
function notes(
  ids: readonly number[],
  keyOf: (id: number) => string = (id) => 'ab'[id % 2] as string,
): Notes {
  const noted = new Notes();
  for (const id of ids) noted.add([{ id, key: keyOf(id) }]);
  return noted;
}

describe('prove', () => {
  it.each([
    ['sequential', [[0, 1, 2, 3]]],
    ['concurrent', [[0, 1, 2, 3]]],
    [
      'broadcast',
      [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ],
    ],
    [
      'demand',
      [
        [0, 3],
        [1, 2],
      ],
    ],
    [
      'partition',
      [
        [0, 2],
        [1, 3],
      ],
    ],
  ] as const)('holds for %s', (mode, sinks) => {
    expect(
      prove(
        mode,
        4,
        sinks.map((ids) => notes(ids)),
      ),
    ).toEqual({ holds: true, says: expect.stringContaining('each') });
  });

  it.each(MODES)('tells of %s what was lost, doubled or never made', (mode) => {
    const given = notes([0, 1, 1, 4]);
    const sinks = mode === 'broadcast' ? [given, notes([0, 1, 2, 3])] : [given];
    const { holds, says } = prove(mode, 4, sinks);
    expect(holds).toBe(false);
    expect(says).toContain('2 lost, 1 doubled, 1 never made');
  });

  it('takes an item that two sinks have for doubled, but in a broadcast', () => {
    const twice = () => [notes([0, 1]), notes([0, 1])];
    expect(prove('demand', 2, twice())).toEqual({ holds: false, says: '2 doubled' });
    expect(prove('partition', 2, twice()).says).toBe('2 doubled, 2 of the keys at more than one sink');
    expect(prove('broadcast', 2, twice()).holds).toBe(true);
  });

  it.each(['sequential', 'concurrent', 'broadcast'] as const)('tells of %s what is out of order', (mode) => {
    expect(prove(mode, 4, [notes([0, 2, 1, 3])])).toEqual({ holds: false, says: '1 out of order' });
  });

  it('asks of partition the order of each key, and that a key stays where it is', () => {
    expect(prove('partition', 4, [notes([1, 0, 3, 2])]).holds).toBe(true);
    expect(prove('partition', 4, [notes([2, 0, 1, 3])])).toEqual({
      holds: false,
      says: '1 out of the order of their key',
    });
    expect(prove('partition', 4, [notes([0, 1, 3]), notes([2])])).toEqual({
      holds: false,
      says: '1 of the keys at more than one sink',
    });
  });

  it('holds for many items, and sees one that is missing', () => {
    const all = Array.from({ length: 5000 }, (_, id) => id);
    expect(prove('concurrent', 5000, [notes(all)]).holds).toBe(true);
    expect(prove('concurrent', 5000, [notes(all.filter((id) => id !== 4096))]).says).toBe('1 lost');
  });
});

describe('keysFrom', () => {
  it('gives the same keys for the same seed, about as many of each', () => {
    const draw = (seed: number): string[] => {
      const next = keysFrom(seed);
      return Array.from({ length: 12_000 }, () => next());
    };
    const keys = draw(7);
    expect(draw(7)).toEqual(keys);
    expect(draw(8)).not.toEqual(keys);
    for (const key of KEYS) {
      const times = keys.filter((each) => each === key).length;
      expect(Math.abs(times - 1000)).toBeLessThan(150);
    }
  });
});
