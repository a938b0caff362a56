/** Items to CSV: quotes where they are needed, a line feed after each record. */

import { FormatError } from './errors.ts';
import type { Encoder } from './format.ts';
import { isWellFormed } from './text.ts';

/** What can stand in a CSV field. `null` and `undefined` become an empty one. Reading gives strings again. */
export type CsvValue = string | number | bigint | boolean | null | undefined;
export type CsvRecord = Readonly<Record<string, CsvValue>>;
export type CsvRow = readonly CsvValue[];

export interface CsvLayout {
  /** `true`: the keys of the first item, and a header names them. A list: these, unnamed. `false`: items are arrays. */
  readonly header: boolean | readonly string[];
  readonly delimiter: string;
}

export class CsvEncoder implements Encoder<CsvRecord | CsvRow> {
  readonly #header: boolean | readonly string[];
  readonly #delimiter: string;
  /** Whether the document names its columns, in its first record. */
  readonly #isNamed: boolean;
  /** What makes quotes necessary; a byte order mark would be stripped at the beginning. */
  readonly #special: RegExp;
  #columns: readonly string[] | undefined;
  /** Fields of each record, once the first is written. */
  #width: number | undefined;

  constructor({ header, delimiter }: CsvLayout, isNamed: boolean) {
    this.#header = header;
    this.#isNamed = isNamed;
    this.#delimiter = delimiter;
    const class_ = delimiter.replace(/[\\\]^-]/, '\\$&');
    this.#special = new RegExp(`^\\ufeff|["\\r\\n${class_}]`);
    if (typeof header === 'object') this.#columns = header;
    this.#width = this.#columns?.length;
  }

  encode(items: readonly (CsvRecord | CsvRow)[]): Uint8Array {
    if (items.length === 0) return new Uint8Array(0);
    const isFirst = this.#width === undefined;
    const columns = this.#columns ?? (this.#header === true ? columnsOf(items[0]) : undefined);
    const width = this.#width ?? columns?.length ?? widthOf(items[0]);
    let text = isFirst && columns !== undefined ? this.#record(columns, 0) : '';
    for (let index = 0; index < items.length; index++) {
      const item = items[index] as CsvRecord | CsvRow;
      text += this.#record(
        columns === undefined ? rowOf(item, width, index) : fieldsOf(item, columns, index),
        index,
      );
    }
    if (!isWellFormed(text)) throw this.#loneSurrogate(items, columns);
    // Only now that all can be written does anything change: what failed may be tried again without the bad item.
    this.#columns = columns;
    this.#width = width;
    return Buffer.from(text);
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }

  get header(): readonly string[] | undefined {
    return this.#isNamed ? this.#columns : undefined;
  }

  #record(fields: CsvRow, index: number): string {
    let line = '';
    for (let at = 0; at < fields.length; at++) {
      if (at > 0) line += this.#delimiter;
      line += this.#field(fields[at], index);
    }
    // A record with nothing in it would be a blank line, which readers leave out.
    return line === '' ? '""\n' : `${line}\n`;
  }

  #field(value: CsvValue, index: number): string {
    switch (typeof value) {
      case 'string':
        return this.#special.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
      case 'number':
      case 'bigint':
      case 'boolean':
        return this.#quoteIfSpecial(String(value));
      case 'undefined':
        return '';
      default:
        if (value === null) return '';
        throw invalid(
          index,
          'has a value that is no text, number, bigint or boolean. Turn it into text first.',
        );
    }
  }

  /** A delimiter may be a digit's neighbour: `-` or `.`. */
  #quoteIfSpecial(text: string): string {
    return this.#special.test(text) ? `"${text}"` : text;
  }

  #loneSurrogate(
    items: readonly (CsvRecord | CsvRow)[],
    columns: readonly string[] | undefined,
  ): FormatError {
    const index = items.findIndex(
      (item) => !Object.values(item).every((value) => isWellFormed(String(value))),
    );
    if (index < 0 || (columns !== undefined && !columns.every(isWellFormed))) {
      return invalid(0, 'has a property whose name has half of a surrogate pair, which UTF-8 cannot write.');
    }
    return invalid(
      index,
      'has half of a surrogate pair, which UTF-8 cannot write. Repair it with toWellFormed().',
    );
  }
}

function isObject(item: unknown): item is CsvRecord {
  return typeof item === 'object' && item !== null && !Array.isArray(item);
}

function columnsOf(first: unknown): readonly string[] {
  if (!isObject(first)) throw notARecord(0);
  const columns = Object.keys(first);
  if (columns.length > 0) return columns;
  throw invalid(0, 'has no properties, so there are no columns. Give the columns as header.');
}

function fieldsOf(item: unknown, columns: readonly string[], index: number): CsvValue[] {
  if (!isObject(item)) throw notARecord(index);
  let found = 0;
  const fields: CsvValue[] = [];
  for (const column of columns) {
    const has = Object.hasOwn(item, column);
    if (has) found++;
    fields.push(has ? item[column] : undefined);
  }
  if (Object.keys(item).length > found) {
    throw invalid(
      index,
      'has a property that is no column, and would be lost. The columns are those of the first item, or of header.',
    );
  }
  return fields;
}

function widthOf(first: unknown): number {
  if (!Array.isArray(first)) throw notARow(0);
  if (first.length > 0) return first.length;
  throw invalid(0, 'is an empty array: a CSV record has at least one field.');
}

function rowOf(item: unknown, width: number, index: number): CsvRow {
  if (!Array.isArray(item)) throw notARow(index);
  if (item.length === width) return item as CsvRow;
  throw new FormatError(
    'SW_FORMAT_RAGGED_ROW',
    `The item at index ${index} has ${item.length} fields, the first one had ${width}. Give each item all fields.`,
    { index },
  );
}

function notARecord(index: number): FormatError {
  return invalid(index, 'is no object with a property for each column. For arrays use header: false.');
}

function notARow(index: number): FormatError {
  return invalid(index, 'is no array. For objects use header: true, or a list of columns.');
}

function invalid(index: number, what: string): FormatError {
  return new FormatError('SW_FORMAT_INVALID_ITEM', `The item at index ${index} ${what}`, { index });
}
