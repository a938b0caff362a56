/** A dispatcher whose sinks answer at once lets others have their turn; whoever leaves meanwhile leaves nothing behind. */

import { expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { useLeakCheck } from '../leak-check.ts';
import { HandFeed, Recorder } from './instruments.ts';

useLeakCheck();

it('A sink that leaves between two turns is given all that waits for it', async () => {
  const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).partition(['all'], () => 'all');
  const sink = new Recorder<number>({
    maxItems: 1,
    // Longer than a turn.
    check: () => {
      for (const end = performance.now() + 20; performance.now() < end; );
    },
  });
  const subscription = await dispatcher.subscribeSink(sink, 'all');
  const feed = new HandFeed(dispatcher);
  const writing = feed.write(1, 2, 3);
  expect(sink.items).toEqual([1]);
  await subscription.unsubscribe();
  expect(sink.items).toEqual([1, 2, 3]);
  expect((await writing).receipt).toBe('settled');
  await feed.close();
});
