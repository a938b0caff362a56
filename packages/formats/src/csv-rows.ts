/**
 * The rows of one piece of CSV.
 *
 * Where there is no quote, a record is a line and a field is what stands between delimiters: that is done here, at
 * some 5 M rows a second. Where there is one, the piece goes to Papa Parse, whole records at a time.
 * (uDSV is faster with quotes, but reads on into the next record where fields are missing; csv-parse is a tenth as fast.)
 */

import Papa from 'papaparse';
import { type CsvRecordEnds, isBlankRecord } from './csv-records.js';
import type { Piece } from './cutter.js';
import { decodeText } from './text.js';

export interface Problem {
  readonly kind: 'ragged' | 'quotes' | 'truncated' | 'utf8';
  /** The byte of the piece it is about: where the record begins or, for utf8, the very byte. */
  readonly at: number;
  readonly fields?: number;
}

export interface Rows {
  readonly rows: string[][];
  /** Fields of each row; `undefined` as long as there was none. */
  readonly width: number | undefined;
  /** The byte of the piece where the first `count` rows end. */
  endOf(count: number): number;
  /** What is wrong with the record behind the rows. */
  readonly problem?: Problem | undefined;
}

const LF = 10;
const CR = 13;

export function plainRows(
  piece: Piece,
  delimiter: string,
  given: number | undefined,
  invalidUtf8: 'fail' | 'replace',
): Rows {
  const { bytes } = piece;
  const decoded = decodeText(bytes, invalidUtf8);
  const isWhole = piece.terminated || decoded.invalidAt !== undefined;
  const text = isWhole ? decoded.text : `${decoded.text}\n`;
  const hasCarriageReturn = bytes.includes(CR);
  const rows: string[][] = [];
  let width = given;
  let fields = 0;
  let at = 0;
  // The next delimiter, which may lie lines ahead: each is looked for once.
  let mark = text.indexOf(delimiter);
  while (at < text.length) {
    let lineEnd = text.indexOf('\n', at);
    const next = lineEnd + 1;
    if (
      hasCarriageReturn &&
      lineEnd > at &&
      text.charCodeAt(lineEnd - 1) === CR &&
      (isWhole || next < text.length)
    ) {
      lineEnd--;
    }
    if (lineEnd === at) {
      at = next;
      continue;
    }
    width ??= text.slice(at, lineEnd).split(delimiter).length;
    const last = width - 1;
    const row = new Array<string>(width);
    const start = at;
    let column = 0;
    while (column < last && mark >= 0 && mark < lineEnd) {
      row[column++] = text.slice(at, mark);
      at = mark + 1;
      mark = text.indexOf(delimiter, at);
    }
    if (column < last || (mark >= 0 && mark < lineEnd)) {
      fields = text.slice(start, lineEnd).split(delimiter).length;
      break;
    }
    row[last] = text.slice(at, lineEnd);
    rows.push(row);
    at = next;
  }
  const endOf = (count: number): number => plainEnd(bytes, count);
  let problem: Problem | undefined;
  if (fields > 0) problem = { kind: 'ragged', at: skipBlank(bytes, endOf(rows.length)), fields };
  else if (decoded.invalidAt !== undefined) problem = { kind: 'utf8', at: decoded.invalidAt };
  return { rows, width, endOf, problem };
}

/** Where the first `count` lines that are not blank end. */
function plainEnd(bytes: Buffer, count: number): number {
  let end = 0;
  for (let left = count; left > 0; ) {
    const start = end;
    end = bytes.indexOf(LF, start) + 1;
    if (!isBlankRecord(bytes, start, end)) left--;
  }
  return end;
}

function skipBlank(bytes: Buffer, from: number): number {
  for (let start = from; ; ) {
    const end = bytes.indexOf(LF, start) + 1;
    if (end === 0 || !isBlankRecord(bytes, start, end)) return start;
    start = end;
  }
}

export function quotedRows(
  piece: Piece,
  parser: Papa.Parser,
  recordEnds: CsvRecordEnds,
  given: number | undefined,
  invalidUtf8: 'fail' | 'replace',
): Rows {
  const { bytes } = piece;
  const ends = recordEnds.all(bytes);
  const decoded = decodeText(bytes, invalidUtf8);
  let text = decoded.text;
  let problem: Problem | undefined;
  if (decoded.invalidAt !== undefined) {
    const at = decoded.invalidAt;
    ends.length = ends.findIndex((end) => end > at);
    problem = { kind: 'utf8', at };
    text = bytes.toString('utf8', 0, ends.at(-1) ?? 0);
  }
  if (bytes.includes(CR)) text = withoutCarriageReturns(bytes, ends);
  else if (text.endsWith('\n') && ends.length > 0) text = text.slice(0, -1);
  const parsed = ends.length === 0 ? { data: [], errors: [] } : (parser.parse(text, 0, false) as Parsed);
  const failed = parsed.errors[0];
  const rows: string[][] = [];
  const rowEnds: number[] = [];
  let width = given;
  for (let index = 0, start = 0; index < ends.length; start = ends[index++] as number) {
    const end = ends[index] as number;
    const row = parsed.data[index];
    if (isBlankRecord(bytes, start, end)) continue;
    if (row === undefined || failed?.row === index) {
      const isCut = failed?.code === 'MissingQuotes' && index === ends.length - 1 && !piece.terminated;
      problem = { kind: isCut ? 'truncated' : 'quotes', at: start };
      break;
    }
    width ??= row.length;
    if (row.length !== width) {
      problem = { kind: 'ragged', at: start, fields: row.length };
      break;
    }
    rows.push(row);
    rowEnds.push(end);
  }
  return { rows, width, endOf: (count) => rowEnds[count - 1] ?? 0, problem };
}

interface Parsed {
  readonly data: string[][];
  readonly errors: readonly { readonly code: string; readonly row: number }[];
}

/**
 * The text of the records with plain line feeds between them. The parser would take the carriage return of a line end
 * for a part of the last field, and afterwards it could not be told from one that was quoted.
 */
function withoutCarriageReturns(bytes: Buffer, ends: readonly number[]): string {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let start = 0;
  for (const end of ends) {
    let contentEnd = bytes[end - 1] === LF ? end - 1 : end;
    if (contentEnd < end && bytes[contentEnd - 1] === CR && contentEnd > start) contentEnd--;
    length += bytes.copy(out, length, start, contentEnd);
    out[length++] = LF;
    start = end;
  }
  return out.toString('utf8', 0, Math.max(length - 1, 0));
}
