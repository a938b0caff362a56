/** Partitions by count: a route answers a key, which is hashed. The peers are given the same hash. */

import { DispatchedPipelineBuilder } from '@streamweld/core';
import type { Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import { fourBatchSinks, WAYS } from '../sinks.ts';
import { runThrough } from '../weld.ts';
import { partitionPeers } from './partition.ts';

export const partitionCount: Load = {
  name: 'partition-count',
  title: 'one source, four partitions, the hash of n decides',
  sinks: WAYS,
  expects: (item, sink) => partitionOf(item) === sink,
  aims: { 'Node streams': 5 },
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).partition(
          WAYS,
          (n) => n,
        );
        for (const [at, sink] of fourBatchSinks(tallies).entries()) await dispatcher.subscribeSink(sink, at);
        await runThrough(dispatcher, items);
      },
    },
    ...partitionPeers(partitionOf),
  ],
};

/** The finaliser of MurmurHash3, which is what StreamWeld promises for whole numbers. */
function partitionOf(item: number): number {
  let h = item ^ (item >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  // The 4 stands where it is used, as a user's would: divided by an imported number, it costs 10 ns an item.
  return ((h ^ (h >>> 16)) >>> 0) % 4;
}
