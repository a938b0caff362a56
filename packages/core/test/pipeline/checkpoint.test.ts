/** Checkpoints: where a run resumes, what it saves and when, and what happens when that fails. */

import { describe, expect, it } from 'vitest';
import type { CheckpointStore } from '../../src/checkpoint.ts';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { OptionError, StreamWeldError } from '../../src/errors.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source, SourceContext } from '../../src/source.ts';
import { range } from '../../src/builtin/sources.ts';
import { ControlledSink, ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** A store that keeps a record, and fails so many saves. */
class RecordingStore implements CheckpointStore {
  readonly saves: ReadonlyMap<string, unknown>[] = [];
  failures = 0;
  saving = 0;
  mostSaving = 0;
  loaded: ReadonlyMap<string, unknown> | undefined;
  readonly #saveMs: number;

  constructor(saveMs = 0) {
    this.#saveMs = saveMs;
  }

  load(): ReadonlyMap<string, unknown> | undefined {
    return this.loaded;
  }

  async save(_pipeline: string, positions: ReadonlyMap<string, unknown>): Promise<void> {
    this.saving += 1;
    this.mostSaving = Math.max(this.mostSaving, this.saving);
    if (this.#saveMs > 0) await time().sleep(this.#saveMs);
    this.saving -= 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the store is away');
    }
    this.saves.push(positions);
  }
}

const nothing: Sink<unknown> = { name: 'nothing', write: () => {} };

/** A source that only tells where it was told to resume. */
class AskedSource implements Source<number, number> {
  readonly name: string;
  positions: ReadonlyMap<string, number> | undefined;

  constructor(name = 'asked') {
    this.name = name;
  }

  open(context: SourceContext<number>): void {
    this.positions = context.positions;
  }

  pull(): undefined {
    return undefined;
  }
}

describe('checkpoint', () => {
  it('commits by count also where nothing ever waits', async () => {
    const store = new MemoryCheckpointStore();
    const saved: unknown[] = [];
    const committed: unknown[] = [];
    const source: Source<number, number> = {
      ...range(0, 100),
      commit: (positions) => void committed.push(positions.get('')),
    };
    const sink: Sink<number> = {
      write: () => {
        saved.push(store.load('numbers').get(''));
      },
    };
    const pipeline = new ConcurrentPipeline(source, sink)
      .bufferSize(20)
      .commitEvery({ items: 10 })
      .checkpoint(store, 'numbers');
    await time().run(pipeline.run());
    // Each write finds what was written before it in the checkpoint.
    expect(saved).toEqual([undefined, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect(committed).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  });

  it('goes on where the run before it had come to', async () => {
    const store = new MemoryCheckpointStore();
    const written: number[] = [];
    const sink = { write: (batch: readonly number[]) => void written.push(...batch) };
    const first = new ConcurrentPipeline(from(range(0, 100)).take(30), sink).checkpoint(store, 'numbers');
    await time().run(first.run());
    expect(written).toHaveLength(30);
    await time().run(new ConcurrentPipeline(range(0, 100), sink).checkpoint(store, 'numbers').run());
    expect(written.length).toBeGreaterThanOrEqual(70);
    expect(new Set(written.slice(30)).has(99)).toBe(true);
    await time().run(new ConcurrentPipeline(range(0, 100), sink).checkpoint(store, 'numbers').run());
    expect(written.at(-1)).toBe(99);
  });

  it('saves every lane, also those that have not moved', async () => {
    const store = new RecordingStore();
    store.loaded = new Map([['old', 7]]);
    const source = new CountingSource(5, { lane: 'new' });
    const run = new ConcurrentPipeline(source, nothing).checkpoint(store, 'job').run();
    const report = await time().run(run);
    expect([...(store.saves.at(-1) ?? [])]).toEqual([
      ['old', 7],
      ['new', 5],
    ]);
    expect([...report.positions]).toEqual([
      ['old', 7],
      ['new', 5],
    ]);
    // The source is told of what moved alone, and only once the store has it.
    expect(source.commits).toEqual([new Map([['new', 5]])]);
  });

  it('saves nothing that is not durable', async () => {
    const store = new RecordingStore();
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = new ConcurrentPipeline(source, sink).commitEvery({ items: 1 }).checkpoint(store, 'job').run();
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1 });
    await time().settle();
    let settle = (): void => {};
    sink.writes[0]?.accept({ durable: new Promise((resolve) => void (settle = resolve)) });
    await time().settle();
    source.lastPull.answer({ items: [2], position: 2 });
    await time().settle();
    sink.writes[1]?.accept();
    await time().settle();
    expect(store.saves).toEqual([]);
    settle();
    await time().settle();
    expect(store.saves).toEqual([new Map([['', 2]])]);
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it('tries a save again, and goes on as if nothing had been', async () => {
    const store = new RecordingStore();
    store.failures = 4;
    const source = new CountingSource(5);
    const report = await time().run(new ConcurrentPipeline(source, nothing).checkpoint(store, 'job').run());
    expect(report.outcome).toBe('completed');
    expect(store.saves).toEqual([new Map([['', 5]])]);
    expect(time().elapsed).toBe(100 + 200 + 400 + 800);
  });

  it('fails when a save is refused five times, and the source was told nothing', async () => {
    const store = new RecordingStore();
    store.failures = 100;
    const source = new CountingSource(5);
    const run = new ConcurrentPipeline(source, nothing).checkpoint(store, 'job').run();
    const error = await time().run(rejection(run));
    expect(error).toMatchObject({ code: 'SW_COMMIT_FAILED', stage: 'job' });
    expect((error as StreamWeldError).cause).toMatchObject({ message: 'the store is away' });
    expect(source.commits).toEqual([]);
  });

  it('does not wait for another try once it was aborted', async () => {
    const store = new RecordingStore();
    store.failures = 100;
    const source = new ControlledSource<number>();
    const pipeline = new ConcurrentPipeline(source, nothing)
      .commitEvery({ items: 1 })
      .checkpoint(store, 'job');
    pipeline.run().catch(() => {});
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1 });
    await time().advance(150);
    expect(store.failures).toBe(98);
    await time().run(pipeline.abort());
    expect(time().elapsed).toBe(150);
  });

  it('saves one at a time, whatever several sources commit', async () => {
    const store = new RecordingStore(20);
    const [a, b] = [new CountingSource(50, { size: () => 1 }), new CountingSource(50, { size: () => 1 })];
    const run = new ConcurrentPipeline(from(a).merge(b), nothing)
      .commitEvery({ items: 1 })
      .checkpoint(store, 'job')
      .run();
    await time().run(run);
    expect(store.mostSaving).toBe(1);
    expect([...(store.saves.at(-1) ?? [])]).toEqual([
      ['counting#0/', 50],
      ['counting#1/', 50],
    ]);
  });

  it('gives each of several sources what is its own', async () => {
    const store = new RecordingStore();
    store.loaded = new Map([
      ['left/x', 1],
      ['right/x', 2],
      ['right/y/z', 3],
    ]);
    const [left, right] = [new AskedSource('left'), new AskedSource('right')];
    await time().run(new ConcurrentPipeline(from(left).merge(right), nothing).checkpoint(store, 'job').run());
    expect(left.positions).toEqual(new Map([['x', 1]]));
    expect(right.positions).toEqual(
      new Map([
        ['x', 2],
        ['y/z', 3],
      ]),
    );
  });

  it('refuses positions of a source it has not', async () => {
    const store = new RecordingStore();
    store.loaded = new Map([['gone/x', 1]]);
    const flow = from(new AskedSource('left')).merge(new AskedSource('right'));
    const error = await time().run(
      rejection(new ConcurrentPipeline(flow, nothing).checkpoint(store, 'job').run()),
    );
    expect(error).toMatchObject({ code: 'SW_CHECKPOINT_FAILED', stage: 'job' });
    expect((error as StreamWeldError).message).toContain("'gone/x'");
  });

  it.each([
    ['the sink, where it keeps positions', new Map([['', 30]]), new Map([['', 20]]), 30],
    ['the store, where the sink has none', new Map<string, unknown>(), new Map([['', 20]]), 20],
    ['the source itself, where nobody has any', new Map<string, unknown>(), undefined, undefined],
  ])('resumes from %s', async (_what, kept, saved, resumed) => {
    const store = new RecordingStore();
    store.loaded = saved;
    const source = new AskedSource();
    const sink: Sink<number> = { keepsPositions: true, positions: () => kept, write: () => {} };
    await time().run(new ConcurrentPipeline(source, sink).checkpoint(store, 'job').run());
    expect(source.positions?.get('')).toBe(resumed);
  });

  it('says that a store cannot be read, and touches nothing', async () => {
    const store: CheckpointStore = {
      load: () => {
        throw new Error('no such table');
      },
      save: () => {},
    };
    const source = new CountingSource(5);
    const error = await time().run(
      rejection(new ConcurrentPipeline(source, nothing).checkpoint(store, 'job').run()),
    );
    expect(error).toMatchObject({ code: 'SW_CHECKPOINT_FAILED' });
    expect((error as StreamWeldError).cause).toMatchObject({ message: 'no such table' });
    expect(source.handedOut).toBe(0);
  });

  it('says that a source has no positions', async () => {
    const run = new ConcurrentPipeline([1, 2], nothing).checkpoint(new MemoryCheckpointStore(), 'job').run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_CHECKPOINT_NO_POSITIONS' });
  });

  it('C4 is fenced when another run takes its name over, and does not try again', async () => {
    const store = new MemoryCheckpointStore();
    const source = new ControlledSource<number>();
    const stale = new ConcurrentPipeline(source, nothing).commitEvery({ items: 1 }).checkpoint(store, 'job');
    const run = rejection(stale.run());
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1 });
    await time().settle();
    expect(store.load('job').get('')).toBe(1);
    await time().run(new ConcurrentPipeline(new AskedSource(), nothing).checkpoint(store, 'job').run());
    source.lastPull.answer({ items: [2], position: 2 });
    expect(await time().run(run)).toMatchObject({ code: 'SW_CHECKPOINT_FENCED' });
    expect(time().elapsed).toBe(0);
    expect(store.load('job').get('')).toBe(1);
    // Another name is another thing.
    await time().run(new ConcurrentPipeline(new CountingSource(3), nothing).checkpoint(store, 'other').run());
    expect(store.load('other').get('')).toBe(3);
  });

  it.each([
    ['no store', undefined, 'job'],
    ['half a store', { load: () => undefined }, 'job'],
    ['no name', new MemoryCheckpointStore(), ''],
  ])('is told at once of %s', (_what, store, name) => {
    const pipeline = new ConcurrentPipeline([1], nothing);
    expect(() => pipeline.checkpoint(store as CheckpointStore, name)).toThrow(OptionError);
  });
});
