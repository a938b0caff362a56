/** The report on stdout: what was done, and what came of it. */

import type { Comparison, Timing } from './act-one.ts';
import { type Survival, times } from './act-three.ts';
import type { Broadcast, Demand, Dispatched, Partition } from './act-two.ts';
import type { Check } from './checks.ts';
import { type Database, type Hour, SCHEMA } from './database.ts';
import type { FlightsArchive } from './flights-archive.ts';
import { ALERTS_TOPIC } from './kafka.ts';
import { percent, rate, seconds, whole } from './numbers.ts';
import { ALERT_MINUTES } from './pipeline.ts';
import { latestAirport, longestRun } from './statistics.ts';

/** @param startMs how long the demo's own server took to start. */
export function databaseLine(database: Database | undefined, startMs: number | undefined): string {
  if (database === undefined) {
    return 'Without Postgres: no act 1, no table among the sinks of act 2, and act 3 writes into a file';
  }
  const { version } = database;
  return startMs === undefined
    ? `Postgres ${version}, yours: what it is given stays in the schema ${SCHEMA}`
    : `Postgres ${version}, brought along: started in ${seconds(startMs)}, gone at the end`;
}

/** @param isGiven whether there is a Kafka that the alerts go to. */
export function kafkaLines(isGiven: boolean): string[] {
  return isGiven ? [`Kafka, yours: the alerts go to the topic ${ALERTS_TOPIC}, too`] : [];
}

/** @param archive where all flights go to in S3, if somewhere. */
export function s3Lines(archive: FlightsArchive | undefined): string[] {
  if (archive === undefined) return [];
  return [
    `S3, yours: all flights go to the bucket ${archive.bucket}, too,`,
    `  in the folder ${archive.folder}`,
  ];
}

export function comparisonLines({ oneByOne, concurrent }: Comparison): string[] {
  const lines = [
    `Act 1 · Parquet to Postgres: ${whole(oneByOne.flights)} flights, by COPY, 10,000 at a time`,
    timing('one after the other', oneByOne, 'take, write, take, write, …'),
  ];
  if (concurrent === undefined) return lines;
  const times = oneByOne.ms / oneByOne.flights / (concurrent.ms / concurrent.flights);
  return [
    ...lines,
    timing('ConcurrentPipeline', concurrent, `${times.toFixed(1)} times as fast`),
    '  The same source, rows and sink. What differs is who waits: in the pipeline',
    '  Postgres stores some rows while others are sent and the next are decoded, as',
    '  far as there are cores for them.',
  ];
}

const SINK_NOTES: Readonly<Record<string, string>> = {
  alerts: `more than ${ALERT_MINUTES} minutes late`,
  kafka: 'the alerts, by airport',
  s3: 'in gzipped objects',
};

export function broadcastLines(result: Broadcast): string[] {
  return [
    heading('broadcast', 'every flight to all sinks', result),
    ...table(
      ['sink', 'delivered', 'fullest', 'busy', ''],
      result.sinks.map((sink) => [
        sink.name,
        whole(sink.delivered),
        `${whole(sink.highWaterMark)} of ${whole(sink.bufferSize)}`,
        busy(sink.waitedMs, result),
        SINK_NOTES[sink.name] ?? '',
      ]),
    ),
  ];
}

export function demandLines(result: Demand): string[] {
  const { written } = result.report;
  return [
    heading('demand', 'each flight to the worker with the most room', result),
    ...table(
      ['worker', 'took', 'share', 'busy', ''],
      result.sinks.map(({ name, delivered, waitedMs }) => {
        const share = written === 0 ? 0 : delivered / written;
        const bar = '█'.repeat(Math.round(share * 40));
        return [name, whole(delivered), percent(share), busy(waitedMs, result), bar];
      }),
    ),
  ];
}

export function partitionLines(result: Partition): string[] {
  return [
    heading('partition', 'each flight to the partition of its airport, in order', result),
    ...table(
      ['sink', 'delivered', 'fullest', 'busy'],
      result.sinks.map((sink) => [
        sink.name,
        whole(sink.delivered),
        `${whole(sink.highWaterMark)} of ${whole(sink.bufferSize)}`,
        busy(sink.waitedMs, result),
      ]),
    ),
  ];
}

export function survivalLines({ path, kills, rows, ms, isStopped }: Survival): string[] {
  const stopped = isStopped ? ', stopped before the end' : '';
  const where = path === undefined ? 'Postgres' : 'one file';
  return [
    `Act 3 · kill -9: ${whole(rows)} flights into ${where}, killed ${times(kills.length)}`,
    `  ${whole(rows)} flights in ${seconds(ms)}, ${rate(rows, ms)}/s, starts included${stopped}`,
    ...kills.map(({ told, found, resumed }) => {
      const there = found === undefined ? '' : `; ${row(found.rows)} rows there`;
      return `  killed: told of row ${row(told)}${there}; went on from ${row(resumed)}`;
    }),
    ...(path === undefined ? ['  Each 10,000 rows and the position behind them were one transaction.'] : []),
  ];
}

function row(value: number): string {
  return whole(value).padStart(9);
}

export function checkLines(checks: readonly Check[]): string[] {
  return [
    'Proof · against a count of the source made without StreamWeld',
    ...checks.map(
      ({ holds, of, text }) => `  ${holds ? '✓' : '✗'} ${of.padEnd(9)}  ${holds ? '' : 'WRONG: '}${text}`,
    ),
  ];
}

/** What a human wants to know of all these flights. */
export function answerLines(broadcast: Broadcast | undefined, partition: Partition | undefined): string[] {
  const lines: string[] = [];
  if (broadcast !== undefined) {
    const { airports, flights } = broadcast.statistics;
    // An airport with a flight a week is latest by chance.
    const latest = latestAirport(airports, flights / 100);
    if (latest !== undefined) {
      const { airport, lateShare, averageDelay } = latest;
      lines.push(
        `The latest airport        ${airport}: ${(lateShare * 100).toFixed(1)} % of flights late, ${averageDelay.toFixed(1)} minutes on average`,
      );
    }
  }
  const longest = longestRun(partition?.longestRuns ?? new Map());
  if (longest !== undefined) {
    lines.push(`The longest on-time run   ${longest.airport}: ${whole(longest.flights)} flights in a row`);
  }
  return lines;
}

/** What the database answers by itself: it holds the flights, and can be asked. */
export function hourLines(hours: readonly Hour[]): string[] {
  const [best, worst] = [hours.at(0), hours.at(-1)];
  if (best === undefined || worst === undefined) return [];
  const text = ({ hour, lateShare }: Hour) => `${hour}:00 (${(lateShare * 100).toFixed(1)} % late)`;
  return [`When to fly, by SQL       leave at ${text(best)}, not at ${text(worst)}`];
}

function heading(name: string, what: string, { report }: Dispatched): string {
  const { written, durationMs, outcome } = report;
  const stopped = outcome === 'drained' ? ', stopped before the end' : '';
  return `Act 2 · ${name}: ${what}\n  ${whole(written)} flights in ${seconds(durationMs)}, ${rate(written, durationMs)}/s${stopped}`;
}

function timing(name: string, { flights, ms }: Timing, note: string): string {
  return `  ${name.padEnd(20)} ${seconds(ms).padStart(7)} ${rate(flights, ms).padStart(9)} flights/s   ${note}`;
}

function busy(waitedMs: number, { report }: Dispatched): string {
  return percent(Math.max(0, 1 - waitedMs / report.durationMs));
}

/** Columns as wide as they must be; the first and the last on the left, numbers on the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 || (column === 4 && column === row.length - 1)
        ? cell.padEnd(width)
        : cell.padStart(width);
    });
    return `  ${cells.join('   ')}`.trimEnd();
  });
}
