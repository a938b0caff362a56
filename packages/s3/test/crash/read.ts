/** Reads the objects behind a prefix into a file until it has come to their end. It is killed by others at any moment. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConcurrentPipeline } from '@streamweld/core';
import { FileCheckpointStore, FileSink } from '@streamweld/file';
import { S3Source } from '../../src/source.ts';
import type { Line } from './objects.ts';

interface Task {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly bucket: string;
  readonly prefix: string;
  readonly order: 'listed' | 'ready';
  readonly isDeleted: boolean;
  /** How many items there are in all. */
  readonly total: number;
  /** Of the file, and of the checkpoints. */
  readonly folder: string;
}

const { isDeleted, total, folder, ...where } = JSON.parse(process.argv[2] as string) as Task;

const out = join(folder, 'out.ndjson');
// More or less: what was torn is cut off by the sink.
const before = existsSync(out) ? readFileSync(out, 'utf8').split('\n').length - 1 : 0;

const source = new S3Source<Line>({
  ...where,
  format: 'ndjson',
  readAhead: { maxObjects: 4 },
  ...(isDeleted ? { after: 'delete' } : undefined),
});
const pipeline = new ConcurrentPipeline(source, new FileSink<Line>(out, { format: 'ndjson' }))
  .bufferSize(200)
  .commitEvery({ items: 1 })
  .checkpoint(new FileCheckpointStore(join(folder, 'checkpoints')), 'crash');

let told = '';
setInterval(() => {
  const { read, written } = pipeline.snapshot();
  const line = `read ${read}, written ${written}, left ${Math.max(0, total - before - read)}`;
  if (line !== told) process.stdout.write(`${line}\n`);
  told = line;
}, 5).unref();

await pipeline.run();
process.stdout.write('done\n');
