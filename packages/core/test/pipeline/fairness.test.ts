/** On the real clock: that a pipeline which never waits leaves the event loop its turn. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { withVirtualClock } from '@streamweld/testing';

describe('ConcurrentPipeline, fairness', () => {
  it('lets a timer of 1 ms end an endless run of a synchronous source and sink', async () => {
    let written = 0;
    const pipeline = new ConcurrentPipeline(
      range(0, Number.POSITIVE_INFINITY),
      (batch: readonly number[]) => {
        written += batch.length;
      },
    );
    const fired = new Promise<void>((resolve) => {
      setTimeout(() => {
        void pipeline.drain();
        resolve();
      }, 1);
    });
    const report = await pipeline.run();
    await fired;
    expect(report.outcome).toBe('drained');
    expect(report.written).toBe(written);
    expect(written).toBeGreaterThan(0);
    expect(report.positions.get('')).toBe(written);
  });

  it('lets a signal end it too', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1);
    const run = new ConcurrentPipeline(range(0, Number.POSITIVE_INFINITY), () => {}).run({
      signal: controller.signal,
    });
    await expect(run).rejects.toThrow('aborted');
  });

  it('gives up its turn by the clock: every few milliseconds of work, and not for a short run', async () => {
    const turns = await withVirtualClock({ msPerLook: 0.01 }, async (clock) => {
      await clock.run(new ConcurrentPipeline(range(0, 1_000_000), () => {}).run());
      return clock.turnsYielded;
    });
    expect(turns).toBeGreaterThan(5);
    await withVirtualClock({}, async (clock) => {
      await clock.run(new ConcurrentPipeline(range(0, 1_000_000), () => {}).run());
      expect(clock.turnsYielded).toBe(0);
    });
  });
});
