/** Welds a file into a table, exactly once. It is killed by others at any moment. */

import { ConcurrentPipeline, from, type CheckpointStore } from '@streamweld/core';
import { FileSource } from '@streamweld/file';
import { PostgresSink } from '../../src/sink.ts';

const [path, connection, table] = process.argv.slice(2) as [string, string, string];

/** Never asked for anything: the sink keeps the positions. */
const store: CheckpointStore = {
  load: () => Promise.resolve(new Map()),
  save: () => Promise.resolve(),
};

const rows = from(new FileSource(path)).map((line) => {
  const [id, t] = line.split(',') as [string, string];
  return { id, t };
});
await new ConcurrentPipeline(
  rows,
  new PostgresSink<{ id: string; t: string }>({ connection, table, batching: { maxItems: 500 } }),
)
  .bufferSize(500)
  .checkpoint(store, table)
  .retry({ attempts: 200, backoff: { firstMs: 20, maxMs: 200 } })
  .run();
console.log('done');
