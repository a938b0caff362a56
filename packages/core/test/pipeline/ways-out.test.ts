/** Whenever a run is ended, and however: everybody is closed once, last, and with a reason exactly if the run failed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Holds a source and a sink to the rules of their calls. */
class Referee {
  readonly breaches: string[] = [];
  readonly closed: Record<'source' | 'sink', unknown[]> = { source: [], sink: [] };
  readonly opened = { source: 0, sink: 0 };
  written = 0;
  #writing = 0;
  #pulling = 0;
  #committing = 0;
  #flushing = 0;
  #hasEnded = false;

  #check(rule: string, isKept: boolean): void {
    if (!isKept) this.breaches.push(rule);
  }

  source(inner: Source<number, number>): Source<number, number> {
    const { closed, opened } = this;
    return {
      open: (context) => {
        this.#check('S1', opened.source === 0 && closed.source.length === 0);
        opened.source += 1;
        return inner.open?.(context);
      },
      pull: async (demand) => {
        this.#check('S1', opened.source === 1);
        this.#check('S2', this.#pulling === 0);
        this.#check('S5', !this.#hasEnded);
        this.#check('S10', closed.source.length === 0);
        this.#pulling += 1;
        try {
          const answer = await inner.pull(demand);
          this.#hasEnded = answer === undefined;
          return answer;
        } finally {
          this.#pulling -= 1;
        }
      },
      stop: () => {
        this.#check('S10', closed.source.length === 0);
        this.#hasEnded = true;
      },
      commit: async (positions) => {
        this.#check('S8', this.#committing === 0);
        this.#check('S10', closed.source.length === 0);
        this.#committing += 1;
        try {
          await inner.commit?.(positions);
        } finally {
          this.#committing -= 1;
        }
      },
      close: (reason) => {
        this.#check('S10', closed.source.length === 0 && closed.sink.length === 1);
        closed.source.push(reason);
        return inner.close?.(reason);
      },
    };
  }

  sink(inner: Sink<number>, concurrency: number): Sink<number> {
    const { closed, opened } = this;
    return {
      concurrency,
      open: (context) => {
        this.#check('K1', opened.sink === 0 && closed.sink.length === 0);
        opened.sink += 1;
        return inner.open?.(context);
      },
      write: async (batch, context) => {
        this.#check('K1', opened.sink === 1);
        this.#check('K2', this.#writing < concurrency);
        this.#check('K3', batch.length > 0);
        this.#check('K7', this.#flushing === 0);
        this.#check('K8', closed.sink.length === 0);
        this.#writing += 1;
        try {
          const answer = await inner.write(batch, context);
          this.written += batch.length;
          return answer;
        } finally {
          this.#writing -= 1;
        }
      },
      flush: async () => {
        this.#check('K7', this.#writing === 0 && this.#flushing === 0);
        this.#check('K8', closed.sink.length === 0);
        this.#flushing += 1;
        try {
          await inner.flush?.();
        } finally {
          this.#flushing -= 1;
        }
      },
      close: (reason) => {
        this.#check('K8', closed.sink.length === 0);
        closed.sink.push(reason);
        return inner.close?.(reason);
      },
    };
  }
}

/** Waits for so many microtasks. */
async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

function numbers(clock: VirtualClock, end: number, waitMs: number): Source<number, number> {
  let at = 0;
  return {
    pull: async (demand) => {
      if (waitMs > 0) await clock.sleep(waitMs);
      if (at >= end) return undefined;
      const items = Array.from({ length: Math.min(demand, end - at, 7) }, (_, i) => at + i);
      at += items.length;
      return { items, position: at };
    },
    commit: () => ticks(3),
  };
}

describe('ConcurrentPipeline, all ways out', () => {
  const plan = fc.record({
    items: fc.constantFrom(0, 1, 20, 100),
    bufferSize: fc.constantFrom(1, 2, 10, 1000),
    maxConcurrency: fc.constantFrom(1, 3),
    maxUncommitted: fc.constantFrom(5, 100_000),
    failFast: fc.boolean(),
    pullMs: fc.constantFrom(0, 2),
    writeMs: fc.constantFrom(0, 3),
    operator: fc.constantFrom('none', 'flatMap', 'async'),
    failsAt: fc.option(
      fc.record({
        place: fc.constantFrom(
          'pull',
          'write',
          'flush',
          'commit',
          'sink.close',
          'source.close',
          'sink.open',
          'source.open',
        ),
        call: fc.integer({ min: 1, max: 4 }),
      }),
    ),
    ends: fc.array(
      fc.record({
        how: fc.constantFrom('drain', 'abort', 'pause', 'resume', 'fail'),
        ms: fc.constantFrom(0, 1, 2, 3, 5, 10),
        ticks: fc.integer({ min: 0, max: 30 }),
      }),
      { maxLength: 4 },
    ),
  });

  it('K1 K2 K3 K7 K8 S1 S2 S5 S8 S10 hold whenever and however a run ends', async () => {
    let drained = 0;
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(plan, (p) =>
        withVirtualClock({}, async (clock) => {
          const calls = new Map<string, number>();
          const at = (place: string): void => {
            const call = (calls.get(place) ?? 0) + 1;
            calls.set(place, call);
            if (p.failsAt?.place !== place) return;
            // A commit is tried again, so it fails for good.
            const isOver = place === 'commit' && call > p.failsAt.call;
            if (p.failsAt.call === call || isOver || place.includes('.')) throw new Error(place);
          };
          let failSink: ((error: unknown) => void) | undefined;
          const inner = numbers(clock, p.items, p.pullMs);
          const referee = new Referee();
          const source = referee.source({
            open: () => at('source.open'),
            pull: (demand) => {
              at('pull');
              return inner.pull(demand);
            },
            commit: (positions) => {
              at('commit');
              return inner.commit?.(positions);
            },
            close: () => at('source.close'),
          });
          const sink = referee.sink(
            {
              open: async (context) => {
                failSink = context.fail;
                await ticks(2);
                at('sink.open');
              },
              write: async () => {
                if (p.writeMs > 0) await clock.sleep(p.writeMs);
                at('write');
                return p.maxUncommitted === 5 ? { durable: ticks(5) } : undefined;
              },
              flush: async () => {
                await ticks(4);
                at('flush');
                // What was accepted has its time to become durable.
                await ticks(10);
              },
              close: () => at('sink.close'),
            },
            p.maxConcurrency,
          );
          let flow = from(source);
          if (p.operator === 'flatMap') flow = flow.flatMap((n) => [n, n, n]);
          if (p.operator === 'async') flow = flow.map((n) => clock.sleep(1).then(() => n));
          const pipeline = new ConcurrentPipeline(flow, sink)
            .bufferSize(p.bufferSize)
            .maxConcurrency(p.maxConcurrency)
            .maxUncommitted(p.maxUncommitted)
            .commitEvery({ items: 10, ms: 5 })
            .failFast(p.failFast);
          const run = pipeline.run().then(
            (report) => ({ report, error: undefined }),
            (error: unknown) => ({ report: undefined, error }),
          );
          let isPaused = false;
          for (const { how, ms, ticks: count } of p.ends) {
            await clock.advance(ms);
            await ticks(count);
            if (how === 'drain') pipeline.drain().catch(() => {});
            else if (how === 'abort') void pipeline.abort();
            else if (how === 'pause') void pipeline.pause();
            else if (how === 'resume') pipeline.resume();
            else failSink?.(new Error('between'));
            isPaused = how === 'pause' || (isPaused && how !== 'resume');
          }
          if (isPaused) pipeline.resume();
          const { report, error } = await clock.run(run);
          await clock.advance(100);
          expect(referee.breaches).toEqual([]);
          expect(pipeline.state).toBe('done');
          const { sink: sinkClosed, source: sourceClosed } = referee.closed;
          expect(sinkClosed).toHaveLength(referee.opened.sink);
          expect(sourceClosed).toHaveLength(referee.opened.source);
          if (report !== undefined) {
            expect([sinkClosed, sourceClosed]).toEqual([[undefined], [undefined]]);
            expect(report.written).toBe(referee.written);
            expect(report.written).toBe(report.read * (p.operator === 'flatMap' ? 3 : 1));
            expect(report.highWaterMark).toBeLessThanOrEqual(p.bufferSize);
            if (report.outcome === 'drained') drained += 1;
          } else {
            failed += 1;
            expect(error).toBeInstanceOf(Error);
            // Whoever failed while closing well was told no reason; so was who closed before.
            const closing = p.failsAt?.place.endsWith('close') === true;
            for (const reason of [...sinkClosed, ...sourceClosed]) {
              if (reason === undefined) expect(closing || !p.failFast).toBe(true);
              else expect(reason).toBe(error);
            }
          }
          expect(clock.activeTimers).toBe(0);
        }),
      ),
      { numRuns: 1500 },
    );
    // Both were really tried.
    expect(drained).toBeGreaterThan(10);
    expect(failed).toBeGreaterThan(10);
  }, 60_000);

  it('K8 with failFast(false) nothing is written any more once the sink is flushed, whatever operators still hold', async () => {
    const referee = new Referee();
    let writes = 0;
    const sink = referee.sink(
      {
        write: async () => {
          await time().sleep(5);
          writes += 1;
          if (writes === 1) throw new Error('first');
        },
        flush: () => time().sleep(10),
      },
      1,
    );
    // One item of the source, three of the operator: two of them are still held when the write of the first fails.
    const flow = from(referee.source(numbers(time(), 100, 0))).flatMap((n) => [n, n, n]);
    const pipeline = new ConcurrentPipeline(flow, sink).bufferSize(1).failFast(false);
    const error = await time().run(rejection(pipeline.run()));
    await time().advance(1000);
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED' });
    expect(referee.breaches).toEqual([]);
    expect([writes, referee.written, pipeline.report.written]).toEqual([3, 2, 2]);
  });
});
