/** What is printed at the end. */

import { type Check, convertedOf, isRefused } from './checks.ts';
import type { Converted, Job } from './convert.ts';
import { filesOf, rowsOf, seconds, size, threadsOf, whole } from './numbers.ts';
import type { Ran } from './run.ts';

/** Lines for files that are as many as one reads; refused ones are all told. */
const MOST_LINES = 20;

export function runLines(ran: Ran): string[] {
  const { jobs, outcomes, threads, ms } = ran;
  const converted = convertedOf(ran);
  const width = Math.max(0, ...converted.slice(0, MOST_LINES).map(([{ input }]) => input.length));
  const refused = jobs.flatMap(({ input }) => {
    const outcome = outcomes.get(input);
    return outcome !== undefined && isRefused(outcome) ? [`  ✗ ${input}`, `      ${outcome.reason}`] : [];
  });
  const notBegun = jobs.length - outcomes.size;
  const more = converted.length - MOST_LINES;
  return [
    ...converted.slice(0, MOST_LINES).map((each) => convertedLine(each, width)),
    ...(more > 0 ? [`  … and ${filesOf(more)} more`] : []),
    ...refused,
    ...(notBegun > 0 ? [`  ${filesOf(notBegun)} not begun: stopped before the end`] : []),
    totalLine(converted, refused.length / 2, threads, ms),
  ];
}

function convertedLine(
  [{ input, output }, { rows, bytesIn, bytesOut }]: readonly [Job, Converted],
  width: number,
): string {
  const of = rows === undefined ? '' : `${rowsOf(rows)}, `;
  return `  ✓ ${input.padEnd(width)}  → ${output}   ${of}${size(bytesIn)} → ${size(bytesOut)}`;
}

function totalLine(
  converted: readonly (readonly [Job, Converted])[],
  refused: number,
  threads: number,
  ms: number,
): string {
  const rows = converted.reduce((sum, [, each]) => sum + (each.rows ?? 0), 0);
  const tables = rows > 0 ? `, ${rowsOf(rows)}` : '';
  return `${filesOf(converted.length)} converted${tables}, ${whole(refused)} refused, in ${seconds(ms)} on ${threadsOf(threads)}`;
}

export function checkLines(checks: readonly Check[]): string[] {
  return ['Proof', ...checks.map(({ holds, text }) => `  ${holds ? '✓' : '✗ WRONG:'} ${text}`)];
}
