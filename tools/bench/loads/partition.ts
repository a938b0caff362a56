/** One source, and each item to the one of four sinks that it belongs to. */

import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Cause, Effect, Queue, Stream } from 'effect';
import { filter, groupBy, range, Subject } from 'rxjs';
import type { Contestant } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { endAll, integers, readArrays, readIntegers, writeArrays, writeItems } from '../node-streams.ts';
import { type BatchSink, fourBatchSinks, fourItemSinks, type ItemSink, WAYS } from '../sinks.ts';

/** The peers, each with the same route: which of the four sinks an item belongs to. */
export function partitionPeers(route: (item: number) => number): Contestant[] {
  return [
    {
      name: 'Node streams',
      run: (items, tallies) => {
        const streams = fourItemSinks(tallies).map(writeItems);
        const router = new Writable({
          objectMode: true,
          highWaterMark: BUFFER,
          write(item: number, _encoding, done) {
            const stream = streams[route(item)] as Writable;
            if (stream.write(item)) done();
            else stream.once('drain', done);
          },
          final(done) {
            endAll(streams).then(() => done(), done);
          },
        });
        return pipeline(readIntegers(items), router);
      },
    },
    {
      name: 'Node streams of arrays',
      run: (items, tallies) => {
        const streams = fourBatchSinks(tallies).map(writeArrays);
        const router = new Writable({
          objectMode: true,
          highWaterMark: BUFFER / BATCH,
          write(batch: readonly number[], _encoding, done) {
            let full: Writable | undefined;
            sort(batch, route).forEach((bucket, at) => {
              const stream = streams[at] as Writable;
              if (bucket.length > 0 && !stream.write(bucket)) full = stream;
            });
            if (full === undefined) done();
            else full.once('drain', done);
          },
          final(done) {
            endAll(streams).then(() => done(), done);
          },
        });
        return pipeline(readArrays(items), router);
      },
    },
    {
      name: 'Effect, groupByKey',
      run: (items, tallies) => {
        const sinks = fourBatchSinks(tallies);
        return Effect.runPromise(
          Stream.range(0, items - 1, BATCH).pipe(
            Stream.groupByKey(route, { bufferSize: BUFFER }),
            Stream.mapEffect(
              ([key, stream]) => {
                const sink = sinks[key] as BatchSink;
                return Stream.runForEachArray(stream, (batch) => Effect.sync(() => sink(batch)));
              },
              { concurrency: 'unbounded' },
            ),
            Stream.runDrain,
          ),
        );
      },
    },
    {
      name: 'Effect, Queues of items',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const queues: Queue.Queue<number, Cause.Done>[] = [];
          for (let at = 0; at < WAYS; at++) queues.push(yield* Queue.bounded<number, Cause.Done>(BUFFER));
          const feed = Stream.range(0, items - 1, BATCH).pipe(
            Stream.runForEachArray((batch) => {
              const buckets = sort(batch, route);
              return Effect.forEach(queues, (queue, at) => Queue.offerAll(queue, buckets[at] as number[]), {
                discard: true,
              });
            }),
            Effect.andThen(Effect.forEach(queues, (queue) => Queue.end(queue), { discard: true })),
          );
          const workers = fourBatchSinks(tallies).map((sink, at) =>
            Stream.fromQueue(queues[at] as (typeof queues)[number]).pipe(
              Stream.runForEachArray((batch) => Effect.sync(() => sink(batch))),
            ),
          );
          yield* Effect.all([feed, ...workers], { concurrency: 'unbounded', discard: true });
        });
        return Effect.runPromise(program);
      },
    },
    {
      name: 'RxJS, groupBy',
      run: async (items, tallies) => {
        const sinks = fourItemSinks(tallies);
        range(0, items)
          .pipe(groupBy(route))
          .subscribe((group) => {
            group.subscribe(sinks[group.key] as ItemSink);
          });
      },
    },
    {
      name: 'RxJS, filter',
      run: async (items, tallies) => {
        const subject = new Subject<number>();
        fourItemSinks(tallies).forEach((sink, at) => {
          subject.pipe(filter((item) => route(item) === at)).subscribe(sink);
        });
        range(0, items).subscribe(subject);
      },
    },
    {
      name: 'plain loops',
      run: async (items, tallies) => {
        const sinks = fourBatchSinks(tallies);
        for (let next = 0; next < items; next += BATCH) {
          const buckets = sort(integers(next, Math.min(items, next + BATCH)), route);
          for (let at = 0; at < WAYS; at++) (sinks[at] as BatchSink)(buckets[at] as number[]);
        }
      },
    },
  ];
}

function sort(batch: readonly number[], route: (item: number) => number): number[][] {
  const buckets: number[][] = [[], [], [], []];
  for (let i = 0; i < batch.length; i++) {
    const item = batch[i] as number;
    (buckets[route(item)] as number[]).push(item);
  }
  return buckets;
}
