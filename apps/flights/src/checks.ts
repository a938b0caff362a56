/** What must hold at the end, put to the test: plain functions of what was counted here and there. */

import type { RunReport, SinkStatus } from '@streamweld/core';
import { type Survival, times } from './act-three.ts';
import type { Broadcast, Demand, Partition } from './act-two.ts';
import type { Told } from './alerts-topic.ts';
import type { Tally } from './database.ts';
import { whole } from './numbers.ts';
import type { ReadBack } from './read-back.ts';
import type { AirportFigures } from './statistics.ts';

/** What one airport comes to in the independent count. */
interface ExpectedAirport extends AirportFigures {
  longestRun: number;
}

interface ExpectedAlert {
  readonly row: number;
  readonly airport: string;
  readonly delay: number;
}

/** What the flights come to, counted row by row from the file alone. */
export interface IndependentCount {
  rows: number;
  /** In the order of their rows. */
  alerts: ExpectedAlert[];
  airports: Map<string, ExpectedAirport>;
}

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** The part of the demo that it is about. */
  readonly of: string;
  readonly text: string;
}

/** What a run through a dispatcher has counted, as far as it is looked at. */
interface Counted {
  readonly report: Pick<RunReport, 'read'>;
  readonly sinks: readonly Pick<SinkStatus, 'delivered'>[];
}

/** @param differing flights that are not the same in both tables. */
export function checkCopies(flights: readonly [number, number], differing: number): Check {
  const [oneByOne, concurrent] = flights;
  const holds = oneByOne === concurrent && differing === 0;
  const text = holds
    ? `both tables hold the same ${whole(oneByOne)} flights, column by column`
    : `the two tables hold ${whole(oneByOne)} and ${whole(concurrent)} flights, of which ${whole(differing)} differ`;
  return { of: 'act 1', holds, text };
}

export function checkBroadcast(
  { report, sinks, statistics }: Broadcast,
  table: Tally | undefined,
  expected: IndependentCount,
): Check[] {
  const [counted, alerted, written] = sinks.map(({ delivered }) => delivered);
  const equal = equalFigures(expected, statistics.airports);
  const checks = [
    {
      of: 'broadcast',
      holds: [report.read, counted, written].every((count) => count === expected.rows),
      text: `${whole(report.read)} in, ${whole(counted ?? 0)} counted, ${whole(written ?? 0)} written`,
    },
    {
      of: 'broadcast',
      holds: alerted === expected.alerts.length,
      text: `${whole(alerted ?? 0)} of ${whole(expected.alerts.length)} very late flights told`,
    },
    {
      of: 'broadcast',
      holds: equal === expected.airports.size && statistics.airports.size === equal,
      text: `flights, late ones and delays equal at ${equal} of ${expected.airports.size} airports`,
    },
  ];
  return table === undefined ? checks : [...checks, ...checkTable('broadcast', report.read, table, expected)];
}

/** Of the alerts in Kafka, partition by partition. */
export function checkAlerts(told: readonly Told[], { alerts }: IndependentCount): Check {
  const missing = new Map(alerts.map((alert) => [alert.row, alert]));
  const lastRows = new Map<string, number>();
  let doubled = 0;
  let outOfOrder = 0;
  for (const { key, flight } of told) {
    const { row, origin, delay } = flight;
    const alert = missing.get(row);
    // There again, or it should not be there at all, or is not what it was.
    if (
      alert === undefined ||
      [key, origin].some((airport) => airport !== alert.airport) ||
      delay !== alert.delay
    ) {
      doubled += 1;
      continue;
    }
    missing.delete(row);
    if (row < (lastRows.get(key) ?? 0)) outOfOrder += 1;
    lastRows.set(key, row);
  }
  const found = alerts.length - missing.size;
  return {
    of: 'broadcast',
    holds: missing.size === 0 && doubled === 0 && outOfOrder === 0,
    text: `${whole(found)} of ${whole(alerts.length)} alerts in Kafka, ${whole(missing.size)} lost, ${whole(doubled)} doubled, ${whole(outOfOrder)} out of order`,
  };
}

/** @param read flights that the source has handed out. */
function checkTable(of: string, read: number, table: Tally, expected: IndependentCount): Check[] {
  const { rows, lost, doubled, airports } = table;
  const equal = equalFigures(expected, airports);
  const all = expected.airports.size;
  return [
    {
      of,
      holds: read === expected.rows && rows === expected.rows && lost === 0 && doubled === 0,
      text: `${whole(read)} in, ${whole(rows)} in Postgres, ${whole(lost)} lost, ${whole(doubled)} doubled`,
    },
    {
      of,
      holds: equal === all && airports.size === all,
      text: `flights, late, delays equal in Postgres at ${equal} of ${all} airports`,
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
  { report, sinks, longestRuns }: Counted & Pick<Partition, 'longestRuns'>,
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
      text: `${whole(report.read)} in, ${whole(total(sinks))} dispatched, ${whole(readBack.flights)} back from ${files} files`,
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

/** Of what survived in a file. */
export function checkSurvivedFile(
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
    checkKills(kills),
  ];
}

/** Of what survived in a table. */
export function checkSurvivedTable(
  { kills, rows }: Survival,
  table: Tally,
  expected: IndependentCount,
): Check[] {
  const torn = kills.filter(({ found }) => found === undefined || found.rows !== found.position).length;
  return [
    ...checkTable('kill -9', rows, table, expected),
    {
      of: 'kill -9',
      holds: torn === 0,
      text: `rows and position were one after ${whole(kills.length - torn)} of ${whole(kills.length)} kills`,
    },
    checkKills(kills),
  ];
}

function checkKills(kills: Survival['kills']): Check {
  return {
    of: 'kill -9',
    holds: kills.every(({ told, resumed }) => resumed >= told),
    text: `killed ${times(kills.length)}, and what it had told of was there each time`,
  };
}

function total(sinks: Counted['sinks']): number {
  return sinks.reduce((sum, { delivered }) => sum + delivered, 0);
}

function equalAirports(
  { airports }: IndependentCount,
  isEqual: (airport: string, figures: ExpectedAirport) => boolean,
): number {
  return [...airports].filter(([airport, figures]) => isEqual(airport, figures)).length;
}

/** At how many airports all figures are what was counted independently. */
export function equalFigures(
  expected: IndependentCount,
  airports: ReadonlyMap<string, AirportFigures>,
): number {
  return equalAirports(expected, (airport, { flights, late, delay }) => {
    const figures = airports.get(airport);
    return figures?.flights === flights && figures.late === late && figures.delay === delay;
  });
}
