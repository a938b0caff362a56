/** Logs welded to Postgres: what flows where. It is built here and run elsewhere. */

import {
  ConcurrentPipeline,
  type Flow,
  from,
  MemoryCheckpointStore,
  type Sink,
  type Source,
} from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { PostgresSink } from '@streamweld/postgres';
import { parseLine, type RequestRow } from './access-line.ts';
import type { LogLine } from './log-source.ts';

/** Rows of one COPY, and of one transaction. */
export const ROWS_AT_ONCE = 5_000;
/** The positions are kept under it, in the transaction of the rows. */
const CHECKPOINT = 'access log';

export interface Plan {
  readonly source: Source<LogLine>;
  /** A URL. Its search path leads to the table. */
  readonly database: string;
  /** The file of damaged lines. */
  readonly damaged: string;
}

/** Every line once, whatever stops a run: into the table, or with a reason into the file of damaged lines. */
export function processing({ source, database, damaged }: Plan): ConcurrentPipeline<RequestRow> {
  return (
    new ConcurrentPipeline(parsed(source, 'deadLetter'), requestsTable(database, 'requests'))
      .name('log-processor')
      .bufferSize(2 * ROWS_AT_ONCE)
      // The table keeps the positions together with its rows: a store that forgets will do.
      .checkpoint(new MemoryCheckpointStore(), CHECKPOINT)
      // A database that is away for a moment is waited for, about a minute; meanwhile the buffer fills, and reading rests.
      .retry({ attempts: 12, backoff: { firstMs: 100, maxMs: 10_000 } })
      .deadLetter(new FileSink(damaged, { format: 'ndjson', append: true, name: 'damaged lines' }))
  );
}

/** @param damaged what becomes of lines that are; the others go on. */
export function parsed(source: Source<LogLine>, damaged: 'deadLetter' | 'drop'): Flow<RequestRow> {
  return from(source).map(parseLine, { onError: damaged });
}

/** By COPY: the properties of a row are the columns. */
export function requestsTable(database: string, table: string): Sink<RequestRow> {
  return new PostgresSink<RequestRow>({ connection: database, table, name: 'postgres' });
}
