/** Moves four hundred megabytes of items, as fast as they can be made, into a sink that is slow, in a heap of 64 MiB. */

import { generate } from '../../src/builtin/sources.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';

const COUNT = 30_000;
let made = 0;
let written = 0;
let most = 0;

// 1,800 numbers on the heap, some 14 KiB, of which nothing is shared.
const source = generate(
  (n) => {
    made += 1;
    most = Math.max(most, made - written);
    return new Array<number>(1800).fill(n + 0.5);
  },
  { count: COUNT },
);

const report = await new ConcurrentPipeline(
  from(source).map((numbers) => ({ numbers })),
  async (batch) => {
    // A turn of the event loop a batch: hundreds of times what it takes to make the items.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    written += batch.length;
  },
)
  .bufferSize(500)
  .run();

console.log(
  JSON.stringify({
    written: report.written,
    most,
    heapLimit: (await import('node:v8')).getHeapStatistics().heap_size_limit,
  }),
);
