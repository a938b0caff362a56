import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { ListSource, upTo } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

describe('Flow.throttle', () => {
  it.each([
    [1, 10],
    [10, 1000],
    [1000, 100],
  ])('lets %d items in %d ms pass, after a first burst of as many', async (items, perMs) => {
    const total = items * 6;
    const source = new ListSource(upTo(total));
    const arrivals: number[] = [];
    const sink = (batch: readonly number[]): void => {
      for (const _ of batch) arrivals.push(time().elapsed);
    };
    await time().run(new ConcurrentPipeline(from(source).throttle(items, { perMs }), sink).run());
    expect(arrivals).toHaveLength(total);
    expect(arrivals[items - 1]).toBe(0);
    // Evenly from then on: the last comes when its token does.
    expect(arrivals.at(-1)).toBeGreaterThanOrEqual(perMs * 5 * 0.999);
    expect(arrivals.at(-1)).toBeLessThanOrEqual(perMs * 5 * 1.06);
    for (let at = items; at + items < total; at++) {
      expect((arrivals[at + items] as number) - (arrivals[at] as number)).toBeGreaterThanOrEqual(perMs * 0.9);
    }
  });

  it('gathers tokens rather than to ask for a trickle', async () => {
    const source = new ListSource(upTo(3000));
    await time().run(new ConcurrentPipeline(from(source).throttle(1000, { perMs: 1000 }), collect()).run());
    expect(source.demands.length).toBeLessThan(60);
  });

  it('asks for no more after an abort, and sets no timer', async () => {
    const source = new ListSource(upTo(100));
    const pipeline = new ConcurrentPipeline(from(source).throttle(1, { perMs: 60_000 }), collect());
    const run = pipeline.run();
    run.catch(() => {});
    await time().settle();
    expect(source.handedOut).toBe(1);
    void pipeline.abort(new Error('enough'));
    await expect(time().run(run)).rejects.toThrow('enough');
    await time().settle();
    expect(source.handedOut).toBe(1);
    expect(source.pullsAfterClose).toBe(0);
    expect(time().activeTimers).toBe(0);
  });

  it('takes no period of nothing', () => {
    expect(() => from([1]).throttle(5, { perMs: 0 })).toThrow(RangeError);
    expect(() => from([1]).throttle(0, { perMs: 5 })).toThrow(RangeError);
    expect(() => from([1]).throttle(5, undefined as never)).toThrow(RangeError);
  });
});
