import { describe, expect, it } from 'vitest';
import { LatencyWindow } from '../../src/shared/latency.ts';

describe('LatencyWindow', () => {
  it('finds percentiles to within a tenth, from microseconds to hours', () => {
    for (const unit of [0.01, 1, 1000]) {
      const window = new LatencyWindow();
      for (let n = 1; n <= 1000; n++) window.add(n * unit, 0);
      const { count, p50Ms, p95Ms, p99Ms, maxMs } = window.summary(0) ?? {};
      expect([count, maxMs]).toEqual([1000, 1000 * unit]);
      for (const [found, exact] of [
        [p50Ms, 500 * unit],
        [p95Ms, 950 * unit],
        [p99Ms, 990 * unit],
      ] as const) {
        expect(found).toBeGreaterThanOrEqual(exact * 0.999);
        expect(found).toBeLessThanOrEqual(exact * 1.1);
      }
    }
  });

  it('forgets what is older than ten seconds, and knows nothing without calls', () => {
    const window = new LatencyWindow();
    expect(window.summary(0)).toBeUndefined();
    window.add(800, 1000);
    window.add(2, 6000);
    expect(window.summary(9999)).toMatchObject({ count: 2, maxMs: 800 });
    expect(window.summary(10_001)).toMatchObject({ count: 1, maxMs: 2 });
    expect(window.summary(60_000)).toBeUndefined();
  });

  it('takes no offence at nothing, nor at a year', () => {
    const window = new LatencyWindow();
    window.add(0, 0);
    window.add(31_536_000_000, 0);
    expect(window.summary(0)).toMatchObject({ count: 2, maxMs: 31_536_000_000 });
  });

  it('wants twenty-five calls in a quarter of a second, and no more', () => {
    const window = new LatencyWindow();
    window.summary(0);
    for (let n = 0; n < 25; n++) {
      expect(window.isWanted).toBe(true);
      window.add(1, n);
    }
    expect(window.isWanted).toBe(false);
    window.summary(249);
    expect(window.isWanted).toBe(false);
    window.summary(250);
    expect(window.isWanted).toBe(true);
  });
});
