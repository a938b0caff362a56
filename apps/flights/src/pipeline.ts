/** The pipelines of the demo: what flows where. They are built here and run elsewhere. */

import { join } from 'node:path';
import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  type Dispatcher,
  type Flow,
  from,
  type Sink,
  type Source,
} from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { AirportFiles } from './airport-files.ts';
import type { Flight } from './flight.ts';
import { type JournalEntry, journalEntry } from './journal-sink.ts';
import { RowLedger } from './row-ledger.ts';
import { slowed } from './slowed-sink.ts';
import { AirportStatistics } from './statistics.ts';

/** Flights that were so late, in minutes, that somebody should be told. */
export const ALERT_MINUTES = 500;
/** The compression that each worker of the demand dispatcher has been given: the higher, the slower. */
const WORKER_LEVELS = [1, 6, 8, 9] as const;
const PARTITIONS = 8;

const BUFFER_SIZE = 10_000;
const BATCH_SIZE = 2000;
const JOURNAL_BATCH = 5000;

export interface Plan {
  readonly source: Source<Flight, number>;
  /** The folder that the files go to. */
  readonly folder: string;
  /** Slows one of the sinks. */
  readonly slow: boolean;
}

export interface Dispatching {
  readonly pipeline: ConcurrentPipeline<Flight>;
  readonly dispatcher: Dispatcher<Flight> | Dispatcher<Flight, number>;
}

/** The work of the first act up to its sink: flights are taken 5,000 at a time, encoded and compressed. */
export function entriesOf(source: Source<Flight, number>): Flow<JournalEntry> {
  return from(source).batch(JOURNAL_BATCH).map(journalEntry);
}

/** The same work at the same time: up to four compressions, the disk, and what comes next. Order is kept. */
export function journaling(
  source: Source<Flight, number>,
  journal: Sink<JournalEntry>,
): ConcurrentPipeline<JournalEntry> {
  return new ConcurrentPipeline(entriesOf(source), journal)
    .name('journaling')
    .bufferSize(8)
    .maxConcurrency(4);
}

/** Every flight to the statistics and the writer; to the alerts those that a selector picks. */
export async function broadcasting({
  source,
  folder,
  slow,
}: Plan): Promise<Dispatching & { readonly statistics: AirportStatistics }> {
  const statistics = new AirportStatistics();
  const writer = new FileSink<Flight & Record<string, string | number>>(join(folder, 'flights.csv.gz'), {
    format: 'csv',
    level: 1,
  });
  const alerts = new FileSink<Flight>(join(folder, 'very-late.ndjson'), { format: 'ndjson' });

  const dispatcher = new DispatchedPipelineBuilder<Flight>({ bufferSize: BUFFER_SIZE }).broadcast();
  await dispatcher.subscribeSink((batch) => statistics.add(batch), undefined, { name: 'statistics' });
  await dispatcher.subscribeSink(alerts, undefined, {
    name: 'alerts',
    selector: ({ delay }) => delay > ALERT_MINUTES,
  });
  await dispatcher.subscribeSink(slow ? slowed(writer) : writer, undefined, { name: 'writer' });
  return { pipeline: feeding(source, dispatcher.createSink(BATCH_SIZE)), dispatcher, statistics };
}

/** Each flight to the worker that has the most room: the quick ones come to take more. */
export async function demanding({
  source,
  folder,
  slow,
}: Plan): Promise<Dispatching & { readonly ledger: RowLedger }> {
  const ledger = new RowLedger();
  const dispatcher = new DispatchedPipelineBuilder<Flight>().demand();
  for (const level of WORKER_LEVELS) {
    const name = `gzip level ${level}`;
    const file = new FileSink<Flight>(join(folder, `worker-${level}.ndjson.gz`), {
      format: 'ndjson',
      name,
      level,
      // What one batch fills is compressed before the next is taken, so a worker is as slow as its level.
      bufferBytes: 64 << 10,
    });
    const worker: Sink<Flight> = {
      name,
      concurrency: 1,
      open: () => file.open(),
      write: (batch) => {
        for (const { row } of batch) ledger.mark(row);
        return file.write(batch);
      },
      flush: () => file.flush(),
      close: (reason) => file.close(reason),
    };
    await dispatcher.subscribeSink(slow && level === 9 ? slowed(worker) : worker);
  }
  return { pipeline: feeding(source, dispatcher.createSink(1000)), dispatcher, ledger };
}

/** Each flight to the partition of its airport, in order. */
export async function partitioning({
  source,
  folder,
  slow,
}: Plan): Promise<Dispatching & { readonly partitions: readonly AirportFiles[] }> {
  const partitions = Array.from(
    { length: PARTITIONS },
    (_, index) => new AirportFiles(`partition ${index}`, join(folder, 'airports')),
  );
  const dispatcher = new DispatchedPipelineBuilder<Flight>({ bufferSize: BUFFER_SIZE }).partition(
    PARTITIONS,
    ({ origin }) => origin,
  );
  for (const [index, sink] of partitions.entries()) {
    await dispatcher.subscribeSink(slow && index === 0 ? slowed(sink) : sink, index);
  }
  return { pipeline: feeding(source, dispatcher.createSink(BATCH_SIZE)), dispatcher, partitions };
}

function feeding(source: Source<Flight, number>, sink: Sink<Flight>): ConcurrentPipeline<Flight> {
  return (
    new ConcurrentPipeline(source, sink)
      .bufferSize(BUFFER_SIZE)
      // Each sink of a dispatcher is flushed at a bound of its own; this one would flush all of them at once.
      .maxUncommitted(Number.MAX_SAFE_INTEGER)
  );
}
