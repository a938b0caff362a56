/** The five ways, built of the same source and the same sinks. */

import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  type DispatcherSnapshot,
  type PipelineSnapshot,
} from '@streamweld/core';
import type { Item } from './item.ts';
import { hasOneSink, type Mode } from './modes.ts';
import { TimedSink } from './timed-sink.ts';
import { TimedSource } from './timed-source.ts';

export interface Settings {
  /** Of the source, for an item, in milliseconds. */
  readonly sourceMs: number;
  /** Of each sink, likewise. */
  readonly sinksMs: readonly number[];
  readonly items: number;
  /** The most items in each buffer. */
  readonly bufferSize: number;
  /** Of the keys. */
  readonly seed: number;
}

/** A pipeline that can be run, and what is needed to watch it and to prove what it did. */
export interface Experiment {
  readonly mode: Mode;
  readonly source: TimedSource;
  readonly sinks: readonly TimedSink[];
  readonly pipeline: ConcurrentPipeline<Item>;
  readonly snapshot: () => { readonly pipeline: PipelineSnapshot; readonly dispatcher?: DispatcherSnapshot };
}

export async function build(mode: Mode, settings: Settings): Promise<Experiment> {
  const { sourceMs, items, bufferSize, seed } = settings;
  const source = new TimedSource(sourceMs, items, seed);
  const sinks = settings.sinksMs.map((ms, at) => new TimedSink(`sink ${at + 1}`, ms));
  if (hasOneSink(mode)) {
    const [sink] = sinks as [TimedSink];
    // With room for one item the source is not asked for the next before the write of the last has ended.
    const size = mode === 'sequential' ? 1 : bufferSize;
    const pipeline = new ConcurrentPipeline(source, sink).name(mode).bufferSize(size);
    return { mode, source, sinks: [sink], pipeline, snapshot: () => ({ pipeline: pipeline.snapshot() }) };
  }
  const dispatcher = await dispatcherOf(mode, sinks, bufferSize);
  // Item by item, so that each is given away when its turn comes, and not with others.
  const pipeline = new ConcurrentPipeline(source, dispatcher.createSink(1)).name(mode).bufferSize(bufferSize);
  return {
    mode,
    source,
    sinks,
    pipeline,
    snapshot: () => ({ pipeline: pipeline.snapshot(), dispatcher: dispatcher.snapshot() }),
  };
}

async function dispatcherOf(mode: Mode, sinks: readonly TimedSink[], bufferSize: number) {
  const builder = new DispatchedPipelineBuilder<Item>({ name: `${mode} dispatcher` });
  if (mode === 'partition') {
    const dispatcher = builder.partition(sinks.length, ({ key }) => key);
    for (const [at, sink] of sinks.entries()) await dispatcher.subscribeSink(sink, at, { bufferSize });
    return dispatcher;
  }
  if (mode === 'broadcast') {
    const dispatcher = builder.broadcast();
    for (const sink of sinks) await dispatcher.subscribeSink(sink, undefined, { bufferSize });
    return dispatcher;
  }
  const dispatcher = builder.demand();
  // Its own small buffer, of two writes: an item in a larger one would wait for a slow sink while a fast one is free.
  for (const sink of sinks) await dispatcher.subscribeSink(sink);
  return dispatcher;
}
