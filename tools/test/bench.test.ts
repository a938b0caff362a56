import { describe, expect, it } from 'vitest';
import { verify } from '../bench/load.ts';
import { LOADS } from '../bench/loads.ts';
import { measure } from '../bench/measure.ts';
import { misses, summarise, table } from '../bench/summary.ts';

describe('the benchmark', () => {
  for (const load of LOADS) {
    // No multiple of a batch, so that the last one is short. Nothing is timed.
    it(`carries every item to every sink of every contestant: ${load.name}`, async () => {
      const { times } = await measure(load, { items: 10_007, rounds: 1, warmUps: 0, clock: 'wall' });
      expect([...times.keys()]).toEqual(load.contestants);
    });

    it(`has aims for contestants that there are: ${load.name}`, () => {
      const names = load.contestants.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(Object.keys(load.aims)));
      expect(new Set(names).size).toBe(names.length);
    });
  }

  it('fails a sink that got the wrong items, though as many', () => {
    const [load] = LOADS as [(typeof LOADS)[number]];
    const [contestant] = load.contestants;
    expect(() => verify(load, contestant, [{ count: 3, sum: 4 }], [{ count: 3, sum: 3 }])).toThrow(
      "linear: the sink 0 of 'StreamWeld' got 3 items of the sum 4, and not 3 of the sum 3.",
    );
  });

  it('takes the median of the ratios round by round, and says which are below their aim', () => {
    const [load] = LOADS as [(typeof LOADS)[number]];
    const [ours, node] = load.contestants as [(typeof load.contestants)[0], (typeof load.contestants)[0]];
    const times = new Map(load.contestants.map((contestant) => [contestant, [1, 1, 1]]));
    times.set(ours, [10, 100, 10]);
    times.set(node, [30, 300, 50]);
    const firsts = new Map(load.contestants.map((contestant) => [contestant, 1000]));
    const summary = summarise({ load, items: 100_000, bytes: undefined, times, firsts });
    expect(summary.rows[0]).toEqual({ contestant: 'StreamWeld', median: 10, min: 1, max: 10, first: 0.1 });
    expect(summary.rows[1]).toMatchObject({ contestant: 'Node streams', ratio: 3, aim: 4 });
    expect(misses([summary])).toEqual(['linear: 3.0× as fast as Node streams, and it is to be 4.0×']);
    expect(table(summary)).toContain('3.0× as fast, aim 4.0×');
  });
});
