/** Act 1: the same work done one after the other, and by a pipeline. */

import type { Database } from './database.ts';
import { FlightsSource } from './flights-source.ts';
import { flightsTable, oneByOne, welding } from './pipeline.ts';
import { slowed } from './slowed-sink.ts';
import type { Stage } from './stage.ts';

/** How many flights are enough to compare two ways of writing them. */
const MOST_FLIGHTS = 1_000_000;

export interface Timing {
  readonly flights: number;
  readonly ms: number;
}

export interface Comparison {
  readonly oneByOne: Timing;
  /** Missing where the demo was stopped before. */
  readonly concurrent: Timing | undefined;
}

export async function compare(stage: Stage, database: Database): Promise<Comparison> {
  const limit = Math.min(stage.limit, MOST_FLIGHTS);
  const oneByOne = await oneAfterTheOther(stage, database, limit);
  const concurrent = stage.shutdown.isWanted ? undefined : await atTheSameTime(stage, database, limit);
  return { oneByOne, concurrent };
}

/** Take, write, take, write: while one works, the other waits. */
async function oneAfterTheOther(
  { slow, progress, shutdown }: Stage,
  { url }: Database,
  limit: number,
): Promise<Timing> {
  const table = flightsTable(url, 'one_after_the_other');
  const sink = slow ? slowed(table) : table;
  const context = { signal: shutdown.signal, fail: () => {}, attempt: 1, defer: notDeferred };
  const begunAt = performance.now();
  const elapsedMs = () => performance.now() - begunAt;
  const title = 'Act 1, one after the other';
  let flights = 0;
  const read = () => ({ title, total: limit, items: flights, elapsedMs: elapsedMs() });
  await progress.during(read, async () => {
    await sink.open?.(context);
    try {
      for await (const batch of oneByOne(new FlightsSource({ limit }))) {
        await sink.write(batch, context);
        flights += batch.length;
        if (shutdown.isWanted) break;
      }
      shutdown.signal.throwIfAborted();
    } catch (error) {
      await sink.close?.(error);
      throw error;
    }
    await sink.close?.();
  });
  return { flights, ms: elapsedMs() };
}

async function atTheSameTime(
  { slow, progress, shutdown }: Stage,
  { url }: Database,
  limit: number,
): Promise<Timing> {
  const table = flightsTable(url, 'pipeline');
  const pipeline = welding(new FlightsSource({ limit }), slow ? slowed(table) : table);
  const running = shutdown.run(pipeline);
  const title = 'Act 1, ConcurrentPipeline';
  const read = () => {
    const snapshot = pipeline.snapshot();
    const { written: items, elapsedMs } = snapshot;
    return { title, total: limit, items, elapsedMs, pipeline: snapshot };
  };
  const { written, durationMs } = await progress.during(read, () => running);
  return { flights: written, ms: durationMs };
}

function notDeferred(): never {
  throw new Error('This sink settles its writes itself, and a plain loop has no receipts.');
}
