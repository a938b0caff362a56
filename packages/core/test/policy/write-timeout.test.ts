import { describe, expect, it } from 'vitest';
import { StreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { ControlledSink, CountingSource, rejection } from '../controlled.ts';
import { listenersOf, useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { LetterSink, outage, ScriptedSink } from './instruments.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

function pipeline(sink: ScriptedSink<number> | ControlledSink<number>, source = new CountingSource(8)) {
  return new ConcurrentPipeline(source, sink)
    .bufferSize(8)
    .retry({ attempts: 2, jitter: 0, backoff: { firstMs: 10 } })
    .writeTimeout(100);
}

describe('ConcurrentPipeline.writeTimeout', () => {
  it('gives a write up that takes longer, and tries it again', async () => {
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: () => (sink.writes.length === 1 ? time().sleep(1000) : time().sleep(99)),
    });
    const report = await time().run(pipeline(sink).run());
    expect(sink.writes.map(({ at, attempt }) => [at, attempt])).toEqual([
      [0, 1],
      [110, 2],
      [209, 1],
    ]);
    expect(report).toMatchObject({ written: 8, timedOut: 1, retried: 1, batches: 2 });
    await time().advance(1000);
  });

  it.each(['resolves', 'rejects'])('ignores how it ends, when it %s late', async (how) => {
    const sink = new ControlledSink<number>();
    const source = new CountingSource(4);
    const pipe = pipeline(sink, source).commitEvery({ items: 1 });
    const run = pipe.run();
    await time().advance(150);
    expect(sink.writes.length).toBe(2);
    if (how === 'resolves') sink.writes[0]?.accept();
    else sink.writes[0]?.fail(new Error('late'));
    await time().advance(1);
    expect([pipe.report.written, source.committed]).toEqual([0, 0]);
    sink.writes[1]?.accept();
    const report = await time().run(run);
    expect(report).toMatchObject({ written: 4, batches: 1, timedOut: 1 });
    expect(source.committed).toBe(4);
  });

  it('fails the run when the attempts are used up, and sends nothing to the dead letter', async () => {
    const sink = new ControlledSink<number>();
    const letters = new LetterSink();
    const pipe = pipeline(sink).deadLetter(letters).closeMs(500);
    const error = await time().run(rejection(pipe.run()));
    expect(error).toMatchObject({ code: 'SW_WRITE_TIMEOUT', stage: 'controlled sink' });
    expect([sink.writes.length, letters.writes.length, time().elapsed]).toEqual([2, 0, 210]);
  });

  it('K9 tells the sink by the signal of that write alone', async () => {
    const signals: AbortSignal[] = [];
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: ({ context }) => {
        signals.push(context.signal);
        return sink.writes.length === 1 ? time().sleep(1000) : undefined;
      },
    });
    await time().run(pipeline(sink).run());
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
    expect(signals[0]?.reason).toMatchObject({ code: 'SW_WRITE_TIMEOUT' });
    expect(sink.context?.signal.aborted).toBe(false);
    await time().advance(1000);
  });

  it('K9 lets the signal hear the abort of the run, and keeps no listener', async () => {
    const signals: AbortSignal[] = [];
    let signal: AbortSignal | undefined;
    let most = 0;
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: ({ context }) => {
        signals.push(context.signal);
        signal = sink.context?.signal;
        if (signal !== undefined) most = Math.max(most, listenersOf(signal));
        return time().sleep(50);
      },
    });
    const controller = leaks.controller();
    const pipe = pipeline(sink, new CountingSource(1000));
    const run = rejection(pipe.run({ signal: controller.signal }));
    await time().advance(5020);
    expect(signals.length).toBeGreaterThan(90);
    expect(most).toBe(1);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(signals.at(-1)?.reason).toBe(reason);
    expect(signals.at(-2)?.aborted).toBe(false);
    await time().run(run);
    expect(listenersOf(signal as AbortSignal)).toBe(0);
  });

  it('keeps the signal on the run until what was accepted is durable', async () => {
    const signals: AbortSignal[] = [];
    const sink = new ScriptedSink<number>({
      write: ({ context }) => {
        signals.push(context.signal);
        return Promise.resolve({ durable: new Promise<void>(() => {}) });
      },
    });
    const pipe = pipeline(sink, new CountingSource(1_000_000));
    const run = rejection(pipe.run());
    await time().advance(0);
    await time().run(pipe.abort(new Error('enough')));
    await time().run(run);
    expect(signals[0]?.aborted).toBe(true);
  });

  it('does not measure a sink that answers at once', async () => {
    const sink = new ScriptedSink<number>();
    await time().run(new ConcurrentPipeline([1, 2, 3], sink).writeTimeout(100).run());
    expect(time().timersSet).toBe(0);
  });

  it('does not give up what an abort waits for, and leaves no timer', async () => {
    const sink = new ControlledSink<number>();
    const pipe = pipeline(sink).writeTimeout(5000).closeMs(300);
    const run = rejection(pipe.run());
    await time().advance(10);
    await time().run(pipe.abort());
    const error = (await time().run(run)) as StreamWeldError;
    expect(error.suppressed).toMatchObject([{ code: 'SW_PIPELINE_ABORTED' }]);
    expect(time().elapsed).toBe(310);
  });

  it('ends a write that was taken into the sink’s own hands, which is not repeated', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ context }) => {
        context.defer();
        return new Promise<void>(() => {});
      },
    });
    const source = new CountingSource(8);
    const error = await time().run(rejection(pipeline(sink, source).run()));
    expect(error).toMatchObject({ code: 'SW_WRITE_TIMEOUT' });
    expect([sink.writes.length, source.committed]).toEqual([1, 0]);
  });

  it('gives nothing into the hands of a write that was given up', async () => {
    const source = new CountingSource(4);
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: async ({ context }) => {
        if (sink.writes.length > 1) return;
        await time().sleep(200);
        const receipt = context.defer();
        receipt.retain(1);
        receipt.settle();
        receipt.fail(outage());
      },
    });
    const run = pipeline(sink, source).run();
    const report = await time().run(run);
    await time().advance(500);
    expect([report.written, source.committed]).toEqual([4, 4]);
  });

  it('counts as one that failed for the others that wait: order is kept', async () => {
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: () => (sink.writes.length % 3 === 1 ? new Promise<void>(() => {}) : undefined),
    });
    await time().run(pipeline(sink, new CountingSource(40)).run());
    expect(sink.items).toEqual(Array.from({ length: 40 }, (_, item) => item));
  });

  it('[exactly once] fails the run: no other write of the same may begin beside it', async () => {
    const sink = Object.assign(new ControlledSink<number>(), {
      keepsPositions: true,
      positions: () => new Map<string, unknown>(),
    });
    const store = { load: () => undefined, save: () => {} };
    const pipe = pipeline(sink).checkpoint(store, 'x').closeMs(500);
    const error = await time().run(rejection(pipe.run()));
    expect(error).toMatchObject({ code: 'SW_WRITE_TIMEOUT' });
    expect(sink.writes.length).toBe(1);
  });

  it.each([0, -1, Number.NaN, '5', undefined])('refuses %j at once', (ms) => {
    const pipe = new ConcurrentPipeline([1], () => {});
    expect(() => pipe.writeTimeout(ms as never)).toThrow(/^writeTimeout /);
  });
});
