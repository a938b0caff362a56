/** The pipelines of the demo: what flows where. They are built here and run elsewhere. */

import { join } from 'node:path';
import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  type Dispatcher,
  type Flow,
  from,
  MemoryCheckpointStore,
  type Sink,
  type Source,
} from '@streamweld/core';
import { FileCheckpointStore, FileSink } from '@streamweld/file';
import { PostgresSink } from '@streamweld/postgres';
import { AirportFiles } from './airport-files.ts';
import type { AlertsTopic } from './alerts-topic.ts';
import type { Database, Table } from './database.ts';
import type { Flight } from './flight.ts';
import type { FlightsArchive } from './flights-archive.ts';
import { RowLedger } from './row-ledger.ts';
import { slowed } from './slowed-sink.ts';
import { AirportStatistics } from './statistics.ts';

/** Flights that were so late, in minutes, that somebody should be told. */
export const ALERT_MINUTES = 500;
/** The compression that each worker of the demand dispatcher has been given: the higher, the slower. */
const WORKER_LEVELS = [1, 6, 8, 9] as const;
const PARTITIONS = 8;
/** The file that act 3 writes into where there is no Postgres. */
export const SURVIVED_FILE = 'flights.ndjson.gz';

const BUFFER_SIZE = 10_000;
const BATCH_SIZE = 2000;
/** Connections that write to Postgres at once, where the order does not matter. */
const WRITERS = 2;
/** Rows of one COPY, and of one transaction. */
const ROWS_AT_ONCE = 10_000;

export interface Plan {
  readonly source: Source<Flight, number>;
  /** The folder that the files go to. */
  readonly folder: string;
  /** Missing where the demo is run without Postgres. */
  readonly database: Database | undefined;
  /** Missing where the demo is run without Kafka. */
  readonly alerts: AlertsTopic | undefined;
  /** Missing where the demo is run without S3. */
  readonly archive: FlightsArchive | undefined;
  /** Slows one of the sinks. */
  readonly slow: boolean;
}

export interface Dispatching {
  readonly pipeline: ConcurrentPipeline<Flight>;
  readonly dispatcher: Dispatcher<Flight> | Dispatcher<Flight, number>;
}

/** A table that flights are written to by COPY: their properties are its columns. */
export function flightsTable(connection: string, table: Table): PostgresSink<Flight> {
  return new PostgresSink<Flight>({ connection, table, name: 'postgres' });
}

/** Flights as a plain loop takes them: as many at once as the pipeline writes at once. */
export function oneByOne(source: Source<Flight, number>): Flow<readonly Flight[]> {
  return from(source).batch(ROWS_AT_ONCE);
}

/** Parquet welded to Postgres: while rows are written, the next are decoded, made and sent. */
export function welding(source: Source<Flight, number>, table: Sink<Flight>): ConcurrentPipeline<Flight> {
  return new ConcurrentPipeline(source, table)
    .name('welding')
    .maxConcurrency(WRITERS)
    .bufferSize((WRITERS + 1) * ROWS_AT_ONCE);
}

/** Every flight to the statistics, the writer, Postgres and S3; to the alerts and Kafka those that a selector picks. */
export async function broadcasting({
  source,
  folder,
  database,
  alerts: topic,
  archive,
  slow,
}: Plan): Promise<Dispatching & { readonly statistics: AirportStatistics }> {
  const statistics = new AirportStatistics();
  const writer = new FileSink<Flight & Record<string, string | number>>(join(folder, 'flights.csv.gz'), {
    format: 'csv',
    level: 1,
  });
  const alerts = new FileSink<Flight>(join(folder, 'very-late.ndjson'), { format: 'ndjson' });
  const selector = ({ delay }: Flight) => delay > ALERT_MINUTES;

  const dispatcher = new DispatchedPipelineBuilder<Flight>({ bufferSize: BUFFER_SIZE }).broadcast();
  await dispatcher.subscribeSink((batch) => statistics.add(batch), undefined, { name: 'statistics' });
  await dispatcher.subscribeSink(alerts, undefined, { name: 'alerts', selector });
  await dispatcher.subscribeSink(slow ? slowed(writer) : writer, undefined, { name: 'writer' });
  if (database !== undefined) {
    await dispatcher.subscribeSink(flightsTable(database.url, 'broadcast'), undefined, {
      name: 'postgres',
      bufferSize: 2 * BUFFER_SIZE,
    });
  }
  if (topic !== undefined) {
    await dispatcher.subscribeSink(topic.sink(), undefined, { name: 'kafka', selector });
  }
  if (archive !== undefined) {
    await dispatcher.subscribeSink(archive.sink(), undefined, { name: 's3', bufferSize: 2 * BUFFER_SIZE });
  }
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

/** A run that may be killed at any moment and goes on where it was: each flight is written exactly once. */
export function surviving(
  source: Source<Flight, number>,
  folder: string,
  database: string | undefined,
): ConcurrentPipeline<Flight> {
  // That is all it takes: a table keeps the position in the transaction of its rows, so a store that forgets will do; and a
  // file keeps it beside its length, and cuts itself back to it.
  const [sink, store] =
    database === undefined
      ? [
          new FileSink<Flight>(join(folder, SURVIVED_FILE), { format: 'ndjson', level: 1 }),
          new FileCheckpointStore(join(folder, 'checkpoints')),
        ]
      : [flightsTable(database, 'survived'), new MemoryCheckpointStore()];
  return new ConcurrentPipeline(source, sink)
    .name('survivor')
    .bufferSize(2 * ROWS_AT_ONCE)
    .checkpoint(store, 'flights');
}

function feeding(source: Source<Flight, number>, sink: Sink<Flight>): ConcurrentPipeline<Flight> {
  return (
    new ConcurrentPipeline(source, sink)
      .bufferSize(BUFFER_SIZE)
      // Each sink of a dispatcher is flushed at a bound of its own; this one would flush all of them at once.
      .maxUncommitted(Number.MAX_SAFE_INTEGER)
  );
}
