/** A file that has each entry on the disk, synced, before it takes the next: a write waits, as a database's does. */

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Sink } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import type { Flight } from './flight.ts';

const compress = promisify(gzip);

/** Flights as they are written: NDJSON, compressed. One after the other, such pieces are one gzip file. */
export interface JournalEntry {
  readonly flights: number;
  readonly bytes: Uint8Array;
}

/** Encodes on this thread and compresses on one of Node's own. */
export async function journalEntry(flights: readonly Flight[]): Promise<JournalEntry> {
  let text = '';
  for (const flight of flights) text += `${JSON.stringify(flight)}\n`;
  return { flights: flights.length, bytes: await compress(text, { chunkSize: 64 << 10 }) };
}

export class JournalSink implements Sink<JournalEntry> {
  readonly name = 'journal';
  readonly concurrency = 1;
  readonly #file: FileSink<Uint8Array>;
  /** Flights that are on the disk. */
  flights = 0;

  constructor(path: string) {
    this.#file = new FileSink(path, { format: 'bytes', compression: 'none' });
  }

  open(): Promise<void> {
    return this.#file.open();
  }

  async write(entries: readonly JournalEntry[]): Promise<void> {
    await this.#file.write(entries.map(({ bytes }) => bytes));
    await this.#file.flush();
    for (const { flights } of entries) this.flights += flights;
  }

  close(reason?: unknown): Promise<void> {
    return this.#file.close(reason);
  }
}
