/** One source, one sink whose every answer is awaited. */

import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Effect, Stream } from 'effect';
import { bufferCount, concatMap, lastValueFrom, range } from 'rxjs';
import type { Load } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { integers, readArrays, readIntegers } from '../node-streams.ts';
import { awaitedSink, type Tally } from '../sinks.ts';
import { runInto } from '../weld.ts';

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

export const awaited: Load = {
  name: 'awaited',
  title: 'one source, one sink that is an async function',
  sinks: 1,
  expects: () => true,
  aims: { 'Node streams': 6 },
  contestants: [
    {
      name: 'StreamWeld',
      run: (items, tallies) => runInto(awaitedSink(only(tallies)), items),
    },
    {
      // What came while a write was under way is written at once: a promise for up to 1,000 items, not for each.
      name: 'Node streams',
      run: (items, tallies) => {
        const sink = awaitedSink(only(tallies));
        const writable = new Writable({
          objectMode: true,
          highWaterMark: BUFFER,
          write(item: number, _encoding, done) {
            sink([item]).then(() => done(), done);
          },
          writev(chunks, done) {
            sink(chunks.map(({ chunk }) => chunk as number)).then(() => done(), done);
          },
        });
        return pipeline(readIntegers(items), writable);
      },
    },
    {
      name: 'Node streams, a promise per item',
      run: (items, tallies) => {
        const tally = only(tallies);
        const sink = async (item: number): Promise<void> => {
          tally.count += 1;
          tally.sum += item;
        };
        const writable = new Writable({
          objectMode: true,
          highWaterMark: BUFFER,
          write(item: number, _encoding, done) {
            sink(item).then(() => done(), done);
          },
        });
        return pipeline(readIntegers(items), writable);
      },
    },
    {
      name: 'Node streams of arrays',
      run: (items, tallies) => {
        const sink = awaitedSink(only(tallies));
        const writable = new Writable({
          objectMode: true,
          highWaterMark: BUFFER / BATCH,
          write(batch: readonly number[], _encoding, done) {
            sink(batch).then(() => done(), done);
          },
        });
        return pipeline(readArrays(items), writable);
      },
    },
    {
      name: 'Effect, no buffer',
      run: (items, tallies) => {
        const sink = awaitedSink(only(tallies));
        return Effect.runPromise(
          Stream.range(0, items - 1, BATCH).pipe(
            Stream.runForEachArray((batch) => Effect.promise(() => sink(batch))),
          ),
        );
      },
    },
    {
      name: 'RxJS, concatMap',
      run: async (items, tallies) => {
        await lastValueFrom(range(0, items).pipe(bufferCount(BATCH), concatMap(awaitedSink(only(tallies)))), {
          defaultValue: undefined,
        });
      },
    },
    {
      name: 'plain loops',
      run: async (items, tallies) => {
        const sink = awaitedSink(only(tallies));
        for (let next = 0; next < items; next += BATCH)
          await sink(integers(next, Math.min(items, next + BATCH)));
      },
    },
  ],
};
