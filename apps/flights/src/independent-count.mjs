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
const count = { rows: 0, alerts: [], airports: new Map() };
/** @type {Map<string, number>} */
const runs = new Map();
const file = await openFlights();
const metadata = await parquetMetadataAsync(file);

let from = 0;
for (const { num_rows: groupRows } of metadata.row_groups) {
  const to = Math.min(rows, from + Number(groupRows));
  if (from < to) await addRows(from, to);
  from = to;
}
parentPort?.postMessage(count);

/**
 * @param {number} from The first row of a row group.
 * @param {number} to
 */
async function addRows(from, to) {
  /** @type {Record<string, ArrayLike<any>>} */
  const columns = {};
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: ['origin', 'delay'],
    rowStart: from,
    rowEnd: to,
    // A chunk begins with its row group, and may go on beyond the rows that are wanted.
    onChunk: ({ columnName, columnData }) => {
      columns[columnName] = columnData;
    },
  });
  const { origin = [], delay = [] } = columns;
  for (let index = 0; index < to - from; index += 1) add(origin[index], Number(delay[index]));
}

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
  if (delay > alertMinutes) count.alerts.push({ row: count.rows, airport, delay });
  count.rows += 1;
}
