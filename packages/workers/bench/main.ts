/**
 * What threads gain: `pnpm bench:workers`. NDJSON files are converted and compressed, on the main thread, on one thread and
 * on as many as there are processors, by turns, so that a busy machine slows all alike:
 *
 *     whole task     the path of a file crosses; the thread reads, converts, compresses and writes
 *     bytes moved    the main thread reads and writes; bytes are transferred both ways
 *     rows copied    the main thread reads and parses; rows are copied to the thread, bytes come back
 *
 * Medians of the rounds by the clock on the wall; a ratio is the median of the ratios of each round, above 1 where it is
 * faster than one thread. The last column is what the wall cannot say on a busy machine: the ratio where each thread has a
 * processor to itself, by what the work took of the processors; `others` is the share of all processors that other programs
 * had meanwhile (both on Linux alone): where it is not small, the clock on the wall tells of them. `--check` exits with 1 where the whole task is
 * less than 1.7 times as fast on two threads as on one. `ROUNDS=1 FILES=8 ONLY=whole` shortens it.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, ConcurrentPipeline, type Flow, from } from '@streamweld/core';
import { inWorkers } from '@streamweld/workers';
import type bytesMoved from './of-bytes.js';
import type wholeTask from './of-path.js';
import type rowsCopied from './of-rows.js';
import { type Done, ofBytes, ofPath, ofRows, type Row } from './work.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const FILES = Number(process.env['FILES'] ?? 32);
const ROWS = 20_000;
const ROWS_SENT = 1000;
const AIM = 1.7;
const MANY = Math.max(2, availableParallelism());

/** Flows of the same work: on the main thread, or on so many threads. */
interface Shape {
  readonly inline: (paths: readonly string[]) => Flow<Done>;
  readonly onThreads: (paths: readonly string[], threads: number) => Flow<Done>;
}

const beside = (name: string): URL => new URL(name, import.meta.url);
const read = (path: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(path));
const rowsOf = (path: string): Row[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);

const SHAPES: Readonly<Record<string, Shape>> = {
  'whole task': {
    inline: (paths) => from(paths).map(ofPath),
    onThreads: (paths, threads) =>
      from(paths).through(inWorkers<typeof wholeTask>(beside('of-path.js'), { threads, batchSize: 1 })),
  },
  'bytes moved': {
    inline: (paths) => from(paths).map(read).map(ofBytes),
    onThreads: (paths, threads) =>
      from(paths)
        .map(read)
        .through(
          inWorkers<typeof bytesMoved>(beside('of-bytes.js'), {
            threads,
            batchSize: 1,
            transfer: (bytes) => [bytes],
          }),
        ),
  },
  'rows copied': {
    inline: (paths) => from(paths).flatMap(rowsOf).batch(ROWS_SENT).map(ofRows),
    onThreads: (paths, threads) =>
      from(paths)
        .flatMap(rowsOf)
        .through(
          inWorkers<typeof rowsCopied>(beside('of-rows.js'), {
            threads,
            batchSize: ROWS_SENT,
            takes: 'batch',
          }),
        ),
  },
};

interface Run {
  readonly wallMs: number;
  /** What its work took of a processor. */
  readonly cpuMs: number;
  /** What other programs had of all processors meanwhile, from 0 to 1. */
  readonly others: number;
}

const folder = mkdtempSync(join(tmpdir(), 'streamweld-bench-'));
try {
  const paths = makeFiles();
  let isGood = true;
  console.log(
    `${FILES} files of ${ROWS} rows, ${ROUNDS} rounds, ${availableParallelism()} processors, Node ${process.version}\n`,
  );
  for (const [name, shape] of Object.entries(SHAPES)) {
    if (!name.includes(process.env['ONLY'] ?? '')) continue;
    isGood = (await measure(name, shape, paths)) && isGood;
  }
  if (process.argv.includes('--check') && !isGood) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(name: string, shape: Shape, paths: readonly string[]): Promise<boolean> {
  const ways = [
    { label: 'main thread', threads: 1, flow: () => shape.inline(paths) },
    { label: '1 thread', threads: 1, flow: () => shape.onThreads(paths, 1) },
    { label: `${MANY} threads`, threads: MANY, flow: () => shape.onThreads(paths, MANY) },
  ];
  const runs: Run[][] = ways.map(() => []);
  // The first round counts for nothing: the compiler does not know the work yet.
  for (let round = -1; round < ROUNDS; round++) {
    for (const [at, { flow }] of ways.entries()) {
      const run = await once(flow());
      if (round >= 0) runs[at]?.push(run);
    }
  }
  const one = runs[1] as Run[];
  console.log(
    `${name}\n${'way'.padEnd(14)}${'wall, s'.padStart(10)}${'of 1 thread'.padStart(14)}${'by processor'.padStart(14)}${'others'.padStart(9)}`,
  );
  const ratios = runs.map((all, at) => {
    const { label, threads } = ways[at] as (typeof ways)[number];
    const wall = median(all.map((run, round) => (one[round] as Run).wallMs / run.wallMs));
    const cpu = median(all.map((run, round) => ((one[round] as Run).cpuMs * threads) / run.cpuMs));
    const seconds = (median(all.map(({ wallMs }) => wallMs)) / 1000).toFixed(2);
    const others = percent(median(all.map((run) => run.others)));
    console.log(
      `${label.padEnd(14)}${seconds.padStart(10)}${times(wall).padStart(14)}${times(cpu).padStart(14)}${others.padStart(9)}`,
    );
    return wall;
  });
  console.log();
  return name !== 'whole task' || (ratios[2] as number) >= AIM;
}

async function once(flow: Flow<Done>): Promise<Run> {
  const sink = collect<Done>();
  const began = performance.now();
  const busyBefore = busyElsewhereMs();
  let written = 0;
  await new ConcurrentPipeline(
    flow.tap(async ({ bytes }) => {
      if (bytes !== undefined) await writeFile(join(folder, `out-${written++}`), bytes);
    }),
    sink,
  ).run();
  const wallMs = performance.now() - began;
  const others = (busyElsewhereMs() - busyBefore) / (wallMs * availableParallelism());
  const rows = sink.items.reduce((sum, done) => sum + done.rows, 0);
  if (rows !== FILES * ROWS) throw new Error(`${rows} rows came of ${FILES * ROWS}.`);
  for (const file of readdirSync(folder)) if (!file.endsWith('.ndjson')) rmSync(join(folder, file));
  return { wallMs, others, cpuMs: sink.items.reduce((sum, done) => sum + done.cpuMs, 0) };
}

/** What all programs but this one have had of the processors, in milliseconds. */
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

function makeFiles(): string[] {
  return Array.from({ length: FILES }, (_, file) => {
    const path = join(folder, `${file}.ndjson`);
    const rows = Array.from({ length: ROWS }, (_unused, n): Row => {
      const id = file * ROWS + n;
      return {
        id,
        city: `city ${(id * 7919) % 977}`,
        temperature: ((id * 31) % 600) / 10 - 20,
        note: `measured ${id.toString(36)}`,
      };
    });
    writeFileSync(path, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
    return path;
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function percent(share: number): string {
  return Number.isNaN(share) ? '' : `${Math.round(Math.max(0, share) * 100)} %`;
}

function times(ratio: number): string {
  return Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)}×`;
}
