/** How runs into a dispatcher end: what is flushed, closed and named, and in which order. */

import { describe, expect, it } from 'vitest';
import {
  ConcurrentPipeline,
  count,
  DispatchedPipelineBuilder,
  OptionError,
  range,
  type Sink,
} from '../../src/index.ts';
import { Deferred } from '../../src/deferred.ts';

const builder = (): DispatchedPipelineBuilder<number> =>
  new DispatchedPipelineBuilder<number>({ logger: null });

/** A sink whose writes are held until they are let go, and which notes what is done to it. */
function heldSink(): Sink<number> & {
  readonly calls: string[];
  readonly writing: Promise<void>;
  letGo(): void;
} {
  const calls: string[] = [];
  const writing = new Deferred();
  const held = new Deferred();
  return {
    name: 'held',
    calls,
    writing: writing.promise,
    letGo: () => held.resolve(),
    write: async () => {
      writing.resolve();
      await held.promise;
      calls.push('written');
    },
    flush: () => void calls.push('flush'),
    close: (reason) => void calls.push(reason === undefined ? 'close' : 'abandon'),
  };
}

describe('A run into a dispatcher that is aborted', () => {
  it('flushes no sink, least of all one that is still writing', async () => {
    const dispatcher = builder().broadcast();
    const sink = heldSink();
    await dispatcher.subscribeSink(sink);
    const pipeline = new ConcurrentPipeline(range(0, 10), dispatcher.createSink());
    const run = pipeline.run();
    await sink.writing;
    const aborting = pipeline.abort(new Error('enough'));
    sink.letGo();
    await aborting;
    await expect(run).rejects.toThrow('enough');
    expect(sink.calls).toEqual(['written', 'abandon']);
  });
});

describe('Subscription.unsubscribe', () => {
  it('settles for everybody who asked only when the sink is closed', async () => {
    const dispatcher = builder().broadcast();
    const sink = heldSink();
    const subscription = await dispatcher.subscribeSink(sink);
    await dispatcher.subscribeSink(count());
    const run = new ConcurrentPipeline(range(0, 10), dispatcher.createSink()).run();
    await sink.writing;
    const first = subscription.unsubscribe();
    const second = subscription.unsubscribe().then(() => sink.calls.at(-1));
    sink.letGo();
    await first;
    expect(await second).toBe('close');
    await run;
  });
});

describe('Dispatcher.subscribeSink', () => {
  it('refuses a sink that is never full where the demand decides', async () => {
    const dispatcher = builder().demand();
    const subscribing = dispatcher.subscribeSink(count(), undefined, { overflow: 'dropOldest' });
    await expect(subscribing).rejects.toBeInstanceOf(OptionError);
  });

  it('lets a write that lingers be full at the size of the buffer', async () => {
    const sizes: number[] = [];
    const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: 10 }).broadcast();
    await dispatcher.subscribeSink({
      batching: { lingerMs: 2_000_000 },
      write: (batch) => void sizes.push(batch.length),
    });
    await new ConcurrentPipeline(range(0, 100), dispatcher.createSink()).run();
    expect(sizes).toEqual(Array.from({ length: 10 }, () => 10));
  });

  it('flushes a sink that has accepted as much as may be uncommitted', async () => {
    let uncommitted = 0;
    let most = 0;
    let waiting: Deferred[] = [];
    const dispatcher = builder().broadcast();
    const sink: Sink<number> = {
      write: (batch) => {
        uncommitted += batch.length;
        most = Math.max(most, uncommitted);
        const durable = new Deferred();
        waiting.push(durable);
        return { durable: durable.promise };
      },
      flush: () => {
        uncommitted = 0;
        for (const durable of waiting) durable.resolve();
        waiting = [];
      },
    };
    await dispatcher.subscribeSink(sink, undefined, { maxUncommitted: 1000 });
    const report = await new ConcurrentPipeline(range(0, 20_000), dispatcher.createSink(100)).run();
    expect(report.positions.get('')).toBe(20_000);
    expect(most).toBeLessThanOrEqual(1100);
    expect(most).toBeGreaterThanOrEqual(1000);
  });
});
