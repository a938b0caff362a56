/** What shows a run while it goes on: progress on stderr and, where it is asked for, a page. */

import type { ConcurrentPipeline } from '@streamweld/core';
import { progress } from '@streamweld/observe/progress';
import type { RunArguments } from './arguments.ts';
import type { Departure } from './departures.ts';
import type { Following } from './following.ts';

/** How often it is told how far the services are, and without a terminal the input too. */
const TELL_EVERY_MS = 2000;

/** @returns what ends it. */
export async function watching(
  pipeline: ConcurrentPipeline<Departure>,
  following: Following,
  { progress: mode, inspect, events }: RunArguments,
): Promise<AsyncDisposable> {
  const page = inspect ? await open(pipeline) : undefined;
  progress(pipeline, {
    mode,
    total: events,
    everyMs: mode === 'json' ? undefined : TELL_EVERY_MS,
    report: false,
  });
  const isTold = mode !== 'none' && mode !== 'json';
  const timer = setInterval(() => {
    if (isTold) process.stderr.write(`${following.line()}\n`);
  }, TELL_EVERY_MS);
  void following.over.then(() => clearInterval(timer));
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await page?.[Symbol.asyncDispose]();
    },
  };
}

async function open(pipeline: ConcurrentPipeline<Departure>): Promise<AsyncDisposable> {
  const { inspector } = await import('@streamweld/observe/inspector');
  const page = await inspector(pipeline, { control: true, items: true });
  process.stderr.write(`Look at ${page.url}\n`);
  return page;
}
