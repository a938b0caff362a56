/** Act 1: the same work done one after the other, and by a pipeline. */

import { join } from 'node:path';
import { from } from '@streamweld/core';
import type { Flight } from './flight.ts';
import { FlightsSource } from './flights-source.ts';
import { copying, fileOf } from './pipeline.ts';
import type { Stage } from './stage.ts';

/** How many flights are enough to compare two ways of copying them. */
const MOST_FLIGHTS = 1_000_000;
const BATCH_SIZE = 5000;

export interface Timing {
  readonly flights: number;
  readonly ms: number;
  readonly path: string;
}

export interface Comparison {
  readonly oneByOne: Timing;
  /** Missing where the demo was stopped before. */
  readonly concurrent: Timing | undefined;
}

export async function compare(stage: Stage): Promise<Comparison> {
  const limit = Math.min(stage.limit, MOST_FLIGHTS);
  const oneByOne = await oneAfterTheOther(stage, limit);
  const concurrent = stage.stop.isWanted ? undefined : await atTheSameTime(stage, limit);
  return { oneByOne, concurrent };
}

/** Pull, write, pull, write: while one works, the other waits. So the thread of the source may not read ahead either. */
async function oneAfterTheOther({ folder, slow, progress, stop }: Stage, limit: number): Promise<Timing> {
  const path = join(folder, 'one-after-the-other.ndjson.gz');
  const sink = fileOf(path, { slow });
  const flights = from(new FlightsSource({ limit, readAhead: 0 }));
  const begunAt = performance.now();
  let count = 0;
  const read = () => ({
    title: 'Act 1, one after the other',
    total: limit,
    items: count,
    elapsedMs: performance.now() - begunAt,
  });
  await progress.during(read, async () => {
    const context = { signal: stop.signal, fail: () => {}, attempt: 1, defer: notDeferred };
    await sink.open?.(context);
    try {
      for await (const batch of flights.batch(BATCH_SIZE)) {
        await sink.write(batch, context);
        count += batch.length;
        stop.signal.throwIfAborted();
        if (stop.isWanted) break;
      }
      await sink.flush?.();
    } catch (error) {
      await sink.close?.(error);
      throw error;
    }
    await sink.close?.();
  });
  return { flights: count, ms: performance.now() - begunAt, path };
}

async function atTheSameTime({ folder, slow, progress, stop }: Stage, limit: number): Promise<Timing> {
  const path = join(folder, 'pipeline.ndjson.gz');
  const pipeline = copying(new FlightsSource({ limit }), fileOf(path, { slow }));
  const running = stop.run<Flight>(pipeline);
  const read = () => {
    const snapshot = pipeline.snapshot();
    const { written: items, elapsedMs } = snapshot;
    return { title: 'Act 1, ConcurrentPipeline', total: limit, items, elapsedMs, pipeline: snapshot };
  };
  const { written, durationMs } = await progress.during(read, () => running);
  return { flights: written, ms: durationMs, path };
}

function notDeferred(): never {
  throw new Error('This sink settles its writes itself, and a plain loop has no receipts.');
}
