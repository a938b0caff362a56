/** Without arguments: flights go from CSV to Parquet, to NDJSON and back to CSV, on one thread and on several, and are compared. */

import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Arguments } from './arguments.ts';
import { type Check, checkRun, convertedOf, lookAtInputs } from './checks.ts';
import { compareRound } from './compare.ts';
import type { Target } from './file-kind.ts';
import { writeFlights } from './flights.ts';
import { findJobs } from './jobs.ts';
import { filesOf, seconds, threadsOf, whole } from './numbers.ts';
import { checkLines, runLines } from './report.ts';
import { run, type Watch } from './run.ts';

const FILES = 8;
const STEPS: readonly { readonly to: Target; readonly from: string }[] = [
  { to: 'parquet', from: 'input' },
  { to: 'ndjson', from: 'parquet' },
  { to: 'csv', from: 'ndjson' },
];

interface Round {
  readonly ms: readonly number[];
  readonly checks: readonly Check[];
  readonly isComplete: boolean;
}

/** @returns whether all that was done is proved */
export async function show(given: Arguments, watch: Watch, say: (line: string) => void): Promise<boolean> {
  const folder = join(given.out ?? tmpdir(), 'streamweld-file-converter');
  await rm(folder, { recursive: true, force: true });
  say(`StreamWeld · ${whole(given.rows)} flights in ${filesOf(FILES)} of CSV, in ${folder}`);
  await writeFlights(join(folder, 'input'), given.rows, FILES);
  const rounds: Round[] = [];
  // Where there is one processor, or one was asked for, there is nothing to compare.
  for (const threads of new Set([1, given.threads])) {
    const round = await goRound(folder, threads, given, watch, say);
    rounds.push(round);
    if (!round.isComplete) break;
  }
  if (rounds.length === 2) for (const line of timeLines(rounds, given.threads)) say(line);
  const checks = rounds.flatMap((round) => round.checks);
  for (const line of ['', ...checkLines(checks)]) say(line);
  return checks.every(({ holds }) => holds) && rounds.every(({ isComplete }) => isComplete);
}

async function goRound(
  folder: string,
  threads: number,
  { rows }: Arguments,
  watch: Watch,
  say: (line: string) => void,
): Promise<Round> {
  const home = join(folder, threads === 1 ? 'one-thread' : 'threads');
  const checks: Check[] = [];
  const ms: number[] = [];
  for (const { from, to } of STEPS) {
    const input = from === 'input' ? join(folder, 'input') : join(home, from);
    const jobs = await findJobs({ paths: [input], to, out: join(home, to) });
    const before = await lookAtInputs(jobs);
    const ran = await run(jobs, { types: true, nullText: undefined, force: false }, threads, watch);
    ms.push(ran.ms);
    say(`  ${from === 'input' ? 'csv' : from} → ${to}: ${runLines(ran).at(-1)}`);
    checks.push(...(await checkRun(ran, before)).filter(({ holds }) => !holds));
    if (convertedOf(ran).length < jobs.length) {
      for (const line of runLines(ran).filter((each) => !each.startsWith('  ✓'))) say(line);
      return { ms, checks, isComplete: false };
    }
  }
  checks.push(...(await compareRound(join(folder, 'input'), home, rows, threadsOf(threads))));
  return { ms, checks, isComplete: true };
}

function timeLines([one, several]: readonly Round[], threads: number): string[] {
  const line = (what: string, a: number, b: number) =>
    `  ${what.padEnd(18)}${seconds(a).padStart(10)}${seconds(b).padStart(12)}${`${(a / b).toFixed(2)}×`.padStart(9)}`;
  const sum = (round: Round | undefined) => (round?.ms ?? []).reduce((total, each) => total + each, 0);
  return [
    '',
    `  ${'wall'.padEnd(18)}${'1 thread'.padStart(10)}${threadsOf(threads).padStart(12)}`,
    ...STEPS.map(({ from, to }, at) =>
      line(`${from === 'input' ? 'csv' : from} → ${to}`, one?.ms[at] ?? 0, several?.ms[at] ?? 0),
    ),
    line('all', sum(one), sum(several)),
  ];
}
