/** Partitions by name: a route answers which. */

import { DispatchedPipelineBuilder } from '@streamweld/core';
import type { Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import { type BatchSink, fourBatchSinks, WAYS } from '../sinks.ts';
import { runThrough } from '../weld.ts';
import { partitionPeers } from './partition.ts';

// The 4 stands where it is used, as a user's would: divided by an imported number, it costs 10 ns an item.
const NAMES = ['north', 'east', 'south', 'west'] as const;

export const partitionNames: Load = {
  name: 'partition-names',
  title: 'one source, four partitions with names, n % 4 decides',
  sinks: WAYS,
  expects: (item, sink) => item % WAYS === sink,
  aims: { 'Node streams': 5 },
  contestants: [
    {
      name: 'StreamWeld',
      run: async (items, tallies) => {
        const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).partition(
          NAMES,
          (n) => NAMES[n % 4] as (typeof NAMES)[number],
        );
        const sinks = fourBatchSinks(tallies);
        for (const [at, name] of NAMES.entries())
          await dispatcher.subscribeSink(sinks[at] as BatchSink, name);
        await runThrough(dispatcher, items);
      },
    },
    ...partitionPeers((item) => item % 4),
  ],
};
