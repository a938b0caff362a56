/** How much there is at once, and how much happens at once. */

import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import { ControlledSink, ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Watches the items between a source's answer and the settled write. */
class Watch {
  handedOut = 0;
  settled = 0;
  most = 0;
  largestWrite = 0;
  outstanding = 0;
  mostOutstanding = 0;
  readonly seen: number[] = [];

  source(end: number, waitMs: number | undefined): CountingSource {
    const source = new CountingSource(end, waitMs === undefined ? {} : { wait: () => time().sleep(waitMs) });
    const pull = source.pull.bind(source);
    const count = (batch: Awaited<ReturnType<typeof pull>>): typeof batch => {
      this.handedOut += batch?.items.length ?? 0;
      this.most = Math.max(this.most, this.handedOut - this.settled);
      return batch;
    };
    source.pull = (demand) => {
      const answer = pull(demand);
      return answer instanceof Promise ? answer.then(count) : count(answer);
    };
    return source;
  }

  sink(waitMs: (() => number) | undefined, concurrency?: number): Sink<number> {
    const begin = (batch: readonly number[]): void => {
      this.outstanding += 1;
      this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
      this.largestWrite = Math.max(this.largestWrite, batch.length);
    };
    const end = (batch: readonly number[]): void => {
      this.outstanding -= 1;
      this.settled += batch.length;
      this.seen.push(...batch);
    };
    return {
      ...(concurrency === undefined ? {} : { concurrency }),
      write: (batch) => {
        begin(batch);
        if (waitMs === undefined) return end(batch);
        return time()
          .sleep(waitMs())
          .then(() => end(batch));
      },
    };
  }
}

const numbers = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

describe('ConcurrentPipeline.bufferSize', () => {
  const sizes = [1, 2, 3, 10, 1000];
  const concurrencies = [1, 3, 8];
  const sources = [undefined, 2];
  const sinks = [undefined, 5] as const;
  const cases = sizes.flatMap((size) =>
    concurrencies.flatMap((concurrency) =>
      sources.flatMap((sourceMs) => sinks.map((sinkMs) => ({ size, concurrency, sourceMs, sinkMs }))),
    ),
  );

  it.each(cases)(
    'bounds the items between answer and settled write: $size, $concurrency writes, source $sourceMs ms, sink $sinkMs ms',
    async ({ size, concurrency, sourceMs, sinkMs }) => {
      const watch = new Watch();
      const end = Math.min(3000, size * 50);
      const wait = sinkMs === undefined ? undefined : () => 1 + time().random() * 2 * sinkMs;
      const pipeline = new ConcurrentPipeline(watch.source(end, sourceMs), watch.sink(wait))
        .bufferSize(size)
        .maxConcurrency(concurrency);
      const report = await time().run(pipeline.run());
      expect(watch.seen.toSorted((a, b) => a - b)).toEqual(numbers(end));
      expect(watch.most).toBeLessThanOrEqual(size);
      expect(report.highWaterMark).toBeLessThanOrEqual(size);
      expect(watch.mostOutstanding).toBeLessThanOrEqual(concurrency);
      expect(watch.largestWrite).toBeLessThanOrEqual(Math.max(1, Math.floor(size / (concurrency + 1))));
      if (concurrency === 1) expect(watch.seen).toEqual(numbers(end));
      expect(report).toMatchObject({ outcome: 'completed', read: end, written: end });
    },
  );

  it('fills the buffer while the sink does not answer, and no further', async () => {
    const source = new CountingSource(1000);
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).bufferSize(10);
    const run = pipeline.run();
    await time().settle();
    expect(source.handedOut).toBeGreaterThan(10 - Math.floor(10 / 4) - 1);
    expect(source.handedOut).toBeLessThanOrEqual(10);
    const { handedOut } = source;
    await time().advance(60_000);
    expect(source.handedOut).toBe(handedOut);
    const ended = rejection(run);
    await time().run(pipeline.abort());
    expect(await ended).toMatchObject({ code: 'SW_PIPELINE_ABORTED' });
  });

  it('asks for half the buffer at most, and not for a trickle', async () => {
    const watch = new Watch();
    const source = watch.source(2000, undefined);
    const sink = watch.sink(() => 1);
    await time().run(new ConcurrentPipeline(source, sink).bufferSize(100).run());
    expect(Math.max(...source.demands)).toBe(50);
    expect(Math.min(...source.demands)).toBeGreaterThanOrEqual(25);
  });

  it.each([1, 2, 10, 100, 1000])(
    'bounds them with an async operator too, by what it may have in flight more: %i',
    async (size) => {
      for (const ordered of [true, false]) {
        const watch = new Watch();
        const source = watch.source(1000, undefined);
        const wait = (): Promise<void> => time().sleep(time().random() * 10);
        const flow = from(source).map((n) => wait().then(() => n), { concurrency: 8, ordered });
        const report = await time().run(
          new ConcurrentPipeline(
            flow,
            watch.sink(() => 3),
          )
            .bufferSize(size)
            .run(),
        );
        expect(report.written).toBe(1000);
        expect(watch.most).toBeLessThanOrEqual(size + 8);
        expect(report.highWaterMark).toBeLessThanOrEqual(size);
      }
    },
  );

  it('[fault 12] holds a source back for a sink that is a thousand times slower', async () => {
    const watch = new Watch();
    const source = watch.source(500, 1);
    const report = await time().run(
      new ConcurrentPipeline(
        source,
        watch.sink(() => 1000),
      )
        .bufferSize(20)
        .run(),
    );
    expect(watch.most).toBeLessThanOrEqual(20);
    expect(report.durationMs).toBeGreaterThan(1000 * (500 / 20));
  });
});

describe('ConcurrentPipeline, source and sink at once', () => {
  it('takes about the longer of two waits, and not their sum', async () => {
    for (const [sourceMs, sinkMs] of [
      [5, 5],
      [5, 2],
      [2, 5],
    ] as const) {
      const watch = new Watch();
      const source = new CountingSource(10_000, { size: () => 100, wait: () => time().sleep(sourceMs) });
      const sink: Sink<number> = { ...watch.sink(() => sinkMs), batching: { maxItems: 100 } };
      const report = await time().run(new ConcurrentPipeline(source, sink).bufferSize(1000).run());
      const longer = 100 * Math.max(sourceMs, sinkMs);
      expect(report.durationMs).toBeGreaterThanOrEqual(longer);
      expect(report.durationMs).toBeLessThan(longer * 1.1 + sourceMs + sinkMs);
    }
  });

  it('overlaps with the smallest buffer that can: one item waits while one is written', async () => {
    const watch = new Watch();
    const source = new CountingSource(100, { wait: () => time().sleep(5) });
    const report = await time().run(
      new ConcurrentPipeline(
        source,
        watch.sink(() => 5),
      )
        .bufferSize(2)
        .run(),
    );
    expect(report.durationMs).toBeLessThan(550);
  });
});

describe('ConcurrentPipeline.maxConcurrency', () => {
  it('has exactly so many writes outstanding at once', async () => {
    const watch = new Watch();
    await time().run(
      new ConcurrentPipeline(
        new CountingSource(1000),
        watch.sink(() => 5),
      )
        .bufferSize(100)
        .maxConcurrency(7)
        .run(),
    );
    expect(watch.mostOutstanding).toBe(7);
  });

  it('never has more than the sink allows', async () => {
    const watch = new Watch();
    await time().run(
      new ConcurrentPipeline(
        new CountingSource(1000),
        watch.sink(() => 5, 3),
      )
        .bufferSize(100)
        .maxConcurrency(7)
        .run(),
    );
    expect(watch.mostOutstanding).toBe(3);
  });

  it('is 1 unless asked, and then writes keep the order of the source', async () => {
    const watch = new Watch();
    await time().run(
      new ConcurrentPipeline(
        new CountingSource(1000),
        watch.sink(() => time().random() * 10),
      )
        .bufferSize(50)
        .run(),
    );
    expect(watch.mostOutstanding).toBe(1);
    expect(watch.seen).toEqual(numbers(1000));
  });

  it('is what an async operator takes that names none', async () => {
    let running = 0;
    let most = 0;
    const flow = from(new CountingSource(200)).map(async (n) => {
      running += 1;
      most = Math.max(most, running);
      await time().sleep(1 + (n % 5));
      running -= 1;
      return n;
    });
    const seen: number[] = [];
    await time().run(
      new ConcurrentPipeline(flow, (batch: readonly number[]) => void seen.push(...batch))
        .bufferSize(50)
        .maxConcurrency(4)
        .run(),
    );
    expect(most).toBe(4);
    expect(seen.toSorted((a, b) => a - b)).toEqual(numbers(200));
  });

  it.each([0, -1, 1.5, Number.NaN, '2', Number.POSITIVE_INFINITY])(
    'refuses a sink that allows %s writes at once',
    (concurrency) => {
      const sink = { write: () => {}, concurrency: concurrency as number };
      expect(() => new ConcurrentPipeline([1], sink)).toThrow(/^sink\.concurrency must be a whole number/);
    },
  );
});

describe('Sink.batching', () => {
  it('maxItems bounds a write', async () => {
    const watch = new Watch();
    const sink = { ...watch.sink(() => 1), batching: { maxItems: 7 } };
    await time().run(new ConcurrentPipeline(new CountingSource(1000), sink).run());
    expect(watch.largestWrite).toBe(7);
    expect(watch.seen).toEqual(numbers(1000));
  });

  it('joins small batches of the source for one write', async () => {
    const source = new CountingSource(100, { size: () => 1 });
    const sink = new ControlledSink<number>();
    const run = new ConcurrentPipeline(source, sink).bufferSize(20).run();
    await time().settle();
    expect(sink.writes.map(({ batch }) => batch.length)).toEqual([1]);
    sink.writes[0]?.accept();
    await time().settle();
    expect(sink.writes[1]?.batch).toHaveLength(10);
    const rest = async (): Promise<void> => {
      for (let i = 1; i < 200 && sink.closedWith.length === 0; i++) {
        sink.writes[i]?.accept();
        await time().settle();
      }
    };
    await rest();
    expect(await run).toMatchObject({ written: 100 });
    expect(source.committed).toBe(100);
  });

  it('lingerMs lets a write that is not full wait for more, so long and no longer', async () => {
    const source = new ControlledSource<number>();
    const sizes: [number, number][] = [];
    const sink: Sink<number> = {
      batching: { maxItems: 10, lingerMs: 50 },
      write: (batch) => void sizes.push([time().elapsed, batch.length]),
    };
    const run = new ConcurrentPipeline(source, sink).bufferSize(100).run();
    await time().settle();
    source.lastPull.answer([1, 2]);
    await time().advance(30);
    source.lastPull.answer([3]);
    await time().advance(19);
    expect(sizes).toEqual([]);
    await time().advance(1);
    expect(sizes).toEqual([[50, 3]]);
    source.lastPull.answer([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await time().settle();
    expect(sizes).toEqual([
      [50, 3],
      [50, 10],
    ]);
    source.lastPull.answer([1]);
    await time().settle();
    source.lastPull.answer(undefined);
    // At the end nothing more will come, so nothing is waited for.
    await time().settle();
    expect(sizes.at(-1)).toEqual([50, 1]);
    await time().run(run);
  });

  it.each([
    [{ maxItems: 0 }, 'sink.batching.maxItems'],
    [{ maxItems: -1 }, 'sink.batching.maxItems'],
    [{ maxItems: 1.5 }, 'sink.batching.maxItems'],
    [{ lingerMs: Number.NaN }, 'sink.batching.lingerMs'],
    [{ lingerMs: -5 }, 'sink.batching.lingerMs'],
  ])('refuses %j', (batching, option) => {
    expect(() => new ConcurrentPipeline([1], { write: () => {}, batching })).toThrow(
      expect.objectContaining({ code: 'SW_OPTION_INVALID', option }),
    );
  });
});

describe('ConcurrentPipeline.maxUncommitted', () => {
  /** A sink that makes what it accepted durable when it is flushed, as an upload is. */
  function uploadingSink(options: { flushMs?: number } = {}) {
    let waiting: (() => void)[] = [];
    const state = { flushes: 0, accepted: 0, durable: 0, most: 0, flushing: 0, mostFlushing: 0 };
    const sink: Sink<number> = {
      write: (batch) => {
        state.accepted += batch.length;
        state.most = Math.max(state.most, state.accepted - state.durable);
        return {
          durable: new Promise<void>((resolve) => {
            waiting.push(() => {
              state.durable += batch.length;
              resolve();
            });
          }),
        };
      },
      flush: async () => {
        state.flushes += 1;
        state.flushing += 1;
        state.mostFlushing = Math.max(state.mostFlushing, state.flushing);
        const mine = waiting;
        waiting = [];
        if (options.flushMs !== undefined) await time().sleep(options.flushMs);
        for (const settle of mine) settle();
        state.flushing -= 1;
      },
    };
    return { sink, state };
  }

  it('flushes the sink at the limit, and lets the source wait', async () => {
    const { sink, state } = uploadingSink({ flushMs: 10 });
    const source = new CountingSource(1000);
    const report = await time().run(
      new ConcurrentPipeline(source, sink).bufferSize(20).maxUncommitted(100).run(),
    );
    expect(report.written).toBe(1000);
    expect(state.most).toBeGreaterThanOrEqual(100);
    expect(state.most).toBeLessThan(100 + 20);
    expect(state.flushes).toBeGreaterThanOrEqual(8);
    expect(state.mostFlushing).toBe(1);
    expect(source.committed).toBe(1000);
  });

  it('never flushes twice at once, and finds all durable, where the limit is reached with the last write', async () => {
    const { sink, state } = uploadingSink({ flushMs: 10 });
    const source = new CountingSource(100);
    await time().run(new ConcurrentPipeline(source, sink).bufferSize(20).maxUncommitted(100).run());
    expect(state.mostFlushing).toBe(1);
    expect(source.committed).toBe(100);
  });

  it('waits for what becomes durable by itself, where the sink has no flush', async () => {
    let accepted = 0;
    const waiting: (() => void)[] = [];
    const sink: Sink<number> = {
      write: (batch) => {
        accepted += batch.length;
        return { durable: new Promise((resolve) => waiting.push(resolve)) };
      },
    };
    const source = new CountingSource(25);
    const run = new ConcurrentPipeline(source, sink).bufferSize(10).maxUncommitted(10).run();
    await time().advance(60_000);
    expect(accepted).toBe(10);
    waiting.shift()?.();
    await time().settle();
    expect(accepted).toBeGreaterThan(10);
    expect(accepted).toBeLessThan(20);
    // The rest becomes durable in the turn in which it is written.
    waiting.push = (resolve) => {
      resolve();
      return 0;
    };
    for (const resolve of waiting.splice(0)) resolve();
    expect(await time().run(run)).toMatchObject({ written: 25 });
    expect(source.committed).toBe(25);
  });

  it.each(['throws', 'rejects'] as const)(
    'fails the run when that flush %s, whatever failFast says',
    async (how) => {
      for (const failFast of [true, false]) {
        let flushes = 0;
        const cause = new Error('flush');
        const sink: Sink<number> = {
          write: () => ({ durable: new Promise<void>(() => {}) }),
          flush: () => {
            flushes += 1;
            if (how === 'throws') throw cause;
            return Promise.reject(cause);
          },
        };
        const source = new CountingSource(1000);
        const run = new ConcurrentPipeline(source, sink)
          .bufferSize(10)
          .maxUncommitted(10)
          .failFast(failFast)
          .run();
        await expect(time().run(run)).rejects.toMatchObject({ code: 'SW_SINK_FAILED', cause });
        expect(flushes).toBeGreaterThan(0);
        expect(source.commits).toEqual([]);
        expect(source.closedWith).toHaveLength(1);
      }
    },
  );
});
