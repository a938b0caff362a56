// @ts-check
/**
 * The figures that the demo must come to, counted in a thread from two columns of the file, row by row, with nothing of
 * StreamWeld in between.
 *
 * @import { IndependentCount } from './checks.ts'
 */

import { parentPort, workerData } from 'node:worker_threads';
import { parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { openFlights } from './flights-data.mjs';

const { rows, lateMinutes, alertMinutes } = workerData;

/** @type {IndependentCount} */
const count = { rows: 0, alerts: 0, airports: new Map() };
/** @type {Map<string, number>} */
const runs = new Map();
const file = await openFlights();
const metadata = await parquetMetadataAsync(file);
const step = Number(metadata.row_groups[0]?.num_rows);

for (let from = 0; from < rows; from += step) {
  const to = Math.min(rows, from + step);
  /** @type {Record<string, ArrayLike<any>>} */
  const columns = {};
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: ['origin', 'delay'],
    rowStart: from,
    rowEnd: to,
    onChunk: ({ columnName, columnData }) => {
      columns[columnName] = columnData;
    },
  });
  const { origin = [], delay = [] } = columns;
  for (let index = 0; index < to - from; index += 1) add(origin[index], Number(delay[index]));
}
parentPort?.postMessage(count);

/**
 * @param {string} airport
 * @param {number} delay
 */
function add(airport, delay) {
  const isLate = delay >= lateMinutes;
  const run = isLate ? 0 : (runs.get(airport) ?? 0) + 1;
  runs.set(airport, run);
  const figures = count.airports.get(airport) ?? { flights: 0, late: 0, delay: 0, longestRun: 0 };
  figures.flights += 1;
  figures.delay += delay;
  if (isLate) figures.late += 1;
  figures.longestRun = Math.max(figures.longestRun, run);
  count.airports.set(airport, figures);
  count.rows += 1;
  if (delay > alertMinutes) count.alerts += 1;
}
