/** What is printed at the end. */

import type { RunReport, SinkStatus } from '@streamweld/core';
import type { Check } from './checks.ts';
import { percent, rate, seconds, whole } from '@streamweld/app-kit/numbers';
import type { Found } from './search.ts';

/** Hits that are shown. */
const SHOWN = 3;
const LONGEST = 120;

/** @param setAside how many entries of a sink are in its file of dead letters */
export function broadcastLines(
  report: RunReport,
  sinks: readonly SinkStatus[],
  setAside: (sink: string) => number,
): string[] {
  const { read, durationMs } = report;
  return [
    'Broadcast · every entry to files, metrics, alerts and search',
    `  ${whole(read)} entries in ${seconds(durationMs)}, ${rate(read, durationMs)}/s`,
    ...table(
      ['sink', 'entries', 'fullest', 'busy', 'retries', 'dropped', 'set aside'],
      sinks.map((sink) => [
        sink.name,
        whole(sink.delivered),
        `${whole(sink.highWaterMark)} of ${whole(sink.bufferSize)}`,
        percent(Math.max(0, 1 - sink.waitedMs / durationMs)),
        whole(sink.retried),
        whole(sink.dropped),
        whole(setAside(sink.name)),
      ]),
    ),
    ...sinks.flatMap(fateOf),
    ...paceOf(sinks),
  ];
}

/** What became of a sink that was too slow, or failed. */
function fateOf({ name, dropped, state, error }: SinkStatus): string[] {
  if (state === 'detached') return [`  ${name} failed for good, and was given up: ${messageOf(error)}`];
  return dropped > 0
    ? [`  ${name} was too slow for ${whole(dropped)} entries, and nobody waited for it`]
    : [];
}

/** Whose buffer was full, and that of nobody who drops: it held all the others back. Of several, who had the most to do. */
function paceOf(sinks: readonly SinkStatus[]): string[] {
  const [slowest] = sinks
    .filter(
      (sink) => sink.highWaterMark >= sink.bufferSize && sink.dropped === 0 && sink.state !== 'detached',
    )
    .sort((one, other) => one.waitedMs - other.waitedMs);
  if (slowest === undefined) return ['  no buffer was ever full: nobody held the others back'];
  return [`  ${slowest.name} was the slowest: its buffer was full, and then it held all the others back`];
}

function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? messageOf(cause) : message;
}

export function checkLines(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ of }) => of.length));
  return [
    'Proof · against the logs, read again in one piece',
    ...checks.map(
      ({ holds, of, text }) => `  ${holds ? '✓' : '✗'} ${of.padEnd(width)}  ${holds ? '' : 'WRONG: '}${text}`,
    ),
  ];
}

/** The counters of entries, of all that `/metrics` answers. */
export function metricLines(url: string, exposition: string): string[] {
  const lines = exposition.split('\n');
  const counters = lines.filter((line) => line.startsWith('logs_entries_total{')).sort();
  return [
    `Asked · GET ${url}/metrics`,
    ...counters.map((line) => `  ${line}`),
    `  and ${whole(lines.filter((line) => /^\w/.test(line)).length - counters.length)} more`,
  ];
}

export function foundLines(text: string, { total, hits }: Found, asked?: string): string[] {
  const head = asked === undefined ? '' : `Asked · GET ${asked}: `;
  if (total === 0) return [`${head}no entry holds '${text}'`];
  return [
    `${head}${total === 1 ? '1 entry holds' : `${whole(total)} entries hold`} '${text}'`,
    ...(asked === undefined ? hits : hits.slice(0, SHOWN)).map(({ service, level, at, text }) => {
      const time = at === null ? 'at no time' : new Date(at).toISOString();
      return `  ${time}  ${service}  ${level}  ${shown(text)}`;
    }),
  ];
}

/** On a terminal, a log is text and nothing else: what would move the cursor, or colour it, is shown as such. */
function shown(text: string): string {
  const plain = text.replaceAll(/\p{Cc}|\p{Surrogate}/gu, '\uFFFD');
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST - 1)}…` : plain;
}

/** The first column on the left, numbers on the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('   ')}`.trimEnd();
  });
}
