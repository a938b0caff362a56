import { describe, expect, it } from 'vitest';
import { StreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { CircuitBreaker, type CircuitBreakerOptions } from '../../src/policy/circuit-breaker.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { bad, LetterSink, outage, ScriptedSink } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** A sink that is down until the test says so, and notes when it was tried. */
function fragile(options: { downUntil: number; concurrency?: number; delayMs?: number }) {
  const { downUntil, concurrency, delayMs } = options;
  const fail = (): void => {
    if (time().elapsed < downUntil) throw outage();
  };
  return new ScriptedSink<number>({
    now: () => time().elapsed,
    ...(concurrency === undefined ? {} : { concurrency }),
    write: () => (delayMs === undefined ? fail() : time().sleep(delayMs).then(fail)),
  });
}

function pipeline(
  sink: ScriptedSink<number>,
  options: CircuitBreakerOptions,
  source = new CountingSource(100),
) {
  return new ConcurrentPipeline(source, sink).bufferSize(20).circuitBreaker(options);
}

describe('CircuitBreaker', () => {
  it('opens after failures in a row, lets one try through after a while, and closes when that succeeds', async () => {
    const breaker = new CircuitBreaker('circuitBreaker', { failures: 2, resetMs: 100 });
    let told = 0;
    breaker.onAllowed(() => {
      told += 1;
    });
    breaker.failed();
    breaker.answered();
    breaker.failed();
    expect(breaker.state).toBe('closed');
    breaker.failed();
    expect([breaker.state, breaker.allows, breaker.openings]).toEqual(['open', false, 1]);
    await time().advance(99);
    expect(breaker.state).toBe('open');
    await time().advance(1);
    expect([breaker.state, breaker.allows, told]).toEqual(['half-open', true, 1]);
    breaker.enter();
    expect(breaker.allows).toBe(false);
    breaker.answered();
    expect([breaker.state, breaker.allows, told]).toEqual(['closed', true, 2]);
  });

  it('opens for longer each time a trial fails, up to the most, and begins anew when it has closed', async () => {
    const breaker = new CircuitBreaker('circuitBreaker', { failures: 1, resetMs: 100, maxResetMs: 350 });
    breaker.failed();
    for (const ms of [100, 200, 350, 350]) {
      await time().advance(ms - 1);
      expect(breaker.state).toBe('open');
      await time().advance(1);
      expect(breaker.state).toBe('half-open');
      breaker.enter();
      breaker.failed();
    }
    await time().advance(350);
    breaker.answered();
    breaker.failed();
    await time().advance(100);
    expect([breaker.state, breaker.openings]).toEqual(['half-open', 6]);
  });

  it('leaves no timer when it is stopped', async () => {
    const breaker = new CircuitBreaker('circuitBreaker', { failures: 1 });
    breaker.failed();
    breaker.stop();
    breaker.failed();
    await time().advance(100_000);
    expect([breaker.state, time().activeTimers]).toEqual(['open', 0]);
  });
});

describe('ConcurrentPipeline.circuitBreaker', () => {
  it('closes demand while it is open: nothing is written, nothing fails, the source waits', async () => {
    const sink = fragile({ downUntil: 5000 });
    const source = new CountingSource(100);
    const pipe = pipeline(sink, { failures: 3, resetMs: 1000, maxResetMs: 1000 }, source).retry({
      attempts: 10,
      jitter: 0,
      backoff: { firstMs: 10 },
    });
    const run = pipe.run();
    await time().advance(900);
    expect(sink.writes.map(({ at }) => at)).toEqual([0, 10, 30]);
    expect(source.handedOut).toBe(20);
    expect(pipe.snapshot()).toMatchObject({ state: 'running', breaker: { state: 'open', openings: 1 } });
    const report = await time().run(run);
    expect(sink.writes.slice(3, 8).map(({ at }) => at)).toEqual([1030, 2030, 3030, 4030, 5030]);
    expect(report).toMatchObject({ written: 100, breaker: { state: 'closed', openings: 5 } });
    expect(sink.items).toEqual(Array.from({ length: 100 }, (_, item) => item));
  });

  it('keeps a batch whose attempts are used up, and opens for it', async () => {
    const sink = fragile({ downUntil: 5000 });
    const letters = new LetterSink();
    const pipe = pipeline(sink, { failures: 100, resetMs: 1000, maxResetMs: 1000 })
      .retry({ attempts: 2, jitter: 0, backoff: { firstMs: 10 } })
      .deadLetter(letters);
    const report = await time().run(pipe.run());
    expect(sink.writes.slice(0, 4).map(({ at }) => at)).toEqual([0, 10, 1010, 2010]);
    expect(report).toMatchObject({ written: 100, deadLettered: 0 });
    expect(letters.writes).toEqual([]);
  });

  it('needs no retry: a failed write is tried again until it opens', async () => {
    const sink = fragile({ downUntil: 5000 });
    const pipe = pipeline(sink, { failures: 3, resetMs: 2000 });
    const report = await time().run(pipe.run());
    expect(report.written).toBe(100);
    expect(report.breaker?.openings).toBeGreaterThan(0);
  });

  it('lets one write try, of several that wait', async () => {
    const sink = fragile({ downUntil: 3500, delayMs: 5 });
    const pipe = pipeline(sink, { failures: 4, resetMs: 1000, maxResetMs: 1000 }).maxConcurrency(4);
    const run = pipe.run();
    await time().advance(900);
    expect(sink.writes.length).toBe(4);
    await time().advance(2500);
    expect(sink.writes.length).toBe(7);
    const report = await time().run(run);
    expect(report.written).toBe(100);
    expect(sink.items.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, item) => item));
  });

  it('begins no other write while it is open, though there would be a slot', async () => {
    const sink = fragile({ downUntil: 500 });
    const pipe = pipeline(sink, { failures: 1, resetMs: 1000 }).maxConcurrency(3);
    const run = pipe.run();
    await time().advance(999);
    expect([sink.writes.length, pipe.snapshot().stages.at(-1)?.inFlight]).toEqual([1, 1]);
    expect((await time().run(run)).written).toBe(100);
  });

  it('takes an error in the data for an answer', async () => {
    const letters = new LetterSink();
    const sink = new ScriptedSink<number>({
      write: ({ items }) => {
        throw bad(...items.map((_, at) => at));
      },
    });
    const pipe = pipeline(sink, { failures: 1, resetMs: 60_000 }).deadLetter(letters);
    const report = await time().run(pipe.run());
    expect(report).toMatchObject({ deadLettered: 100, breaker: { state: 'closed', openings: 0 } });
    expect(time().elapsed).toBe(0);
  });

  it('is half-open no longer when its trial meets bad data', async () => {
    const letters = new LetterSink();
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      write: ({ items }) => {
        if (sink.writes.length === 1) throw outage();
        if (items.includes(0)) throw bad(0);
      },
    });
    const report = await time().run(pipeline(sink, { failures: 1, resetMs: 100 }).deadLetter(letters).run());
    expect(report).toMatchObject({ written: 99, deadLettered: 1, breaker: { openings: 1 } });
  });

  it('is named by a drain that passes its deadline, and does not hold it', async () => {
    const sink = fragile({ downUntil: Number.POSITIVE_INFINITY });
    const pipe = pipeline(sink, { failures: 1, resetMs: 60_000 });
    const run = rejection(pipe.run());
    await time().advance(10);
    pipe.drain({ deadlineMs: 1000 }).catch(() => {});
    const error = (await time().run(run)) as StreamWeldError;
    expect(error).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
    expect(error.message).toContain('circuit breaker is open');
    expect(error.message).not.toContain('  ');
    expect([time().elapsed, sink.calls.at(-1)]).toEqual([1010, 'close: reason']);
  });

  it('does not hold an abort', async () => {
    const sink = fragile({ downUntil: Number.POSITIVE_INFINITY });
    const pipe = pipeline(sink, { failures: 1, resetMs: 60_000 });
    const run = rejection(pipe.run());
    await time().advance(10);
    await time().run(pipe.abort());
    expect(await time().run(run)).toMatchObject({ code: 'SW_PIPELINE_ABORTED' });
    expect(time().elapsed).toBe(10);
  });

  it('tries nothing while the run is paused', async () => {
    const sink = fragile({ downUntil: 500 });
    const pipe = pipeline(sink, { failures: 1, resetMs: 1000 });
    const run = pipe.run();
    await time().settle();
    await time().run(pipe.pause());
    await time().advance(10_000);
    expect([sink.writes.length, pipe.snapshot().breaker?.state]).toEqual([1, 'half-open']);
    pipe.resume();
    expect((await time().run(run)).written).toBe(100);
  });

  it('opens again when a trial takes too long', async () => {
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: () => (sink.writes.length < 4 ? time().sleep(100_000) : undefined),
    });
    const run = pipeline(sink, { failures: 2, resetMs: 1000 })
      .retry({ attempts: 9, jitter: 0, backoff: { firstMs: 50 } })
      .writeTimeout(10)
      .run();
    const report = await time().run(run);
    expect(sink.writes.slice(0, 4).map(({ at }) => at)).toEqual([0, 60, 1070, 3080]);
    expect(report).toMatchObject({ written: 100, timedOut: 3, breaker: { openings: 2 } });
    await time().advance(200_000);
  });

  it.each<[CircuitBreakerOptions, string]>([
    [{ failures: 0 }, 'circuitBreaker.failures'],
    [{ resetMs: -1 }, 'circuitBreaker.resetMs'],
    [{ maxResetMs: Number.NaN }, 'circuitBreaker.maxResetMs'],
    [{ reset: 1 } as never, 'circuitBreaker.reset'],
  ])('refuses %j at once', (options, option) => {
    expect(() => new ConcurrentPipeline([1], () => {}).circuitBreaker(options)).toThrow(
      new RegExp(`^${option} `),
    );
  });
});
