/** The states of a run, and what pause, resume, drain and abort do in each. */

import { describe, expect, it, vi } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { StreamWeldError } from '../../src/errors.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { RunReport } from '../../src/pipeline/report.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';
import { ControlledSink, ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { listenersOf, useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

/** Starts a run and looks after its promise, so that a rejection waits for whoever asks. */
function start(pipeline: ConcurrentPipeline<never> | ConcurrentPipeline<number>, signal?: AbortSignal) {
  const run = pipeline.run(signal === undefined ? {} : { signal });
  run.catch(() => {});
  return run;
}

/** A pipeline between a source and a sink that are moved by hand. */
function controlled(sinkConcurrency?: number) {
  const source = new ControlledSource<number>();
  const sink = new ControlledSink<number>(sinkConcurrency);
  return { source, sink, pipeline: new ConcurrentPipeline<number>(source, sink).bufferSize(100) };
}

describe('ConcurrentPipeline.run', () => {
  it('S1 S10 K1 K8 goes through its states in order, and calls everybody once, in order', async () => {
    const log: string[] = [];
    const note = (what: string): void => void log.push(`${what} ${pipeline.state}`);
    const source: Source<number, number> = {
      name: 'numbers',
      open: () => note('source.open'),
      pull: vi
        .fn()
        .mockReturnValueOnce({ items: [1, 2], position: 2 })
        .mockReturnValue(undefined),
      commit: (positions) => note(`commit ${String(positions.get(''))}`),
      close: (reason) => note(`source.close(${String(reason)})`),
    };
    const sink: Sink<number> = {
      open: () => note('sink.open'),
      write: (batch) => note(`write ${batch.join()}`),
      flush: () => note('flush'),
      close: (reason) => note(`sink.close(${String(reason)})`),
    };
    const pipeline = new ConcurrentPipeline(source, sink);
    expect(pipeline.state).toBe('idle');
    const report = await time().run(pipeline.run());
    expect(pipeline.state).toBe('done');
    expect(log).toEqual([
      'sink.open opening',
      'source.open opening',
      'write 1,2 running',
      'flush draining',
      'commit 2 closing',
      'sink.close(undefined) closing',
      'source.close(undefined) closing',
    ]);
    expect(report).toEqual({
      outcome: 'completed',
      read: 2,
      written: 2,
      dropped: 0,
      deadLettered: 0,
      retried: 0,
      timedOut: 0,
      batches: 1,
      highWaterMark: 2,
      durationMs: 0,
      positions: new Map([['', 2]]),
    });
    expect(pipeline.report).toEqual(report);
  });

  it('runs once', async () => {
    const pipeline = new ConcurrentPipeline([1], () => {});
    await time().run(pipeline.run());
    expect(await rejection(pipeline.run())).toMatchObject({
      code: 'SW_PIPELINE_STARTED',
      message: expect.stringMatching(/Make a new one/),
    });
  });

  it('does not settle before every resource is closed', async () => {
    const closed: string[] = [];
    const source: Source<number> = {
      pull: () => undefined,
      close: () =>
        time()
          .sleep(30)
          .then(() => void closed.push('source')),
    };
    const sink: Sink<number> = {
      write: () => {},
      close: () =>
        time()
          .sleep(20)
          .then(() => void closed.push('sink')),
    };
    await time().run(new ConcurrentPipeline(source, sink).run());
    expect(closed).toEqual(['sink', 'source']);
    expect(time().elapsed).toBe(50);
  });

  it('ends well with a source that has nothing', async () => {
    const sink = new ControlledSink<number>();
    expect(await time().run(new ConcurrentPipeline<number>([], sink).run())).toMatchObject({
      read: 0,
      batches: 0,
    });
    expect(sink.calls).toEqual(['open', 'flush', 'close']);
  });
});

describe('ConcurrentPipeline, the signal of the user', () => {
  it('carries exactly one listener during a run, and none after', async () => {
    const controller = leaks.controller();
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline, controller.signal);
    await time().settle();
    expect(listenersOf(controller.signal)).toBe(1);
    source.lastPull.answer([1, 2, 3]);
    await time().settle();
    expect(listenersOf(controller.signal)).toBe(1);
    sink.writes[0]?.accept();
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(listenersOf(controller.signal)).toBe(0);
  });

  it('carries one listener for a hundred runs at once', async () => {
    const controller = leaks.controller();
    const all = Array.from({ length: 100 }, () => controlled());
    const runs = all.map(({ pipeline }) => start(pipeline, controller.signal));
    await time().settle();
    expect(listenersOf(controller.signal)).toBe(1);
    controller.abort();
    for (const run of runs) expect(await time().run(rejection(run))).toBe(controller.signal.reason);
  });

  it('opens nothing when it is aborted already', async () => {
    const reason = new Error('before it began');
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = new ConcurrentPipeline(source, sink).run({ signal: AbortSignal.abort(reason) });
    expect(await rejection(run)).toBe(reason);
    expect([source.calls, sink.calls]).toEqual([[], []]);
  });

  it('rejects the run with its very reason, or one of ours around what is no error', async () => {
    for (const reason of [new Error('mine'), new DOMException('Stop', 'AbortError')]) {
      const { pipeline } = controlled();
      const controller = leaks.controller();
      const run = start(pipeline, controller.signal);
      controller.abort(reason);
      expect(await time().run(rejection(run))).toBe(reason);
    }
    for (const reason of ['a string', 7, null, Object.freeze({ frozen: true })]) {
      const { pipeline } = controlled();
      const controller = leaks.controller();
      const run = start(pipeline, controller.signal);
      controller.abort(reason);
      expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_PIPELINE_ABORTED', cause: reason });
    }
  });

  it('is refused when it is none', async () => {
    const error = await rejection(new ConcurrentPipeline([1], () => {}).run({ signal: 5 as never }));
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', option: 'run.signal' });
    expect(await rejection(new ConcurrentPipeline([1], () => {}).run({ sginal: 1 } as never))).toMatchObject({
      option: 'run.sginal',
    });
  });
});

describe('ConcurrentPipeline.pause', () => {
  it('lets what is in flight finish, and begins nothing new until resume', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer([1, 2]);
    await time().settle();
    expect(sink.writes).toHaveLength(1);
    let isPaused = false;
    void pipeline.pause().then(() => (isPaused = true));
    expect(pipeline.state).toBe('paused');
    source.lastPull.answer([3, 4]);
    await time().settle();
    expect(isPaused).toBe(false);
    sink.writes[0]?.accept();
    await time().settle();
    expect(isPaused).toBe(true);
    const pulls = source.pulls.length;
    await time().advance(60_000);
    expect(sink.writes).toHaveLength(1);
    expect(source.pulls).toHaveLength(pulls);
    pipeline.resume();
    expect(pipeline.state).toBe('running');
    await time().settle();
    expect(sink.writes[1]?.batch).toEqual([3, 4]);
    sink.writes[1]?.accept();
    source.lastPull.answer(undefined);
    expect(await time().run(run)).toMatchObject({ written: 4, outcome: 'completed' });
    expect(source.breaches).toEqual([]);
  });

  it('holds from the start when it is called while opening', async () => {
    const source = new CountingSource(10);
    let opened = (): void => {};
    const sink: Sink<number> = { open: () => new Promise((resolve) => (opened = resolve)), write: () => {} };
    const pipeline = new ConcurrentPipeline(source, sink);
    const run = start(pipeline);
    await pipeline.pause();
    expect(pipeline.state).toBe('opening');
    opened();
    await time().settle();
    expect(pipeline.state).toBe('paused');
    expect(source.handedOut).toBe(0);
    pipeline.resume();
    expect(await time().run(run)).toMatchObject({ written: 10 });
  });

  it('while opening is taken back by a resume', async () => {
    let opened = (): void => {};
    const sink: Sink<number> = { open: () => new Promise((resolve) => (opened = resolve)), write: () => {} };
    const pipeline = new ConcurrentPipeline([1, 2], sink);
    const run = start(pipeline);
    void pipeline.pause();
    pipeline.resume();
    opened();
    expect(await time().run(run)).toMatchObject({ written: 2 });
  });

  it('is overridden by a drain', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    sink.writes[0]?.accept();
    void pipeline.pause();
    source.lastPull.answer([2, 3]);
    await time().settle();
    expect(sink.writes).toHaveLength(1);
    void pipeline.drain();
    await time().settle();
    expect(sink.writes[1]?.batch).toEqual([2, 3]);
    sink.writes[1]?.accept();
    expect(await time().run(run)).toMatchObject({ outcome: 'drained', written: 3 });
    await pipeline.pause();
    pipeline.resume();
    expect(pipeline.state).toBe('done');
  });

  it('and resume do nothing to a run that is draining or has ended', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    void pipeline.drain();
    void pipeline.pause();
    expect(pipeline.state).toBe('draining');
    pipeline.resume();
    expect(pipeline.state).toBe('draining');
    sink.writes[0]?.accept();
    await time().run(run);
  });

  it('from within a write and a pull holds at once', async () => {
    const source = new CountingSource(100);
    let writes = 0;
    const pipeline: ConcurrentPipeline<number> = new ConcurrentPipeline<number>(source, () => {
      writes += 1;
      if (writes === 1) void pipeline.pause();
    }).bufferSize(10);
    const run = start(pipeline);
    await time().settle();
    expect([pipeline.state, writes]).toEqual(['paused', 1]);
    pipeline.resume();
    expect(await time().run(run)).toMatchObject({ written: 100 });
  });
});

describe('ConcurrentPipeline.drain', () => {
  it('S9 K7 K8 stops the source, writes what it handed out, flushes, commits, closes the sink, then the source', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer({ items: [1, 2, 3], position: 3 });
    await time().settle();
    const drained = pipeline.drain();
    expect(pipeline.state).toBe('draining');
    await time().settle();
    expect(source.calls).toEqual(['open', 'pull', 'pull', 'stop']);
    sink.writes[0]?.accept();
    const report = await time().run(drained);
    expect(report).toMatchObject({ outcome: 'drained', read: 3, written: 3, positions: new Map([['', 3]]) });
    expect(await run).toBe(report);
    expect(sink.calls).toEqual(['open', 'write', 'flush', 'close']);
    expect(source.calls).toEqual(['open', 'pull', 'pull', 'stop', 'commit', 'close']);
    expect(source.commits).toEqual([new Map([['', 3]])]);
    expect([source.closedWith, sink.closedWith]).toEqual([[undefined], [undefined]]);
  });

  it('[fault 14] twice answers the first promise', async () => {
    const pipeline = new ConcurrentPipeline(range(0, 1000), () => time().sleep(1));
    const run = start(pipeline);
    await time().advance(1);
    const first = pipeline.drain();
    expect(pipeline.drain({ deadlineMs: 1 })).toBe(first);
    expect(await time().run(first)).toMatchObject({ outcome: 'drained' });
    await run;
    expect(pipeline.drain()).toBe(first);
  });

  it('[fault 14] during opening opens, delivers nothing, and closes', async () => {
    const source = new CountingSource(100);
    let opened = (): void => {};
    const sink: Sink<number> = { open: () => new Promise((resolve) => (opened = resolve)), write: vi.fn() };
    const pipeline = new ConcurrentPipeline(source, sink);
    const run = start(pipeline);
    const drained = pipeline.drain();
    await time().settle();
    expect(pipeline.state).toBe('opening');
    opened();
    expect(await time().run(drained)).toMatchObject({ outcome: 'drained', read: 0 });
    await run;
    expect(sink.write).not.toHaveBeenCalled();
    expect([source.stopped, source.closedWith]).toEqual([1, [undefined]]);
  });

  it.each(['write', 'map', 'pull', 'sink.open', 'source.open', 'commit', 'flush', 'close'] as const)(
    '[fault 14] from within %s does not deadlock',
    async (where) => {
      let drained: Promise<RunReport> | undefined;
      const here = (place: string): void => {
        if (place === where && drained === undefined) drained = pipeline.drain();
      };
      const numbers = new CountingSource(1000);
      const source: Source<number, number> = {
        open: () => here('source.open'),
        pull: (demand) => {
          here('pull');
          return numbers.pull(demand);
        },
        commit: (positions) => {
          here('commit');
          numbers.commit(positions as Map<string, number>);
        },
      };
      const flow = from(source).map((n) => {
        here('map');
        return n;
      });
      let written = 0;
      const pipeline: ConcurrentPipeline<number> = new ConcurrentPipeline<number>(flow, {
        open: () => here('sink.open'),
        write: (batch: readonly number[]) => {
          here('write');
          written += batch.length;
        },
        flush: () => here('flush'),
        close: () => here('close'),
      });
      const report = await time().run(start(pipeline.bufferSize(10).commitEvery({ items: 20 })));
      expect(report.written).toBe(written);
      expect(report.read).toBe(written);
      expect(await drained).toBe(report);
      expect(numbers.committed).toBe(written);
    },
  );

  it('[fault 9] past its deadline aborts, and names what is stuck', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline.closeMs(500));
    await time().settle();
    source.lastPull.answer([1, 2, 3]);
    await time().settle();
    source.lastPull.answer([4, 5]);
    await time().settle();
    const drained = rejection(pipeline.drain({ deadlineMs: 1000 }));
    const error = await time().run(drained);
    expect(error).toMatchObject({
      code: 'SW_DRAIN_TIMEOUT',
      stage: 'controlled sink',
      message: expect.stringMatching(/2 items in the buffer and 3 being written to 'controlled sink'/),
    });
    expect((error as StreamWeldError).suppressed).toEqual([
      expect.objectContaining({ message: expect.stringContaining("writing to 'controlled sink'") }),
    ]);
    expect(time().elapsed).toBe(1500);
    expect(sink.writes[0]?.context.signal.aborted).toBe(true);
    expect(await rejection(run)).toBe(error);
    expect([sink.closedWith, source.closedWith]).toEqual([[error], [error]]);
  });

  it('[fault 9] names a pull that is not answered', async () => {
    const source: Source<number> = { name: 'silent', pull: () => new Promise(() => {}) };
    const pipeline = new ConcurrentPipeline(source, () => {});
    const run = start(pipeline);
    await time().settle();
    expect(await time().run(rejection(pipeline.drain({ deadlineMs: 10 })))).toMatchObject({
      code: 'SW_DRAIN_TIMEOUT',
      message: expect.stringMatching(/a pull unanswered/),
    });
    await rejection(run);
  });

  it.each(['flush', 'commit', 'sink.close', 'source.close', 'stop'] as const)(
    '[fault 9] holds its deadline against a %s that never ends',
    async (where) => {
      const never = new Promise<void>(() => {});
      const at = (place: string): Promise<void> | undefined => (place === where ? never : undefined);
      const numbers = new CountingSource(10, { size: () => 1, wait: () => time().sleep(1) });
      const source: Source<number, number> = {
        pull: (demand) => numbers.pull(demand),
        stop: () => at('stop'),
        commit: () => at('commit'),
        close: () => at('source.close'),
      };
      const sink: Sink<number> = {
        name: 'sticky',
        write: () => {},
        flush: () => at('flush'),
        close: () => at('sink.close'),
      };
      const pipeline = new ConcurrentPipeline(source, sink).closeMs(100);
      const run = start(pipeline);
      await time().advance(3);
      const drained = pipeline.drain({ deadlineMs: 1000 });
      if (where === 'stop') {
        // Nothing waits for the answer of a stop.
        expect(await time().run(drained)).toMatchObject({ outcome: 'drained' });
      } else {
        const error = await time().run(rejection(drained));
        expect(error).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
        expect(time().elapsed).toBeLessThanOrEqual(3 + 1000 + 200);
        expect(String((error as StreamWeldError).suppressed)).toContain('did not heed the abort');
      }
      await run.catch(() => {});
      expect(pipeline.state).toBe('done');
    },
  );

  it('settles as the run does when the run fails', async () => {
    const { source, sink, pipeline } = controlled();
    void start(pipeline);
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    const drained = rejection(pipeline.drain());
    const cause = new Error('write');
    sink.writes[0]?.fail(cause);
    expect(await time().run(drained)).toMatchObject({ code: 'SW_SINK_FAILED', cause });
  });

  it('needs a pipeline that runs, and a deadline that is one', async () => {
    const pipeline = new ConcurrentPipeline([1], () => {});
    expect(() => pipeline.drain()).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_IDLE' }));
    expect(() => pipeline.drain({ deadlineMs: -1 })).toThrow(
      expect.objectContaining({ option: 'drain.deadlineMs' }),
    );
    expect(() => pipeline.drain({ deadline: 5 } as never)).toThrow(
      expect.objectContaining({ option: 'drain.deadline' }),
    );
    for (const call of ['pause', 'resume', 'abort', 'lanes'] as const) {
      expect(() => pipeline[call]()).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_IDLE' }));
    }
    expect(() => pipeline.report).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_IDLE' }));
    await pipeline[Symbol.asyncDispose]();
    expect(pipeline.state).toBe('idle');
  });
});

describe('ConcurrentPipeline.abort', () => {
  it('discards the buffer, waits for what is outstanding, commits what is settled, and closes with the reason', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer({ items: [1, 2], position: 2 });
    await time().settle();
    source.lastPull.answer({ items: [3, 4], position: 4 });
    await time().settle();
    const reason = new Error('enough');
    let hasEnded = false;
    void pipeline.abort(reason).then(() => (hasEnded = true));
    expect(pipeline.state).toBe('aborting');
    expect(sink.writes[0]?.context.signal.reason).toBe(reason);
    await time().settle();
    expect(hasEnded).toBe(false);
    sink.writes[0]?.accept();
    expect(await time().run(rejection(run))).toBe(reason);
    expect(hasEnded).toBe(true);
    expect(time().elapsed).toBe(0);
    expect(sink.writes).toHaveLength(1);
    expect(source.commits).toEqual([new Map([['', 2]])]);
    expect([sink.closedWith, source.closedWith]).toEqual([[reason], [reason]]);
    expect(pipeline.report).toMatchObject({ read: 4, written: 2 });
  });

  it('[fault 14] twice answers the first promise, and the first reason counts', async () => {
    const { pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    const first = pipeline.abort(new Error('first'));
    expect(pipeline.abort(new Error('second'))).toBe(first);
    await time().run(first);
    expect(await rejection(run)).toMatchObject({ message: 'first' });
    expect(pipeline.abort()).toBe(first);
  });

  it('never rejects, and resolves at once for a run that has ended', async () => {
    const pipeline = new ConcurrentPipeline([1], () => {});
    await time().run(pipeline.run());
    await pipeline.abort();
    expect(pipeline.state).toBe('done');
  });

  it('K9 [fault 10] is not held by a write that ignores it: it is named, and its late result changes nothing', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline.closeMs(300));
    await time().settle();
    source.lastPull.answer({ items: [1, 2], position: 2 });
    await time().settle();
    const aborted = pipeline.abort();
    await time().run(aborted);
    expect(time().elapsed).toBe(300);
    const error = (await rejection(run)) as StreamWeldError;
    expect(error.suppressed).toEqual([
      expect.objectContaining({
        code: 'SW_PIPELINE_ABORTED',
        message: expect.stringContaining("writing to 'controlled sink'"),
      }),
    ]);
    const before = pipeline.report;
    sink.writes[0]?.accept();
    await time().settle();
    expect(source.commits).toEqual([]);
    expect(before.written).toBe(0);
    expect(sink.calls).toEqual(['open', 'write', 'close']);
  });

  it('[fault 10] names what is stuck also where the reason is an error of the user', async () => {
    const { source, pipeline } = controlled();
    const run = start(pipeline.closeMs(300));
    await time().settle();
    source.lastPull.answer([1, 2]);
    await time().settle();
    const reason = new Error('mine');
    await time().run(pipeline.abort(reason));
    const error = (await rejection(run)) as StreamWeldError;
    const causes = [error, error.cause];
    expect(causes).toContain(reason);
    expect(String(error.suppressed)).toContain("writing to 'controlled sink'");
  });

  it('[fault 10] gives each closing its chance, and is bounded when all of them hang', async () => {
    const never = new Promise<void>(() => {});
    const closed: string[] = [];
    const source: Source<number, number> = {
      name: 'stuck source',
      pull: () => new Promise(() => {}),
      close: () => {
        closed.push('source');
        return never;
      },
    };
    const sink: Sink<number> = {
      name: 'stuck sink',
      write: () => {},
      close: () => {
        closed.push('sink');
        return never;
      },
    };
    const pipeline = new ConcurrentPipeline(source, sink).closeMs(100);
    const run = start(pipeline);
    await time().settle();
    await time().run(pipeline.abort());
    expect(closed).toEqual(['sink', 'source']);
    expect(time().elapsed).toBeLessThanOrEqual(200);
    const { suppressed } = (await rejection(run)) as StreamWeldError;
    expect(String(suppressed)).toContain("closing the sink 'stuck sink'");
    expect(String(suppressed)).toContain("closing 'stuck source'");
  });

  it('S11 discards the late answer of a pull, which stays unacknowledged, and calls no function with it', async () => {
    const source = new ControlledSource<number>();
    const mapped = vi.fn((n: number) => n);
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(from(source).map(mapped), sink);
    const run = start(pipeline);
    await time().settle();
    await time().run(pipeline.abort());
    await rejection(run);
    source.lastPull.answer({ items: [1], position: 1 });
    await time().settle();
    expect(mapped).not.toHaveBeenCalled();
    expect(sink.writes).toEqual([]);
    expect(source.commits).toEqual([]);
    expect(source.breaches).toEqual([]);
    expect(pipeline.report.read).toBe(0);
  });

  it('S11 hears nothing of a pull that answers while a write is still waited for, and keeps nothing in the buffer', async () => {
    const source = new ControlledSource<number>();
    const mapped = vi.fn((n: number) => n);
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(from(source).map(mapped), sink);
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer([1, 2]);
    await time().settle();
    source.lastPull.answer([3, 4]);
    await time().settle();
    void pipeline.abort();
    expect(pipeline.snapshot().edges.at(-1)?.buffer).toMatchObject({ queued: 0, inFlight: 2 });
    source.lastPull.answer([5]);
    await time().settle();
    expect(mapped).toHaveBeenCalledTimes(4);
    expect(pipeline.report.read).toBe(4);
    sink.writes[0]?.accept();
    await time().run(rejection(run));
    expect(source.breaches).toEqual([]);
  });

  it('commits once more, when nothing is waited for any longer, and not by the clock meanwhile', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const committedAt: number[] = [];
    source.commit = () => void committedAt.push(time().elapsed);
    const pipeline = new ConcurrentPipeline(source, sink).commitEvery({ ms: 5 }).closeMs(100);
    const run = start(pipeline);
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1 });
    await time().settle();
    source.lastPull.answer({ items: [2], position: 2 });
    await time().settle();
    sink.writes[0]?.accept();
    await time().settle();
    await time().run(pipeline.abort());
    await rejection(run);
    expect(committedAt).toEqual([100]);
  });

  it('K1 during opening closes what was opened or tried to, and pulls nothing', async () => {
    const source = new ControlledSource<number>();
    let opened = (): void => {};
    const closedWith: unknown[] = [];
    const sink: Sink<number> = {
      open: () => new Promise((resolve) => (opened = resolve)),
      write: vi.fn(),
      close: (reason) => void closedWith.push(reason),
    };
    const pipeline = new ConcurrentPipeline(source, sink);
    const run = start(pipeline);
    const reason = new Error('not now');
    void pipeline.abort(reason);
    await time().settle();
    opened();
    expect(await time().run(rejection(run))).toBe(reason);
    expect(closedWith).toEqual([reason]);
    expect(source.calls).toEqual([]);
  });

  it('during opening is not held by an open that ignores it', async () => {
    const sink: Sink<number> = { name: 'slow', open: () => new Promise(() => {}), write: () => {} };
    const pipeline = new ConcurrentPipeline([1], sink).closeMs(50);
    const run = start(pipeline);
    await time().run(pipeline.abort());
    expect(time().elapsed).toBe(50);
    expect(String(((await rejection(run)) as StreamWeldError).suppressed)).toContain(
      "opening the sink 'slow'",
    );
  });

  it.each(['flush', 'commit', 'sink.close', 'source.close'] as const)(
    'during a %s that never ends is not held by it',
    async (where) => {
      const never = new Promise<void>(() => {});
      const at = (place: string): Promise<void> | undefined => (place === where ? never : undefined);
      const numbers = new CountingSource(10);
      const source: Source<number, number> = {
        pull: (demand) => numbers.pull(demand),
        commit: () => at('commit'),
        close: () => at('source.close'),
      };
      const sink: Sink<number> = { write: () => {}, flush: () => at('flush'), close: () => at('sink.close') };
      const pipeline = new ConcurrentPipeline(source, sink).closeMs(100);
      const run = start(pipeline);
      await time().advance(1000);
      await time().run(pipeline.abort());
      expect(time().elapsed).toBeLessThanOrEqual(1200);
      expect(await rejection(run)).toBeInstanceOf(StreamWeldError);
      expect(pipeline.state).toBe('done');
    },
  );

  it.each(['write', 'map', 'pull', 'sink.open', 'source.open', 'flush'] as const)(
    '[fault 14] from within %s ends the run with its reason',
    async (where) => {
      const reason = new Error('from within');
      const here = (place: string): void => {
        if (place === where) void pipeline.abort(reason);
      };
      const numbers = new CountingSource(1000);
      const flow = from<number>({
        open: () => here('source.open'),
        pull: (demand) => {
          here('pull');
          return numbers.pull(demand);
        },
      }).map((n) => {
        here('map');
        return n;
      });
      const pipeline: ConcurrentPipeline<number> = new ConcurrentPipeline<number>(flow, {
        open: () => here('sink.open'),
        write: () => here('write'),
        flush: () => here('flush'),
      });
      expect(await time().run(rejection(start(pipeline.bufferSize(10))))).toBe(reason);
      expect(pipeline.state).toBe('done');
    },
  );

  it('is what disposing does to a run that has not ended', async () => {
    const { pipeline } = controlled();
    const run = start(pipeline);
    await time().settle();
    await time().run(pipeline[Symbol.asyncDispose]());
    expect(await rejection(run)).toMatchObject({ code: 'SW_PIPELINE_ABORTED' });
    await pipeline[Symbol.asyncDispose]();
  });

  it('overtakes a drain', async () => {
    const { source, pipeline } = controlled();
    void start(pipeline.closeMs(10));
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    const drained = rejection(pipeline.drain());
    await time().run(pipeline.abort(new Error('now')));
    expect(await drained).toMatchObject({ cause: { message: 'now' } });
  });

  it('settles a pause that waits for a write which never ends', async () => {
    const { source, pipeline } = controlled();
    void start(pipeline.closeMs(10));
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    const paused = pipeline.pause();
    await time().run(pipeline.abort());
    await time().run(paused);
  });
});

describe('ConcurrentPipeline, options', () => {
  const sizes = [0, -1, 1.5, Number.NaN, '5', Number.POSITIVE_INFINITY, null];

  it.each(sizes)('refuses a size of %s with what was expected and what was given', (size) => {
    const value = size as number;
    for (const option of ['bufferSize', 'maxConcurrency', 'maxUncommitted'] as const) {
      const call = (): unknown => new ConcurrentPipeline([1], () => {})[option](value);
      expect(call).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID', option, name: 'OptionError' }),
      );
      expect(call).toThrow(`${option} must be a whole number of at least 1, got `);
    }
    if (value !== 0 && value !== 1.5) {
      expect(() => new ConcurrentPipeline([1], () => {}).closeMs(value)).toThrow(
        /^closeMs must be a duration/,
      );
      expect(() => new ConcurrentPipeline([1], () => {}).commitEvery({ ms: value })).toThrow(
        /^commitEvery\.ms must/,
      );
    }
    if (value !== null) {
      expect(() => new ConcurrentPipeline([1], () => {}).commitEvery({ items: value })).toThrow(
        /^commitEvery\.items must/,
      );
    }
  });

  it('refuses what is misspelt or of another kind', () => {
    const pipeline = new ConcurrentPipeline([1], () => {});
    expect(() => pipeline.commitEvery({ item: 5 } as never)).toThrow(
      'commitEvery.item must be one of its known options (items, ms), got "item".',
    );
    expect(() => pipeline.commitEvery(5 as never)).toThrow(/commitEvery must be an object of options, got 5/);
    expect(() => pipeline.failFast('no' as never)).toThrow('failFast must be true or false, got "no".');
    expect(() => pipeline.name('')).toThrow(/name must be a string that is not empty/);
  });

  it('cannot be changed once it runs', async () => {
    const pipeline = new ConcurrentPipeline(range(0, 10), () => {});
    const run = pipeline.run();
    const changes = [
      () => pipeline.name('x'),
      () => pipeline.bufferSize(5),
      () => pipeline.maxConcurrency(5),
      () => pipeline.failFast(false),
      () => pipeline.closeMs(5),
      () => pipeline.maxUncommitted(5),
      () => pipeline.commitEvery({ items: 5 }),
    ];
    for (const change of changes)
      expect(change).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_STARTED' }));
    await time().run(run);
    for (const change of changes)
      expect(change).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_STARTED' }));
  });

  it.each([undefined, null, 5, true, {}, Symbol('x')])('refuses %s as a source and as a sink', (value) => {
    expect(() => new ConcurrentPipeline(value as never, () => {})).toThrow(
      expect.objectContaining({
        code: 'SW_SOURCE_INVALID',
        message: expect.stringMatching(/^A source must be .* got /),
      }),
    );
    expect(() => new ConcurrentPipeline([1], value as never)).toThrow(
      expect.objectContaining({
        code: 'SW_SINK_INVALID',
        message: expect.stringMatching(/^A sink must be .* got /),
      }),
    );
  });
});

describe('ConcurrentPipeline.snapshot', () => {
  it('is a plain object that tells stages, edges and the buffer', async () => {
    const { source, sink, pipeline } = controlled();
    const run = start(pipeline.name('orders'));
    await time().settle();
    source.lastPull.answer([1, 2, 3]);
    await time().settle();
    source.lastPull.answer([4, 5]);
    await time().advance(10);
    const snapshot = pipeline.snapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(snapshot).toEqual({
      name: 'orders',
      state: 'running',
      elapsedMs: 10,
      read: 5,
      written: 0,
      dropped: 0,
      deadLettered: 0,
      retried: 0,
      timedOut: 0,
      batches: 0,
      highWaterMark: 5,
      stages: [
        {
          id: 'controlled source#0',
          name: 'controlled source',
          kind: 'source',
          items: 5,
          inFlight: 1,
          activity: 'busy',
          waitedMs: 0,
          failures: [],
        },
        {
          id: 'controlled sink#1',
          name: 'controlled sink',
          kind: 'sink',
          items: 0,
          inFlight: 1,
          activity: 'busy',
          waitedMs: 0,
          failures: [],
        },
      ],
      edges: [
        {
          from: 'controlled source#0',
          to: 'controlled sink#1',
          buffer: { capacity: 100, queued: 2, inFlight: 3, demand: 95 },
        },
      ],
    });
    sink.writes[0]?.accept();
    source.lastPull.answer(undefined);
    await time().settle();
    sink.writes[1]?.accept();
    await time().run(run);
    expect(pipeline.snapshot()).toMatchObject({ state: 'done', written: 5, batches: 2 });
  });

  it('tells who waited for whom', async () => {
    const slowSource = new CountingSource(20, { size: () => 1, wait: () => time().sleep(10) });
    const waiting = new ConcurrentPipeline(slowSource, () => {});
    await time().run(waiting.run());
    const [source, sink] = waiting.snapshot().stages;
    expect([source?.waitedMs, (sink?.waitedMs ?? 0) >= 200]).toEqual([0, true]);

    const slowSink = new ConcurrentPipeline(range(0, 100), () => time().sleep(10)).bufferSize(10);
    await time().run(slowSink.run());
    const [fast, slow] = slowSink.snapshot().stages;
    expect(fast?.waitedMs).toBeGreaterThan(100);
    expect(slow?.waitedMs).toBeLessThan(20);
  });
});
