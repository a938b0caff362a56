/** What shows a run while it goes on: progress on stderr and, where it is asked for, a page. */

import type { ConcurrentPipeline } from '@streamweld/core';
import { progress } from '@streamweld/observe/progress';
import type { Arguments } from './arguments.ts';
import type { Order } from './orders.ts';

/** Without a terminal, a line so often. */
const TELL_EVERY_MS = 2000;

/**
 * @param total orders that are to come.
 * @returns what takes the page away again.
 */
export async function watching(
  pipeline: ConcurrentPipeline<Order>,
  { progress: mode, inspect }: Arguments,
  total: number,
): Promise<AsyncDisposable> {
  const page = inspect ? await open(pipeline) : { [Symbol.asyncDispose]: () => Promise.resolve() };
  // The report at the end says more than the table of progress would.
  progress(pipeline, { mode, total, everyMs: mode === 'json' ? undefined : TELL_EVERY_MS, report: false });
  return page;
}

async function open(pipeline: ConcurrentPipeline<Order>): Promise<AsyncDisposable> {
  const { inspector } = await import('@streamweld/observe/inspector');
  const page = await inspector(pipeline, { control: true, items: true });
  process.stderr.write(`Look at ${page.url}\n`);
  return page;
}
