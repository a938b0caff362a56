/** Which sink belongs where, and who is told when it does not. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { GatedSink, HandFeed, Recorder, rejection } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();

const builder = new DispatchedPipelineBuilder<number>({ name: 'all', logger: null });

describe('Dispatcher.subscribeSink', () => {
  it('says of which dispatcher a partition is missing, unknown or taken', async () => {
    const dispatcher = builder.partition(['a'], () => 'a');
    await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    const attempts = [
      [dispatcher.subscribeSink(new Recorder<number>(), undefined as never), 'SW_PARTITION_MISSING'],
      [dispatcher.subscribeSink(new Recorder<number>(), 'b' as 'a'), 'SW_PARTITION_UNKNOWN'],
      [dispatcher.subscribeSink(new Recorder<number>(), 'a'), 'SW_PARTITION_TAKEN'],
      [builder.broadcast().subscribeSink(new Recorder<number>(), 'a' as never), 'SW_PARTITION_UNKNOWN'],
    ] as const;
    for (const [subscribing, code] of attempts)
      expect(await rejection(subscribing)).toMatchObject({ code, stage: 'all' });
    await dispatcher.abort();
  });
});

describe('Subscription.unsubscribe', () => {
  it('writes what waits in its partition, though other partitions have sinks', async () => {
    const dispatcher = builder.partition(2, (n) => n % 2);
    const sinks = [
      new GatedSink<number>('even', { maxItems: 1 }),
      new GatedSink<number>('odd', { maxItems: 1 }),
    ] as const;
    const even = await dispatcher.subscribeSink(sinks[0], 0);
    await dispatcher.subscribeSink(sinks[1], 1);
    const feed = new HandFeed(dispatcher);
    await feed.write(0, 2, 4, 1);
    const left = even.unsubscribe();
    await sinks[0].releaseAll();
    await left;
    expect([sinks[0].items, sinks[0].calls]).toEqual([
      [0, 2, 4],
      ['open', 'flush', 'close'],
    ]);
    await sinks[1].releaseAll();
    await feed.close();
  });
});

describe('The notice that items wait for a sink', () => {
  it('names the partitions in which some do', async () => {
    const told: string[] = [];
    const dispatcher = new DispatchedPipelineBuilder<number>({
      logger: { warn: (message) => told.push(message) },
      stallMs: 10,
      bufferSize: 1,
    }).partition(['odd', 'even'], (n) => (n % 2 === 0 ? 'even' : 'odd'));
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 3);
    await time().advance(10);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('odd');
    expect(told[0]).not.toContain('even');
    feed.abort(new Error('enough'));
    await feed.close(new Error('enough'));
  });
});
