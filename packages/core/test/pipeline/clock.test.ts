/** Time inside a run is time that passes, whatever the clock on the wall says. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useLeakCheck } from '../leak-check.ts';

useLeakCheck();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('ConcurrentPipeline, the wall clock', () => {
  it.each([3_600_000, -3_600_000])('[fault 94] is not misled by a jump of %s ms', async (jump) => {
    let jumps = 0;
    const commits: number[] = [];
    const numbers = range(0, 100);
    const pipeline = new ConcurrentPipeline(
      {
        ...numbers,
        commit: (positions: ReadonlyMap<string, number>) => void commits.push(positions.get('') ?? 0),
      },
      {
        batching: { lingerMs: 1 },
        write: () => {
          vi.setSystemTime(Date.now() + jump);
          jumps += 1;
          // The deadlines of a drain and the times of commits are under way.
          if (jumps === 2) pipeline.drain({ deadlineMs: 60_000 }).catch(() => {});
        },
      },
    )
      .bufferSize(10)
      .commitEvery({ items: 20, ms: 60_000 });
    const report = await pipeline.run();
    expect(jumps).toBeGreaterThan(1);
    expect(report.outcome).toBe('drained');
    expect(report.durationMs).toBeGreaterThanOrEqual(0);
    expect(report.durationMs).toBeLessThan(60_000);
    expect(commits.at(-1)).toBe(report.written);
    for (const stage of pipeline.snapshot().stages) {
      expect(stage.waitedMs).toBeGreaterThanOrEqual(0);
      expect(stage.waitedMs).toBeLessThan(60_000);
    }
  });
});
