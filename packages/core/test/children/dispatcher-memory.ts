/** Runs ten million items through a dispatcher and says how much the heap grew from the first million to the tenth. */

import { getEventListeners } from 'node:events';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';

const MILLION = 1_000_000;
const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error('It needs --expose-gc.');

const numbers = range(0, 10 * MILLION);
let pulled = 0;
let next = MILLION;
const heap: number[] = [];
const source = {
  ...numbers,
  pull: (demand: number) => {
    const answer = numbers.pull(demand);
    pulled += answer?.items.length ?? 0;
    if (pulled >= next) {
      next += MILLION;
      // Twice: what the first round only marks as dead, the second takes away.
      collect?.();
      collect?.();
      heap.push(process.memoryUsage().heapUsed);
    }
    return answer;
  },
  commit: () => {},
};

let delivered = 0;
const signals: AbortSignal[] = [];
/** Two that answer at once, and two that do not. */
const sinks = [false, false, true, true].map((isAsync): Sink<number> => {
  const write = (batch: readonly number[]): void => {
    delivered += batch.length;
  };
  return {
    open: ({ signal }) => void signals.push(signal),
    write: isAsync ? async (batch) => write(batch) : write,
  };
});

const builder = new DispatchedPipelineBuilder<number>();
async function subscribed(): Promise<Dispatcher<number> | Dispatcher<number, number>> {
  const kind = process.argv[2];
  switch (kind) {
    case 'broadcast':
    case 'demand': {
      const dispatcher = builder[kind]();
      for (const sink of sinks) await dispatcher.subscribeSink(sink);
      return dispatcher;
    }
    case 'partition':
    case 'keyed': {
      const dispatcher = builder.partition(
        4,
        (n) => n,
        kind === 'keyed' ? { key: (n) => n % 1000 } : undefined,
      );
      const options = kind === 'keyed' ? { maxConcurrency: 3 } : {};
      for (const [at, sink] of sinks.entries()) await dispatcher.subscribeSink(sink, at, options);
      return dispatcher;
    }
    default:
      throw new Error(`There is no dispatcher '${kind}'.`);
  }
}

const dispatcher = await subscribed();
const controller = new AbortController();
const report = await new ConcurrentPipeline(source, dispatcher.createSink()).run({
  signal: controller.signal,
});
const [first = 0] = heap;
console.log(
  JSON.stringify({
    written: report.written,
    delivered,
    samples: heap.length,
    growth: (heap.at(-1) ?? Number.POSITIVE_INFINITY) - first,
    listeners: [controller.signal, ...signals].map((signal) => getEventListeners(signal, 'abort').length),
  }),
);
