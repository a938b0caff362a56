import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { rejection } from '../controlled.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();

describe('An async generator that waits for an item which never comes', () => {
  it('does not hold up a drain', async () => {
    const sink = collect<number>();
    async function* waiting(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    }
    const pipeline = new ConcurrentPipeline(waiting(), sink);
    const run = pipeline.run();
    await time().advance(10);
    const report = await time().run(pipeline.drain());
    expect([report.outcome, sink.items]).toEqual(['drained', [1]]);
    await run;
  });
});

describe('An async map whose call fails', () => {
  it.each([1, 4])('makes no more calls, with %i at a time', async (concurrency) => {
    let calls = 0;
    const flow = from(Array.from({ length: 100 }, (_, n) => n)).map(
      async () => {
        calls += 1;
        await Promise.resolve();
        throw new Error('no');
      },
      { concurrency },
    );
    await rejection(time().run(new ConcurrentPipeline(flow, collect()).run()));
    expect(calls).toBeLessThanOrEqual(concurrency);
  });
});
