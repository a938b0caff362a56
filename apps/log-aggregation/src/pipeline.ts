/**
 * What flows where. It is built here and run elsewhere.
 *
 *     log ─┐                                   ┌─► files, by service (a dispatcher again)
 *     log ─┼─ merge ─► entries (broadcast) ────┼─► metrics
 *     log ─┘                                   ├─► alerts
 *                                              └─► search
 */

import {
  ConcurrentPipeline,
  type DeadLetter,
  DispatchedPipelineBuilder,
  type Dispatcher,
  type Flow,
  type Sink,
  type SubscribeOptions,
} from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import type { Entry } from './entry.ts';
import type { Log } from './logs.ts';
import { rollingFiles } from './rolling-files.ts';
import type { SinkName } from './sinks.ts';
import { type Trouble, troubled } from './trouble.ts';

/** Entries that wait for one sink at most: that far the quickest may be ahead of the slowest. */
const BUFFER_SIZE = 200;
/** Entries that the dispatcher is given at once. */
const BATCH_SIZE = 50;

export interface Plan {
  readonly logs: readonly Log[];
  /** Where the rolling files go. */
  readonly folder: string;
  readonly sinks: Readonly<Record<Exclude<SinkName, 'files'>, Sink<Entry>>>;
  readonly troubles: Readonly<Partial<Record<SinkName, Trouble>>>;
  /** Of a sink that was given up: where that goes which waited for it. */
  readonly missed: (sink: SinkName) => string;
  /** Sinks that hold nobody back: what they have no room for is dropped, and handed over here. */
  readonly dropping: ReadonlyMap<SinkName, (entries: readonly Entry[]) => void>;
}

export interface Aggregating {
  readonly pipeline: ConcurrentPipeline<Entry>;
  readonly dispatcher: Dispatcher<Entry>;
  /** Behind the first: the writers of the files. */
  readonly files: Dispatcher<Entry, number>;
}

/** Every entry to all four. */
export async function aggregating(plan: Plan): Promise<Aggregating> {
  const { logs, folder, sinks, troubles } = plan;
  const dispatcher = new DispatchedPipelineBuilder<Entry>({
    name: 'entries',
    bufferSize: BUFFER_SIZE,
  }).broadcast();
  const files = await rollingFiles(folder, troubles.files ?? {});
  // The record. Where it cannot be kept, nothing else is worth doing: the run fails. Its writers retry by themselves.
  await dispatcher.subscribeSink(files.createSink(BATCH_SIZE), undefined, {
    name: 'files',
    ...overflowOf('files', plan),
  });
  for (const name of ['metrics', 'alerts', 'search'] as const) {
    await dispatcher.subscribeSink(troubled(sinks[name], troubles[name] ?? {}), undefined, {
      name,
      retry: { attempts: 5, backoff: { firstMs: 50 } },
      // Whatever it misses is in the files. Nobody else has to stop for it, and what waited for it is set aside.
      onError: 'detach',
      deadLetter: new FileSink<DeadLetter<Entry>>(plan.missed(name), { format: 'ndjson', append: true }),
      ...overflowOf(name, plan),
    });
  }
  const pipeline = new ConcurrentPipeline(merged(logs), dispatcher.createSink(BATCH_SIZE))
    .name('logs')
    .bufferSize(2 * BATCH_SIZE);
  return { pipeline, dispatcher, files };
}

/** Without it a full buffer holds the source, and so all the others, back. */
function overflowOf(name: SinkName, { dropping }: Plan): SubscribeOptions<Entry> {
  const onDrop = dropping.get(name);
  return onDrop === undefined ? {} : { overflow: 'dropOldest', onDrop };
}

/** As they come; those of one log in the order of its lines. */
function merged(logs: readonly Log[]): Flow<Entry> {
  const [first, ...others] = logs.map((log) => log.entries());
  return (first as Flow<Entry>).merge(...others);
}
