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

function* items(): Generator<Uint8Array> {
  const count = (megabytes << 20) / ITEM;
  for (let n = 0; n < count; n += 1) {
    const item = Buffer.alloc(ITEM, n % 251);
    item[0] = n % OBJECTS;
    yield item;
  }
}

const sink = new S3Sink({
  ...options,
  format: 'bytes',
  by: (item) => String(item[0]),
  maxOpen: OBJECTS,
  roll: { maxBytes: Number.POSITIVE_INFINITY },
});
await new ConcurrentPipeline(items(), sink).bufferSize(32).run();
process.stdout.write(`${Math.ceil(process.resourceUsage().maxRSS / 1024)} MiB\n`);
