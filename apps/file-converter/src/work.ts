/** What is done with the arguments: files are converted, or, without any, the show is run. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { checkRun, lookAtInputs } from './checks.ts';
import type { Target } from './file-kind.ts';
import { findJobs } from './jobs.ts';
import { checkLines, runLines } from './report.ts';
import { run, type Watch } from './run.ts';
import { show } from './show.ts';

/** @returns whether all was converted, and is proved */
export async function work(
  given: Arguments,
  shutdown: GracefulShutdown,
  say: (line: string) => void,
): Promise<boolean> {
  const { inspector } = given.inspect ? await openInspector() : { inspector: undefined };
  if (inspector !== undefined) process.stderr.write(`Look at ${inspector.url}\n`);
  try {
    const watch: Watch = { progress: given.progress, inspector, shutdown };
    return given.to === undefined
      ? await show(given, watch, say)
      : await convertAll(given, given.to, watch, say);
  } finally {
    await inspector?.close();
  }
}

async function convertAll(
  given: Arguments,
  to: Target,
  watch: Watch,
  say: (line: string) => void,
): Promise<boolean> {
  const jobs = await findJobs({ ...given, to });
  const before = await lookAtInputs(jobs);
  const { types, nullText, force, threads } = given;
  const ran = await run(jobs, { types, nullText, force }, threads, watch);
  const checks = await checkRun(ran, before);
  for (const line of [...runLines(ran), '', ...checkLines(checks)]) say(line);
  const isAll = jobs.every(({ input }) => 'rows' in (ran.outcomes.get(input) ?? {}));
  return isAll && checks.every(({ holds }) => holds);
}

/** Nothing of it is loaded where it is not wanted. */
async function openInspector() {
  const { inspector } = await import('@streamweld/observe/inspector');
  return { inspector: await inspector([], { control: true, items: true }) };
}
