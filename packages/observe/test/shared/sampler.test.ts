/** Samples of real pipelines, on virtual time: what they tell of them, and that they cost nothing while nobody looks. */

import { ConcurrentPipeline, DispatchedPipelineBuilder, from, generate, type Sink } from '@streamweld/core';
import { runtime } from '@streamweld/core/connector';
import { useLeakCheck } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lookAt } from '../../src/shared/graph.ts';
import type { Sample } from '../../src/shared/sample.ts';
import { Sampler } from '../../src/shared/sampler.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck({ beforeEach, afterEach }, { clock: time });

/** A source of one batch every `ms`, and a sink that takes `ms` for a write. */
function every<T>(ms: number, batch: readonly T[], batches: number) {
  let left = batches;
  return {
    name: 'ticks',
    pull: async (): Promise<readonly T[] | undefined> => {
      await time().sleep(ms);
      left -= 1;
      return left < 0 ? undefined : batch;
    },
  };
}

function slowSink<T>(ms: number, maxItems = 10): Sink<T> {
  return { name: 'slow', batching: { maxItems }, write: () => time().sleep(ms) };
}

function watched(pipeline: ConcurrentPipeline<number>, sampler = new Sampler()) {
  const samples: Sample[] = [];
  const stop = sampler.watch(pipeline, (sample) => void samples.push(sample));
  return { samples, stop, sampler, last: () => samples.at(-1) as Sample };
}

describe('Sampler.watch', () => {
  it('tells at once, about four times a second, and last of all when it has ended', async () => {
    const pipeline = new ConcurrentPipeline(every(10, [1, 2], 200), () => {});
    const { samples } = watched(pipeline);
    expect(samples).toHaveLength(1);
    expect(samples[0]).toMatchObject({ state: 'idle', isOver: false, read: 0 });
    await time().run(pipeline.run());
    const times = samples.map(({ atMs }) => atMs);
    expect(samples.length).toBeGreaterThan(7);
    expect(samples.length).toBeLessThan(12);
    expect(samples.at(-1)).toMatchObject({ state: 'done', isOver: true, read: 400, written: 400 });
    expect(samples.filter(({ isOver }) => isOver)).toHaveLength(1);
    expect(new Set(times).size).toBe(times.length);
    expect(time().activeTimers).toBe(0);
  });

  it('takes no look and sets no timer while nobody watches, and goes on when somebody does again', async () => {
    const pipeline = new ConcurrentPipeline(every(10, [1], 500), () => {});
    const snapshot = vi.spyOn(pipeline, 'snapshot');
    const { samples, stop, sampler } = watched(pipeline);
    const run = pipeline.run();
    await time().advance(1000);
    expect(snapshot.mock.calls.length).toBeGreaterThan(15);
    stop();
    const [looks, seen] = [snapshot.mock.calls.length, samples.length];
    await time().advance(1000);
    expect([snapshot.mock.calls.length, samples.length]).toEqual([looks, seen]);
    expect(sampler.latest(pipeline)).toBe(samples.at(-1));
    const again: Sample[] = [];
    sampler.watch(pipeline, (sample) => void again.push(sample));
    await time().run(run);
    expect(again.at(-1)?.isOver).toBe(true);
  });

  it('looks once for all who watch, and follows several pipelines by one timer', async () => {
    const sampler = new Sampler();
    const pipelines = [0, 1].map((n) => new ConcurrentPipeline(every(10, [n], 100), () => {}).name(`p${n}`));
    const spies = pipelines.map((pipeline) => vi.spyOn(pipeline, 'snapshot'));
    const seen: string[] = [];
    const alone = vi.spyOn(new ConcurrentPipeline(every(10, [1], 100), () => {}), 'snapshot');
    for (const pipeline of pipelines)
      for (const who of ['a', 'b']) sampler.watch(pipeline, ({ name }) => void seen.push(`${who} ${name}`));
    await time().run(Promise.all(pipelines.map((pipeline) => pipeline.run())));
    expect(new Set(seen)).toEqual(new Set(['a p0', 'b p0', 'a p1', 'b p1']));
    for (const spy of spies) expect(spy.mock.calls.length).toBeLessThan(30);
    expect(alone).not.toHaveBeenCalled();
    const ids = pipelines.map((pipeline) => sampler.latest(pipeline)?.id);
    expect(new Set(ids).size).toBe(2);
  });

  it('survives a listener that throws, and holds no process alive', async () => {
    const pipeline = new ConcurrentPipeline(every(10, [1], 50), () => {});
    const sampler = new Sampler();
    sampler.watch(pipeline, () => {
      throw new Error('I only watch');
    });
    const { samples } = watched(pipeline, sampler);
    await time().run(pipeline.run());
    expect(samples.at(-1)?.isOver).toBe(true);

    const unref = vi.fn();
    const setTimer = vi.spyOn(runtime, 'setTimer').mockReturnValue({ unref });
    watched(new ConcurrentPipeline(every(10, [1], 1), () => {}));
    setTimer.mockRestore();
    expect(unref).toHaveBeenCalledOnce();
  });

  it('has a last sample of a run that fails, with what it failed for', async () => {
    const pipeline = new ConcurrentPipeline(from([1]), () => {
      throw Object.assign(new Error('hunter2'), { code: 'EPIPE' });
    });
    const { last } = watched(pipeline);
    await expect(time().run(pipeline.run())).rejects.toThrow();
    expect(last()).toMatchObject({ isOver: true, failure: { code: 'SW_SINK_FAILED' } });
    expect(last().stages.at(-1)?.failures).toMatchObject([{ code: 'EPIPE', count: 1 }]);
    expect(JSON.stringify(last())).not.toContain('hunter2');
  });

  it('ends with a dispatcher too, which nobody runs', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'd' }).broadcast();
    await dispatcher.subscribeSink(slowSink(20), undefined, { name: 'one' });
    const samples: Sample[] = [];
    new Sampler().watch(dispatcher, (sample) => void samples.push(sample));
    await time().run(new ConcurrentPipeline(every(10, [1], 100), dispatcher.createSink()).run());
    await time().advance(500);
    expect(samples.at(-1)).toMatchObject({ isOver: true, state: 'closed', written: 100 });
    expect(time().activeTimers).toBe(0);
  });
});

describe('Sample: rates', () => {
  it('tells now from average, and leaves a pause out of the average', async () => {
    let ms = 10;
    let left = 1000;
    const source = {
      pull: async () => {
        await time().sleep(ms);
        left -= 1;
        return left < 0 ? undefined : [1];
      },
    };
    const pipeline = new ConcurrentPipeline(source, () => {});
    const { last, stop } = watched(pipeline);
    const run = pipeline.run();
    await time().advance(4000);
    expect(last().rate.now).toBeGreaterThan(95);
    expect(last().rate.now).toBeLessThan(105);
    ms = 40;
    await time().advance(6000);
    expect(last().rate.now).toBeGreaterThan(23);
    expect(last().rate.now).toBeLessThan(27);
    expect(last().rate.average).toBeGreaterThan(50);
    expect(last().rate.average).toBeLessThan(60);
    const { average } = last().rate;
    void pipeline.pause();
    await time().advance(60_000);
    expect(last()).toMatchObject({ state: 'paused', bottleneck: undefined });
    expect(last().rate.now).toBe(0);
    expect(Math.abs(last().rate.average - average)).toBeLessThan(2);
    stop();
    pipeline.resume();
    await time().run(run);
  });
});

describe('Sample: shares and the bottleneck', () => {
  it('sees a sink that is too slow', async () => {
    const pipeline = new ConcurrentPipeline(
      generate(() => 1, { count: 10_000 }),
      slowSink(10),
    ).bufferSize(20);
    const { samples } = watched(pipeline);
    await time().run(pipeline.run());
    const middle = samples[Math.floor(samples.length / 2)] as Sample;
    expect(middle.bottleneck).toMatchObject({
      stage: 'slow#1',
      text: expect.stringMatching(/^waiting for slow (9\d|100) %$/),
    });
    expect(middle.stages.at(-1)?.shares.busy).toBeGreaterThan(0.95);
    expect(middle.stages[0]?.shares.waitingForRoom).toBeGreaterThan(0.9);
    expect(middle.stages.at(-1)?.overall().busy).toBeGreaterThan(0.95);
  });

  it('sees a source that is too slow', async () => {
    const pipeline = new ConcurrentPipeline(every(30, [1, 2, 3], 300), slowSink(10));
    const { samples } = watched(pipeline);
    await time().run(pipeline.run());
    const middle = samples[Math.floor(samples.length / 2)] as Sample;
    // The sink works for 10 of each 30 ms.
    expect(middle.bottleneck?.stage).toBe('ticks#0');
    expect(middle.bottleneck?.share).toBeGreaterThan(0.63);
    expect(middle.bottleneck?.share).toBeLessThan(0.7);
    const { shares } = middle.stages.at(-1) ?? {};
    expect(shares?.busy).toBeGreaterThan(0.3);
    expect(shares?.busy).toBeLessThan(0.37);
    expect(middle.stages[0]?.shares.busy).toBe(1);
  });

  it('sees an operator that is too slow, and shares its time right by looking at it alone', async () => {
    const flow = from(every(10, [1], 1000)).map(async (n) => {
      await time().sleep(20);
      return n;
    });
    const pipeline = new ConcurrentPipeline(flow, slowSink(1));
    const { samples } = watched(pipeline);
    const run = pipeline.run();
    await time().advance(20_000);
    const { bottleneck, stages } = samples.at(-1) as Sample;
    expect(bottleneck?.text).toMatch(/^waiting for map 9\d %$/);
    // It works for 20 ms of each 30, and is given the next item only then.
    const [source, map] = stages;
    expect(source?.shares.busy).toBeGreaterThan(0.28);
    expect(source?.shares.busy).toBeLessThan(0.38);
    expect(map?.shares.busy).toBeGreaterThan(0.62);
    expect(map?.shares.busy).toBeLessThan(0.72);
    expect((source?.shares.busy ?? 0) + (source?.shares.waitingForRoom ?? 0)).toBeCloseTo(1);
    await time().run(run);
  });

  it('sees which sink of a dispatcher holds up the rest', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all', bufferSize: 50 }).broadcast();
    await dispatcher.subscribeSink(slowSink(1), undefined, { name: 'quick' });
    await dispatcher.subscribeSink(slowSink(20), undefined, { name: 'archive' });
    const pipeline = new ConcurrentPipeline(
      generate(() => 1, { count: 3000 }),
      dispatcher.createSink(10),
    ).bufferSize(40);
    const { samples } = watched(pipeline);
    await time().run(pipeline.run());
    const middle = samples[Math.floor(samples.length / 2)] as Sample;
    expect(middle.bottleneck?.text).toMatch(/^waiting for archive \d+ %$/);
    const [archive, quick] = ['archive', 'quick'].map((name) =>
      middle.stages.find((stage) => stage.name === name),
    );
    expect(archive?.shares.busy).toBeGreaterThan(0.95);
    expect(quick?.shares.waitingForInput).toBeGreaterThan(0.9);
    expect(middle.stages.find(({ kind }) => kind === 'dispatcher')?.shares.waitingForRoom).toBeGreaterThan(
      0.5,
    );
  });
});

describe('Sample: latency, lanes, failures, history', () => {
  it('measures pulls and writes only where somebody wants to know', async () => {
    const pipeline = new ConcurrentPipeline(every(30, [1], 200), slowSink(10));
    const sampler = new Sampler();
    const observe = vi.spyOn(pipeline, 'observe');
    const { samples } = watched(pipeline, sampler);
    expect(observe).not.toHaveBeenCalled();
    const run = pipeline.run();
    const stop = sampler.watch(pipeline, () => {}, { latency: true });
    await time().advance(3000);
    const [pulls, writes] = [samples.at(-1)?.stages[0]?.latency, samples.at(-1)?.stages.at(-1)?.latency];
    expect(pulls?.p50Ms).toBeGreaterThanOrEqual(30);
    expect(pulls?.p50Ms).toBeLessThan(33);
    expect(writes?.p99Ms).toBeGreaterThanOrEqual(10);
    expect(writes?.p99Ms).toBeLessThan(11);
    stop();
    await time().advance(500);
    expect(samples.at(-1)?.stages.at(-1)?.latency).toBeUndefined();
    await time().run(run);
  });

  it('measures what is behind a dispatcher too', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'd' }).broadcast();
    await dispatcher.subscribeSink(slowSink(5), undefined, { name: 'one' });
    const pipeline = new ConcurrentPipeline(every(10, [1], 50), dispatcher.createSink());
    const samples: Sample[] = [];
    new Sampler().watch(pipeline, (sample) => void samples.push(sample), { latency: true });
    const run = pipeline.run();
    await time().advance(400);
    expect(samples.at(-1)?.stages.find(({ name }) => name === 'one')?.latency?.p50Ms).toBeGreaterThanOrEqual(
      5,
    );
    await time().run(run);
  });

  it('tells how far each lane has come, and how long it is stuck', async () => {
    let position = 0;
    const source = {
      name: 'log',
      pull: async () => {
        await time().sleep(100);
        position += 1;
        return { items: [position], position, lane: position % 2 === 0 ? 'even' : 'odd' };
      },
    };
    const stuck = new Set<number>();
    let release = (): void => {};
    const pipeline = new ConcurrentPipeline<number>(source, (batch) =>
      batch.includes(3)
        ? new Promise<void>((resolve) => (release = resolve))
        : void stuck.add(batch[0] as number),
    )
      .maxConcurrency(4)
      .bufferSize(40);
    const { last } = watched(pipeline);
    const run = pipeline.run();
    await time().advance(5000);
    const [odd, even] = last().lanes;
    expect(odd).toMatchObject({ lane: 'odd', position: 1 });
    expect(odd?.open).toBeGreaterThan(10);
    expect(odd?.stuckMs).toBeGreaterThan(3000);
    expect(even).toMatchObject({ lane: 'even', stuckMs: 0 });
    release();
    await time().run(pipeline.drain());
    await run;
    expect(last().lanes[0]).toMatchObject({ open: 0, stuckMs: 0 });
  });

  it('knows when a failure was last seen', async () => {
    let failing = true;
    const pipeline = new ConcurrentPipeline(every(10, [1], 400), () => {
      if (!failing) return;
      failing = false;
      throw Object.assign(new Error(), { code: 'EAGAIN' });
    }).retry({ attempts: 2, backoff: { firstMs: 1 } });
    const { last } = watched(pipeline);
    const run = pipeline.run();
    await time().advance(3000);
    const [failure] = last().stages.at(-1)?.failures ?? [];
    expect(failure).toMatchObject({ code: 'EAGAIN', count: 1 });
    expect(failure?.agoMs).toBeGreaterThan(2500);
    await time().run(run);
  });

  it('keeps five minutes for curves', async () => {
    const pipeline = new ConcurrentPipeline(every(50, [1, 2, 3, 4, 5], 8000), () => {});
    const { sampler } = watched(pipeline);
    await time().run(pipeline.run());
    const { times, series } = sampler.history(pipeline)?.since() ?? { times: [], series: new Map() };
    expect(times).toHaveLength(1200);
    const span = (times.at(-1) as number) - (times[0] as number);
    expect(span).toBeGreaterThan(280_000);
    expect(span).toBeLessThan(320_000);
    expect([...series.keys()]).toEqual([
      'rate',
      'ticks#0:rate',
      'ticks#0:busy',
      'function#1:rate',
      'function#1:busy',
      'function#1:queued',
    ]);
    expect(series.get('rate')?.[600]).toBeGreaterThan(95);
  });

  it('looks at a pipeline of fifty stages in less than half a millisecond', () => {
    let flow = from([1]);
    for (let n = 0; n < 48; n++) flow = flow.map((item) => item);
    const pipeline = new ConcurrentPipeline(flow, () => {});
    void pipeline.run();
    // The quickest of many: the machine may have other things to do.
    let quickest = Infinity;
    for (let n = 0; n < 500; n++) {
      const before = performance.now();
      lookAt(pipeline);
      quickest = Math.min(quickest, performance.now() - before);
    }
    expect(quickest).toBeLessThan(0.5);
  });
});
