/**
 * Partitions with order kept per key and two writes at once in each. No peer has the like, so it is compared with
 * StreamWeld's own partitions without a key: what the key costs.
 */

import { DispatchedPipelineBuilder, type PartitionOptions } from '@streamweld/core';
import type { Contestant, Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import { type BatchSink, fourBatchSinks, WAYS } from '../sinks.ts';
import { runThrough } from '../weld.ts';

const PARTITIONS = [0, 1, 2, 3] as const;
/** As many keys as there are airports in the demo, more or less. */
const KEYS = 256;

export const partitionKeyed: Load = {
  name: 'partition-keyed',
  title: 'one source, four partitions, order kept per key of 256, two writes at once in each',
  sinks: WAYS,
  expects: (item, sink) => item % WAYS === sink,
  aims: {},
  contestants: [
    partition('StreamWeld, a key', { key: (n) => n % KEYS }, 2),
    partition('StreamWeld, no key', {}, 1),
  ],
};

function partition(name: string, options: PartitionOptions<number>, maxConcurrency: number): Contestant {
  return {
    name,
    run: async (items, tallies) => {
      const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).partition(
        PARTITIONS,
        (n) => (n % 4) as (typeof PARTITIONS)[number],
        options,
      );
      const sinks = fourBatchSinks(tallies);
      for (const at of PARTITIONS)
        await dispatcher.subscribeSink(sinks[at] as BatchSink, at, { maxConcurrency });
      await runThrough(dispatcher, items);
    },
  };
}
