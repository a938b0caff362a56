/** What must hold at the end, put to the test: plain functions of what was counted here and there. */

import { type Survival, times } from './act-three.ts';
import type { Broadcast, Demand, Partition } from './act-two.ts';
import type { SinkStatus } from '@streamweld/core';
import { whole } from './numbers.ts';
import type { ReadBack } from './read-back.ts';

/** What one airport comes to in the independent count. */
interface ExpectedAirport {
  flights: number;
  late: number;
  delay: number;
  longestRun: number;
}

/** What the flights come to, counted row by row from the file alone. */
export interface IndependentCount {
  rows: number;
  alerts: number;
  airports: Map<string, ExpectedAirport>;
}

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** The part of the demo that it is about. */
  readonly of: string;
  readonly text: string;
}

export function checkCopies(flights: number, hashes: readonly [string, string]): Check {
  const [first, second] = hashes;
  const holds = first === second;
  const text = holds
    ? `both files hold the same ${whole(flights)} flights, byte for byte`
    : 'the two files differ';
  return { of: 'act 1', holds, text };
}

export function checkBroadcast(
  { report, sinks, statistics }: Broadcast,
  expected: IndependentCount,
): Check[] {
  const [counted, alerted, written] = sinks.map(({ delivered }) => delivered);
  const equal = equalAirports(expected, (airport, { flights, late, delay }) => {
    const figures = statistics.airports.get(airport);
    return figures?.flights === flights && figures.late === late && figures.delay === delay;
  });
  return [
    {
      of: 'broadcast',
      holds: [report.read, counted, written].every((count) => count === expected.rows),
      text: `${whole(report.read)} in, ${whole(counted ?? 0)} counted, ${whole(written ?? 0)} written`,
    },
    {
      of: 'broadcast',
      holds: alerted === expected.alerts,
      text: `${whole(alerted ?? 0)} of ${whole(expected.alerts)} very late flights told`,
    },
    {
      of: 'broadcast',
      holds: equal === expected.airports.size && statistics.airports.size === equal,
      text: `flights, late ones and delays equal at ${equal} of ${expected.airports.size} airports`,
    },
  ];
}

export function checkDemand({ report, sinks, ledger }: Demand, rows: number): Check[] {
  const taken = total(sinks);
  const lost = ledger.lostOf(rows);
  const doubled = ledger.doubled + ledger.beyond(rows);
  return [
    {
      of: 'demand',
      holds: report.read === rows && taken === rows && lost === 0 && doubled === 0,
      text: `${whole(report.read)} in, ${whole(taken)} taken, ${whole(lost)} lost, ${whole(doubled)} doubled`,
    },
  ];
}

export function checkPartition(
  { report, sinks, longestRuns }: Partition,
  files: number,
  readBack: ReadBack,
  expected: IndependentCount,
): Check[] {
  const { ledger, airports } = readBack;
  const { rows } = expected;
  const lost = ledger.lostOf(rows);
  const doubled = ledger.doubled + ledger.beyond(rows);
  const counts = equalAirports(
    expected,
    (airport, { flights }) => airports.get(airport)?.flights === flights,
  );
  const longest = equalAirports(
    expected,
    (airport, { longestRun }) => longestRuns.get(airport) === longestRun,
  );
  const all = expected.airports.size;
  return [
    {
      of: 'partition',
      holds: report.read === rows && total(sinks) === rows && readBack.flights === rows,
      text: `${whole(report.read)} in, ${whole(total(sinks))} dispatched, ${whole(readBack.flights)} read back from ${files} files`,
    },
    {
      of: 'partition',
      holds: lost === 0 && doubled === 0 && readBack.outOfOrder === 0 && readBack.misplaced === 0,
      text: `${whole(lost)} lost, ${whole(doubled)} doubled, ${whole(readBack.outOfOrder)} out of order, ${whole(readBack.misplaced)} in the wrong file`,
    },
    {
      of: 'partition',
      holds: counts === all && airports.size === all && files === all,
      text: `flights equal at ${counts} of ${all} airports`,
    },
    {
      of: 'partition',
      holds: longest === all,
      text: `longest on-time run equal at ${longest} of ${all} airports: order was kept`,
    },
  ];
}

export function checkSurvival(
  { kills, rows }: Survival,
  { ledger, flights, outOfOrder }: ReadBack,
  asked: number,
): Check[] {
  const lost = ledger.lostOf(rows);
  const doubled = ledger.doubled + ledger.beyond(rows);
  return [
    {
      of: 'kill -9',
      holds: rows === asked && flights === rows && lost === 0 && doubled === 0 && outOfOrder === 0,
      text: `${whole(rows)} in, ${whole(flights)} read back from one file, ${whole(lost)} lost, ${whole(doubled)} doubled, ${whole(outOfOrder)} out of order`,
    },
    {
      of: 'kill -9',
      holds: kills.every(({ told, resumed }) => resumed >= told),
      text: `killed ${times(kills.length)}, and what it had told of was there each time`,
    },
  ];
}

function total(sinks: readonly SinkStatus[]): number {
  return sinks.reduce((sum, { delivered }) => sum + delivered, 0);
}

function equalAirports(
  { airports }: IndependentCount,
  isEqual: (airport: string, figures: ExpectedAirport) => boolean,
): number {
  return [...airports].filter(([airport, figures]) => isEqual(airport, figures)).length;
}
