// @ts-check
/**
 * Decodes the flights in a thread of its own, a row group (272,727 rows) at a time, each when it is asked for.
 *
 * What crosses to the main thread are typed arrays, which are handed over and not copied, and short lists of texts that
 * the arrays point into. A failure ends the thread, and its 'error' event tells the source.
 *
 * @import { FileMetaData } from 'hyparquet'
 * @import { RowGroup, Assignment } from './flights-source.ts'
 */

import { parentPort, workerData } from 'node:worker_threads';
import { parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { openFlights } from './flights-data.mjs';

const { file: path, firstRow, endRow } = /** @type {Assignment} */ (workerData);
const file = await openFlights(path);
const metadata = await parquetMetadataAsync(file);
const ranges = rangesOf(metadata);

parentPort?.on('message', () => void answer());

async function answer() {
  const range = ranges.shift();
  if (range === undefined) return parentPort?.postMessage(undefined);
  const group = await decode(range.from, range.to);
  parentPort?.postMessage(group, [
    group.dateOf.buffer,
    group.delay.buffer,
    group.distance.buffer,
    group.originOf.buffer,
    group.destinationOf.buffer,
  ]);
}

/**
 * The rows that are wanted, cut at the borders of row groups: a resumed run decodes no group that lies before it.
 * @param {FileMetaData} metadata
 */
function rangesOf({ row_groups: groups }) {
  const wanted = [];
  let start = 0;
  for (const { num_rows: rows } of groups) {
    const end = start + Number(rows);
    const from = Math.max(start, firstRow);
    const to = Math.min(end, endRow);
    if (from < to) wanted.push({ from, to });
    start = end;
  }
  return wanted;
}

/**
 * @param {number} from
 * @param {number} to
 * @returns {Promise<RowGroup>}
 */
async function decode(from, to) {
  /** @type {Map<string, ArrayLike<unknown>>} */
  const columns = new Map();
  await parquetRead({
    file,
    metadata,
    compressors,
    rowStart: from,
    rowEnd: to,
    parsers: { timestampFromMicroseconds: minuteOf },
    onChunk({ columnName, columnData, rowStart, rowEnd }) {
      // A chunk may begin before the rows that are wanted, and end after them.
      const isExact = rowStart === from && rowEnd === to;
      columns.set(columnName, isExact ? columnData : columnData.slice(from - rowStart, to - rowStart));
    },
  });
  const column = (/** @type {string} */ name) => {
    const values = columns.get(name);
    if (values?.length !== to - from || Array.prototype.includes.call(values, null)) {
      throw new Error(`Values of the column ${name} are missing in rows ${from} to ${to}.`);
    }
    return values;
  };
  const airports = new Texts(String);
  const dates = new Texts(dateText);
  return {
    firstRow: from,
    rows: to - from,
    delay: numbers(column('delay')),
    distance: numbers(column('distance')),
    originOf: airports.places(column('origin')),
    destinationOf: airports.places(column('destination')),
    airports: airports.list,
    dateOf: dates.places(column('date')),
    dates: dates.list,
  };
}

/** @param {bigint} micros Counted from 1970-01-01 00:00 of the airport's own clock. */
function minuteOf(micros) {
  return Number(micros / 60_000_000n);
}

/** @param {unknown} minute */
function dateText(minute) {
  return new Date(Number(minute) * 60_000).toISOString().slice(0, 16);
}

/**
 * 64-bit integers arrive as BigInt, which JSON does not know; none of these is large.
 * @param {ArrayLike<unknown>} values
 */
function numbers(values) {
  const all = new Int32Array(values.length);
  for (let row = 0; row < values.length; row += 1) all[row] = Number(values[row]);
  return all;
}

/** Each text once, and where in that list the text of a row is. */
class Texts {
  /** @type {Map<unknown, number>} */
  #places = new Map();
  /** @type {string[]} */
  list = [];
  #textOf;

  /** @param {(value: unknown) => string} textOf */
  constructor(textOf) {
    this.#textOf = textOf;
  }

  /** @param {ArrayLike<unknown>} values */
  places(values) {
    const all = new Uint32Array(values.length);
    let last;
    let place = 0;
    for (let row = 0; row < values.length; row += 1) {
      const value = values[row];
      // Neighbours are often equal, above all in the dates.
      if (value !== last) {
        place = this.#places.get(value) ?? this.#add(value);
        last = value;
      }
      all[row] = place;
    }
    return all;
  }

  /** @param {unknown} value */
  #add(value) {
    const place = this.list.push(this.#textOf(value)) - 1;
    this.#places.set(value, place);
    return place;
  }
}
