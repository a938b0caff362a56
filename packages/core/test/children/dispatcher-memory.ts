/** Runs five million items through a dispatcher and says how much the heap grew from the first million to the fifth. */

import { getEventListeners } from 'node:events';
import { range } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import type { DispatchStrategy } from '../../src/dispatch/strategy.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';

const MILLION = 1_000_000;
const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error('It needs --expose-gc.');

const [, , kind, hasPositions] = process.argv;
const numbers = range(0, 5 * MILLION);
let pulled = 0;
let next = MILLION;
const heap: number[] = [];
function pull(demand: number): ReturnType<typeof numbers.pull> {
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
}
let commits = 0;
const source: Source<number, number> =
  hasPositions === 'positions'
    ? { ...numbers, pull, commit: () => void (commits += 1) }
    : { pull: (demand) => pull(demand)?.items };

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

/** All that waits, as far as it takes that, to one after the other. */
let turn = 0;
const inTurn: DispatchStrategy<number> = {
  name: 'in turn',
  demand: (outlets) => Math.max(...outlets.map(({ demand }) => demand)),
  dispatch: (items, from, outlets) => {
    for (let tried = 0; tried < outlets.length; tried++) {
      const outlet = turn++ % outlets.length;
      const share = items.slice(from, from + (outlets[outlet]?.demand ?? 0));
      if (share.length > 0) return { taken: share.length, deliveries: [{ outlet, items: share }] };
    }
    return { taken: 0, deliveries: [] };
  },
};

const NAMES = ['north', 'east', 'south', 'west'] as const;
const builder = new DispatchedPipelineBuilder<number>();
async function subscribed(): Promise<Dispatcher<number> | Dispatcher<number, string>> {
  switch (kind) {
    case 'broadcast':
    case 'demand':
    case 'custom': {
      const dispatcher = kind === 'custom' ? builder.custom(inTurn) : builder[kind]();
      for (const sink of sinks) await dispatcher.subscribeSink(sink);
      return dispatcher;
    }
    case 'names':
    case 'keyed': {
      const dispatcher = builder.partition(
        NAMES,
        (n) => NAMES[n % 4] as (typeof NAMES)[number],
        kind === 'keyed' ? { key: (n) => n % 1000 } : undefined,
      );
      const options = kind === 'keyed' ? { maxConcurrency: 3 } : {};
      for (const [at, sink] of sinks.entries())
        await dispatcher.subscribeSink(sink, NAMES[at] as (typeof NAMES)[number], options);
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
    growth: (heap[4] ?? Number.POSITIVE_INFINITY) - first,
    hasCommitted: commits > 0,
    listeners: [controller.signal, ...signals].map((signal) => getEventListeners(signal, 'abort').length),
  }),
);
