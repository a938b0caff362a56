/** CSV as a table. Rows are arrays here: columns keep their order, whatever they are named. */

import { csv } from '@streamweld/formats';
import { FieldTypes, valueOf } from './column-types.ts';
import { type Input, itemsOf } from './input.ts';
import type { Output } from './output.ts';
import {
  type Column,
  checkNames,
  Refusal,
  type Row,
  shown,
  type Table,
  type TableSettings,
  type TableWriter,
  type Value,
} from './table.ts';

const FORMAT = csv({ header: false });

/** @throws Refusal, FormatError */
export async function openCsv(input: Input, { types, nullText }: TableSettings): Promise<Table> {
  const columns = await columnsOf(input, types, nullText);
  return {
    columns,
    async *rows() {
      let isHeader = true;
      for await (const records of itemsOf(input, FORMAT)) {
        const rows = isHeader ? records.slice(1) : records;
        isHeader = false;
        yield rows.map((row) =>
          row.map((field, at) => valueOf(field, (columns[at] as Column).type, nullText)),
        );
      }
    },
  };
}

/** Only types need all of the file: else the header says it. */
async function columnsOf(input: Input, types: boolean, nullText: string | undefined): Promise<Column[]> {
  let found: FieldTypes | undefined;
  for await (const records of itemsOf(input, FORMAT)) {
    let rows = records;
    if (found === undefined) {
      const names = records[0] as readonly string[];
      checkNames(names);
      if (!types) return names.map((name) => ({ name, type: 'text' }));
      found = new FieldTypes(names, nullText);
      rows = records.slice(1);
    }
    for (const row of rows) found.add(row);
  }
  return found?.columns() ?? [];
}

export class CsvWriter implements TableWriter {
  readonly #columns: readonly Column[];
  readonly #nullText: string | undefined;
  readonly #output: Output;
  readonly #encoder = FORMAT.encoder();
  #isBegun = false;
  #rows = 0;

  constructor(columns: readonly Column[], { nullText }: TableSettings, output: Output) {
    this.#columns = columns;
    this.#nullText = nullText;
    this.#output = output;
  }

  async write(rows: readonly Row[]): Promise<void> {
    await this.#begin();
    const fields = rows.map((row, at) => row.map((value, column) => this.#field(value, at, column)));
    await this.#output.write(this.#encoder.encode(fields));
    this.#rows += rows.length;
  }

  async end(): Promise<void> {
    await this.#begin();
    await this.#output.write(this.#encoder.end());
  }

  async #begin(): Promise<void> {
    if (this.#isBegun || this.#columns.length === 0) return;
    this.#isBegun = true;
    await this.#output.write(this.#encoder.encode([this.#columns.map(({ name }) => name)]));
  }

  /** A field says nothing but its text: what else would have this one is refused. */
  #field(value: Value, at: number, column: number): string {
    const place = () => `Row ${this.#rows + at + 1}: ${shown(this.#columns[column]?.name)}`;
    if (value === null) {
      if (this.#nullText !== undefined) return this.#nullText;
      throw new Refusal(
        `${place()} is null, and CSV has only text. Say which text stands for null: --null ''.`,
      );
    }
    const text = String(value);
    if (text !== this.#nullText) return text;
    throw new Refusal(`${place()} is the very text that --null gives to null. Choose another.`);
  }
}
