/** Writing lines: FileSink beside fs.WriteStream, one file and many. */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { FileSink } from '@streamweld/file';

export async function bySink(path: string, batches: readonly (readonly string[])[]): Promise<void> {
  const sink = new FileSink(path);
  await sink.open();
  for (const batch of batches) {
    const answer = sink.write(batch);
    if (answer instanceof Promise) await answer;
  }
  await sink.flush();
  await sink.close();
}

/** With a checkpoint: each write is where it belongs, with its position, before the next begins. */
export async function byLedger(
  path: string,
  batches: readonly (readonly string[])[],
  fsync: 'batch' | 'never',
): Promise<void> {
  const sink = new FileSink(path, { fsync });
  const { signal } = new AbortController();
  await sink.open({ signal, checkpoint: 'bench', fail: () => {} });
  for (const [index, batch] of batches.entries()) {
    const positions = new Map([['lane', { offset: index, record: index, done: false }]]);
    await sink.write(batch, { signal, attempt: 1, positions, defer: never });
  }
  await sink.flush();
  await sink.close();
}

/** The same for a file a key: a write touches many, and only those are in the ledger's change. */
export async function manyByLedger(
  folder: string,
  batches: readonly (readonly Row[])[],
  fsync: 'batch' | 'never',
): Promise<void> {
  const sink = new FileSink('{to}.ndjson', { format: 'ndjson', root: folder, fsync });
  const { signal } = new AbortController();
  await sink.open({ signal, checkpoint: 'bench', fail: () => {} });
  for (const [index, batch] of batches.entries()) {
    await sink.write(batch, { signal, attempt: 1, positions: new Map([['lane', index]]), defer: never });
  }
  await sink.close();
}

function never(): never {
  throw new Error('nothing is deferred here');
}

/** Line by line, waiting where the stream says so; neither synced nor renamed. */
export async function byStream(path: string, batches: readonly (readonly string[])[]): Promise<void> {
  const stream = createWriteStream(path);
  for (const batch of batches) {
    for (const line of batch) if (!stream.write(`${line}\n`)) await once(stream, 'drain');
  }
  await ended(stream);
}

export interface Row {
  readonly to: string;
  readonly line: string;
}

export async function manyBySink(
  folder: string,
  batches: readonly (readonly Row[])[],
  suffix: string,
  format: 'ndjson' = 'ndjson',
): Promise<void> {
  const sink = new FileSink((row: Row) => `${row.to}${suffix}`, { format, root: folder });
  await sink.open();
  for (const batch of batches) {
    const answer = sink.write(batch);
    if (answer instanceof Promise) await answer;
  }
  await sink.flush();
  await sink.close();
}

export async function manyByStreams(folder: string, batches: readonly (readonly Row[])[]): Promise<void> {
  const streams = new Map<string, WriteStream>();
  for (const batch of batches) {
    for (const row of batch) {
      let stream = streams.get(row.to);
      if (stream === undefined) {
        stream = createWriteStream(join(folder, row.to));
        streams.set(row.to, stream);
      }
      if (!stream.write(`${JSON.stringify(row)}\n`)) await once(stream, 'drain');
    }
  }
  for (const stream of streams.values()) await ended(stream);
}

async function ended(stream: WriteStream): Promise<void> {
  stream.end();
  await once(stream, 'close');
}
