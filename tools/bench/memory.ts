/** The peak of memory for a file and for one ten times as large, each in a process of its own: it must not depend on size. */

import { spawnSync } from 'node:child_process';
import { ConcurrentPipeline } from '@streamweld/core';
import { FileSink, FileSource } from '@streamweld/file';
import { Corpus, logLine } from './corpus.ts';

const LARGER = 10;
/** The larger file may take so many times as much, and not ten: the collector lets more lie about in a longer run. */
const MOST = 2;

/** What is measured: reads one file, and writes another. */
const CASES: Readonly<Record<string, (from: string, to: string) => Promise<unknown>>> = {
  'lines, FileSource to FileSink': (from, to) =>
    new ConcurrentPipeline(new FileSource(from), new FileSink(to)).run(),
  'gzip, decompressed and compressed': (from, to) =>
    new ConcurrentPipeline(new FileSource(from), new FileSink(`${to}.gz`, { level: 1 })).run(),
};

export interface Peaks {
  readonly name: string;
  /** In MB: the files as text, and the most that the process held. */
  readonly sizes: readonly number[];
  readonly peaks: readonly number[];
}

/** Runs one case in this process, and answers the most memory it held, in MB. For the child. */
export async function runCase(name: string, from: string, to: string): Promise<number> {
  await CASES[name]?.(from, to);
  return process.resourceUsage().maxRSS / 1000;
}

/** @param lines of the smaller file. @param main the script that runs a case with `--memory-of NAME FROM TO`. */
export async function measureMemory(lines: number, main: string): Promise<Peaks[]> {
  const all: Peaks[] = [];
  for (const name of Object.keys(CASES)) {
    const sizes: number[] = [];
    const peaks: number[] = [];
    for (const count of [lines, lines * LARGER]) {
      const corpus = new Corpus(logLine, { isZipped: name.startsWith('gzip') });
      try {
        await corpus.make(count);
        sizes.push(corpus.bytes / 1e6);
        peaks.push(inChild(main, name, corpus));
      } finally {
        corpus.remove();
      }
    }
    all.push({ name, sizes, peaks });
  }
  return all;
}

function inChild(main: string, name: string, corpus: Corpus): number {
  // Without --expose-gc the collector is the user's.
  const given = process.execArgv.filter((argument) => argument !== '--expose-gc');
  const { status, stdout } = spawnSync(
    process.execPath,
    [...given, main, '--memory-of', name, corpus.path, corpus.makeOutput()],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Error(`Measuring the memory of '${name}' failed.`);
  return Number(stdout);
}

export function memoryTable(all: readonly Peaks[]): string {
  const lines = [
    '**memory**: the most that a process held',
    '',
    '| | file, MB | peak, MB |',
    '| --- | ---: | ---: |',
  ];
  for (const { name, sizes, peaks } of all)
    lines.push(`| ${name} | ${sizes.map(whole).join(' and ')} | ${peaks.map(whole).join(' and ')} |`);
  return `${lines.join('\n')}\n`;
}

/** The cases whose peak grows with the file. */
export function memoryMisses(all: readonly Peaks[]): string[] {
  return all
    .filter(({ peaks: [small, large] }) => (large as number) > MOST * (small as number))
    .map(({ name, peaks }) => `memory: ${name} took ${peaks.map(whole).join(' and ')} MB`);
}

function whole(number: number): string {
  return number.toFixed(0);
}
