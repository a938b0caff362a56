/**
 * The rows of one piece of CSV.
 *
 * A record without a quote is a line, and its fields are what stands between delimiters: that is done here, at some 5 M
 * rows a second. The records with quotes go to Papa Parse, all those of a piece at once.
 * (uDSV is faster with quotes, but reads on into the next record where fields are missing; csv-parse is careful, at a
 * tenth of the speed.)
 */

import { isUtf8 } from 'node:buffer';
import type Papa from 'papaparse';
import { type CsvRecordEnds, isBlankRecord } from './csv-records.ts';
import type { Piece } from './cutter.ts';
import { decodeText, firstInvalid } from './text.ts';

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

/** The rows of a piece in which there is no quote. */
export function plainRows(
  piece: Pick<Piece, 'bytes' | 'terminated'>,
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

/** The rows of a piece in which there are quotes, in some records at least. */
export function quotedRows(
  piece: Piece,
  parser: Papa.Parser,
  recordEnds: CsvRecordEnds,
  delimiter: string,
  given: number | undefined,
  invalidUtf8: 'fail' | 'replace',
): Rows {
  const { bytes } = piece;
  const { ends, quoted } = recordEnds.all(bytes);
  let problem: Problem | undefined;
  if (invalidUtf8 === 'fail' && !isUtf8(bytes)) {
    const at = firstInvalid(bytes);
    problem = { kind: 'utf8', at };
    ends.length = ends.findIndex((end) => end > at);
  }
  const parsed = parse(parser, contentOf(bytes, ends, quoted));
  const plainBytes = without(bytes, ends, quoted);
  const isWhole = piece.terminated || problem !== undefined || quoted.at(-1) === true;
  const isFirstQuoted =
    quoted[ends.findIndex((end, index) => !isBlankRecord(bytes, ends[index - 1] ?? 0, end))];
  const known = given ?? (isFirstQuoted === true ? parsed.data[0]?.length : undefined);
  const plain = plainRows({ bytes: plainBytes, terminated: isWhole }, delimiter, known, invalidUtf8);
  const width = known ?? plain.width;

  const rows: string[][] = [];
  const rowEnds: number[] = [];
  let plainCount = 0;
  let quotedCount = 0;
  for (let index = 0, start = 0; index < ends.length; start = ends[index++] as number) {
    const end = ends[index] as number;
    let row: string[] | undefined;
    if (quoted[index] === true) {
      if (parsed.failedAt === quotedCount) {
        const isCut = parsed.isOpen && index === ends.length - 1 && !piece.terminated;
        problem = { kind: isCut ? 'truncated' : 'quotes', at: start };
        break;
      }
      row = parsed.data[quotedCount++];
    } else {
      if (isBlankRecord(bytes, start, end)) continue;
      row = plain.rows[plainCount++];
    }
    if (row === undefined || row.length !== width) {
      // A plain row is missing where it was ragged.
      problem = { kind: 'ragged', at: start, fields: row?.length ?? plain.problem?.fields ?? 0 };
      break;
    }
    rows.push(row);
    rowEnds.push(end);
  }
  return { rows, width, endOf: (count) => rowEnds[count - 1] ?? 0, problem };
}

interface Parsed {
  readonly data: string[][];
  /** The row that is not well quoted, −1 where all are. */
  readonly failedAt: number;
  /** Whether what is wrong with it is a quote that is never closed. */
  readonly isOpen: boolean;
}

function parse(parser: Papa.Parser, text: string): Parsed {
  const result = parser.parse(text, 0, false) as {
    readonly data: string[][];
    readonly errors: readonly { readonly code: string; readonly row: number }[];
  };
  const [first] = result.errors;
  return { data: result.data, failedAt: first?.row ?? -1, isOpen: first?.code === 'MissingQuotes' };
}

/**
 * The text of the records with quotes, each with a plain line feed. The parser would take the carriage return of a line
 * end for a part of the last field, and afterwards it could not be told from one that was quoted. And it judges spaces
 * after a closing quote by the line feed behind them, so the last record has one in any case.
 */
function contentOf(bytes: Buffer, ends: readonly number[], quoted: readonly boolean[]): string {
  const out = Buffer.allocUnsafe(bytes.length + 1);
  let length = 0;
  let start = 0;
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index] as number;
    if (quoted[index] === true) {
      let contentEnd = bytes[end - 1] === LF ? end - 1 : end;
      if (contentEnd < end && bytes[contentEnd - 1] === CR) contentEnd--;
      length += bytes.copy(out, length, start, contentEnd);
      out[length++] = LF;
    }
    start = end;
  }
  return out.toString('utf8', 0, length);
}

/** The bytes of the records without quotes, copied a run at a time: a call for each record would cost more than it. */
function without(bytes: Buffer, ends: readonly number[], quoted: readonly boolean[]): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let runStart = 0;
  for (let index = 0; index < ends.length; index++) {
    if (quoted[index] !== true) continue;
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    if (runStart < start) length += bytes.copy(out, length, runStart, start);
    runStart = ends[index] as number;
  }
  const end = ends.at(-1) ?? 0;
  if (runStart < end) length += bytes.copy(out, length, runStart, end);
  return out.subarray(0, length);
}
