/** What a sink that keeps positions may not do, and what becomes of a lane that its source gives up. */

import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeferredReceipt, Sink, WriteContext } from '../../src/sink.ts';
import { ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

interface Kept {
  readonly items: readonly number[];
  readonly positions: ReadonlyMap<string, unknown>;
}

/** A sink that notes each write, and answers after so long. */
function keeping(kept: Kept[], ms = 1): Sink<number> {
  return {
    name: 'keeping',
    keepsPositions: true,
    async write(items, { positions }) {
      await time().sleep(ms);
      kept.push({ items, positions: positions ?? new Map() });
    },
  };
}

function keep(sink: Sink<number>, source = new CountingSource(20, { size: () => 2 })) {
  return new ConcurrentPipeline(from(source), sink).checkpoint(new MemoryCheckpointStore(), 'job');
}

describe('K12: a sink that keeps positions', () => {
  const IMPOSSIBLE = { code: 'SW_EXACTLY_ONCE_IMPOSSIBLE', stage: 'late' };

  it.each([true, false])('may not answer { durable }, whatever failFast says: %s', async (failFast) => {
    let writes = 0;
    const source = new CountingSource(20, { size: () => 2 });
    const sink: Sink<number> = {
      name: 'late',
      keepsPositions: true,
      // Late enough that more waits to be written.
      write: async () => {
        writes += 1;
        await time().sleep(2);
        return { durable: time().sleep(5) };
      },
    };
    const run = keep(sink, source).failFast(failFast).run();
    const error = await time().run(rejection(run));
    expect(error).toMatchObject(IMPOSSIBLE);
    expect(String(error)).toContain('{ durable }');
    expect(writes).toBe(1);
    await time().advance(100);
    expect(source.commits).toEqual([]);
  });

  it.each([true, false])('may not defer, whatever failFast says: %s', async (failFast) => {
    const receipts: DeferredReceipt[] = [];
    const source = new CountingSource(20, { size: () => 2 });
    const sink: Sink<number> = {
      name: 'late',
      keepsPositions: true,
      write: async (_: readonly number[], context: WriteContext) => {
        receipts.push(context.defer());
        await time().sleep(2);
      },
    };
    const run = keep(sink, source).failFast(failFast).run();
    expect(await time().run(rejection(run))).toMatchObject(IMPOSSIBLE);
    expect(receipts).toHaveLength(1);
    receipts[0]?.settle();
    expect(source.commits).toEqual([]);
  });

  it('may do both without a checkpoint', async () => {
    const sink: Sink<number> = {
      name: 'late',
      keepsPositions: true,
      write: () => ({ durable: time().sleep(5) }),
      flush: () => time().sleep(6),
    };
    const report = await time().run(new ConcurrentPipeline(new CountingSource(20), sink).run());
    expect(report.written).toBe(20);
  });

  it('is given nothing beyond what it lost, with failFast(false)', async () => {
    const kept: Kept[] = [];
    const good = keeping(kept);
    const sink: Sink<number> = {
      ...good,
      write: async (batch, context) => {
        await time().sleep(2);
        if (batch.includes(4)) throw new Error('four');
        return good.write(batch, context);
      },
    };
    const run = keep(sink).bufferSize(8).failFast(false).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_SINK_FAILED' });
    const items = kept.flatMap((write) => [...write.items]);
    expect(items).toEqual(items.map((_, at) => at));
    expect(items.length).toBeLessThanOrEqual(4);
  });
});

describe('exactly once, and a lane that its source gives up', () => {
  it('lets go of what waits for the rest of a batch, and ends', async () => {
    const kept: Kept[] = [];
    const source = new ControlledSource<number>();
    // Half of a batch comes at once, and waits for the other half.
    const flow = from(source).map(async (n) => {
      await time().sleep(n >= 100 ? 10 : n);
      return n;
    });
    const run = new ConcurrentPipeline(flow, keeping(kept))
      .checkpoint(new MemoryCheckpointStore(), 'job')
      .run();
    await time().settle();
    source.lastPull.answer({ items: [1, 100], position: 2, lane: 'a' });
    await time().advance(5);
    source.context?.endLane('a');
    await time().advance(20);
    expect(kept).toEqual([]);
    source.lastPull.answer({ items: [7], position: 8, lane: 'b' });
    await time().advance(20);
    source.lastPull.answer(undefined);
    expect(await time().run(run)).toMatchObject({ read: 3, written: 1 });
    expect(kept).toEqual([{ items: [7], positions: new Map([['b', 8]]) }]);
  });

  it('takes its room back, so that others go on', async () => {
    const kept: Kept[] = [];
    const source = new ControlledSource<number>();
    const pipeline = new ConcurrentPipeline(from(source), keeping(kept, 50));
    const run = pipeline.bufferSize(4).checkpoint(new MemoryCheckpointStore(), 'job').run();
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1, lane: 'b' });
    await time().advance(1);
    source.lastPull.answer({ items: [2], position: 2, lane: 'a' });
    await time().advance(1);
    source.lastPull.answer({ items: [3], position: 3, lane: 'a' });
    await time().advance(1);
    source.context?.endLane('a');
    await time().advance(100);
    for (let n = 4; n < 14; n++) {
      source.lastPull.answer({ items: [n], position: n, lane: 'b' });
      await time().advance(60);
    }
    await time().advance(100);
    source.lastPull.answer(undefined);
    expect(await time().run(run)).toMatchObject({ read: 13, written: 11 });
    expect(kept.flatMap(({ items }) => [...items])).toEqual([1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  it('begins anew in a lane that comes back', async () => {
    const kept: Kept[] = [];
    const source = new ControlledSource<number>();
    const run = keep(keeping(kept), source as unknown as CountingSource).run();
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1, lane: 'a' });
    await time().advance(5);
    source.context?.endLane('a');
    source.lastPull.answer({ items: [5], position: 5, lane: 'a' });
    await time().advance(5);
    source.lastPull.answer(undefined);
    await time().run(run);
    expect(kept.map(({ positions }) => positions.get('a'))).toEqual([1, 5]);
  });

  it.each(['a', 'c'])(
    'cannot write items of such a lane joined with those of another, behind a write of %s',
    async (lane) => {
      const kept: Kept[] = [];
      const source = new ControlledSource<number>();
      const flow = from(source)
        .batch(2)
        .map((pair) => pair.length);
      const sink = keeping(kept, 30);
      const run = new ConcurrentPipeline(flow, sink).checkpoint(new MemoryCheckpointStore(), 'job').run();
      await time().settle();
      source.lastPull.answer({ items: [0, 1], position: 1, lane });
      await time().settle();
      source.lastPull.answer({ items: [1], position: 2, lane: 'a' });
      await time().settle();
      source.lastPull.answer({ items: [2], position: 2, lane: 'b' });
      await time().settle();
      source.context?.endLane('a');
      const error = await time().run(rejection(run));
      expect(error).toMatchObject({ code: 'SW_EXACTLY_ONCE_IMPOSSIBLE', stage: 'keeping' });
      expect(kept.map(({ positions }) => [...positions])).toEqual([[[lane, 1]]]);
    },
  );
});
