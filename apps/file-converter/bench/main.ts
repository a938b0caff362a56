/**
 * What threads gain here: `pnpm bench:convert`. Flights in files of CSV go to Parquet, from there to NDJSON, and back to CSV, on
 * one thread and on two, by turns, so that a busy machine slows both alike.
 *
 * Medians of the rounds by the clock on the wall, the start of the threads included; `ratio` is the median of the ratios of
 * each round. `by processor` is what the wall cannot say on a busy machine: the ratio where each thread has a processor to
 * itself, by what the work took of the processors on its own threads. `others` is the share of all processors that other programs had
 * meanwhile (both on Linux alone): where it is not small, the wall tells of them. `--check` exits with 1 where all three
 * together are less than 1.7 times as fast by the wall. `ROUNDS=1 ROWS=100000` shortens it.
 */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertedOf } from '../src/checks.ts';
import type { Target } from '../src/file-kind.ts';
import { writeFlights } from '../src/flights.ts';
import { findJobs } from '../src/jobs.ts';
import { seconds, whole } from '../src/numbers.ts';
import { converting } from '../src/pipeline.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const ROWS = Number(process.env['ROWS'] ?? 800_000);
const FILES = 16;
const MANY = 2;
const AIM = 1.7;

const STEPS: readonly { readonly from: string; readonly to: Target }[] = [
  { from: 'input', to: 'parquet' },
  { from: 'parquet', to: 'ndjson' },
  { from: 'ndjson', to: 'csv' },
];

interface Run {
  readonly wallMs: number;
  /** What the work took of a processor. */
  readonly cpuMs: number;
  /** What other programs had meanwhile, in milliseconds of a processor. */
  readonly othersMs: number;
}

/** Of one way, the runs of each step, and of all of them together: a run for each round. */
type Runs = Run[][];

const folder = await mkdtemp(join(tmpdir(), 'streamweld-bench-'));
try {
  await writeFlights(join(folder, 'input'), ROWS, FILES);
  const ways: { threads: number; runs: Runs }[] = [1, MANY].map((threads) => ({
    threads,
    runs: [[], [], [], []],
  }));
  // The first round counts for nothing: caches are cold.
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const { threads, runs } of round % 2 === 0 ? ways : ways.toReversed()) {
      const steps = await once(threads);
      if (round >= 0) for (const [at, run] of [...steps, together(steps)].entries()) runs[at]?.push(run);
    }
  }
  const [one, many] = ways.map(({ runs }) => runs) as [Runs, Runs];
  console.log(
    `${whole(ROWS)} flights in ${FILES} files, ${ROUNDS} rounds, ${availableParallelism()} processors, Node ${process.version}\n`,
  );
  console.log(line('', '1 thread', `${MANY} threads`, 'ratio', 'by processor', 'others'));
  const ratios = [...STEPS.map(({ from, to }) => `${from === 'input' ? 'csv' : from} → ${to}`), 'all'].map(
    (name, at) => tell(name, one[at] as Run[], many[at] as Run[]),
  );
  if (process.argv.includes('--check') && !((ratios.at(-1) as number) >= AIM)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

async function once(threads: number): Promise<Run[]> {
  const home = join(folder, 'made');
  const runs: Run[] = [];
  for (const { from, to } of STEPS) {
    const input = from === 'input' ? join(folder, from) : join(home, from);
    const jobs = await findJobs({ paths: [input], to, out: join(home, to) });
    const { pipeline, outcomes } = converting(
      jobs,
      { types: true, nullText: undefined, force: false },
      threads,
    );
    const began = performance.now();
    const before = busyElsewhereMs();
    await pipeline.run();
    const wallMs = performance.now() - began;
    const othersMs = busyElsewhereMs() - before;
    const converted = convertedOf({ jobs, outcomes, threads, ms: wallMs });
    const rows = converted.reduce((sum, [, done]) => sum + (done.rows ?? 0), 0);
    if (rows !== ROWS) throw new Error(`${rows} rows came of ${ROWS}.`);
    runs.push({ wallMs, othersMs, cpuMs: converted.reduce((sum, [, { cpuMs }]) => sum + cpuMs, 0) });
  }
  await rm(home, { recursive: true });
  return runs;
}

function together(runs: readonly Run[]): Run {
  return runs.reduce((a, b) => ({
    wallMs: a.wallMs + b.wallMs,
    cpuMs: a.cpuMs + b.cpuMs,
    othersMs: a.othersMs + b.othersMs,
  }));
}

/** @returns how many times as fast it was by the wall */
function tell(name: string, one: readonly Run[], many: readonly Run[]): number {
  const wall = median(one.map(({ wallMs }, round) => wallMs / (many[round] as Run).wallMs));
  const cpu = median(one.map(({ cpuMs }, round) => (cpuMs * MANY) / (many[round] as Run).cpuMs));
  const others = median(
    [...one, ...many].map(({ othersMs, wallMs }) => othersMs / wallMs / availableParallelism()),
  );
  const time = (runs: readonly Run[]) => seconds(median(runs.map(({ wallMs }) => wallMs)));
  const share = Number.isNaN(others) ? '' : `${Math.round(Math.max(0, others) * 100)} %`;
  console.log(line(name, time(one), time(many), times(wall), times(cpu), share));
  return wall;
}

function line(name: string, ...cells: readonly string[]): string {
  return name.padEnd(18) + cells.map((cell) => cell.padStart(14)).join('');
}

/** What all programs but this one have had of the processors. */
function busyElsewhereMs(): number {
  try {
    // cpu  user nice system idle iowait irq softirq steal …
    const [, ...ticks] = (/^cpu .*$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[0] ?? '')
      .split(/\s+/)
      .map(Number);
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks;
    const own = process.cpuUsage();
    // The system counts in hundredths of a second.
    return (user + nice + system + irq + softirq + steal) * 10 - (own.user + own.system) / 1000;
  } catch {
    return Number.NaN;
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function times(ratio: number): string {
  return Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)}×`;
}
