import { ConcurrentPipeline, count, from } from '@streamweld/core';
import { LeakCheck } from '@streamweld/testing';
import { inWorkers } from '@streamweld/workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type gate from './children/gate.js';
import type signals from './children/signals.js';
import type work from './children/work.js';
import { child, reached, shared, upTo } from './run.ts';

const leaks = new LeakCheck();
beforeEach(() => leaks.begin());
afterEach(() => leaks.end());

describe('an abort', () => {
  it.each(['loop', 'wait'] as const)('is seen by the function, in a %s', async (how) => {
    const data = shared(2);
    const stage = inWorkers<typeof signals>(child('signals.js'), {
      threads: 2,
      batchSize: 2,
      data,
      graceMs: 5000,
    });
    const pipeline = new ConcurrentPipeline(from(new Array<typeof how>(8).fill(how)).through(stage), count());
    const run = pipeline.closeMs(10_000).run();
    await reached(data, 0, 2);
    const reason = new Error('enough');
    void pipeline.abort(reason);
    await expect(run).rejects.toBe(reason);
    // The two that ran; neither the other of their batch, nor any that waited.
    expect([...data]).toEqual([2, 2]);
  });

  it('ends a thread that does not heed it, and the run with it', async () => {
    const data = shared(2);
    const stage = inWorkers<typeof gate>(child('gate.js'), { threads: 2, batchSize: 1, data, graceMs: 20 });
    const { signal, abort } = abortable();
    const run = new ConcurrentPipeline(from(upTo(10)).through(stage), count()).run({ signal });
    await reached(data, 1, 2);
    abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(data[1]).toBe(2);
  });

  it('ends a run whose threads have not begun yet', async () => {
    const { signal, abort } = abortable();
    const stage = inWorkers<typeof work>(child('work.js'), { threads: 2 });
    const run = new ConcurrentPipeline(from(upTo(10).map((n) => ({ n }))).through(stage), count()).run({
      signal,
    });
    await Promise.resolve();
    abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a run', () => {
  it('leaves nothing behind, a hundred times', async () => {
    const controller = leaks.controller();
    const stage = inWorkers<typeof work>(child('work.js'), { threads: 1, batchSize: 1 });
    const before = process.getActiveResourcesInfo().length;
    for (let time = 0; time < 100; time++) {
      const items = from([
        { n: 1 },
        { n: 2 },
        { n: 3, act: time % 10 === 0 ? ('exit' as const) : undefined },
      ]);
      const flow = items
        .map(({ n, act }) => (act === undefined ? { n } : { n, act }))
        .through(stage, { onError: 'drop' });
      await new ConcurrentPipeline(flow, count()).run({ signal: controller.signal });
    }
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });

  it('leaves nothing behind where it fails', async () => {
    const stage = inWorkers<typeof work>(child('work.js'), { threads: 2, batchSize: 1 });
    const flow = from(upTo(10).map((n) => (n === 5 ? { n, act: 'throw' as const } : { n }))).through(stage);
    await expect(new ConcurrentPipeline(flow, count()).run()).rejects.toMatchObject({
      code: 'SW_OPERATOR_FAILED',
    });
  });
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = leaks.controller();
  return { signal: controller.signal, abort: () => controller.abort() };
}
