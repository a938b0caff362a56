/** Writes so many MiB through eight open objects, and tells the most memory that this process had. */

import { ConcurrentPipeline } from '@streamweld/core';
import { S3Sink } from '../../src/sink.ts';
import type { ReachOptions } from '../../src/options.ts';

interface Task extends ReachOptions {
  readonly bucket: string;
  readonly key: string;
  readonly megabytes: number;
}

const { megabytes, ...options } = JSON.parse(process.argv[2] as string) as Task;
const ITEM = 64 << 10;
const OBJECTS = 8;

/** The same again and again: what a source leaves behind is not to be measured. */
const ITEMS = Array.from({ length: OBJECTS }, (_, n) => Buffer.alloc(ITEM, n));

function* items(): Generator<Uint8Array> {
  const count = (megabytes << 20) / ITEM;
  for (let n = 0; n < count; n += 1) yield ITEMS[n % OBJECTS] as Uint8Array;
}

// What the system calls the most begins with what the parent had.
let most = 0;
setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 5).unref();

const sink = new S3Sink({
  ...options,
  format: 'bytes',
  by: (item) => String(item[0]),
  maxOpen: OBJECTS,
  roll: { maxBytes: Number.POSITIVE_INFINITY },
});
await new ConcurrentPipeline(items(), sink).bufferSize(32).run();
process.stdout.write(`${Math.ceil(most / (1 << 20))} MiB\n`);
