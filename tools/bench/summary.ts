/** Times as rates and ratios, and as a table. */

import type { Times } from './measure.ts';

interface Row {
  readonly contestant: string;
  /** Millions of items, or of bytes, a second: the median of the rounds, the slowest and the fastest. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The very first run. */
  readonly first: number;
  /** How many times as fast StreamWeld is: the median of the ratios of each round. */
  readonly ratio?: number;
  /** The least the ratio is to be. */
  readonly aim?: number;
}

export interface Summary {
  readonly load: string;
  readonly title: string;
  readonly unit: 'M items/s' | 'MB/s';
  readonly rows: readonly Row[];
}

export function summarise({ load, items, bytes, times, firsts }: Times): Summary {
  const size = bytes ?? items;
  const [ours] = load.contestants;
  const oursMs = times.get(ours) as readonly number[];
  const rows = load.contestants.map((contestant): Row => {
    const all = times.get(contestant) as readonly number[];
    const rates = all.map((ms) => size / ms / 1000);
    const aim = load.aims[contestant.name];
    return {
      contestant: contestant.name,
      median: median(rates),
      min: Math.min(...rates),
      max: Math.max(...rates),
      first: size / (firsts.get(contestant) as number) / 1000,
      ...(contestant === ours
        ? {}
        : { ratio: median(all.map((ms, round) => ms / (oursMs[round] as number))) }),
      ...(aim === undefined ? {} : { aim }),
    };
  });
  return {
    load: load.name,
    title: load.title,
    unit: bytes === undefined ? 'M items/s' : 'MB/s',
    rows,
  };
}

/** The rows whose ratio is below its aim. */
export function misses(summaries: readonly Summary[]): string[] {
  return summaries.flatMap(({ load, rows }) =>
    rows
      .filter(({ ratio, aim }) => ratio !== undefined && aim !== undefined && ratio < aim)
      .map(
        ({ contestant, ratio, aim }) =>
          `${load}: ${times(ratio)} as fast as ${contestant}, and it is to be ${times(aim)}`,
      ),
  );
}

/** As Markdown, so that it can be pasted where it is read. */
export function table({ load, title, unit, rows }: Summary): string {
  const cells = [
    ['', unit, 'min–max', 'first run', 'StreamWeld is'],
    ...rows.map(({ contestant, median, min, max, first, ratio, aim }) => [
      contestant,
      rate(median),
      `${rate(min)}–${rate(max)}`,
      rate(first),
      ratio === undefined ? '' : `${times(ratio)} as fast${aim === undefined ? '' : `, aim ${times(aim)}`}`,
    ]),
  ];
  const isNumber = (at: number): boolean => at >= 1 && at <= 3;
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...cells.map((row) => (row[at] as string).length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (isNumber(at) ? cell.padStart(widths[at] as number) : cell.padEnd(widths[at] as number))).join(' | ')} |`;
  const rule = widths.map((width, at) => (isNumber(at) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  const [head, ...body] = cells as [string[], ...string[][]];
  return [`**${load}**: ${title}`, '', line(head), line(rule), ...body.map(line), ''].join('\n');
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

function rate(million: number): string {
  if (million >= 1000) return million.toFixed(0);
  return million < 10 ? million.toFixed(2) : million.toFixed(1);
}

function times(ratio: number | undefined): string {
  if (ratio === undefined) return '?×';
  return `${ratio.toFixed(ratio < 1 ? 2 : 1)}×`;
}
