/** What is told of a subscription when it has gone, and whose loss was consented to. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { GatedSink, HandFeed, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();

const builder = new DispatchedPipelineBuilder<number>({ name: 'all', logger: null });

describe('Subscription.status', () => {
  it('has a name where the sink has none, and no error where nothing failed', async () => {
    const dispatcher = builder.broadcast();
    const subscription = await dispatcher.subscribeSink({ write: () => {} });
    expect(subscription.status.name).toBe('sink');
    expect(Object.keys(subscription.status)).not.toContain('error');
    await dispatcher.abort();
  });

  it('counts nothing of what waits in a partition that its sink has left', async () => {
    const dispatcher = builder.partition(['a'], () => 'a');
    const feed = new HandFeed(dispatcher);
    const left = await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    await left.unsubscribe();
    const failing = new GatedSink<number>('failing');
    const detached = await dispatcher.subscribeSink(failing, 'a', { onError: 'detach' });
    await feed.write(1);
    await failing.fail(new Error('gone'));
    await feed.write(2, 3);
    expect(dispatcher.snapshot().sinks.map(({ state }) => state)).toEqual(['closed', 'detached']);
    expect([left, detached].map(({ status }) => status.buffered)).toEqual([0, 0]);
    const next = new Recorder<number>();
    await dispatcher.subscribeSink(next, 'a');
    await feed.close();
    expect([next.items, detached.status.state]).toEqual([[2, 3], 'detached']);
  });
});

describe('Subscription.unsubscribe', () => {
  it('rejects with what the dispatcher failed for, though items wait that nobody writes any more', async () => {
    const dispatcher = builder.broadcast();
    const [failing, waiting] = [
      new GatedSink<number>('failing'),
      new GatedSink<number>('b', { maxItems: 1 }),
    ];
    await dispatcher.subscribeSink(failing);
    const subscription = await dispatcher.subscribeSink(waiting);
    await new HandFeed(dispatcher).write(1, 2, 3);
    await failing.fail(new Error('gone'));
    await waiting.release();
    expect(await rejection(subscription.unsubscribe())).toMatchObject({
      code: 'SW_SINK_FAILED',
      stage: 'failing',
    });
    await dispatcher.abort();
  });
});

describe("onError: 'detach'", () => {
  it('consents to no loss where the whole dispatcher goes down: the items come again', async () => {
    const dispatcher = builder.broadcast();
    const sink = new GatedSink<number>('slow');
    await dispatcher.subscribeSink(sink, undefined, { onError: 'detach' });
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1);
    const error = new Error('enough');
    const aborted = dispatcher.abort(error);
    await sink.fail(new Error('cut off'));
    await time().run(aborted);
    expect(write.receipt).not.toBe('settled');
    await feed.close(error);
  });

  it('consents to no loss of what the dead letter cannot take', async () => {
    const dispatcher = builder.broadcast();
    const sink = new GatedSink<number>('failing', { maxItems: 1 });
    const deadLetter = { write: () => Promise.reject(new Error('full')) };
    await dispatcher.subscribeSink(sink, undefined, { onError: 'detach', deadLetter });
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2, 3);
    sink.context?.fail(new Error('gone'));
    await sink.release();
    expect([write.receipt, feed.failures]).toMatchObject(['failed', [{ code: 'SW_DEAD_LETTER_FAILED' }]]);
    await dispatcher.abort();
  });

  it('consents to the loss of what the sink had in flight, though the dispatcher has come to its end by then', async () => {
    const dispatcher = builder.broadcast();
    const sink = new GatedSink<number>('failing', { maxItems: 1, concurrency: 2 });
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      onError: 'detach',
      maxConcurrency: 2,
    });
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2);
    expect(sink.held).toEqual([1, 2]);
    await sink.fail(new Error('gone'));
    expect([subscription.status.state, write.receipt]).toEqual(['detached', 'open']);
    const closed = feed.close();
    await tick();
    await sink.fail(new Error('gone as well'));
    await time().run(Promise.resolve(closed));
    expect([write.receipt, feed.failures]).toEqual(['settled', []]);
    expect(subscription.status).toMatchObject({ state: 'detached', failed: 2 });
  });
});
