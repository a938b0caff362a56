/** Act 2: the same flights through each of the three dispatchers. */

import type { RunReport, SinkStatus } from '@streamweld/core';
import type { Flight } from './flight.ts';
import { FlightsSource } from './flights-source.ts';
import { broadcasting, demanding, type Dispatching, partitioning } from './pipeline.ts';
import type { RowLedger } from './row-ledger.ts';
import type { Stage } from './stage.ts';
import type { AirportStatistics } from './statistics.ts';

/** What a run through a dispatcher came to. */
export interface Dispatched {
  readonly report: RunReport;
  readonly sinks: readonly SinkStatus[];
}

export type Broadcast = Dispatched & { readonly statistics: AirportStatistics };
export type Demand = Dispatched & { readonly ledger: RowLedger };
export type Partition = Dispatched & {
  /** The longest on-time run of each airport, as the sink of its partition has seen it. */
  readonly longestRuns: ReadonlyMap<string, number>;
};

export async function broadcast(stage: Stage): Promise<Broadcast> {
  const dispatching = await broadcasting({ ...stage, source: new FlightsSource(stage) });
  return { ...(await run(stage, 'Act 2, broadcast', dispatching)), statistics: dispatching.statistics };
}

export async function demand(stage: Stage): Promise<Demand> {
  const dispatching = await demanding({ ...stage, source: new FlightsSource(stage) });
  return { ...(await run(stage, 'Act 2, demand', dispatching)), ledger: dispatching.ledger };
}

export async function partition(stage: Stage): Promise<Partition> {
  const dispatching = await partitioning({ ...stage, source: new FlightsSource(stage) });
  const dispatched = await run(stage, 'Act 2, partition', dispatching);
  // No airport is in two partitions.
  const longestRuns = new Map(dispatching.partitions.flatMap(({ runs }) => [...runs.longest]));
  return { ...dispatched, longestRuns };
}

async function run(
  { limit, progress, shutdown }: Stage,
  title: string,
  { pipeline, dispatcher }: Dispatching,
): Promise<Dispatched> {
  const running = shutdown.run<Flight>(pipeline);
  const read = () => {
    const snapshot = pipeline.snapshot();
    const { written: items, elapsedMs } = snapshot;
    return { title, total: limit, items, elapsedMs, pipeline: snapshot, dispatcher: dispatcher.snapshot() };
  };
  const report = await progress.during(read, () => running);
  return { report, sinks: dispatcher.sinks() };
}
