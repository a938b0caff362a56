/** Reading back what the show has made, without the converter. */

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import type { Check } from './checks.ts';
import { COLUMNS } from './flights.ts';
import { whole } from './numbers.ts';

/** Each row in its place: a line of CSV for each, whatever it lay in. */
export async function compareRound(
  input: string,
  home: string,
  rows: number,
  label: string,
): Promise<Check[]> {
  const names = (await readdir(input)).sort();
  let checksums = 0;
  let lines = 0;
  let inParquet = 0;
  let inNdjson = 0;
  for (const name of names) {
    const bytes = await readFile(join(input, name));
    const expected = bytes.toString('utf8').trimEnd().split('\n').slice(1);
    const stem = name.replace(/\.csv$/, '');
    if (sha256(bytes) === sha256(await readFile(join(home, 'csv', name)))) checksums += 1;
    lines += expected.length;
    inParquet += equal(expected, await parquetLines(join(home, 'parquet', `${stem}.parquet`)));
    inNdjson += equal(expected, await ndjsonLines(join(home, 'ndjson', `${stem}.ndjson`)));
  }
  const isAll = lines === rows;
  return [
    {
      holds: isAll && inParquet === rows,
      text: `${label}: ${whole(inParquet)} of ${whole(rows)} rows equal and in order in Parquet`,
    },
    {
      holds: isAll && inNdjson === rows,
      text: `${label}: ${whole(inNdjson)} of ${whole(rows)} rows equal and in order in NDJSON`,
    },
    {
      holds: checksums === names.length,
      text: `${label}: ${checksums} of ${names.length} CSV files have the checksum of what they were made of`,
    },
  ];
}

/** @returns how many rows are what they should be; one too many counts as none */
function equal(expected: readonly string[], found: readonly string[]): number {
  if (found.length > expected.length) return 0;
  return found.filter((line, at) => line === expected[at]).length;
}

async function parquetLines(path: string): Promise<string[]> {
  return (await parquetReadObjects({ file: await asyncBufferFromFile(path) })).map(lineOf);
}

async function ndjsonLines(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => lineOf(JSON.parse(line) as Record<string, unknown>));
}

function lineOf(record: Readonly<Record<string, unknown>>): string {
  return COLUMNS.map((name) => record[name]).join(',');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
