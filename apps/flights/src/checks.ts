/** What must hold at the end, put to the test: plain functions of what was counted here and there. */

import type { Broadcast, Demand, Partition } from './act-two.ts';
import type { SinkStatus } from '@streamweld/core';
import { whole } from './numbers.ts';
import type { ReadBack } from './read-back.ts';

/** What one airport comes to in the independent count. */
export interface ExpectedAirport {
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
  readonly text: string;
}

export function checkCopies(flights: number, hashes: readonly [string, string]): Check {
  const [first, second] = hashes;
  return {
    holds: first === second,
    text:
      first === second
        ? `act 1: both files hold the same ${whole(flights)} flights, byte for byte`
        : 'act 1: the two files differ',
  };
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
      holds: [report.read, counted, written].every((count) => count === expected.rows),
      text: `broadcast: ${whole(report.read)} flights in, ${whole(counted ?? 0)} to the statistics, ${whole(written ?? 0)} to the writer`,
    },
    {
      holds: alerted === expected.alerts,
      text: `broadcast: ${whole(alerted ?? 0)} of ${whole(expected.alerts)} very late flights to the alerts`,
    },
    {
      holds: equal === expected.airports.size && statistics.airports.size === equal,
      text: `broadcast: flights, late ones and delays equal at ${equal} of ${expected.airports.size} airports`,
    },
  ];
}

export function checkDemand({ report, sinks, ledger }: Demand, rows: number): Check[] {
  const taken = total(sinks);
  const lost = ledger.lostOf(rows);
  const doubled = ledger.doubled + ledger.beyond(rows);
  return [
    {
      holds: report.read === rows && taken === rows && lost === 0 && doubled === 0,
      text: `demand: ${whole(report.read)} flights in, ${whole(taken)} taken by ${sinks.length} workers, ${whole(lost)} lost, ${whole(doubled)} doubled`,
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
      holds: report.read === rows && total(sinks) === rows && readBack.flights === rows,
      text: `partition: ${whole(report.read)} flights in, ${whole(total(sinks))} to ${sinks.length} partitions, ${whole(readBack.flights)} read back from ${files} files`,
    },
    {
      holds: lost === 0 && doubled === 0 && readBack.outOfOrder === 0 && readBack.misplaced === 0,
      text: `partition: ${whole(lost)} lost, ${whole(doubled)} doubled, ${whole(readBack.outOfOrder)} out of order, ${whole(readBack.misplaced)} in the wrong file`,
    },
    {
      holds: counts === all && airports.size === all && files === all,
      text: `partition: flights counted equal at ${counts} of ${all} airports`,
    },
    {
      holds: longest === all,
      text: `partition: longest on-time run equal at ${longest} of ${all} airports, which only order gives`,
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
