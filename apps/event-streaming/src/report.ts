/** What is printed at the end. */

import type { RunReport } from '@streamweld/core';
import type { AirportState } from './airport-state.ts';
import type { Check } from './checks.ts';
import type { Service } from './crew.ts';
import type { Ledger } from './ledger.ts';
import { percent, rate, seconds, whole } from '@streamweld/app-kit/numbers';
import type { Role } from './roles.ts';

export function inputLines({ written, durationMs, outcome }: RunReport): string[] {
  const stopped = outcome === 'drained' ? ', stopped before the end' : '';
  return [
    'Input · to the enrichers by the key of the airport',
    `  ${whole(written)} departures in ${seconds(durationMs)}, ${rate(written, durationMs)}/s${stopped}`,
  ];
}

/** @param killed by this app. */
export function serviceLines(
  services: readonly Service[],
  ledgers: Readonly<Record<Role, Ledger>>,
  killed: Service | undefined,
): string[] {
  const rows = services.map(({ name, role, pid, isGone }) => {
    const [count, all] = [ledgers[role].countOf(name), ledgers[role].done + ledgers[role].again];
    const end = services.find((each) => each.name === name) === killed ? 'kill -9' : isGone ? 'gone' : '';
    return [name, String(pid ?? ''), whole(count), percent(all === 0 ? 0 : count / all), end];
  });
  return [
    'Services · each in a process of its own',
    ...table(['process', 'pid', 'departures', 'of its service', 'end'], rows),
  ];
}

export function checkLines(checks: readonly Check[]): string[] {
  return [
    'Proof · against a count of the input made without StreamWeld',
    ...checks.map(
      ({ holds, of, text }) => `  ${holds ? '✓' : '✗'} ${of.padEnd(10)}  ${holds ? '' : 'WRONG: '}${text}`,
    ),
  ];
}

/** What a human wants to know of these departures. */
export function answerLines(states: ReadonlyMap<string, AirportState>): string[] {
  // Of those with few there is nothing to say.
  const large = [...states].filter(([, { seq }]) => seq >= 100);
  const [late] = large.toSorted(([, a], [, b]) => b.late / b.seq - a.late / a.seq);
  const [steady] = [...states].toSorted(([, a], [, b]) => b.longestOnTime - a.longestOnTime);
  if (steady === undefined) return [];
  return [
    ...(late === undefined
      ? []
      : [
          `Most often late    ${late[0]}: ${percent(late[1].late / late[1].seq)} of ${whole(late[1].seq)} departures`,
        ]),
    `Longest on time    ${steady[0]}: ${whole(steady[1].longestOnTime)} departures in a row`,
  ];
}

/** The first column on the left, numbers on the right, the last as it is. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 || column === row.length - 1 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('   ')}`.trimEnd();
  });
}
