/** The ways into a dispatcher by themselves: those that nobody has opened, and those that are opened twice. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { SinkContext } from '../../src/sink.ts';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { GatedSink, HandFeed, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();

function broadcast(checkpoint?: string) {
  return new DispatchedPipelineBuilder<number>({ name: 'all', logger: null, checkpoint }).broadcast();
}

function context(): SinkContext & { failures: unknown[] } {
  const failures: unknown[] = [];
  return { signal: new AbortController().signal, failures, fail: (error) => failures.push(error) };
}

describe('What createSink() makes', () => {
  it('keeps positions where the dispatcher has a checkpoint, and only there', () => {
    const plain = broadcast().createSink();
    expect([plain.keepsPositions, plain.positions, plain.ahead]).toEqual([false, undefined, undefined]);
    const keeping = broadcast('job').createSink();
    expect([keeping.keepsPositions, keeping.positions?.(), keeping.ahead?.()]).toEqual([
      true,
      new Map(),
      new Map(),
    ]);
  });

  it('is opened once, and goes on when who was refused closes it', async () => {
    const dispatcher = broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const feed = dispatcher.createSink();
    await feed.open?.(context());
    for (const _ of ['once', 'twice']) {
      await expect((async () => feed.open?.(context()))()).rejects.toMatchObject({
        code: 'SW_DISPATCHER_CLOSED',
        stage: 'all',
      });
    }
    await feed.close?.(new Error('refused'));
    await feed.close?.(new Error('refused'));
    expect(sink.calls).toEqual(['open']);
    await feed.close?.();
    expect(sink.calls.at(-1)).toBe('close');
  });

  it('is told of a failure of the dispatcher where it is open; where it is not, nobody waits', async () => {
    const dispatcher = broadcast();
    const [open, unopened] = [dispatcher.createSink(), dispatcher.createSink()];
    const own = context();
    await open.open?.(own);
    const error = new Error('enough');
    await dispatcher.abort(error);
    expect(own.failures).toEqual([error]);
    await open.close?.(error);
    await unopened.close?.(error);
    expect(own.failures).toEqual([error]);
    expect(dispatcher.snapshot().state).toBe('closed');
  });

  it('does not hold up the end of its dispatcher where nobody has opened it', async () => {
    const dispatcher = broadcast();
    const stuck = new GatedSink<number>('stuck');
    await dispatcher.subscribeSink(stuck);
    dispatcher.createSink();
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    const aborted = dispatcher.abort(new Error('enough'));
    await tick();
    await stuck.releaseAll();
    await time().run(aborted);
    await feed.close();
    expect(dispatcher.snapshot().state).toBe('closed');
  });

  it('that is given up before it is opened cannot be opened any more', async () => {
    const dispatcher = broadcast();
    const feed = dispatcher.createSink();
    await feed.close?.(new Error('given up'));
    expect(await rejection((async () => feed.open?.(context()))())).toMatchObject({
      code: 'SW_DISPATCHER_CLOSED',
    });
  });
});
