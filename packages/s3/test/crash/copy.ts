/** Writes numbered items to a bucket until it has come to their end. It is killed by others at any moment. */

import { type CheckpointStore, ConcurrentPipeline } from '@streamweld/core';
import { FileCheckpointStore } from '@streamweld/file';
import { S3Sink } from '../../src/sink.ts';
import { LANE, type Numbered, Numbers } from './numbered.ts';

interface Task {
  readonly exactlyOnce: boolean;
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly bucket: string;
  readonly prefix: string;
  readonly total: number;
  /** Of its checkpoints, where the sink does not keep them. */
  readonly folder: string;
}

const { exactlyOnce, prefix, total, folder, ...reach } = JSON.parse(process.argv[2] as string) as Task;

/** Never asked for anything: the sink keeps the positions. */
const nowhere: CheckpointStore = { load: () => Promise.resolve(new Map()), save: () => Promise.resolve() };

const source = new Numbers(total);
const sink = new S3Sink<Numbered>({
  ...reach,
  key: ({ sequence, first, positions }) =>
    exactlyOnce
      ? `${prefix}${sequence}_${Number(first.get(LANE) ?? 0)}_${Number(positions.get(LANE))}.ndjson`
      : `${prefix}${sequence}.ndjson`,
  format: 'ndjson',
  ledger: `${prefix}ledger.json`,
  partBytes: 5 << 20,
  maxOpen: 2,
  roll: { maxBytes: 12 << 20 },
  exactlyOnce,
});
const pipeline = new ConcurrentPipeline(source, sink)
  .bufferSize(1000)
  .maxUncommitted(2000)
  .commitEvery({ items: 1 })
  .checkpoint(exactlyOnce ? nowhere : new FileCheckpointStore(folder), 'crash');

let told = '';
setInterval(() => {
  const line = `read ${source.read}, written ${pipeline.snapshot().written}, left ${source.left}`;
  if (line !== told) process.stdout.write(`${line}\n`);
  told = line;
}, 5).unref();

await pipeline.run();
process.stdout.write('done\n');
