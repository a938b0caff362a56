/** The price of delivery: the same pipeline with everything that keeps items from being lost, and with none of it. */

import { DispatchedPipelineBuilder } from '@streamweld/core';
import type { Contestant, Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import { awaitedSink, batchSink, fourBatchSinks, type Tally, WAYS } from '../sinks.ts';
import { type Delivery, runDelivered, runThroughDelivered } from '../weld.ts';

/** What each contestant has, the one that is measured first. */
const CONTESTANTS: readonly [string, Delivery][] = [
  ['StreamWeld, delivery', 'all'],
  ['positions alone', 'positions'],
  ['no delivery', 'none'],
];

function load(name: string, title: string, sinks: number, run: DeliveredRun): Load {
  return {
    name: `delivery-${name}`,
    title,
    sinks,
    expects: () => true,
    // A run of a million takes 5 ms, in which opening and closing would weigh too much.
    scale: 4,
    aims: { 'no delivery': 0.8 },
    contestants: CONTESTANTS.map(
      ([contestant, delivery]): Contestant => ({
        name: contestant,
        run: (items, tallies) => run(delivery, items, tallies),
      }),
    ) as unknown as Load['contestants'],
  };
}

type DeliveredRun = (delivery: Delivery, items: number, tallies: readonly Tally[]) => Promise<void>;

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

export const deliveryLinear: Load = load(
  'linear',
  'checkpoint, commits, retry and dead letter on; one synchronous sink',
  1,
  (delivery, items, tallies) => runDelivered(delivery, batchSink(only(tallies)), items),
);

export const deliveryAwaited: Load = load(
  'awaited',
  'checkpoint, commits, retry and dead letter on; one sink that is an async function',
  1,
  (delivery, items, tallies) => runDelivered(delivery, awaitedSink(only(tallies)), items),
);

export const deliveryBroadcast: Load = load(
  'broadcast',
  'checkpoint, commits, and for each of four sinks retry and dead letter',
  WAYS,
  async (delivery, items, tallies) => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ bufferSize: BUFFER }).broadcast();
    await runThroughDelivered(delivery, dispatcher, fourBatchSinks(tallies), items);
  },
);
