/** The middle of a dispatcher, driven by hand: its end, its flushes, what fails second, and what its errors say. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { StreamWeldError } from '../../src/errors.ts';
import { GivenUp } from '../../src/task/deadline-guard.ts';
import type { Sink } from '../../src/sink.ts';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, Recorder, rejection, tick } from './instruments.ts';

const time = useVirtualClock();
const ENOUGH = new Error('enough');
const never = (): Promise<void> => new Promise(() => {});

function build(lines: string[] = []) {
  const logger = { warn: (line: string) => void lines.push(line) };
  return new DispatchedPipelineBuilder<number>({ name: 'hub', logger, stallMs: 10, bufferSize: 3 });
}

function openFeed(dispatcher: { createSink(): Sink<number> }, closeMs: number): Sink<number> {
  const feed = dispatcher.createSink();
  void feed.open?.({ signal: new AbortController().signal, fail: () => {}, closeMs });
  return feed;
}

/** What an end was given up for, once the patience of nobody in particular is over. */
async function givenUp(ending: Promise<void>): Promise<GivenUp> {
  const error = rejection(ending);
  await time().advance(10_000);
  return (await error) as GivenUp;
}

describe('The end of a dispatcher', () => {
  it('waits as long as the longest of its runs, and keeps to that once it has begun', async () => {
    const dispatcher = build().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    expect(sink.context?.closeMs).toBe(2000);
    const [short, long, least] = [300, 900, 100].map((closeMs) => openFeed(dispatcher, closeMs));
    expect(sink.context?.closeMs).toBe(900);
    await least?.close?.();
    expect(sink.context?.closeMs).toBe(900);
    await dispatcher.abort(ENOUGH);
    await long?.close?.(ENOUGH);
    expect(sink.context?.closeMs).toBe(900);
    await short?.close?.(ENOUGH);
  });

  it('waits for ever for a close when it is good, and aborts nothing', async () => {
    const dispatcher = build().broadcast();
    const letters = new Recorder<object>();
    const sink = new Recorder<number>({ close: () => time().sleep(100_000) });
    await dispatcher.subscribeSink(sink, undefined, { deadLetter: letters });
    const feed = new HandFeed(dispatcher);
    const ended = feed.close();
    await time().advance(99_999);
    expect([sink.calls, letters.calls]).toEqual([['open', 'close'], ['open']]);
    await time().advance(1);
    await ended;
    expect([letters.calls, sink.context?.signal.aborted]).toEqual([['open', 'close'], false]);
  });

  it('gives up what hangs where it has failed, though its run ends well', async () => {
    const dispatcher = build().broadcast();
    const [hangs, fails] = [new GatedSink<number>('hangs'), new GatedSink<number>('fails')];
    for (const sink of [hangs, fails]) await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    await fails.fail(ENOUGH);
    expect((await givenUp(feed.close())).what).toBe("writing to 'hangs'");
  });

  it('gives up what hangs where its last run was aborted, though another ended well', async () => {
    const dispatcher = build().broadcast();
    await dispatcher.subscribeSink({ name: 'hangs', write: never });
    const [good, aborted] = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    await good.close();
    await aborted.write(1);
    expect((await givenUp(aborted.close(ENOUGH))).what).toBe("writing to 'hangs'");
  });

  it('names everybody who hangs, and holds what failed', async () => {
    const dispatcher = build().broadcast();
    const failure = new Error('below');
    const below = new GivenUp('something below', { error: failure });
    const letters = { name: 'letters', write: () => {}, close: never };
    await dispatcher.subscribeSink({ name: 'one', write: () => {}, close: never }, undefined, {
      deadLetter: letters,
    });
    await dispatcher.subscribeSink({ name: 'two', write: () => {}, close: () => Promise.reject(below) });
    const leaving = await dispatcher.subscribeSink({ name: 'three', write: () => {}, flush: never });
    void leaving.unsubscribe().catch(() => {});
    await tick();
    void dispatcher.subscribeSink({ name: 'four', write: () => {}, open: never });
    const { what, failure: held } = await givenUp(new HandFeed(dispatcher).close(ENOUGH));
    expect(what.split(', ')).toEqual([
      'something below',
      "closing the sink 'one'",
      "closing the dead-letter sink 'letters'",
      "opening sinks of 'hub'",
      "taking sinks out of 'hub'",
    ]);
    expect(held?.error).toBe(failure);
  });

  it('lets go of what waits before it closes', async () => {
    const dispatcher = build().broadcast();
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 2, 3);
    sink.close = never as () => void;
    const ended = feed.close(ENOUGH);
    await sink.release();
    expect(dispatcher.sinks()).toMatchObject([{ state: 'open', buffered: 0 }]);
    await givenUp(ended);
  });

  it('has every letter that waits written where it is good, and none more where it is abandoned', async () => {
    for (const [reason, count] of [
      [undefined, 3],
      [ENOUGH, 1],
    ] as const) {
      const dispatcher = build().broadcast();
      const [sink, deadLetter] = [new GatedSink<number>('bad', { maxItems: 1 }), new GatedSink<object>()];
      await dispatcher.subscribeSink(sink, undefined, { onError: 'detach', deadLetter });
      const feed = new HandFeed(dispatcher);
      await feed.write(1, 2, 3);
      await sink.fail(new Error('no'));
      expect(deadLetter.held).toHaveLength(1);
      const ended = feed.close(reason);
      await tick();
      await deadLetter.releaseAll();
      await ended;
      expect(deadLetter.items).toHaveLength(count);
    }
  });

  it('rejects a write that waits, with the reason or one of its own', async () => {
    const dispatcher = build().broadcast();
    const [good, bad] = [new HandFeed(dispatcher), new HandFeed(dispatcher)];
    const [one, two] = [await good.write(1), await bad.write(2)];
    await good.close();
    await bad.close(ENOUGH);
    await tick();
    expect(one.error).toMatchObject({ code: 'SW_DISPATCHER_CLOSED', stage: 'hub' });
    expect(two.error).toBe(ENOUGH);
  });
});

describe('A flush of a dispatcher', () => {
  it('ends when the dispatcher does, and makes durable nothing that is abandoned', async () => {
    const dispatcher = build().broadcast();
    const sink = new GatedSink<number>('slow');
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    const flush = feed.flush();
    await tick();
    const ended = feed.close(ENOUGH);
    await tick();
    expect([flush.isDone, flush.error]).toMatchObject([true, { code: 'SW_DISPATCHER_CLOSED' }]);
    await sink.release();
    await ended;
    expect(sink.calls).toEqual(['open', 'close: reason']);
  });

  it('fails with what a sink, or a dead letter that was given nothing, could not flush', async () => {
    const flush = (): void => {
      throw ENOUGH;
    };
    const failing = build().broadcast();
    await failing.subscribeSink(new Recorder<number>({ name: 'bad', flush }));
    const first = new HandFeed(failing).flush();
    await first.promise;
    expect(first.error).toMatchObject({ message: expect.stringContaining("'bad' failed to flush") });

    const lettered = build().broadcast();
    await lettered.subscribeSink(new Recorder<number>(), undefined, {
      deadLetter: new Recorder<object>({ flush }),
    });
    const second = new HandFeed(lettered).flush();
    await second.promise;
    expect(second.error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED' });
    await failing.abort();
    await lettered.abort();
  });
});

describe('What fails second', () => {
  it('is noted on what failed first, which the feeds hear once; an abort is no failure', async () => {
    const lines: string[] = [];
    const dispatcher = build(lines).broadcast();
    const [one, two] = [new GatedSink<number>('one'), new GatedSink<number>('two')];
    for (const sink of [one, two]) await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    await one.fail(new Error('first'));
    await time().advance(1000);
    expect(lines).toEqual([]);
    await two.fail(new Error('second'));
    await dispatcher.abort(ENOUGH);
    expect(feed.failures).toMatchObject([{ stage: 'one', suppressed: [{ stage: 'two' }] }]);
  });

  it('is noted on what the run ended with, if that came first', async () => {
    const dispatcher = build().broadcast();
    const sink = new GatedSink<number>('late');
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    const reason = new StreamWeldError('SW_ABORTED', 'enough');
    const ended = feed.close(reason);
    await sink.fail(new Error('late'));
    await ended;
    expect(reason.suppressed).toMatchObject([{ stage: 'late' }]);
  });

  it('changes nothing of a sink that is detached, whose status tells the first', async () => {
    const dispatcher = build().broadcast();
    const sink = new GatedSink<number>('bad', { maxItems: 1, concurrency: 2 });
    await dispatcher.subscribeSink(sink, undefined, { onError: 'detach', maxConcurrency: 2 });
    await new HandFeed(dispatcher).write(1, 2);
    const first = new Error('first');
    await sink.fail(first);
    await sink.fail(new Error('second'));
    expect(dispatcher.sinks()).toMatchObject([{ state: 'detached', error: { cause: first } }]);
    await dispatcher.abort();
  });

  it('changes nothing of one that failed by itself, and does so again', async () => {
    const dispatcher = build().broadcast();
    const sink = new Recorder<number>();
    const subscription = await dispatcher.subscribeSink(sink, undefined, { onError: 'detach' });
    const [first, second] = [new Error('first'), new Error('second')];
    sink.context?.fail(first);
    sink.context?.fail(second);
    expect(subscription.status).toMatchObject({ state: 'detached', error: { cause: first } });
    await dispatcher.abort();
  });

  it('does not hold a sink that is detached on its way out with another write outstanding', async () => {
    const dispatcher = build().broadcast();
    const sink = new GatedSink<number>('bad', { maxItems: 1, concurrency: 2 });
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      onError: 'detach',
      maxConcurrency: 2,
    });
    await new HandFeed(dispatcher).write(1, 2);
    const leaving = subscription.unsubscribe();
    await sink.fail(ENOUGH);
    expect(subscription.status.state).toBe('detached');
    await sink.release();
    await leaving;
    await dispatcher.abort();
  });

  it('is the key of an item that no sink is there for, and that can be had again', async () => {
    let calls = 0;
    const key = (item: number): number => {
      if (++calls === 1) throw ENOUGH;
      return item;
    };
    const dispatcher = build().partition(['all'], () => 'all', { key });
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    expect([dispatcher.snapshot().state, feed.failures.length]).toEqual(['failed', 1]);
    expect(String((feed.failures[0] as Error).message)).not.toContain('undefined');
    await dispatcher.abort();
  });
});

describe('What a dispatcher says', () => {
  it('names itself as the stage of its errors', async () => {
    const dispatcher = build().broadcast();
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    expect(await rejection(dispatcher.subscribeSink(sink))).toMatchObject({ stage: 'hub' });
    expect(await rejection(dispatcher.subscribeSink(dispatcher.createSink()))).toMatchObject({
      code: 'SW_SUBSCRIPTION_CYCLE',
      stage: 'hub',
    });
    await dispatcher.abort();
    expect(feed.failures).toMatchObject([{ code: 'SW_DISPATCHER_CLOSED', stage: 'hub' }]);
  });

  it('says what a sink failed to do', async () => {
    const dispatcher = build().broadcast();
    const open = (): void => {
      throw ENOUGH;
    };
    expect(await rejection(dispatcher.subscribeSink(new Recorder<number>({ open })))).toMatchObject({
      message: expect.stringContaining('failed to open'),
    });
    const early = new Recorder<number>({ open: ({ fail }) => fail(ENOUGH) });
    expect(await rejection(dispatcher.subscribeSink(early))).toMatchObject({
      message: expect.stringContaining('failed to open'),
    });
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    sink.context?.fail(ENOUGH);
    expect(feed.failures).toMatchObject([{ message: expect.stringContaining('failed to run') }]);
    await dispatcher.abort();
  });

  it('calls a sink without a name by what it is', async () => {
    const full = build().broadcast();
    await full.subscribeSink({ write: never }, undefined, { overflow: 'fail' });
    const feed = new HandFeed(full);
    await feed.write(1, 2, 3, 4);
    expect(feed.failures).toMatchObject([{ message: expect.stringContaining("of 'sink' holds") }]);
    const routed = build().partition(['a'], () => 'b' as 'a', { onUnknown: { write: () => {} } });
    await new HandFeed(routed).write(1);
    expect(routed.sinks()).toMatchObject([{ name: 'unknown' }]);
    await full.abort();
    await routed.abort();
  });

  it('lists ten partitions, and counts the others', async () => {
    const list = async (count: number): Promise<unknown> =>
      rejection(
        build()
          .partition(count, () => 0)
          .subscribeSink(new Recorder<number>(), undefined as never),
      );
    expect(await list(10)).toMatchObject({ message: expect.stringMatching(/ 7, 8, 9\.$/) });
    expect(await list(12)).toMatchObject({ message: expect.stringMatching(/ 7, 8, 9 and 2 more\.$/) });
  });

  it('no longer speaks of who is waited for once it has failed', async () => {
    const lines: string[] = [];
    const dispatcher = build(lines).partition(['a', 'b'], () => 'a');
    const failing = new Recorder<number>();
    await dispatcher.subscribeSink(failing, 'b');
    await new HandFeed(dispatcher).write(1, 2, 3, 4);
    failing.context?.fail(ENOUGH);
    await time().advance(1000);
    expect([lines, time().activeTimers]).toEqual([[], 0]);
    await dispatcher.abort();
  });

  it('speaks of a partition only while somebody waits for it', async () => {
    const lines: string[] = [];
    const dispatcher = build(lines).partition(2, () => 0);
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    await time().advance(1000);
    expect([lines, time().activeTimers]).toEqual([[], 0]);
    const flush = feed.flush();
    await time().advance(10);
    expect(lines).toHaveLength(1);
    await dispatcher.abort();
    await flush.promise;
  });
});

describe('A dead-letter sink that fails by itself', () => {
  it('fails the run, and is given a signal', async () => {
    const dispatcher = build().broadcast();
    const letters = new Recorder<object>();
    await dispatcher.subscribeSink(new Recorder<number>(), undefined, { deadLetter: letters });
    expect(letters.context?.signal.aborted).toBe(false);
    const feed = new HandFeed(dispatcher);
    letters.context?.fail(ENOUGH);
    expect(feed.failures).toMatchObject([{ code: 'SW_DEAD_LETTER_FAILED', cause: ENOUGH }]);
    await dispatcher.abort();
    expect(letters.context?.signal.aborted).toBe(true);
  });
});

describe('A sink that keeps positions and has no name', () => {
  it('keeps them under that of a sink', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null, checkpoint: 'job' }).broadcast();
    let checkpoint: string | undefined;
    await dispatcher.subscribeSink({
      keepsPositions: true,
      positions: () => new Map(),
      open: (context) => {
        checkpoint = context.checkpoint;
      },
      write: () => {},
    });
    expect(checkpoint).toBe('job/sink');
    await dispatcher.abort();
  });
});

describe('Several seats of a keyed partition', () => {
  it('are flushed once, and wait as long as the one that waits least', async () => {
    const dispatcher = build().partition(['all'], () => 'all', { key: (item) => item });
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    const subscription = await dispatcher.subscribeSink(sink, 'all', { maxConcurrency: 2 });
    const feed = new HandFeed(dispatcher);
    await feed.write(1);
    await time().advance(100);
    expect(subscription.status.waitedMs).toBe(0);
    await sink.release();
    const flush = feed.flush();
    await flush.promise;
    expect(sink.calls).toEqual(['open', 'flush']);
    await feed.close();
  });
});

describe('Subscribing', () => {
  it('fits a newcomer to the feeds that are there, and asks no sink where it stands', async () => {
    const dispatcher = build().broadcast();
    const feed = new HandFeed(dispatcher, 2);
    let asked = 0;
    const sink = Object.assign(new Recorder<number>(), { positions: () => new Map([[`${++asked}`, 1]]) });
    await dispatcher.subscribeSink(sink);
    await feed.write(1, 2, 3);
    expect([sink.batches.map(({ length }) => length), asked]).toEqual([[2, 1], 0]);
    await dispatcher.abort();
  });

  it('takes a dispatcher that feeds a third one', async () => {
    const [root, middle, leaf] = [build().broadcast(), build().broadcast(), build().broadcast()];
    await middle.subscribeSink(leaf.createSink());
    expect((await root.subscribeSink(middle.createSink())).status.state).toBe('open');
    await root.abort();
  });

  it('keeps items without positions from sinks that keep them', async () => {
    for (const positions of [undefined, new Map([['a', 1]])]) {
      const dispatcher = new DispatchedPipelineBuilder<number>({
        name: 'all',
        logger: null,
        checkpoint: 'job',
      }).broadcast();
      const keeping = { keepsPositions: true, positions: () => new Map(), name: 'keeper' } as const;
      await dispatcher.subscribeSink(Object.assign(keeping, { write: () => {} }));
      const feed = dispatcher.createSink();
      const failures: unknown[] = [];
      const { signal } = new AbortController();
      const context = { signal, checkpoint: 'job', comparePositions: () => 0 };
      await feed.open?.({ ...context, fail: (error) => failures.push(error) });
      const receipt = { retain: () => {}, settle: () => {}, fail: () => {} };
      const write = async () => feed.write([1], { signal, attempt: 1, defer: () => receipt, positions });
      expect(await rejection(write())).toMatchObject({
        code: 'SW_EXACTLY_ONCE_IMPOSSIBLE',
        message: expect.stringContaining('without the positions'),
        stage: 'all',
      });
      expect([failures.length, dispatcher.snapshot().state]).toEqual([1, 'failed']);
      await dispatcher.abort();
    }
  });
});
