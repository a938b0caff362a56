/** What is looked at once a run is over: what it told is compared with what lies there. */

import { stat } from 'node:fs/promises';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import type { Converted, Job, Outcome } from './convert.ts';
import { filesOf, rowsOf, whole } from './numbers.ts';
import type { Ran } from './run.ts';

export interface Check {
  readonly holds: boolean;
  readonly text: string;
}

/** What inputs are before a run: by their path, their bytes and when they were last written. */
export type Untouched = ReadonlyMap<string, string | undefined>;

export async function lookAtInputs(jobs: readonly Job[]): Promise<Untouched> {
  const looks = jobs.map(async ({ input }) => [input, await lookAt(input)] as const);
  return new Map(await Promise.all(looks));
}

export async function checkRun(ran: Ran, before: Untouched): Promise<Check[]> {
  const converted = convertedOf(ran);
  const after = await lookAtInputs(ran.jobs);
  const untouched = ran.jobs.filter(({ input }) => after.get(input) === before.get(input)).length;
  const sizes = await Promise.all(converted.map(([job, { bytesOut }]) => hasSize(job.output, bytesOut)));
  const asTold = sizes.filter(Boolean).length;
  const left = await Promise.all(ran.jobs.map(({ temporary }) => lookAt(temporary)));
  const unfinished = left.filter((look) => look !== undefined).length;
  return [
    {
      holds: asTold === converted.length && unfinished === 0,
      text: `${asTold} of ${filesOf(converted.length)} lie there with all bytes that were written, ${unfinished} unfinished`,
    },
    ...(await checkRows(converted)),
    {
      holds: untouched === ran.jobs.length,
      text: `${untouched} of ${filesOf(ran.jobs.length)} that were given are as they were`,
    },
  ];
}

/** Parquet tells how many rows it has. */
async function checkRows(converted: readonly (readonly [Job, Converted])[]): Promise<Check[]> {
  let told = 0;
  let found = 0;
  for (const [{ input, output, from, to }, { rows }] of converted) {
    const path = to.format === 'parquet' ? output : from.format === 'parquet' ? input : undefined;
    if (path === undefined) continue;
    told += rows ?? 0;
    found += await rowsIn(path);
  }
  if (told === 0 && found === 0) return [];
  return [{ holds: told === found, text: `${rowsOf(told)} converted, ${whole(found)} in the Parquet files` }];
}

/** @returns none where there is no whole Parquet file */
async function rowsIn(path: string): Promise<number> {
  try {
    return Number((await parquetMetadataAsync(await asyncBufferFromFile(path))).num_rows);
  } catch {
    return 0;
  }
}

export function convertedOf({ jobs, outcomes }: Ran): (readonly [Job, Converted])[] {
  return jobs.flatMap((job) => {
    const outcome = outcomes.get(job.input);
    return outcome === undefined || isRefused(outcome) ? [] : [[job, outcome] as const];
  });
}

export function isRefused(outcome: Outcome): outcome is Extract<Outcome, { reason: string }> {
  return 'reason' in outcome;
}

async function hasSize(path: string, bytes: number): Promise<boolean> {
  return stat(path).then(
    ({ size }) => size === bytes,
    () => false,
  );
}

/** @returns undefined where there is nothing */
async function lookAt(path: string): Promise<string | undefined> {
  return stat(path).then(
    ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
    () => undefined,
  );
}
