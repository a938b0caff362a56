/** A table as Parquet: rows are gathered into columns, and written when they are a row group. */

import type { SchemaElement } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter as Writer } from 'hyparquet-writer';
import type { Output } from './output.ts';
import { type Column, type ColumnType, Refusal, type Row, type TableWriter } from './table.ts';

/** A row group ends with either of them. */
const ROWS_OF_GROUP = 50_000;
const LETTERS_OF_GROUP = 16 << 20;

const TYPES: Readonly<Record<ColumnType, Omit<SchemaElement, 'name'>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  integer: { type: 'INT64' },
  number: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
};

export class ParquetWriter implements TableWriter {
  readonly #columns: readonly Column[];
  readonly #output: Output;
  readonly #bytes = new ByteWriter();
  readonly #writer: Writer;
  #group: unknown[][];
  #letters = 0;

  constructor(columns: readonly Column[], output: Output) {
    if (columns.length === 0) throw new Refusal('There are no columns, and Parquet has at least one.');
    this.#columns = columns;
    this.#output = output;
    this.#group = columns.map(() => []);
    this.#writer = new Writer({ writer: this.#bytes, schema: schemaOf(columns) });
  }

  async write(rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      for (let at = 0; at < row.length; at++) {
        const value = row[at];
        if (typeof value === 'string') this.#letters += value.length;
        const isWhole = typeof value === 'number' && this.#columns[at]?.type === 'integer';
        this.#group[at]?.push(isWhole ? BigInt(value) : value);
      }
      if (this.#group[0]?.length === ROWS_OF_GROUP || this.#letters >= LETTERS_OF_GROUP)
        await this.#endGroup();
    }
  }

  async end(): Promise<void> {
    await this.#endGroup();
    await this.#writer.finish();
    await this.#flush();
  }

  async #endGroup(): Promise<void> {
    if (this.#group[0]?.length === 0) return;
    const columnData = this.#columns.map(
      ({ name }, at): ColumnSource => ({ name, data: this.#group[at] ?? [] }),
    );
    await this.#writer.write({ columnData, rowGroupSize: ROWS_OF_GROUP });
    this.#group = this.#columns.map(() => []);
    this.#letters = 0;
    await this.#flush();
  }

  /** Its offset goes on: that is what the positions in the file are. */
  async #flush(): Promise<void> {
    await this.#output.write(this.#bytes.getBytes());
    this.#bytes.index = 0;
  }
}

function schemaOf(columns: readonly Column[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(
      ({ name, type }): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...TYPES[type] }),
    ),
  ];
}
