/** What is printed at the end. */

import type { RunReport } from '@streamweld/core';
import type { Check } from './checks.ts';
import type { Damaged } from './damaged-lines.ts';
import type { Figures } from './found.ts';
import type { ReadLog } from './logs.ts';
import { countOf, percent, rate, seconds, size, whole } from './numbers.ts';
import type { Visitors } from './visitors.ts';

export function runLines({ read, written, durationMs, batches, retried, deadLettered }: RunReport): string[] {
  return [
    'Logs to Postgres · each line once',
    `  ${countOf(read, 'line')} in ${seconds(durationMs)}: ${whole(written)} stored in ${countOf(batches, 'transaction')}, ${whole(deadLettered)} damaged, ${whole(retried)} written again`,
  ];
}

/** @param behindMs from the last answer to the last row. */
export function siteLines({ answered, byStatus }: Visitors, askedMs: number, behindMs: number): string[] {
  const statuses = [...byStatus].toSorted(([a], [b]) => a - b);
  return [
    'The site · asked by HTTP while its log is followed',
    `  ${countOf(answered, 'answer')} in ${seconds(askedMs)}, ${rate(answered, askedMs)}/s: ${statuses.map(([status, { requests }]) => `${whole(requests)} × ${status}`).join(', ')}`,
    `  ${seconds(behindMs)} after the last answer all lines were stored`,
  ];
}

export function figureLines(figures: Figures): string[] {
  const { total, statuses, paths, failing, slowest, busiest, minutes } = figures;
  const errors = statuses.filter(({ status }) => status >= 400);
  const failed = errors.reduce((sum, { requests }) => sum + requests, 0);
  return [
    'Report · by SQL, over all that is stored',
    `  ${countOf(total.requests, 'request')}, ${size(total.bytes)}, from ${total.first} to ${total.last} UTC`,
    ...table(
      ['status', 'requests', 'share', 'bytes'],
      statuses.map(({ status, requests, bytes }) => [
        String(status),
        whole(requests),
        percent(requests / total.requests),
        size(bytes),
      ]),
    ),
    ...table(
      ['path', 'requests', 'bytes', 'errors'],
      paths.map(({ path, requests, bytes, errors: wrong }) => [
        shown(path),
        whole(requests),
        size(bytes),
        whole(wrong),
      ]),
    ),
    ...(slowest === undefined || busiest === undefined
      ? ['  Slowest minute     the log has no whole minute yet']
      : [
          `  Slowest minute     ${slowest.minute}, ${countOf(slowest.requests, 'request')}; of ${countOf(minutes, 'whole minute')}`,
          `  Busiest minute     ${busiest.minute}, ${countOf(busiest.requests, 'request')}`,
        ]),
    `  Errors             ${whole(failed)}, ${percent(failed / total.requests)} of all${failing.length === 0 ? '' : ':'}`,
    ...failing.map(
      ({ path, status, requests }) => `    ${status}  ${whole(requests).padStart(7)}  ${shown(path)}`,
    ),
  ];
}

export function checkLines(checks: readonly Check[]): string[] {
  return [
    'Proof · against a count of the files made without StreamWeld, by another parser',
    ...checks.map(
      ({ holds, of, text }) => `  ${holds ? '✓' : '✗'} ${of.padEnd(9)}  ${holds ? '' : 'WRONG: '}${text}`,
    ),
  ];
}

/** What cannot be counted again is said, and not taken for proved. */
export function goneLines(logs: readonly ReadLog[]): string[] {
  return logs
    .filter(({ path }) => path === undefined)
    .map(
      ({ file, incarnation }) =>
        `  · not counted again: file ${incarnation + 1} that was ${file} is gone, compressed or overwritten`,
    );
}

export function damagedLines(letters: readonly Damaged[], path: string): string[] {
  if (letters.length === 0) return [];
  const last = letters.slice(-3);
  return [
    `Damaged lines      ${whole(letters.length)}, in ${path}`,
    ...last.map(({ file, line, reason }) => `  ${file}, line ${whole(line)}: ${reason}`),
  ];
}

/** What a stranger has sent is shown in a terminal: no line is longer than it has to be. */
function shown(path: string): string {
  return path.length > 48 ? `${path.slice(0, 47)}…` : path;
}

/** The first and the last column as wide as they must be; numbers on the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `    ${cells.join('   ')}`.trimEnd();
  });
}
