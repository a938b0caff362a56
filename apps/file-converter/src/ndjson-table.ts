/** NDJSON as a table: an object a line, all with the same keys. */

import { ndjson } from '@streamweld/formats';
import { RecordTypes } from './column-types.ts';
import { type Input, itemsOf } from './input.ts';
import type { Output } from './output.ts';
import { type Column, Refusal, type Row, type Table, type TableWriter, type Value } from './table.ts';

type JsonRecord = Record<string, Value>;

/** @throws Refusal, FormatError */
export async function openNdjson(input: Input): Promise<Table> {
  const types = new RecordTypes();
  for await (const records of itemsOf(input, ndjson())) for (const record of records) types.add(record);
  const columns = types.columns();
  const names = columns.map(({ name }) => name);
  return {
    columns,
    async *rows() {
      for await (const records of itemsOf(input, ndjson<JsonRecord>()))
        yield records.map((record) => names.map((name) => record[name] as Value));
    },
  };
}

export class NdjsonWriter implements TableWriter {
  readonly #names: readonly string[];
  readonly #output: Output;
  readonly #encoder = ndjson<JsonRecord>().encoder();
  /** An object that has all columns, so that those made of it share a shape, and one named `__proto__` is a key. */
  readonly #template: JsonRecord;
  #isEmpty = true;

  constructor(columns: readonly Column[], output: Output) {
    this.#names = columns.map(({ name }) => name);
    this.#output = output;
    this.#template = Object.fromEntries(this.#names.map((name) => [name, null]));
    if (Object.keys(this.#template).some((name, at) => name !== this.#names[at]))
      throw new Refusal(
        'A column is named by a whole number: objects of JSON would move it before the others.',
      );
  }

  async write(rows: readonly Row[]): Promise<void> {
    this.#isEmpty &&= rows.length === 0;
    await this.#output.write(this.#encoder.encode(rows.map((row) => this.#record(row))));
  }

  async end(): Promise<void> {
    if (this.#isEmpty && this.#names.length > 0)
      throw new Refusal('There are columns and no rows: NDJSON names columns only in its rows.');
    await this.#output.write(this.#encoder.end());
  }

  #record(row: Row): JsonRecord {
    const record = { ...this.#template };
    for (let at = 0; at < row.length; at++) record[this.#names[at] as string] = row[at] as Value;
    return record;
  }
}
