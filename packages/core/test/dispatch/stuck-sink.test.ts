/** A sink of a dispatcher that does not heed the abort: it is left behind, closed all the same, and named. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { WriteError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';
import { useVirtualClock } from '../clock.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';

const time = useVirtualClock();
useLeakCheck(time);

const CAUSE = new Error('enough');

/** Notes when it is closed; a method that hangs does so for ever, unless it is let go. */
class Stuck implements Sink<unknown> {
  readonly name: string;
  readonly hangs: 'write' | 'close' | 'open' | undefined;
  readonly closings: string[] = [];
  readonly #held: (() => void)[] = [];

  constructor(name: string, hangs?: 'write' | 'close' | 'open') {
    this.name = name;
    this.hangs = hangs;
  }

  open(): Promise<void> | void {
    return this.#answer('open');
  }

  write(): Promise<void> | void {
    return this.#answer('write');
  }

  close(reason?: unknown): Promise<void> | void {
    this.closings.push(`${reason === undefined ? 'close' : 'close: reason'} at ${time().elapsed}`);
    return this.#answer('close');
  }

  letGo(): void {
    for (const resolve of this.#held) resolve();
  }

  #answer(method: string): Promise<void> | undefined {
    return method === this.hangs ? new Promise((resolve) => this.#held.push(resolve)) : undefined;
  }
}

function build() {
  return new DispatchedPipelineBuilder<number>({ name: 'hub', logger: null });
}

/** Runs into it, aborts once everything stands, and answers what the run failed with. */
async function abort(sink: Sink<number>, source: Source<number>): Promise<{ suppressed: unknown[] }> {
  const pipeline = new ConcurrentPipeline(source, sink).commitEvery({ items: 1 }).closeMs(700);
  const run = rejection(pipeline.run());
  await time().settle();
  void pipeline.abort(CAUSE);
  return (await time().run(run)) as { suppressed: unknown[] };
}

describe('A dispatcher that is abandoned', () => {
  it('K8 K9 closes the others at once, the stuck one after closeMs, and names its write', async () => {
    const [stuck, other] = [new Stuck('stuck', 'write'), new Stuck('other')];
    const dispatcher = build().broadcast();
    await dispatcher.subscribeSink(stuck);
    await dispatcher.subscribeSink(other);
    const source = new CountingSource(10_000);
    const error = await abort(dispatcher.createSink(), source);
    expect(other.closings).toEqual(['close: reason at 0']);
    expect(stuck.closings).toEqual(['close: reason at 700']);
    expect(time().elapsed).toBe(700);
    expect(String(error.suppressed)).toContain("writing to 'stuck'");
    expect(dispatcher.sinks().map(({ state }) => state)).toEqual(['closed', 'closed']);
    stuck.letGo();
    await time().advance(5000);
    expect(source.commits).toEqual([]);
    expect(stuck.closings).toHaveLength(1);
  });

  it('K8 waits for a write that ends in time, and closes then', async () => {
    const stuck = new Stuck('slow', 'write');
    const dispatcher = build().demand();
    await dispatcher.subscribeSink(stuck);
    const ended = abort(dispatcher.createSink(), new CountingSource(10));
    await time().advance(600);
    expect(stuck.closings).toEqual([]);
    stuck.letGo();
    const error = await time().run(ended);
    expect(stuck.closings).toEqual(['close: reason at 600']);
    expect(error).toBe(CAUSE);
  });

  it('K8 has a patience of its own where no run feeds it, and for its feeds where it is aborted itself', async () => {
    const idle = build().broadcast();
    await idle.subscribeSink(new Stuck('never written to', 'write'));
    await time().run(idle.abort(CAUSE));
    expect(time().elapsed).toBe(0);

    const stuck = new Stuck('stuck', 'write');
    const dispatcher = build().broadcast();
    await dispatcher.subscribeSink(stuck);
    const pipeline = new ConcurrentPipeline(new CountingSource(10), dispatcher.createSink()).closeMs(300);
    const run = rejection(pipeline.run());
    await time().settle();
    await time().run(dispatcher.abort(CAUSE));
    expect(stuck.closings).toEqual(['close: reason at 300']);
    expect(String(((await time().run(run)) as { suppressed?: unknown[] }).suppressed)).toContain(
      "writing to 'stuck'",
    );
  });

  it('K8 closes one that is on its way out', async () => {
    const stuck = new Stuck('leaver', 'write');
    const dispatcher = build().broadcast();
    const subscription = await dispatcher.subscribeSink(stuck);
    const source = new CountingSource(10);
    const pipeline = new ConcurrentPipeline(source, dispatcher.createSink()).closeMs(700);
    const run = rejection(pipeline.run());
    await time().settle();
    const left = rejection(subscription.unsubscribe());
    await time().settle();
    void pipeline.abort(CAUSE);
    expect(await time().run(left)).toMatchObject({ code: 'SW_DISPATCHER_CLOSED' });
    await time().run(run);
    expect(stuck.closings).toEqual(['close: reason at 700']);
  });

  it('K8 closes one that was detached while another of its writes hangs', async () => {
    const letters = new Stuck('letters');
    const closings: string[] = [];
    let writes = 0;
    const sink: Sink<number> = {
      name: 'half stuck',
      batching: { maxItems: 1 },
      write: () => (++writes === 1 ? new Promise(() => {}) : Promise.reject(new Error('refused'))),
      close: (reason) => void closings.push(`${(reason as { code: string }).code} at ${time().elapsed}`),
    };
    const dispatcher = build().broadcast();
    await dispatcher.subscribeSink(sink, undefined, {
      maxConcurrency: 2,
      onError: 'detach',
      deadLetter: letters,
    });
    const error = await abort(dispatcher.createSink(), new CountingSource(10_000));
    expect(closings).toEqual(['SW_SINK_FAILED at 700']);
    expect(String(error.suppressed)).toContain("writing to 'half stuck'");
    expect(letters.closings).toEqual(['close: reason at 700']);
  });

  it('K8 closes the dead letter behind a close that hangs, which is named', async () => {
    const [stuck, letters] = [new Stuck('stuck', 'close'), new Stuck('letters')];
    const dispatcher = build().broadcast();
    await dispatcher.subscribeSink(stuck, undefined, { deadLetter: letters });
    const silent = { pull: () => new Promise<undefined>(() => {}) };
    const error = await abort(dispatcher.createSink(), silent);
    expect(stuck.closings).toEqual(['close: reason at 0']);
    expect(letters.closings).toEqual(['close: reason at 0']);
    // It gives up when its run does, with nothing that would go on after it.
    expect(time().elapsed).toBe(700);
    await time().advance(0);
    expect(String(error.suppressed)).toMatch(/closing the sink '(stuck|hub)'/);
  });

  it('K8 closes a nested one’s sink too, once its own patience is over, and names it to the run', async () => {
    const stuck = new Stuck('leaf', 'write');
    const leaf = build().partition(['all'], () => 'all', { key: (n) => n });
    await leaf.subscribeSink(stuck, 'all');
    const outer = build().broadcast();
    await outer.subscribeSink(leaf.createSink());
    const error = await abort(outer.createSink(), new CountingSource(10));
    expect(stuck.closings).toEqual(['close: reason at 700']);
    expect(String(error.suppressed)).toContain("writing to 'leaf'");
  });
});

describe.each(['a pipeline', 'a dispatcher'])('A dead letter of %s', (place) => {
  it('K8 K9 whose write hangs is closed after closeMs, and named', async () => {
    const letters = new Stuck('letters', 'write');
    const bad = new WriteError('bad', { failed: [0], retryable: false });
    const sink: Sink<number> = { name: 'refuses', write: () => Promise.reject(bad) };
    const source = new CountingSource(10);
    const pipeline = await (async () => {
      if (place === 'a pipeline') return new ConcurrentPipeline(source, sink).deadLetter(letters);
      const dispatcher = build().broadcast();
      await dispatcher.subscribeSink(sink, undefined, { deadLetter: letters });
      return new ConcurrentPipeline(source, dispatcher.createSink());
    })();
    const run = rejection(pipeline.closeMs(700).run());
    await time().settle();
    void pipeline.abort(CAUSE);
    const error = (await time().run(run)) as { suppressed: unknown[] };
    expect(letters.closings).toEqual(['close: reason at 700']);
    expect(String(error.suppressed)).toContain("writing to 'letters'");
    letters.letGo();
    await time().advance(5000);
    expect(source.commits).toEqual([]);
  });
});

describe('A sink without flush behind a dispatcher', () => {
  it('K7 is waited for as long as an abort of the run would wait', async () => {
    const run = async (closeMs: number): Promise<unknown> => {
      const dispatcher = build().broadcast();
      await dispatcher.subscribeSink({ write: () => ({ durable: time().sleep(3000) }) });
      const feed = dispatcher.createSink();
      return new ConcurrentPipeline(new CountingSource(10), feed).closeMs(closeMs).run();
    };
    expect(await time().run(rejection(run(2900)))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    await time().advance(100);
    expect(await time().run(run(3100))).toMatchObject({ written: 10 });
  });
});
