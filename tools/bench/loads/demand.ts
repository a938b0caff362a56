/** One source, and each item to whichever of four sinks has room. RxJS has nothing of the kind. */

import { once } from 'node:events';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DispatchedPipelineBuilder } from '@streamweld/core';
import { type Cause, Effect, Queue, Stream } from 'effect';
import type { Load } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { endAll, integers, readArrays, readIntegers, writeArrays, writeItems } from '../node-streams.ts';
import { type BatchSink, fourBatchSinks, fourItemSinks, WAYS } from '../sinks.ts';
import { runThrough } from '../weld.ts';

export const demand: Load = {
  name: 'demand',
  title: 'one source, each item to whichever of four sinks has room',
  sinks: WAYS,
  expects: 'shared',
  aims: { 'Node streams': 4, 'Node streams, no router': 4 },
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).demand();
        for (const sink of fourBatchSinks(tallies)) await dispatcher.subscribeSink(sink);
        await runThrough(dispatcher, items);
      },
    },
    {
      name: 'Node streams',
      run: (items, tallies) =>
        pipeline(readIntegers(items), toFirstWithRoom(fourItemSinks(tallies).map(writeItems), BUFFER)),
    },
    {
      name: 'Node streams, no router',
      run: async (items, tallies) => {
        const streams = fourItemSinks(tallies).map(writeItems);
        const source = readIntegers(items);
        for (const stream of streams) stream.on('drain', () => source.resume());
        source.on('data', (item: number) => {
          const stream = streams.find(({ writableNeedDrain }) => !writableNeedDrain) as Writable;
          if (!stream.write(item) && streams.every(({ writableNeedDrain }) => writableNeedDrain))
            source.pause();
        });
        await once(source, 'end');
        await endAll(streams);
      },
    },
    {
      name: 'Node streams of arrays',
      run: (items, tallies) =>
        pipeline(
          readArrays(items),
          toFirstWithRoom(fourBatchSinks(tallies).map(writeArrays), BUFFER / BATCH),
        ),
    },
    {
      name: 'Effect, a Queue of items',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const queue = yield* Queue.bounded<number, Cause.Done>(BUFFER);
          const workers = fourBatchSinks(tallies).map((sink) =>
            Stream.fromQueue(queue).pipe(Stream.runForEachArray((batch) => Effect.sync(() => sink(batch)))),
          );
          const feed = Stream.range(0, items - 1, BATCH).pipe(Stream.runIntoQueue(queue));
          yield* Effect.all([feed, ...workers], { concurrency: 'unbounded', discard: true });
        });
        return Effect.runPromise(program);
      },
    },
    {
      name: 'Effect, a Queue of arrays',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const queue = yield* Queue.bounded<readonly number[], Cause.Done>(BUFFER / BATCH);
          const work = (sink: BatchSink): Effect.Effect<void> =>
            Stream.fromQueue(queue).pipe(Stream.runForEach((batch) => Effect.sync(() => sink(batch))));
          const feed = Stream.range(0, items - 1, BATCH).pipe(
            Stream.runForEachArray((batch) => Queue.offer(queue, batch)),
            Effect.andThen(Queue.end(queue)),
          );
          yield* Effect.all([feed, ...fourBatchSinks(tallies).map(work)], {
            concurrency: 'unbounded',
            discard: true,
          });
        });
        return Effect.runPromise(program);
      },
    },
    {
      name: 'plain loops',
      run: async (items, tallies) => {
        const sinks = fourBatchSinks(tallies);
        let turn = 0;
        for (let next = 0; next < items; next += BATCH) {
          const sink = sinks[turn] as BatchSink;
          turn = (turn + 1) % WAYS;
          sink(integers(next, Math.min(items, next + BATCH)));
        }
      },
    },
  ],
};

/** Writes each chunk to the first stream that is not full; when all are, it waits for one of them. */
function toFirstWithRoom(streams: readonly Writable[], highWaterMark: number): Writable {
  let waiting: (() => void) | undefined;
  for (const stream of streams) {
    stream.on('drain', () => {
      const wake = waiting;
      waiting = undefined;
      wake?.();
    });
  }
  return new Writable({
    objectMode: true,
    highWaterMark,
    write(chunk: unknown, _encoding, done) {
      for (const stream of streams) {
        if (stream.writableNeedDrain) continue;
        if (!stream.write(chunk) && streams.every(({ writableNeedDrain }) => writableNeedDrain))
          waiting = done;
        else done();
        return;
      }
      throw new Error('A router was written to while it waited.');
    },
    final(done) {
      endAll(streams).then(() => done(), done);
    },
  });
}
