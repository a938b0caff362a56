/** One source, one sink that answers at once. */

import { pipeline } from 'node:stream/promises';
import { Effect, Stream } from 'effect';
import { bufferCount, range } from 'rxjs';
import type { Load } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { integers, readArrays, readIntegers, writeArrays, writeItems } from '../node-streams.ts';
import { batchSink, itemSink, type Tally } from '../sinks.ts';
import { runInto } from '../weld.ts';

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

export const linear: Load = {
  name: 'linear',
  title: 'one source, one synchronous sink',
  sinks: 1,
  expects: () => true,
  aims: { 'Node streams': 4 },
  contestants: [
    {
      name: 'StreamWeld',
      run: (items, tallies) => runInto(batchSink(only(tallies)), items),
    },
    {
      name: 'Node streams',
      run: (items, tallies) => pipeline(readIntegers(items), writeItems(itemSink(only(tallies)))),
    },
    {
      name: 'Node streams of arrays',
      run: (items, tallies) => pipeline(readArrays(items), writeArrays(batchSink(only(tallies)))),
    },
    {
      name: 'Effect, no buffer',
      run: (items, tallies) => {
        const sink = batchSink(only(tallies));
        return Effect.runPromise(
          Stream.range(0, items - 1, BATCH).pipe(
            Stream.runForEachArray((batch) => Effect.sync(() => sink(batch))),
          ),
        );
      },
    },
    {
      name: 'Effect, buffered',
      run: (items, tallies) => {
        const sink = batchSink(only(tallies));
        return Effect.runPromise(
          Stream.range(0, items - 1, BATCH).pipe(
            Stream.bufferArray({ capacity: BUFFER / BATCH }),
            Stream.runForEachArray((batch) => Effect.sync(() => sink(batch))),
          ),
        );
      },
    },
    {
      name: 'RxJS',
      run: async (items, tallies) => {
        range(0, items).subscribe(itemSink(only(tallies)));
      },
    },
    {
      name: 'RxJS, bufferCount',
      run: async (items, tallies) => {
        range(0, items)
          .pipe(bufferCount(BATCH))
          .subscribe(batchSink(only(tallies)));
      },
    },
    {
      name: 'plain loops',
      run: async (items, tallies) => {
        const sink = batchSink(only(tallies));
        for (let next = 0; next < items; next += BATCH) sink(integers(next, Math.min(items, next + BATCH)));
      },
    },
  ],
};
