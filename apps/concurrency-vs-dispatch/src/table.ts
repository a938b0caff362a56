/** The comparison as a table, what one sees in it, and the proofs. */

import type { Mode } from './modes.ts';
import { cost, listed, percent, rate, seconds, whole } from './numbers.ts';
import type { Settings } from './pipeline.ts';
import type { Result } from './run.ts';

const HEADERS = ['', 'time', 'items/s', '× sequential', 'of possible', 'items at the sinks'] as const;

export function headline(
  { items, sourceMs, sinksMs, bufferSize, seed }: Settings,
  columns: number,
): string[] {
  const sinks = listed(sinksMs.map(String));
  return wrap(
    `${whole(items)} items. One takes the source ${cost(sourceMs)}, and the sink${sinksMs.length === 1 ? '' : 's'} ${sinks} ms: timed waiting, as for a disk or a service. Buffers of ${whole(bufferSize)} items, seed ${seed}.`,
    columns,
  );
}

export function tableLines(results: readonly Result[]): string[] {
  const base = results.find(({ mode }) => mode === 'sequential');
  const rows = results.map((result) => [
    result.mode,
    seconds(result.durationMs),
    rate(result.items, result.durationMs),
    base === undefined ? '–' : ratio(result, base),
    result.durationMs <= 0 ? '–' : percent(Math.min(1, result.leastMs / result.durationMs)),
    shareText(result),
  ]);
  return aligned([[...HEADERS], ...rows]);
}

/** `1.41`: how many items a second for one of the base. */
function ratio(result: Result, base: Result): string {
  const value = result.items / result.durationMs / (base.items / base.durationMs);
  return Number.isFinite(value) ? value.toFixed(2) : '–';
}

/** `57 29 14 %`, of the items of the source. */
export function shareText({ items, shares }: Pick<Result, 'items' | 'shares'>): string {
  if (items === 0) return '–';
  return `${shares.map((share) => Math.round((100 * share) / items)).join(' ')} %`;
}

export function explanationLines(results: readonly Result[], columns: number): string[] {
  return results.flatMap(({ mode, explanation }) => hanging(mode, explanation, columns));
}

/** A line for each mode, and whether all of them hold. */
export function proofLines(results: readonly Result[], columns: number): string[] {
  return results.flatMap(({ mode, proof, shares, items }) => {
    const counts = shares.length === 1 ? '' : ` (${shares.map(whole).join(', ')})`;
    return hanging(
      `${proof.holds ? '✓' : '✗ WRONG'} ${mode}`,
      `${whole(items)} items in, ${proof.says}${counts}`,
      columns,
    );
  });
}

const LABEL: number =
  Math.max(...(['sequential', 'concurrent'] satisfies Mode[]).map((mode) => mode.length)) + 4;

/** A label, and beside it a text that is broken where a line is full. */
function hanging(label: string, text: string, columns: number): string[] {
  const width = Math.max(20, columns - LABEL - 2);
  return wrap(text, width).map((line, at) => `  ${(at === 0 ? label : '').padEnd(LABEL)}${line}`);
}

/** Lines of at most `width` characters, broken between words, but not between a number and its unit. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  // An address is broken too where it has to be.
  const words = text
    .split(/ (?!%|ms\b)/)
    .flatMap((word) => word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? []);
  for (const word of words) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Columns beside each other, numbers to the right; the last is left as it is. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADERS.map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, at) => {
        if (at === 0) return `  ${cell.padEnd(widths[at] as number)}`;
        return at === row.length - 1 ? cell : cell.padStart(widths[at] as number);
      })
      .join('  ')
      .trimEnd(),
  );
}
