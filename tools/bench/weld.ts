/** StreamWeld's side: a source with positions that are committed, and a dispatcher fed by a pipeline. */

import { ConcurrentPipeline, type Dispatcher, range, type SinkLike, type Source } from '@streamweld/core';
import { BATCH, BUFFER } from './load.ts';

/** Runs 0 to `items` − 1 into a sink, and sees to it that the position after the last one was committed. */
export async function runInto(sink: SinkLike<number>, items: number): Promise<void> {
  let committed: unknown;
  let commits = 0;
  const source: Source<number, number> = {
    ...range(0, items),
    commit: (positions) => {
      commits += 1;
      committed = positions.get('');
    },
  };
  await new ConcurrentPipeline(source, sink).bufferSize(BUFFER).run();
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
