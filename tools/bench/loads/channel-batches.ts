/** Two tasks, one sends and one receives, batch by batch. Node's streams move arrays as chunks, RxJS has no channel. */

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Channel } from '@streamweld/core';
import { Cause, Effect, Queue } from 'effect';
import type { Load } from '../load.ts';
import { BATCH, BUFFER } from '../sizes.ts';
import { integers } from '../node-streams.ts';
import { batchSink, type Tally } from '../sinks.ts';

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

export const channelBatches: Load = {
  name: 'channel-batches',
  title: 'one task sends, another receives, 500 items at a time',
  sinks: 1,
  expects: () => true,
  aims: {},
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const channel = new Channel<number>({ capacity: BUFFER });
        const sink = batchSink(only(tallies));
        const sent = (async () => {
          for (let next = 0; next < items; next += BATCH)
            await channel.sendMany(integers(next, Math.min(items, next + BATCH)));
          channel.close();
        })();
        for (;;) {
          const batch = await channel.receiveMany(BATCH);
          if (batch === undefined) break;
          sink(batch);
        }
        await sent;
      },
    },
    {
      name: 'Node PassThrough of arrays',
      run: async (items, tallies) => {
        const stream = new PassThrough({ objectMode: true, highWaterMark: BUFFER / BATCH });
        const sink = batchSink(only(tallies));
        const sent = (async () => {
          for (let next = 0; next < items; next += BATCH)
            if (!stream.write(integers(next, Math.min(items, next + BATCH)))) await once(stream, 'drain');
          stream.end();
        })();
        for await (const batch of stream) sink(batch as number[]);
        await sent;
      },
    },
    {
      name: 'Effect Queue, offerAll',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const queue = yield* Queue.bounded<number, Cause.Done>(BUFFER);
          const sink = batchSink(only(tallies));
          const send = Effect.gen(function* () {
            for (let next = 0; next < items; next += BATCH)
              yield* Queue.offerAll(queue, integers(next, Math.min(items, next + BATCH)));
            yield* Queue.end(queue);
          });
          const receive = Effect.gen(function* () {
            for (;;) sink(yield* Queue.takeBetween(queue, 1, BATCH));
          }).pipe(Effect.catchIf(Cause.isDone, () => Effect.void));
          yield* Effect.all([send, receive], { concurrency: 'unbounded', discard: true });
        });
        return Effect.runPromise(program);
      },
    },
  ],
};
