/** The input of the show: flights of vega-datasets as CSV, in several files, and what their rows are. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

export const COLUMNS = ['date', 'delay', 'distance', 'origin', 'destination'] as const;

/** The package exports its main module alone, so the way to its data leads from there. */
const data = () => fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')));

/**
 * Made without the converter: what it makes of these files is compared with them.
 * @param rows of all files together
 * @param files how many there shall be
 */
export async function writeFlights(folder: string, rows: number, files: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = await asyncBufferFromFile(data());
  const metadata = await parquetMetadataAsync(file);
  const perFile = Math.ceil(rows / files);
  for (let at = 0, rowStart = 0; rowStart < rows; at += 1, rowStart += perFile) {
    const rowEnd = Math.min(rows, rowStart + perFile);
    let lines: string[] = [];
    await parquetRead({
      file,
      metadata,
      compressors,
      columns: [...COLUMNS],
      rowStart,
      rowEnd,
      onComplete: (found: unknown[][]) => {
        lines = found.map(lineOf);
      },
    });
    const name = `flights-${String(at + 1).padStart(2, '0')}.csv`;
    await writeFile(join(folder, name), `${[COLUMNS.join(','), ...lines].join('\n')}\n`);
  }
}

/** Local time to the minute, as in `2001-01-14T07:05`. */
function lineOf([date, ...others]: readonly unknown[]): string {
  return [(date as Date).toISOString().slice(0, 16), ...others].join(',');
}
