import { describe, expect, it } from 'vitest';
import { OptionError, StreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { RetryOptions } from '../../src/policy/retry.ts';
import type { Sink } from '../../src/sink.ts';
import { ControlledSink, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { bad, LetterSink, outage, ScriptedSink } from './instruments.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

/** A run over numbers, in writes of four. */
function pipeline(sink: Sink<number>, items = 4, options: Partial<RetryOptions> = {}) {
  return new ConcurrentPipeline(new CountingSource(items), sink)
    .bufferSize(8)
    .retry({ attempts: 3, jitter: 0, ...options });
}

describe('ConcurrentPipeline.retry', () => {
  it('K6 writes the failing batch again, and tells the attempt', async () => {
    const sink = new ScriptedSink<number>({
      write: (_, index) => {
        if (index === 0) throw outage();
      },
    });
    const report = await time().run(pipeline(sink, 8).run());
    expect(sink.log).toEqual(['0 1 2 3 #1', '0 1 2 3 #2', '4 5 6 7 #1']);
    expect(report).toMatchObject({ read: 8, written: 8, retried: 1, deadLettered: 0, batches: 2 });
  });

  it('waits longer each time, up to the most', async () => {
    const sink = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: (_, index) => {
        if (index < 5) throw outage();
      },
    });
    await time().run(
      pipeline(sink, 4, { attempts: 6, backoff: { firstMs: 10, factor: 3, maxMs: 100 } }).run(),
    );
    expect(sink.writes.map(({ at }) => at)).toEqual([0, 10, 40, 130, 230, 330]);
  });

  it('leaves a share of each wait to chance', async () => {
    const sink = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: (_, index) => {
        if (index < 5) throw outage();
      },
    });
    await time().run(
      pipeline(sink, 4, { attempts: 6, jitter: 0.5, backoff: { firstMs: 100, factor: 1 } }).run(),
    );
    const waits = sink.writes.slice(1).map(({ at }, index) => at - (sink.writes[index]?.at ?? 0));
    expect(waits.every((wait) => wait >= 50 && wait <= 100)).toBe(true);
    expect(new Set(waits).size).toBe(5);
  });

  it('fails the run when the attempts are used up, with the first write counted', async () => {
    const cause = new Error('down');
    const sink = new ScriptedSink<number>({
      write: () => {
        throw cause;
      },
    });
    const error = await time().run(rejection(pipeline(sink).run()));
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(sink.writes.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it.each<[string, () => unknown]>([
    ['an error in the data', () => bad()],
    ['any error that says so', () => Object.assign(new Error('x'), { retryable: false })],
    ['a plain object that says so', () => ({ retryable: false })],
    [
      'a cause that says so, behind an error of ours',
      () => new StreamWeldError('SW_SINK_FAILED', 'x', { cause: { retryable: false } }),
    ],
  ])('does not repeat %s', async (_, create) => {
    const sink = new ScriptedSink<number>({
      write: () => {
        throw create();
      },
    });
    await time().run(rejection(pipeline(sink).run()));
    expect(sink.writes.length).toBe(1);
  });

  it.each<[string, unknown]>([
    ['an Error', new Error('x')],
    ['undefined', undefined],
    ['a string', 'x'],
    ['a frozen object', Object.freeze({ name: 'x' })],
    ['a frozen error', Object.freeze(new Error('x'))],
  ])('[fault 8] takes %s the same way, thrown or rejected', async (_, thrown) => {
    for (const how of ['throws', 'rejects']) {
      const sink = new ScriptedSink<number>({
        write: () => {
          if (how === 'throws') throw thrown;
          return Promise.reject(thrown);
        },
      });
      const letters = new LetterSink();
      const error = await time().run(rejection(pipeline(sink).deadLetter(letters).run()));
      expect(error).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'scripted' });
      expect((error as Error).cause).toBe(thrown);
      expect(sink.writes.length).toBe(3);
      expect(letters.writes).toEqual([]);
    }
  });

  it('asks retryable about errors that do not say it themselves', async () => {
    const asked: unknown[] = [];
    const sink = new ScriptedSink<number>({
      write: (_, index) => {
        if (index < 2) throw new Error(index === 0 ? 'passes' : 'stays');
      },
    });
    const retryable = (error: unknown): boolean => {
      asked.push(error);
      return (error as Error).message === 'passes';
    };
    await time().run(rejection(pipeline(sink, 4, { retryable }).run()));
    expect(sink.writes.length).toBe(2);
    expect(asked.length).toBe(2);
  });

  it('fails the run with what retryable threw', async () => {
    const sink = new ScriptedSink<number>({
      write: () => {
        throw new Error('x');
      },
    });
    const thrown = new Error('mine');
    const retryable = (): boolean => {
      throw thrown;
    };
    const error = await time().run(rejection(pipeline(sink, 4, { retryable }).run()));
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause: thrown });
  });

  it('K6 writes everything from the first failed item again, where order is kept', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ items }, index, land) => {
        if (index > 0) return;
        land(items.filter((_, at) => at !== 1));
        throw outage(1);
      },
    });
    const report = await time().run(pipeline(sink).run());
    expect(sink.log).toEqual(['0 1 2 3 #1', '1 2 3 #2']);
    expect(report.written).toBe(4);
  });

  it('K6 writes only what failed again, where order is not kept', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ items }, index, land) => {
        if (index > 0) return;
        land(items.filter((_, at) => at % 2 === 0));
        throw outage(3, 1, 3);
      },
    });
    const report = await time().run(pipeline(sink).bufferSize(12).maxConcurrency(2).run());
    expect(sink.log).toEqual(['0 1 2 3 #1', '1 3 #2']);
    expect(report.written).toBe(4);
    expect(sink.items.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  });

  it('K6 writes all of a batch again that an atomic sink refused, whatever it names', async () => {
    const sink = new ScriptedSink<number>({
      atomic: true,
      write: (_, index) => {
        if (index === 0) throw outage(1);
      },
    });
    await time().run(pipeline(sink).maxConcurrency(2).bufferSize(12).run());
    expect(sink.log).toEqual(['0 1 2 3 #1', '0 1 2 3 #2']);
  });

  it.each([[[4]], [[-1]], [[0.5]], [[Number.NaN]], [[]]])(
    'writes all of it again where the sink names %j, which cannot be',
    async (failed) => {
      const sink = new ScriptedSink<number>({
        write: (_, index) => {
          if (index === 0) throw outage(...failed);
        },
      });
      await time().run(pipeline(sink).run());
      expect(sink.log).toEqual(['0 1 2 3 #1', '0 1 2 3 #2']);
    },
  );

  it('K2 lets no later write overtake, with one at a time', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ attempt }) => {
        if (attempt === 1) throw outage();
      },
    });
    await time().run(pipeline(sink, 40).run());
    expect(sink.items).toEqual(Array.from({ length: 40 }, (_, item) => item));
  });

  it('holds its slot, and lets the others go on', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ items }, index) => {
        if (index === 0) throw outage();
        return items[0] === 0 ? undefined : time().sleep(1);
      },
    });
    const run = pipeline(sink, 24).bufferSize(12).maxConcurrency(2).run();
    const report = await time().run(run);
    expect(sink.log.indexOf('0 1 2 3 #2')).toBeGreaterThan(2);
    expect(report).toMatchObject({ written: 24, retried: 1 });
  });

  it('S8 moves no position past a batch that waits to be written again', async () => {
    const source = new CountingSource(12);
    const sink = new ScriptedSink<number>({
      write: ({ items, attempt }) => {
        if (items.includes(5) && attempt === 1) throw outage();
      },
    });
    const pipe = new ConcurrentPipeline(source, sink)
      .bufferSize(8)
      .commitEvery({ items: 1 })
      .retry({ attempts: 2, jitter: 0, backoff: { firstMs: 1000 } });
    const run = pipe.run();
    await time().advance(999);
    expect([source.committed, pipe.report.written]).toEqual([4, 4]);
    await time().run(run);
    expect(source.committed).toBe(12);
  });

  it('[fault 11] ends the run only when retries that wait have ended', async () => {
    const sink = new ScriptedSink<number>({
      write: (_, index) => {
        if (index === 1) throw outage();
      },
    });
    const pipe = pipeline(sink, 8, { backoff: { firstMs: 5000 } });
    const run = pipe.run();
    let hasEnded = false;
    void run.then(() => {
      hasEnded = true;
    });
    await time().advance(4999);
    expect([hasEnded, pipe.state, sink.calls]).toEqual([false, 'running', ['open']]);
    expect(pipe.snapshot().stages.at(-1)?.inFlight).toBe(1);
    await time().run(run);
    expect(sink.items.length).toBe(8);
  });

  it('does not hold an abort while it waits, and leaves no timer', async () => {
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    const controller = leaks.controller();
    const reason = new Error('enough');
    const run = pipeline(sink, 8, { backoff: { firstMs: 60_000, maxMs: 60_000 } }).run({
      signal: controller.signal,
    });
    await time().advance(10);
    controller.abort(reason);
    const before = time().elapsed;
    expect(await time().run(rejection(run))).toBe(reason);
    expect(time().elapsed - before).toBe(0);
    expect([sink.writes.length, sink.calls.at(-1)]).toEqual([1, 'close: reason']);
  });

  it('does not hold a drain past its deadline, which names it and what it failed with', async () => {
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    const pipe = pipeline(sink, 8, { attempts: 100, backoff: { firstMs: 60_000, maxMs: 60_000 } });
    const run = pipe.run();
    await time().advance(10);
    pipe.drain({ deadlineMs: 500 }).catch(() => {});
    const error = (await time().run(rejection(run))) as StreamWeldError;
    expect(time().elapsed).toBe(510);
    expect(error).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
    expect(error.message).toContain('written again: 1');
    expect(error.suppressed).toEqual([expect.objectContaining({ message: 'outage' })]);
  });

  it('drains well when the retry comes in time', async () => {
    const sink = new ScriptedSink<number>({
      write: (_, index) => {
        if (index === 0) throw outage();
      },
    });
    const pipe = pipeline(sink, 1000);
    const run = pipe.run();
    await time().settle();
    pipe.drain({ deadlineMs: 5000 }).catch(() => {});
    const report = await time().run(run);
    expect(report).toMatchObject({ outcome: 'drained', written: report.read, retried: 1 });
  });

  it('makes no attempt while the run is paused, and the pause does not wait for it', async () => {
    const sink = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: (_, index) => {
        if (index === 0) throw outage();
      },
    });
    const pipe = pipeline(sink, 4, { backoff: { firstMs: 100 } });
    const run = pipe.run();
    await time().settle();
    await time().run(pipe.pause());
    await time().advance(10_000);
    expect(sink.writes.length).toBe(1);
    pipe.resume();
    await time().run(run);
    expect(sink.writes.map(({ at }) => at)).toEqual([0, 10_000]);
  });

  it('K5 does not repeat what was accepted and did not become durable', async () => {
    const cause = new Error('lost');
    const sink = new ScriptedSink<number>({ write: () => ({ durable: Promise.reject(cause) }) });
    const error = await time().run(rejection(pipeline(sink).run()));
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(sink.writes.length).toBe(1);
  });

  it('does not repeat a write that the sink had taken into its own hands', async () => {
    const source = new CountingSource(4);
    const sink = new ScriptedSink<number>({
      write: ({ context }) => {
        context.defer();
        throw outage();
      },
    });
    const run = new ConcurrentPipeline(source, sink).bufferSize(8).retry({ attempts: 3 }).run();
    await time().run(rejection(run));
    expect([sink.writes.length, source.committed]).toEqual([1, 0]);
  });

  it('K10 settles a write that was deferred in its second attempt, once', async () => {
    const source = new CountingSource(4);
    const sink = new ScriptedSink<number>({
      write: ({ context, items }, index, land) => {
        if (index === 0) {
          land(items.slice(0, 2));
          throw outage(2, 3);
        }
        const receipt = context.defer();
        receipt.retain(1);
        receipt.settle();
        receipt.settle();
      },
    });
    const run = new ConcurrentPipeline(source, sink).bufferSize(8).retry({ attempts: 3 }).run();
    expect((await time().run(run)).written).toBe(4);
    expect(source.committed).toBe(4);
  });

  it('keeps to maxUncommitted, and flushes only when nothing is left to be written again', async () => {
    let settle: (() => void)[] = [];
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: (_, index) => {
        if (index === 1) throw outage();
        return { durable: new Promise<void>((resolve) => settle.push(resolve)) };
      },
      flush: () => {
        for (const call of settle) call();
        settle = [];
      },
    });
    const run = pipeline(sink, 16).maxUncommitted(8).run();
    const report = await time().run(run);
    expect(report.written).toBe(16);
    expect(sink.log).toEqual(['0 1 2 3 #1', '4 5 6 7 #1', '4 5 6 7 #2', '8 9 10 11 #1', '12 13 14 15 #1']);
    expect(sink.calls.filter((call) => call === 'flush').length).toBeGreaterThan(1);
  });

  it('may be left out: the first failure fails the run', async () => {
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    await time().run(rejection(new ConcurrentPipeline(new CountingSource(4), sink).run()));
    expect(sink.writes.length).toBe(1);
  });

  it.each<[RetryOptions, string]>([
    [{ attempts: 0 }, 'retry.attempts'],
    [{ attempts: 1.5 }, 'retry.attempts'],
    [{ attempts: 2, jitter: 2 }, 'retry.jitter'],
    [{ attempts: 2, backoff: { firstMs: -1 } }, 'retry.backoff.firstMs'],
    [{ attempts: 2, backoff: { factor: 0.5 } }, 'retry.backoff.factor'],
    [{ attempts: 2, backoff: { max: 3 } as never }, 'retry.backoff.max'],
    [{ attempts: 2, retryable: true as never }, 'retry.retryable'],
    [{ attempts: 2, halve: 1 as never }, 'retry.halve'],
    [{ attempts: 2, often: 3 } as never, 'retry.often'],
    [undefined as never, 'retry'],
  ])('refuses %j at once', (options, option) => {
    const pipe = new ConcurrentPipeline([1], new ControlledSink<number>());
    expect(() => pipe.retry(options)).toThrow(OptionError);
    expect(() => pipe.retry(options)).toThrow(new RegExp(`^${option} `));
  });
});
