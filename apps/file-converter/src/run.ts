/** A run: jobs are converted, watched, and can be stopped. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Inspector } from '@streamweld/observe/inspector';
import { progress } from '@streamweld/observe/progress';
import type { ProgressChoice } from './arguments.ts';
import { rm } from 'node:fs/promises';
import type { Job, Outcome, Settings } from './convert.ts';
import { converting } from './pipeline.ts';

/** How a run is watched and stopped. */
export interface Watch {
  readonly progress: ProgressChoice;
  /** Shows it too, where one was asked for. */
  readonly inspector: Inspector | undefined;
  readonly shutdown: GracefulShutdown;
}

export interface Ran {
  readonly jobs: readonly Job[];
  /** By input. Of jobs that were not begun there is none. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly threads: number;
  readonly ms: number;
}

/** However it ends, nothing is left under a temporary name: a thread that was ended could not see to it. */
export async function run(
  jobs: readonly Job[],
  settings: Settings,
  threads: number,
  { progress: mode, inspector, shutdown }: Watch,
): Promise<Ran> {
  const { pipeline, outcomes } = converting(jobs, settings, threads);
  progress(pipeline, { mode, total: jobs.length, report: false });
  const hide = inspector?.add(pipeline);
  const began = performance.now();
  try {
    await shutdown.run(pipeline);
    return { jobs, outcomes, threads, ms: performance.now() - began };
  } finally {
    hide?.();
    for (const { temporary } of jobs) await rm(temporary, { force: true });
  }
}
