/** What shows a run while it goes on: progress on stderr and, where it is asked for, a page. */

import type { ConcurrentPipeline } from '@streamweld/core';
import { progress } from '@streamweld/observe/progress';
import type { RequestRow } from './access-line.ts';
import type { Arguments } from './arguments.ts';

/** Without a terminal, a line so often. */
const TELL_EVERY_MS = 2000;

/**
 * @param total lines that are to come, where it is known.
 * @returns what takes the page away again.
 */
export async function watching(
  pipeline: ConcurrentPipeline<RequestRow>,
  { progress: mode, inspect }: Arguments,
  total: number | undefined,
): Promise<AsyncDisposable> {
  const page = inspect ? await open(pipeline) : { [Symbol.asyncDispose]: () => Promise.resolve() };
  // The report at the end says more than the table of progress would.
  progress(pipeline, { mode, total, everyMs: mode === 'json' ? undefined : TELL_EVERY_MS, report: false });
  return page;
}

async function open(pipeline: ConcurrentPipeline<RequestRow>): Promise<AsyncDisposable> {
  const { inspector } = await import('@streamweld/observe/inspector');
  const page = await inspector(pipeline, { control: true, items: true });
  process.stderr.write(`Look at ${page.url}\n`);
  return page;
}
