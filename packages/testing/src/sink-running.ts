/** Checks of a sink in a real run: positions that are committed, pause and resume, a slow place, memory. */

import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ConcurrentPipeline } from '@streamweld/core';
import { failureOf, type SinkBench, type SinkCheck, sinkCheck, turns, type Writing } from './sink-bench.ts';
import { assertHolds, assertInOrder, assertOnly, assertSame } from './sink-items.ts';
import { ItemSource } from './sink-source.ts';

const COUNT = 120;
const LARGE_COUNT = 100_000;
/** The items of one write of the check of memory. */
const BATCH = 500;
/** How often memory is looked at, between as many items each. */
const LOOKS = 5;
/** What may be more in the memory after all items than after the first fifth, in bytes. */
const GROWTH = 4 << 20;
/** After so many turns without an answer a write waits for the place. */
const PATIENCE = 20;
/** So many objects may be found alive by chance: on the stack, in a register. */
const STRAY = 16;
/** So often is garbage collected before memory is looked at. */
const COLLECTIONS = 3;
/** So often before what is found alive is held by the sink: a compiler at work in the background holds objects too. */
const MOST_COLLECTIONS = 50;

const ONE_LANE: ReadonlyMap<string, number> = new Map([['', COUNT]]);

/** A run of the sink; small, so that there is much to wait for. */
async function pipelineOf(bench: SinkBench, source: ItemSource): Promise<ConcurrentPipeline<unknown>> {
  return new ConcurrentPipeline<unknown>(source, await bench.harness.create(bench.place))
    .bufferSize(24)
    .maxUncommitted(30)
    .commitEvery({ items: 1 })
    .closeMs(bench.deadlineMs / 5);
}

export const runningChecks: readonly SinkCheck[] = [
  sinkCheck(
    'K5',
    'is never behind a position that a run commits, whatever comes durable first',
    async (bench) => {
      const source = new ItemSource(bench, ONE_LANE);
      const early: number[] = [];
      source.onCommit = async (position) => {
        const read = new Set(await bench.read());
        if (bench.keys(0, position).some((key) => !read.has(key))) early.push(position);
      };
      const pipeline = await pipelineOf(bench, source);
      await bench.soon('a run', pipeline.maxConcurrency(4).run({ signal: bench.leaks.controller().signal }));
      assert.deepEqual(early, [], 'Positions were committed whose items could not be read back.');
      assert.equal(source.position, COUNT, 'The last position was not committed.');
      assertSame(await bench.read(), bench.keys(0, COUNT), 'a run of several writes at once');
    },
  ),

  sinkCheck(
    'K15',
    'has every item in order after a run that was paused, resumed and drained',
    async (bench) => {
      const source = new ItemSource(bench, ONE_LANE);
      const pipeline = await pipelineOf(bench, source);
      const ended = failureOf(pipeline.run({ signal: bench.leaks.controller().signal }));
      for (const count of [10, 30]) {
        await bench.soon('items of a run', source.handedOut(count));
        await bench.soon('a pause', pipeline.pause());
        await turns();
        pipeline.resume();
      }
      await bench.soon('items of a run that was resumed', source.handedOut(50));
      await bench.soon('a drain', pipeline.drain());
      assert.equal(await ended, undefined);
      assert(source.count >= 50);
      assertInOrder(await bench.read(), bench.keys(0, source.count), 'a run that was paused and drained');
    },
  ),

  sinkCheck(
    'K16',
    'leaves whole items, and all that was committed, where a run is aborted',
    async (bench) => {
      const source = new ItemSource(bench, ONE_LANE);
      const controller = bench.leaks.controller();
      const ended = failureOf(
        (await pipelineOf(bench, source)).maxConcurrency(4).run({ signal: controller.signal }),
      );
      await bench.soon('items of a run', source.handedOut(60));
      controller.abort(new Error('The run was aborted.'));
      await bench.soon('the end of a run that was aborted', ended);
      const read = await bench.read();
      assertHolds(read, bench.keys(0, source.position), 'what an aborted run had committed');
      assertOnly(read, bench.keys(0, source.count), 'an aborted run');
    },
  ),

  sinkCheck(
    'K21',
    'holds nothing of what is durable, and its memory does not grow with the items',
    async (bench) => {
      const { harness } = bench;
      const collectGarbage = garbageCollector();
      const writing = await bench.writing();
      await writing.open();
      const count = harness.largeCount ?? LARGE_COUNT;
      const size = writing.size(BATCH);
      const perLook = Math.ceil(count / LOOKS / size);
      const used: number[] = [];
      let next = 0;
      for (let look = 0; look < LOOKS; look += 1) {
        const seen: WeakRef<object>[] = [];
        for (let batch = 0; batch < perLook; batch += 1) {
          await writeWatched(bench, writing, next, size, seen);
          next += size;
          if (batch % 10 === 9) await forgetful(writing);
        }
        await forgetful(writing);
        await harness.forget?.(bench.place);
        let alive = seen.length;
        for (let round = 0; round < COLLECTIONS || (alive > STRAY && round < MOST_COLLECTIONS); round += 1) {
          await collectGarbage();
          alive = seen.filter((item) => item.deref() !== undefined).length;
        }
        assert(alive <= STRAY, `Of ${seen.length} items that are durable ${alive} are still in memory.`);
        used.push(process.memoryUsage().heapUsed + process.memoryUsage().external);
      }
      const growth = (used.at(-1) as number) - (used[0] as number);
      assert(growth < GROWTH, `Its memory has grown by ${growth} bytes with ${next} items.`);
      await writing.finish();
    },
  ),

  sinkCheck(
    'K21',
    'accepts a bounded amount while the place gives no answer',
    async (bench) => {
      const { harness } = bench;
      const writing = await bench.writing();
      await writing.open();
      const most = harness.largeCount ?? LARGE_COUNT;
      const size = writing.size(BATCH);
      const release = await harness.stall?.(bench.place);
      try {
        let accepted = 0;
        for (let next = 0; next < most; next += size) {
          const write = writing.begin(bench.items(next, next + size));
          for (let turn = 0; turn < PATIENCE && !write.isSettled; turn += 1) await turns(1);
          if (!write.isAccepted) break;
          accepted = writing.writes.filter(({ isDurable }) => !isDurable).length * size;
        }
        assert(accepted < most, `It has accepted ${accepted} items while the place gives no answer.`);
      } finally {
        writing.abort();
        await release?.();
      }
      await writing.close(new Error('The run was aborted.'));
    },
    (harness) => harness.stall !== undefined,
  ),
];

/** Writes items, and keeps no more of them than whether they are alive. */
async function writeWatched(
  bench: SinkBench,
  writing: Writing,
  from: number,
  size: number,
  seen: WeakRef<object>[],
): Promise<void> {
  const items = bench.items(from, from + size);
  for (const item of items) if (typeof item === 'object' && item !== null) seen.push(new WeakRef(item));
  await writing.write(items);
}

/** The bench holds nothing either. */
async function forgetful(writing: Writing): Promise<void> {
  await writing.settle();
  writing.writes.length = 0;
}

/** What collects all that nobody holds, after some turns; there without --expose-gc too. */
function garbageCollector(): () => Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return async () => {
    await turns();
    collect();
  };
}
