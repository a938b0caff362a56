/** What retry and a dead letter cost where nothing fails, and every policy there is. */

import { ConcurrentPipeline, RateLimit } from '@streamweld/core';
import type { Load } from '../load.ts';
import { batchSink, type Tally } from '../sinks.ts';
import { runInto } from '../weld.ts';

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

const discard = (): void => {};

function retrying(pipeline: ConcurrentPipeline<number>): ConcurrentPipeline<number> {
  return pipeline.retry({ attempts: 5 }).deadLetter(discard);
}

export const policies: Load = {
  name: 'policies',
  title: 'one source with positions, one synchronous sink, with policies and without',
  sinks: 1,
  expects: () => true,
  // What delivery may cost: a fifth.
  aims: { 'no policies': 0.8 },
  contestants: [
    {
      name: 'retry and dead letter',
      run: (items, tallies) => runInto(batchSink(only(tallies)), items, retrying),
    },
    {
      name: 'no policies',
      run: (items, tallies) => runInto(batchSink(only(tallies)), items),
    },
    {
      name: 'all policies',
      run: (items, tallies) =>
        runInto(batchSink(only(tallies)), items, (pipeline) =>
          retrying(pipeline)
            .circuitBreaker()
            .writeTimeout(1000)
            .rateLimit(new RateLimit({ perSecond: 1e12, burst: 1e12 })),
        ),
    },
  ],
};
