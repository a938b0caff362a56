/** What a dispatcher does where its options say nothing, or what they would do anyway. */

import { describe, expect, it, vi } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { HandFeed, Recorder, rejection } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();

describe('DispatchedPipelineBuilder', () => {
  it('tells the console where items wait for a sink that nobody subscribed, after 5 s', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const feed = new HandFeed(new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast());
      await feed.write(1);
      await time().advance(4999);
      expect(warn.mock.calls).toEqual([]);
      await time().advance(1);
      expect(warn.mock.calls).toEqual([[expect.stringContaining("'all'")]]);
      feed.abort(new Error('enough'));
      await feed.close(new Error('enough'));
    } finally {
      warn.mockRestore();
    }
  });

  it("fails for an item that fits no partition, where onUnknown is 'fail' or nothing", async () => {
    for (const options of [undefined, {}, { onUnknown: 'fail' }] as const) {
      const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).partition(
        ['a'],
        () => 'b' as 'a',
        options,
      );
      const feed = new HandFeed(dispatcher);
      await feed.write(1);
      expect(feed.failures).toMatchObject([{ code: 'SW_PARTITION_UNKNOWN' }]);
    }
  });
});

describe('Dispatcher.subscribeSink', () => {
  it("takes overflow 'wait' wherever it is what happens anyway", async () => {
    const builder = new DispatchedPipelineBuilder<number>({ logger: null });
    const [keyed, demand] = [builder.partition(2, (n) => n, { key: (n) => n }), builder.demand()];
    const sinks = [new Recorder<number>(), new Recorder<number>()] as const;
    await keyed.subscribeSink(sinks[0], 0, { overflow: 'wait' });
    await demand.subscribeSink(sinks[1], undefined, { overflow: 'wait' });
    expect(sinks.map(({ calls }) => calls)).toEqual([['open'], ['open']]);
    await Promise.all([keyed.abort(), demand.abort()]);
  });

  it('wants a count of what may wait to become durable', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).broadcast();
    for (const maxUncommitted of [0, -1, 1.5, Number.NaN]) {
      const subscribing = dispatcher.subscribeSink(new Recorder<number>(), undefined, { maxUncommitted });
      expect(await rejection(subscribing)).toMatchObject({
        code: 'SW_OPTION_INVALID',
        option: 'subscribeSink.maxUncommitted',
      });
    }
  });
});
