/** StreamWeld's side: a source with positions that are committed, and a dispatcher fed by a pipeline. */

import {
  ConcurrentPipeline,
  type DeadLetter,
  type Dispatcher,
  MemoryCheckpointStore,
  range,
  type SinkLike,
  type Source,
} from '@streamweld/core';
import { BATCH, BUFFER } from './sizes.ts';
import { integers } from './node-streams.ts';

/** Runs 0 to `items` − 1 into a sink, and sees to it that the position after the last one was committed. */
export async function runInto(
  sink: SinkLike<number>,
  items: number,
  configure: (pipeline: ConcurrentPipeline<number>) => ConcurrentPipeline<number> = (pipeline) => pipeline,
): Promise<void> {
  let committed: unknown;
  let commits = 0;
  const source: Source<number, number> = {
    ...range(0, items),
    commit: (positions) => {
      commits += 1;
      committed = positions.get('');
    },
  };
  await configure(new ConcurrentPipeline(source, sink).bufferSize(BUFFER)).run();
  if (committed !== items) throw new Error(`Of ${items} items, ${String(committed)} were committed.`);
  // Every 10,000 items, and at the end.
  if (commits < items / 20_000) throw new Error(`There were only ${commits} commits of ${items} items.`);
}

/** The same through a dispatcher whose sinks are subscribed. */
export function runThrough<P extends string | number>(
  dispatcher: Dispatcher<number, P>,
  items: number,
): Promise<void> {
  return runInto(dispatcher.createSink(BATCH), items);
}

/**
 * How much of delivery is on: all of it, that is a checkpoint, commits by count and by time, retry and dead letter; or
 * the positions of the source and their commits; or nothing, with a source that has no positions.
 */
export type Delivery = 'all' | 'positions' | 'none';

const RETRY = { attempts: 5 };

/** Runs 0 to `items` − 1 into a sink, and sees to it that all was kept that `delivery` says. */
export async function runDelivered(
  delivery: Delivery,
  sink: SinkLike<number>,
  items: number,
  hasPolicies: boolean = true,
): Promise<void> {
  if (delivery === 'positions') return runInto(sink, items);
  if (delivery === 'none') {
    await new ConcurrentPipeline(withoutPositions(items), sink).bufferSize(BUFFER).run();
    return;
  }
  const store = new MemoryCheckpointStore();
  const letters: DeadLetter[] = [];
  let commits = 0;
  const source: Source<number, number> = {
    ...range(0, items),
    commit: () => {
      commits += 1;
    },
  };
  const pipeline = new ConcurrentPipeline(source, sink)
    .bufferSize(BUFFER)
    .checkpoint(store, 'bench')
    .commitEvery({ items: 10_000, ms: 100 });
  if (hasPolicies) pipeline.retry(RETRY).deadLetter(keep(letters));
  await pipeline.run();
  const kept = store.load('bench').get('');
  if (kept !== items) throw new Error(`Of ${items} items, ${String(kept)} are in the checkpoint.`);
  if (commits < items / 20_000) throw new Error(`There were only ${commits} commits of ${items} items.`);
  if (letters.length > 0) throw new Error(`${letters.length} items are in the dead letter.`);
}

/** The same through a dispatcher, each of whose sinks is subscribed with retry and a dead letter of its own. */
export async function runThroughDelivered(
  delivery: Delivery,
  dispatcher: Dispatcher<number, never>,
  sinks: readonly SinkLike<number>[],
  items: number,
): Promise<void> {
  const letters: DeadLetter[] = [];
  const policies = delivery === 'all' ? { retry: RETRY, deadLetter: keep(letters) } : {};
  for (const sink of sinks) await dispatcher.subscribeSink(sink, undefined, policies);
  await runDelivered(delivery, dispatcher.createSink(BATCH), items, false);
  if (letters.length > 0) throw new Error(`${letters.length} items are in the dead letter.`);
}

function keep(letters: DeadLetter[]): (batch: readonly DeadLetter[]) => void {
  return (batch) => {
    letters.push(...batch);
  };
}

/** As `range`, but its batches are arrays: nobody knows where it stands. */
function withoutPositions(items: number): Source<number> {
  let next = 0;
  return {
    name: 'integers',
    pull: (demand) => {
      const batch = integers(next, Math.min(items, next + demand));
      next += batch.length;
      return batch.length === 0 ? undefined : batch;
    },
  };
}
