/** Act 1: the same work done one after the other, and by a pipeline. */

import { join } from 'node:path';
import { FlightsSource } from './flights-source.ts';
import { JournalSink } from './journal-sink.ts';
import { entriesOf, journaling } from './pipeline.ts';
import { slowed } from './slowed-sink.ts';
import type { Stage } from './stage.ts';

/** How many flights are enough to compare two ways of writing them. */
const MOST_FLIGHTS = 500_000;

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

/** Take, write, take, write: while one works, the other waits. */
async function oneAfterTheOther({ folder, slow, progress, stop }: Stage, limit: number): Promise<Timing> {
  const path = join(folder, 'one-after-the-other.ndjson.gz');
  const journal = new JournalSink(path);
  const sink = slow ? slowed(journal) : journal;
  const context = { signal: stop.signal, fail: () => {}, attempt: 1, defer: notDeferred };
  const begunAt = performance.now();
  const elapsedMs = () => performance.now() - begunAt;
  const title = 'Act 1, one after the other';
  const read = () => ({ title, total: limit, items: journal.flights, elapsedMs: elapsedMs() });
  await progress.during(read, async () => {
    await sink.open?.(context);
    try {
      for await (const entry of entriesOf(new FlightsSource({ limit }))) {
        await sink.write([entry], context);
        if (stop.isWanted) break;
      }
      stop.signal.throwIfAborted();
    } catch (error) {
      await sink.close?.(error);
      throw error;
    }
    await sink.close?.();
  });
  return { flights: journal.flights, ms: elapsedMs(), path };
}

async function atTheSameTime({ folder, slow, progress, stop }: Stage, limit: number): Promise<Timing> {
  const path = join(folder, 'pipeline.ndjson.gz');
  const journal = new JournalSink(path);
  const pipeline = journaling(new FlightsSource({ limit }), slow ? slowed(journal) : journal);
  const running = stop.run(pipeline);
  const title = 'Act 1, ConcurrentPipeline';
  const read = () => {
    const snapshot = pipeline.snapshot();
    const { elapsedMs } = snapshot;
    return { title, total: limit, items: journal.flights, elapsedMs, pipeline: snapshot };
  };
  const { durationMs } = await progress.during(read, () => running);
  return { flights: journal.flights, ms: durationMs, path };
}

function notDeferred(): never {
  throw new Error('This sink settles its writes itself, and a plain loop has no receipts.');
}
