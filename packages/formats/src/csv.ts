/** CSV as RFC 4180 has it, and as spreadsheets write it. */

import { checkOptions, OptionError } from '@streamweld/core/connector';
import Papa from 'papaparse';
import { type Block, BlockDecoder, type Blocks } from './block-decoder.ts';
import { CsvEncoder, type CsvRecord, type CsvRow } from './csv-encoder.ts';
import { CsvRecordEnds } from './csv-records.ts';
import { type Problem, plainRows, quotedRows, type Rows } from './csv-rows.ts';
import { Cutter } from './cutter.ts';
import { FormatError } from './errors.ts';
import type { Decoder, DecoderOptions, Encoder, EncoderOptions, Format } from './format.ts';
import {
  type CheckedTextOptions,
  type CsvOptions,
  checkStart,
  checkTextOptions,
  type Start,
  TEXT_OPTIONS,
} from './options.ts';
import { invalidUtf8 } from './text.ts';

/**
 * A record an item: an object of strings or, with `header: false`, an array of strings.
 *
 * Quoted fields may contain delimiters, quotes (doubled) and line ends; a quote within a field that does not begin with
 * one is a character. Blank lines are left out. A record with more or fewer fields than there are columns is an error,
 * as is a column named twice: nothing is dropped or shifted silently. Values stay text, untrimmed; a column may be named
 * `__proto__`. Columns with whole numbers for names come first in an object, as everywhere in the language.
 */
export function csv(options: CsvOptions & { readonly header: false }): Format<string[], CsvRow>;
export function csv(
  options?: CsvOptions & { readonly header?: true | readonly string[] | undefined },
): Format<Record<string, string>, CsvRecord>;
export function csv(options?: CsvOptions): Format<Record<string, string> | string[], CsvRecord | CsvRow> {
  const given = checkOptions('csv', options, [...TEXT_OPTIONS, 'header', 'delimiter']);
  const layout: Layout = {
    ...checkTextOptions(given),
    header: checkHeader(given.header ?? true),
    delimiter: checkDelimiter(given.delimiter ?? ','),
  };
  return {
    name: 'csv',
    contentType: 'text/csv; charset=utf-8',
    decoder(at?: DecoderOptions): Decoder<Record<string, string> | string[]> {
      const start = checkStart(at);
      return new BlockDecoder(new CsvBlocks(layout, start, at?.header), start);
    },
    encoder: (at?: EncoderOptions): Encoder<CsvRecord | CsvRow> =>
      new CsvEncoder(
        at?.header === undefined || layout.header !== true
          ? layout
          : { ...layout, header: checkHeader(at.header) },
        layout.header === true,
      ),
  };
}

interface Layout extends CheckedTextOptions {
  readonly header: boolean | readonly string[];
  readonly delimiter: string;
}

function checkHeader(header: unknown): boolean | readonly string[] {
  if (typeof header === 'boolean') return header;
  const isList =
    Array.isArray(header) && header.length > 0 && header.every((name) => typeof name === 'string');
  if (isList && new Set(header).size === header.length) return [...header] as string[];
  throw new OptionError('header', 'true, false or a list of different column names', header);
}

function checkDelimiter(delimiter: unknown): string {
  // One byte, so that records are found in the bytes; no more than that is needed of a delimiter.
  if (typeof delimiter === 'string' && /^[^"\r\n\u0080-\uffff]$/.test(delimiter)) return delimiter;
  throw new OptionError('delimiter', 'one ASCII character, and no quote or line end', delimiter);
}

type CsvItem = Record<string, string> | string[];

class CsvBlocks implements Blocks<CsvItem> {
  readonly #layout: Layout;
  readonly #cutter: Cutter;
  readonly #recordEnds: CsvRecordEnds;
  readonly #parser: Papa.Parser;
  #columns: readonly string[] | undefined;
  #template: Record<string, string> = {};
  #width: number | undefined;

  constructor(layout: Layout, start: Start, header: readonly string[] | undefined) {
    const { delimiter } = layout;
    this.#layout = layout;
    // Two, for the cutter's is in the middle of a record while the pieces before it are parsed.
    this.#cutter = new Cutter(new CsvRecordEnds(delimiter), layout, start);
    this.#recordEnds = new CsvRecordEnds(delimiter);
    this.#parser = new Papa.Parser({ delimiter, newline: '\n', fastMode: false });
    if (typeof layout.header === 'object') {
      this.#setColumns(layout.header);
    } else if (layout.header && start.offset > 0) {
      if (header === undefined) throw headerMissing();
      this.#setColumns(checkHeader(header) as readonly string[]);
    }
  }

  push(chunk: Uint8Array): void {
    this.#cutter.push(chunk);
  }

  end(): void {
    this.#cutter.end();
  }

  get skipped(): number {
    return this.#cutter.skipped;
  }

  get header(): readonly string[] | undefined {
    return this.#columns;
  }

  next(record: number): Block<CsvItem> | undefined {
    const piece = this.#cutter.next(record);
    if (piece === undefined) return undefined;
    const { delimiter, invalidUtf8: mode } = this.#layout;
    const parsed = piece.bytes.includes(34)
      ? quotedRows(piece, this.#parser, this.#recordEnds, delimiter, this.#width, mode)
      : plainRows(piece, delimiter, this.#width, mode);
    this.#width = parsed.width;
    const { rows } = parsed;
    const hasHeader = this.#layout.header === true && this.#columns === undefined && rows.length > 0;
    if (hasHeader) this.#setColumns(rows.shift() as string[]);
    const items = this.#columns === undefined ? rows : this.#objects(rows, this.#columns);
    // Who goes on from the middle needs the header: before it is known there is only the beginning to go on from.
    const isHeaderMissing = this.#layout.header === true && this.#columns === undefined;
    const { offset, bytes } = piece;
    return new CsvBlock(items, parsed, offset, bytes.length, hasHeader ? 1 : 0, record, isHeaderMissing);
  }

  #setColumns(columns: readonly string[]): void {
    const seen = new Set(columns);
    if (seen.size < columns.length)
      throw columnTwice(columns.findIndex((name, at) => columns.indexOf(name) < at));
    this.#columns = columns;
    this.#width = columns.length;
    for (const value of columns) {
      Object.defineProperty(this.#template, value, {
        value: '',
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
  }

  /**
   * Each object is a copy of one that has all columns, so they share a shape; and as the copy has a property of its own
   * for each, setting one named `__proto__` changes no prototype.
   */
  #objects(rows: readonly string[][], columns: readonly string[]): CsvItem[] {
    const template = this.#template;
    const items: CsvItem[] = [];
    for (const row of rows) {
      const item = { ...template };
      for (let at = 0; at < columns.length; at++) item[columns[at] as string] = row[at] as string;
      items.push(item);
    }
    return items;
  }
}

class CsvBlock implements Block<CsvItem> {
  readonly items: readonly CsvItem[];
  readonly end: number;
  readonly failure: FormatError | undefined;
  readonly #rows: Rows;
  readonly #offset: number;
  readonly #headers: number;

  constructor(
    items: readonly CsvItem[],
    rows: Rows,
    offset: number,
    length: number,
    headers: number,
    record: number,
    isHeaderMissing: boolean,
  ) {
    this.items = items;
    this.#rows = rows;
    this.#offset = offset;
    this.#headers = headers;
    const { problem, width } = rows;
    const end = problem === undefined ? length : rows.endOf(items.length + headers);
    this.end = isHeaderMissing ? 0 : offset + end;
    this.failure = problem && failureOf(problem, record + items.length + 1, offset + problem.at, width ?? 0);
  }

  endOf(count: number): number {
    return this.#offset + this.#rows.endOf(count + this.#headers);
  }
}

function failureOf(problem: Problem, record: number, offset: number, width: number): FormatError {
  const place = `Record ${record}, at byte ${offset},`;
  switch (problem.kind) {
    case 'utf8':
      return invalidUtf8(record, offset);
    case 'ragged':
      return new FormatError(
        'SW_FORMAT_RAGGED_ROW',
        `${place} has ${problem.fields} fields where there are ${width} columns. Correct it, check the delimiter, or ` +
          'read lines and split them yourself.',
        { record, offset },
      );
    case 'truncated':
      return new FormatError(
        'SW_FORMAT_TRUNCATED',
        `${place} opens a quote that is never closed: the input was cut off, is still being written, or a quote is ` +
          'missing in this record.',
        { record, offset },
      );
    case 'quotes':
      return new FormatError(
        'SW_FORMAT_INVALID_CSV',
        `${place} goes on after a closing quote. Quotes within a quoted field are doubled; correct the record.`,
        { record, offset },
      );
  }
}

function headerMissing(): FormatError {
  return new FormatError(
    'SW_FORMAT_INVALID_HEADER',
    'A CSV decoder that starts in the middle cannot read the header. Give it the `header` of the decoder that did.',
  );
}

function columnTwice(at: number): FormatError {
  return new FormatError(
    'SW_FORMAT_INVALID_HEADER',
    `Column ${at + 1} of the header has the name of an earlier one, whose values would be lost. Give names of your own ` +
      'as header, and leave the first record out, or read arrays with header: false.',
  );
}
