/** Runs ten million items through a pipeline and says how much the heap grew from the first million to the tenth. */

import { range } from '../../src/builtin/sources.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';

const MILLION = 1_000_000;
const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error('It needs --expose-gc.');

const numbers = range(0, 10 * MILLION);
let commits = 0;
const source: Source<number, number> = {
  name: 'numbers',
  open: (context) => numbers.open?.(context),
  pull: (demand) => numbers.pull(demand),
  commit: () => {
    commits += 1;
  },
};

const heap: number[] = [];
let written = 0;
let next = MILLION;
const kind = process.argv[2];

function take(batch: readonly number[]): void {
  written += batch.length;
  if (written < next) return;
  next += MILLION;
  // Twice: what the first round only marks as dead, the second takes away.
  collect?.();
  collect?.();
  heap.push(process.memoryUsage().heapUsed);
}

const sinks: Record<string, Sink<number>> = {
  sync: { write: take },
  async: { write: async (batch) => take(batch) },
  durable: {
    write: (batch) => {
      take(batch);
      return { durable: Promise.resolve() };
    },
  },
  deferring: {
    write: async (batch, context) => {
      const receipt = context.defer();
      await Promise.resolve();
      receipt.settle();
      take(batch);
    },
  },
};
const sink = sinks[kind ?? ''];
if (sink === undefined) throw new Error(`There is no sink '${kind}'.`);

const controller = new AbortController();
const flow = from(source)
  .map((n) => n + 1)
  .filter((n) => n > 0);
const report = await new ConcurrentPipeline(flow, sink)
  .maxConcurrency(kind === 'async' ? 4 : 1)
  .run({ signal: controller.signal });
const [first = 0] = heap;
// The least of the last three: what the engine holds for a moment, such as code it compiles, is not held by the pipeline.
const last = Math.min(...heap.slice(-3));
console.log(
  JSON.stringify({
    written: report.written,
    commits,
    samples: heap.length,
    growth: last - first,
  }),
);
