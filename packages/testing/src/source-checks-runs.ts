/** A source in whole runs: through a ConcurrentPipeline, with a checkpoint where it has positions. */

import assert from 'node:assert/strict';
import { type CheckpointStore, ConcurrentPipeline, type Source } from '@streamweld/core';
import { Deferred, isThenable } from '@streamweld/core/connector';
import type { SourceBench } from './source-bench.ts';
import { turns } from './source-bench.ts';
import { hasPositions, type SourceCheck, sourceCheck } from './source-check.ts';
import { positioned, without } from './source-checks-positions.ts';
import { type Answer, assertItems, assertLanes, byLane, keyOf } from './source-comparison.ts';
import { storedPositions } from './source-positions.ts';

/** So few that it is pulled often. */
const BUFFER = 8;

export const RUN_CHECKS: readonly SourceCheck[] = [
  sourceCheck('S3', 'gives a run every item once, in the order of its lanes', async (bench) => {
    const run = new TrialRun(bench);
    await run.toTheEnd(bench.expected.length);
    assertItems(run.answers, bench.expected, 'In a run');
    assert.deepEqual(run.written.toSorted(), bench.expected.toSorted(), 'Not what it answered was written.');
  }),
  sourceCheck('S9', 'lets a run drain in the middle, soon and without loss', async (bench) => {
    const run = new TrialRun(bench);
    await run.until(5);
    await run.drain();
    const answered = run.answers.flatMap(({ keys }) => keys);
    assert.deepEqual(run.written.toSorted(), answered.toSorted(), 'Not what it answered was written.');
    if (!hasPositions(bench.harness)) return;
    const next = new TrialRun(bench, run.saved);
    await next.toTheEnd(bench.expected.length - run.written.length);
    assertItems([...run.answers, ...next.answers], bench.expected, 'Before a drain and after it');
  }),
  sourceCheck(
    'S12',
    'goes on where the checkpoint of a run stands that was aborted in the middle',
    async (bench) => {
      const all = byLane(await positioned(bench, 1));
      const run = new TrialRun(bench);
      await run.until(Math.ceil(bench.expected.length / 3));
      await run.abort();
      const behind = byLane(upTo(run.answers, run.saved));
      const due = without(all, behind);
      const count = [...due.values()].reduce((sum, keys) => sum + keys.length, 0);
      const next = new TrialRun(bench, run.saved);
      await next.toTheEnd(count);
      assertLanes(byLane(next.answers), due, 'In the run behind one that was aborted');
      for (const key of bench.expected) {
        assert(
          run.written.includes(key) || next.written.includes(key),
          `'${key}' was written by neither run.`,
        );
      }
    },
    { applies: hasPositions },
  ),
  sourceCheck('S18', 'bears a run that is paused, and goes on when it is resumed', async (bench) => {
    const run = new TrialRun(bench);
    await run.until(5);
    await bench.soon('the pause', run.pipeline.pause());
    await turns(20);
    const before = run.written.length;
    await turns(20);
    assert.equal(run.written.length, before, 'Items were written while the run was paused.');
    run.pipeline.resume();
    await run.toTheEnd(bench.expected.length);
    assertItems(run.answers, bench.expected, 'In a run that was paused');
  }),
  sourceCheck('S18', 'bears a sink that is slow', async (bench) => {
    const run = new TrialRun(bench, undefined, () => turns(10));
    await run.toTheEnd(bench.expected.length);
    assertItems(run.answers, bench.expected, 'With a slow sink');
    assert(
      run.mostAhead <= BUFFER,
      `It was ${run.mostAhead} items ahead of the sink, with a buffer of ${BUFFER}.`,
    );
  }),
];

/** One run, that is watched from both sides. */
class TrialRun {
  readonly pipeline: ConcurrentPipeline<unknown>;
  /** As the sink got them. */
  readonly written: string[] = [];
  /** As the source answered them. */
  readonly answers: Answer[] = [];
  mostAhead = 0;
  /** What the store holds. */
  saved: ReadonlyMap<string, unknown>;
  #result: Promise<unknown> | undefined;
  #waiting: { readonly count: number; readonly reached: Deferred } | undefined;
  #answered = 0;
  readonly #bench: SourceBench;

  constructor(
    bench: SourceBench,
    saved: ReadonlyMap<string, unknown> = new Map(),
    beforeEachWrite?: () => Promise<void>,
  ) {
    this.#bench = bench;
    this.saved = saved;
    const sink = async (batch: readonly unknown[]): Promise<void> => {
      await beforeEachWrite?.();
      for (const item of batch) this.written.push(this.#keyOf(item));
      this.#look();
    };
    this.pipeline = new ConcurrentPipeline(this.#watched(bench.place.create()), sink)
      .bufferSize(BUFFER)
      .closeMs(bench.deadlineMs)
      .commitEvery({ items: 1 });
    if (hasPositions(bench.harness)) {
      const store: CheckpointStore = {
        load: () => storedPositions(this.saved),
        save: (_, positions) => {
          this.saved = storedPositions(positions);
        },
      };
      this.pipeline.checkpoint(store, 'a run of the suite');
    }
  }

  /** Runs until so many items are written, or it has ended. */
  async until(count: number): Promise<void> {
    this.#start();
    const reached = new Deferred();
    this.#waiting = { count, reached };
    this.#look();
    // A run that ends before has less.
    this.#result?.then(() => reached.resolve(), reached.reject);
    await this.#soon(`the write of item ${count}`, reached.promise);
  }

  /** To its end, or to a drain where it has none. */
  async toTheEnd(count: number): Promise<void> {
    this.#start();
    if (this.#bench.isEndless) {
      await this.until(count);
      // If there is more than that, it comes now.
      await turns(20);
      await this.drain();
    }
    await this.#soon('the end of the run', this.#result);
  }

  async drain(): Promise<void> {
    await this.#soon('the drain', this.pipeline.drain({ deadlineMs: this.#bench.deadlineMs }));
  }

  async abort(): Promise<void> {
    await this.#bench.soon(
      'the end of an aborted run',
      this.pipeline.abort(new Error('The run was aborted.')),
    );
  }

  #start(): void {
    this.#result ??= this.pipeline.run();
    // Whoever waits for it is told.
    this.#result.catch(() => {});
  }

  /** A run that is late is ended, or it would go on beside the next check. */
  async #soon(what: string, promise: PromiseLike<unknown> | undefined): Promise<void> {
    try {
      await this.#bench.soon(what, promise);
    } catch (error) {
      await this.#bench.soon('an abort', this.pipeline.abort(error)).catch(() => {});
      throw error;
    }
  }

  #look(): void {
    if (this.#waiting !== undefined && this.written.length >= this.#waiting.count)
      this.#waiting.reached.resolve();
  }

  #keyOf(item: unknown): string {
    const { harness } = this.#bench;
    return keyOf(harness.essenceOf === undefined ? item : harness.essenceOf(item));
  }

  /** The same source, with what it answers noted. What it has not, this has not. */
  #watched(source: Source<unknown, unknown>): Source<unknown, unknown> {
    const note = <A>(answer: A): A => {
      if (answer !== undefined)
        this.#note(answer as readonly unknown[] | { readonly items: readonly unknown[] });
      return answer;
    };
    return {
      name: source.name,
      open: (context) => source.open?.(context),
      pull: (demand) => {
        const answer = source.pull(demand);
        return isThenable(answer) ? Promise.resolve(answer).then(note) : note(answer);
      },
      stop: () => source.stop?.(),
      ...(source.commit === undefined
        ? undefined
        : { commit: (positions) => source.commit?.(storedPositions(positions)) }),
      ...(source.comparePositions === undefined
        ? undefined
        : { comparePositions: (a, b) => source.comparePositions?.(a, b) ?? 0 }),
      close: (reason) => source.close?.(reason),
    };
  }

  #note(
    answer: readonly unknown[] | { readonly items: readonly unknown[]; lane?: string; position?: unknown },
  ): void {
    const isBare = Array.isArray(answer);
    const { items, lane, position } = isBare
      ? { items: answer, lane: '', position: undefined }
      : (answer as { items: readonly unknown[]; lane?: string; position?: unknown });
    this.answers.push({
      items,
      keys: items.map((item) => this.#keyOf(item)),
      lane: lane ?? '',
      position,
      hasPosition: !isBare,
    });
    this.#answered += items.length;
    this.mostAhead = Math.max(this.mostAhead, this.#answered - this.written.length);
  }
}

/** The answers of each lane up to the one whose position is saved. */
function upTo(answers: readonly Answer[], saved: ReadonlyMap<string, unknown>): Answer[] {
  const last = new Map<string, number>();
  for (const [index, { lane, position }] of answers.entries()) {
    if (saved.has(lane) && keyOf(position) === keyOf(saved.get(lane))) last.set(lane, index);
  }
  return answers.filter(({ lane }, index) => index <= (last.get(lane) ?? -1));
}
