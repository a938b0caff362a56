/** One source, and every item to four sinks. */

import { once } from 'node:events';
import { DispatchedPipelineBuilder } from '@streamweld/core';
import { Effect, Stream } from 'effect';
import { range, Subject } from 'rxjs';
import type { Load } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { integers, readArrays, readIntegers, writeArrays, writeItems } from '../node-streams.ts';
import { fourBatchSinks, fourItemSinks, WAYS } from '../sinks.ts';
import { runThrough } from '../weld.ts';

export const broadcast: Load = {
  name: 'broadcast',
  title: 'one source, every item to four sinks',
  sinks: WAYS,
  expects: () => true,
  aims: { 'Node streams': 12 },
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).broadcast();
        for (const sink of fourBatchSinks(tallies)) await dispatcher.subscribeSink(sink);
        await runThrough(dispatcher, items);
      },
    },
    {
      name: 'Node streams',
      run: async (items, tallies) => {
        const source = readIntegers(items);
        const finished = fourItemSinks(tallies).map((sink) => once(source.pipe(writeItems(sink)), 'finish'));
        await Promise.all(finished);
      },
    },
    {
      name: 'Node streams of arrays',
      run: async (items, tallies) => {
        const source = readArrays(items);
        const finished = fourBatchSinks(tallies).map((sink) =>
          once(source.pipe(writeArrays(sink)), 'finish'),
        );
        await Promise.all(finished);
      },
    },
    {
      name: 'Effect, broadcastN',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const streams = yield* Stream.range(0, items - 1, BATCH).pipe(
            Stream.broadcastN({ n: WAYS, capacity: BUFFER / BATCH }),
          );
          const sinks = fourBatchSinks(tallies);
          const runs = streams.map((stream, at) => {
            const sink = sinks[at] as (typeof sinks)[number];
            return Stream.runForEachArray(stream, (batch) => Effect.sync(() => sink(batch)));
          });
          yield* Effect.all(runs, { concurrency: 'unbounded', discard: true });
        });
        return Effect.runPromise(Effect.scoped(program));
      },
    },
    {
      name: 'RxJS, Subject',
      run: async (items, tallies) => {
        const subject = new Subject<number>();
        for (const sink of fourItemSinks(tallies)) subject.subscribe(sink);
        range(0, items).subscribe(subject);
      },
    },
    {
      name: 'plain loops',
      run: async (items, tallies) => {
        const sinks = fourBatchSinks(tallies);
        for (let next = 0; next < items; next += BATCH) {
          const batch = integers(next, Math.min(items, next + BATCH));
          for (const sink of sinks) sink(batch);
        }
      },
    },
  ],
};
