import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { ControlledSource } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { iterate, ListSource, pipe, upTo } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

describe('Flow.batch', () => {
  it('makes arrays over the bounds of source batches, the last perhaps shorter', async () => {
    const source = new ListSource(upTo(10), { size: () => 3 });
    expect(await time().run(pipe(from(source).batch(4)))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(source.commits.at(-1)).toBe(10);
  });

  it('leaves arrays that are items whole', async () => {
    const pairs: [number, number][] = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    expect(await iterate(from(pairs).batch(2))).toEqual([[pairs[0], pairs[1]], [pairs[2]]]);
  });

  it('gathers more pieces than a call takes arguments', async () => {
    const size = 200_000;
    let handedOut = 0;
    const single = { pull: () => (handedOut < size ? [handedOut++] : undefined) };
    const [batch] = await time().run(pipe(from(single).batch(size)));
    expect(batch).toHaveLength(size);
  });

  it('commits no position of a source batch before the array with its last item is written', async () => {
    const source = new ListSource(upTo(9), { size: () => 3 });
    const seen: (readonly [readonly number[], number | undefined])[] = [];
    const sink = {
      batching: { maxItems: 1 },
      write: async ([batch]: readonly (readonly number[])[]) => {
        seen.push([batch as readonly number[], source.commits.at(-1)]);
      },
    };
    await time().run(
      new ConcurrentPipeline(from(source).batch(4), sink).bufferSize(2).commitEvery({ items: 1 }).run(),
    );
    expect(seen).toEqual([
      [[0, 1, 2, 3], undefined],
      [[4, 5, 6, 7], 4],
      [[8], 8],
    ]);
    expect(source.commits.at(-1)).toBe(9);
  });

  it('hands an array on that is not full, withinMs after its first item', async () => {
    const source = new ControlledSource<number>();
    const sink = collect<readonly number[]>();
    const run = new ConcurrentPipeline(from(source).batch(10, { withinMs: 50 }), sink).run();
    await time().advance(1000);
    source.lastPull.answer([1]);
    await time().advance(49);
    source.lastPull.answer([2]);
    await time().settle();
    expect(sink.items).toEqual([]);
    await time().advance(1);
    expect(sink.items).toEqual([[1, 2]]);
    // The pull that was outstanding goes on, and what it answers begins the next array.
    source.lastPull.answer([3]);
    await time().advance(49);
    expect(sink.items).toHaveLength(1);
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(sink.items).toEqual([[1, 2], [3]]);
    expect(source.breaches).toEqual([]);
  });

  it('is done with batches that were emptied before it, and does not gather them', async () => {
    const source = new ControlledSource<number>();
    const sink = collect<readonly number[]>();
    const flow = from(source)
      .filter((n) => n > 0)
      .batch(2);
    const run = new ConcurrentPipeline(flow, sink).commitEvery({ items: 1, ms: 1 }).run();
    await time().settle();
    source.lastPull.answer({ items: [-1, -2], position: 2 });
    await time().advance(10);
    expect(source.commits.map((positions) => positions.get(''))).toEqual([2]);
    source.lastPull.answer({ items: [1], position: 3 });
    await time().settle();
    source.lastPull.answer({ items: [-1], position: 4 });
    await time().advance(10);
    expect(source.commits.at(-1)?.get('')).toBe(2);
    source.lastPull.answer({ items: [2], position: 5 });
    await time().settle();
    source.lastPull.answer({ items: [], position: 6 });
    await time().settle();
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(sink.items).toEqual([[1, 2]]);
    expect(source.commits.at(-1)?.get('')).toBe(6);
  });

  it('hands on what it has before it fails with its source', async () => {
    const source = new ControlledSource<number>();
    const sink = collect<readonly number[]>();
    const run = new ConcurrentPipeline(from(source).batch(10), sink).failFast(false).run();
    run.catch(() => {});
    await time().settle();
    source.lastPull.answer([1, 2]);
    await time().settle();
    source.lastPull.fail(new Error('gone'));
    await expect(time().run(run)).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED' });
    expect(sink.items).toEqual([[1, 2]]);
  });

  it('takes its timer back when the run is aborted', async () => {
    const source = new ControlledSource<number>();
    const pipeline = new ConcurrentPipeline(from(source).batch(10, { withinMs: 60_000 }), collect());
    const run = pipeline.run();
    run.catch(() => {});
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    void pipeline.abort(new Error('enough'));
    await time().settle();
    source.lastPull.answer(undefined);
    await expect(time().run(run)).rejects.toThrow('enough');
    // That no timer is left, the leak check tells.
  });

  it.each([0, -1, 1.5, Number.NaN])('takes no size of %d', (size) => {
    expect(() => from([1]).batch(size)).toThrow(RangeError);
  });
});
