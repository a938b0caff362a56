/** Two tasks, one sends and one receives, item by item. RxJS has no channel. */

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Channel } from '@streamweld/core';
import { Cause, Effect, Queue } from 'effect';
import type { Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import { itemSink, type Tally } from '../sinks.ts';

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

export const channelItems: Load = {
  name: 'channel-items',
  title: 'one task sends, another receives, item by item',
  sinks: 1,
  expects: () => true,
  aims: {},
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const channel = new Channel<number>({ capacity: BUFFER });
        const sink = itemSink(only(tallies));
        const sent = (async () => {
          for (let n = 0; n < items; n++) if (!channel.trySend(n)) await channel.send(n);
          channel.close();
        })();
        for await (const item of channel) sink(item);
        await sent;
      },
    },
    {
      name: 'Node PassThrough',
      run: async (items, tallies) => {
        const stream = new PassThrough({ objectMode: true, highWaterMark: BUFFER });
        const sink = itemSink(only(tallies));
        const sent = (async () => {
          for (let n = 0; n < items; n++) if (!stream.write(n)) await once(stream, 'drain');
          stream.end();
        })();
        for await (const item of stream) sink(item as number);
        await sent;
      },
    },
    {
      name: 'Effect Queue',
      run: (items, tallies) => {
        const program = Effect.gen(function* () {
          const queue = yield* Queue.bounded<number, Cause.Done>(BUFFER);
          const sink = itemSink(only(tallies));
          const send = Effect.gen(function* () {
            for (let n = 0; n < items; n++) yield* Queue.offer(queue, n);
            yield* Queue.end(queue);
          });
          const receive = Effect.gen(function* () {
            for (;;) sink(yield* Queue.take(queue));
          }).pipe(Effect.catchIf(Cause.isDone, () => Effect.void));
          yield* Effect.all([send, receive], { concurrency: 'unbounded', discard: true });
        });
        return Effect.runPromise(program);
      },
    },
  ],
};
