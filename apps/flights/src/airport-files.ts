/** The sink of a partition: a file for each airport, and the longest on-time run of each. */

import type { Accepted, Awaitable, Sink } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import type { Flight } from './flight.ts';
import { OnTimeRuns } from './statistics.ts';

export class AirportFiles implements Sink<Flight> {
  readonly name: string;
  /** One write at a time: a run of flights is read off their order. */
  readonly concurrency = 1;
  readonly runs = new OnTimeRuns();
  readonly #files: FileSink<Flight>;

  constructor(name: string, folder: string) {
    this.name = name;
    this.#files = new FileSink<Flight>(({ origin }) => `${origin}.ndjson.gz`, {
      format: 'ndjson',
      root: folder,
      name,
      level: 1,
      // There are 229 files: what is gathered for each is kept small.
      bufferBytes: 256 << 10,
      maxBufferedBytes: 8 << 20,
    });
  }

  open(): Promise<void> {
    return this.#files.open();
  }

  write(batch: readonly Flight[]): Awaitable<void | Accepted> {
    this.runs.add(batch);
    return this.#files.write(batch);
  }

  flush(): Promise<void> {
    return this.#files.flush();
  }

  close(reason?: unknown): Promise<void> {
    return this.#files.close(reason);
  }
}
