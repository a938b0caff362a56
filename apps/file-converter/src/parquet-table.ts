/** Parquet as a table: a row group is decoded at a time. */

import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, type SchemaElement } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { type ParquetColumn, PARSERS, readColumn } from './parquet-column.ts';
import { checkNames, Refusal, type Row, ROWS_OF_BATCH, type Table, type Value } from './table.ts';

/** What a row group may have, uncompressed: it is in memory as a whole. */
const MOST_BYTES = 256 << 20;
/** Of values, which may be small in the file and are not in memory. */
const MOST_VALUES = 8_000_000;

/** @throws Refusal */
export async function openParquet(path: string, signal: AbortSignal): Promise<Table> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw damaged('The end of the file', error);
  });
  const columns = columnsOf(metadata.schema);
  return {
    columns,
    async *rows() {
      let rowStart = 0;
      for (const [at, group] of metadata.row_groups.entries()) {
        signal.throwIfAborted();
        const size = Number(group.num_rows);
        checkSize(at, group.total_byte_size, size * columns.length);
        const rowEnd = rowStart + size;
        const rows = await read({ file, metadata, rowStart, rowEnd }, at);
        yield* converted(rows, columns, rowStart);
        rowStart = rowEnd;
      }
    },
  };
}

function columnsOf([root, ...elements]: readonly SchemaElement[]): ParquetColumn[] {
  if (root?.num_children !== elements.length || elements.some(({ num_children }) => (num_children ?? 0) > 0))
    throw new Refusal('It has columns within columns, which the other formats cannot hold.');
  checkNames(elements.map(({ name }) => name));
  return elements.map(readColumn);
}

function checkSize(at: number, bytes: bigint, values: number): void {
  if (bytes <= MOST_BYTES && values <= MOST_VALUES) return;
  throw new Refusal(
    `Row group ${at + 1} has ${(Number(bytes) / 2 ** 20).toFixed(0)} MiB and ${values} values, and is held in memory as a ` +
      `whole: at most ${MOST_BYTES >> 20} MiB and ${MOST_VALUES} values. Write smaller row groups.`,
  );
}

async function read(
  options: Omit<Parameters<typeof parquetRead>[0], 'rowFormat' | 'onComplete'>,
  at: number,
): Promise<unknown[][]> {
  let rows: unknown[][] = [];
  await parquetRead({
    ...options,
    compressors,
    parsers: PARSERS,
    onComplete: (all: unknown[][]) => {
      rows = all;
    },
  }).catch((error: unknown) => {
    throw damaged(`Row group ${at + 1}`, error);
  });
  return rows;
}

function* converted(
  rows: readonly unknown[][],
  columns: readonly ParquetColumn[],
  firstRow: number,
): Generator<readonly Row[]> {
  for (let start = 0; start < rows.length; start += ROWS_OF_BATCH) {
    const batch = rows.slice(start, start + ROWS_OF_BATCH);
    yield batch.map((row, at) =>
      columns.map((column, index) => valueOf(column, row[index], firstRow + start + at)),
    );
  }
}

function valueOf({ name, convert }: ParquetColumn, value: unknown, row: number): Value {
  if (value === null || value === undefined) return null;
  return convert(value, () => `Row ${row + 1}: ${JSON.stringify(name)}`);
}

function damaged(what: string, error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return new Refusal(`${what} cannot be decoded: ${reason}`, { cause: error });
}
