/**
 * The record: a folder for each service, rolling files for each of its levels.
 *
 *     entries ──► partition by service ──► files 0 ──► site/info-000001.ndjson, site/error-000001.ndjson, …
 *                                     └──► files 1 ──► crawler/info-000001.ndjson, …
 *
 * A service always goes to the same one of several writers, which writes one batch at a time: so its order is kept, and one
 * that writes much does not hold up all the others.
 */

import { DispatchedPipelineBuilder, type Dispatcher } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import type { Entry } from './entry.ts';
import { type Trouble, troubled } from './trouble.ts';

const WRITERS = 3;

/** @param folder of all files. @param trouble of each writer */
export async function rollingFiles(folder: string, trouble: Trouble): Promise<Dispatcher<Entry, number>> {
  const dispatcher = new DispatchedPipelineBuilder<Entry>({
    name: 'files',
    bufferSize: 200,
  }).partition(WRITERS, ({ service }) => service);
  for (let writer = 0; writer < WRITERS; writer += 1) {
    const sink = new FileSink<Entry>(({ service, level }) => `${service}/${level}-{sequence}.ndjson`, {
      name: `files ${writer}`,
      root: folder,
      format: 'ndjson',
      roll: { maxBytes: 256 << 10, everyMs: 60_000 },
    });
    await dispatcher.subscribeSink(troubled(sink, trouble), writer, {
      retry: { attempts: 5, backoff: { firstMs: 50 } },
    });
  }
  return dispatcher;
}
