/**
 * Decoders that are simple enough to be seen to be right: they have all bytes at once, go by one record after the other, and
 * spare no time. What the real ones do in pieces and chunks has to come to the same.
 */

import type { CsvOptions, LinesOptions, NdjsonOptions } from '../src/index.ts';

/** What decoding has to come to. */
export interface Expected<T> {
  readonly items: readonly T[];
  /**
   * Where a decoder may stand that has taken so many items: behind the last, or behind something that is left out
   * after it (a blank line, a line that is too long, the byte order mark, a header).
   */
  readonly stands: readonly (readonly number[])[];
  readonly skipped: number;
  readonly error: ExpectedError | undefined;
}

interface ExpectedError {
  /** Mostly one. Two where a line breaks two rules, and which is told first is nobody's business. */
  readonly codes: readonly string[];
  readonly record: number | undefined;
  readonly offset: number | undefined;
}

/** Puts an expectation together, item by item. */
class Outcome<T> {
  readonly items: T[] = [];
  readonly stands: number[][] = [[0]];
  skipped = 0;
  error: ExpectedError | undefined;

  add(item: T, end: number): void {
    this.items.push(item);
    this.stands.push([end]);
  }

  /** What ends there comes to nothing. */
  leaveOut(end: number): void {
    this.stands.at(-1)?.push(end);
  }

  fail(offset: number | undefined, ...codes: string[]): Expected<T> {
    const record = offset === undefined ? undefined : this.items.length + 1;
    this.error = { codes, record, offset };
    return this;
  }
}

const LF = 10;
const CR = 13;
const QUOTE = 34;

function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

interface Decoded {
  readonly text: string;
  /** The first byte that begins no character, where that is an error. */
  readonly invalidAt: number | undefined;
}

const replacing = new TextDecoder('utf-8', { ignoreBOM: true });

/** UTF-8 as RFC 3629 has it: the shortest form of a number that is no surrogate and not beyond U+10FFFF. */
function decodeUtf8(bytes: Uint8Array, from: number, to: number, mode: 'fail' | 'replace'): Decoded {
  if (mode === 'replace') return { text: replacing.decode(bytes.subarray(from, to)), invalidAt: undefined };
  let text = '';
  for (let at = from; at < to; ) {
    const lead = bytes[at] as number;
    const more = lead < 0x80 ? 0 : lead >>> 5 === 0b110 ? 1 : lead >>> 4 === 0b1110 ? 2 : 3;
    let point = lead < 0x80 ? lead : lead & (0x3f >>> more);
    let isValid = lead < 0x80 || (lead >= 0xc0 && lead < 0xf8);
    for (let next = at + 1; next <= at + more; next++) {
      const byte = next < to ? (bytes[next] as number) : 0;
      if (byte >>> 6 !== 0b10) isValid = false;
      point = point * 64 + (byte & 0x3f);
    }
    const least = [0, 0x80, 0x800, 0x10000][more] as number;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) isValid = false;
    if (!isValid) return { text, invalidAt: at };
    text += String.fromCodePoint(point);
    at += more + 1;
  }
  return { text, invalidAt: undefined };
}

interface Line {
  readonly from: number;
  /** Behind its last byte, and behind its line end. */
  readonly to: number;
  readonly end: number;
  readonly terminated: boolean;
}

/** A line feed ends a line, a carriage return before it belongs to it, and the last line may have neither. */
function linesOf(bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  let from = startOf(bytes);
  while (from < bytes.length) {
    const feed = bytes.indexOf(LF, from);
    if (feed < 0) {
      lines.push({ from, to: bytes.length, end: bytes.length, terminated: false });
      break;
    }
    const to = feed > from && bytes[feed - 1] === CR ? feed - 1 : feed;
    lines.push({ from, to, end: feed + 1, terminated: true });
    from = feed + 1;
  }
  return lines;
}

interface Text {
  readonly maxLineBytes: number;
  readonly skips: boolean;
  readonly mode: 'fail' | 'replace';
}

function textOf({ maxLineBytes, onLongLine, invalidUtf8 }: LinesOptions | NdjsonOptions | CsvOptions): Text {
  return {
    maxLineBytes: maxLineBytes ?? 16 << 20,
    skips: onLongLine === 'skip',
    mode: invalidUtf8 ?? 'fail',
  };
}

function begin<T>(bytes: Uint8Array): Outcome<T> {
  const outcome = new Outcome<T>();
  const start = startOf(bytes);
  if (start > 0) outcome.leaveOut(start);
  return outcome;
}

export function referenceLines(bytes: Uint8Array, options: LinesOptions): Expected<string> {
  const { maxLineBytes, skips, mode } = textOf(options);
  const outcome = begin<string>(bytes);
  for (const { from, to, end } of linesOf(bytes)) {
    if (to - from > maxLineBytes) {
      if (!skips) return outcome.fail(from, 'SW_FORMAT_LINE_TOO_LONG');
      outcome.skipped += 1;
      outcome.leaveOut(end);
      continue;
    }
    const { text, invalidAt } = decodeUtf8(bytes, from, to, mode);
    if (invalidAt !== undefined) return outcome.fail(invalidAt, 'SW_FORMAT_INVALID_UTF8');
    outcome.add(text, end);
  }
  return outcome;
}

/**
 * Lines joined into records. A record is answered when the next one begins or the input ends, so one that a failed line
 * may belong to is not answered. What is left out, is left out whole.
 */
export function referenceRecords(
  bytes: Uint8Array,
  options: LinesOptions,
  isStart: (line: string) => boolean,
): Expected<string> {
  const { maxLineBytes, skips, mode } = textOf(options);
  const outcome = begin<string>(bytes);
  // Only ends of records are stood at.
  outcome.stands[0] = [0];
  let held: { text: string; from: number; end: number } | undefined;
  let isLeavingOut = false;
  const close = (): void => {
    if (held !== undefined) outcome.add(held.text, held.end);
    held = undefined;
  };
  const leaveOut = (): void => {
    held = undefined;
    isLeavingOut = true;
    outcome.skipped += 1;
  };
  for (const { from, to, end } of linesOf(bytes)) {
    if (to - from > maxLineBytes) {
      if (!skips) return outcome.fail(from, 'SW_FORMAT_LINE_TOO_LONG');
      const begins = isStart(decodeUtf8(bytes, from, to, 'replace').text);
      if (begins) close();
      if (begins || !isLeavingOut) leaveOut();
      continue;
    }
    const { text, invalidAt } = decodeUtf8(bytes, from, to, mode);
    if (invalidAt !== undefined) return outcome.fail(invalidAt, 'SW_FORMAT_INVALID_UTF8');
    if (isStart(text) || (held === undefined && !isLeavingOut)) {
      close();
      held = { text, from, end };
      isLeavingOut = false;
    } else if (held !== undefined) {
      held = { text: `${held.text}\n${text}`, from: held.from, end };
    }
    if (held !== undefined && Buffer.byteLength(held.text) > maxLineBytes) {
      if (!skips) return outcome.fail(held.from, 'SW_FORMAT_LINE_TOO_LONG');
      leaveOut();
    }
  }
  close();
  return outcome;
}

/** How deep a value nests: 0 for one that is no array and no object. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** How deep brackets outside strings nest in what may be no JSON. */
function bracketsOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [match] of text.matchAll(/"(?:\\.|[^"\\])*(?:"|$)|[[{]|[\]}]/gs)) {
    if (match === '[' || match === '{') depth += 1;
    else if (match === ']' || match === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

export function referenceNdjson(bytes: Uint8Array, options: NdjsonOptions): Expected<unknown> {
  const { maxLineBytes, skips, mode } = textOf(options);
  const maxDepth = options.maxDepth ?? 1000;
  const outcome = begin<unknown>(bytes);
  for (const { from, to, end, terminated } of linesOf(bytes)) {
    if (to - from > maxLineBytes) {
      if (!skips) return outcome.fail(from, 'SW_FORMAT_LINE_TOO_LONG');
      outcome.skipped += 1;
      outcome.leaveOut(end);
      continue;
    }
    const { text, invalidAt } = decodeUtf8(bytes, from, to, mode);
    if (invalidAt !== undefined) return outcome.fail(invalidAt, 'SW_FORMAT_INVALID_UTF8');
    if (/^[ \t\r]*$/.test(text)) {
      outcome.leaveOut(end);
      continue;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      const codes = [terminated ? 'SW_FORMAT_INVALID_JSON' : 'SW_FORMAT_TRUNCATED'];
      if (bracketsOf(text) > maxDepth) codes.push('SW_FORMAT_TOO_DEEP');
      return outcome.fail(from, ...codes);
    }
    if (depthOf(value) > maxDepth) return outcome.fail(from, 'SW_FORMAT_TOO_DEEP');
    outcome.add(value, end);
  }
  return outcome;
}

interface CsvRecord extends Line {
  readonly fields: readonly { readonly from: number; readonly to: number; readonly isQuoted: boolean }[];
  readonly problem: 'SW_FORMAT_INVALID_CSV' | 'SW_FORMAT_TRUNCATED' | undefined;
}

/**
 * The record at `from`. A field that begins with a quote goes on to the quote that closes it, two quotes being one that
 * is meant; white space behind that one is left out. Any other field goes on to the delimiter or the line feed.
 */
function csvRecord(bytes: Uint8Array, from: number, delimiter: number): CsvRecord {
  const fields: { from: number; to: number; isQuoted: boolean }[] = [];
  let problem: CsvRecord['problem'];
  let at = from;
  for (;;) {
    let start = at;
    const isQuoted = bytes[at] === QUOTE;
    let end = at;
    if (isQuoted) {
      start = at + 1;
      at = start;
      while (at < bytes.length && (bytes[at] !== QUOTE || bytes[at + 1] === QUOTE)) {
        at += bytes[at] === QUOTE ? 2 : 1;
      }
      end = at;
      if (at >= bytes.length) {
        problem ??= 'SW_FORMAT_TRUNCATED';
        end = bytes.length;
      }
      at = Math.min(at + 1, bytes.length);
    }
    const rest = at;
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LF) at++;
    const isLast = at === bytes.length || bytes[at] === LF;
    const terminated = at < bytes.length;
    const to = isLast && terminated && at > from && bytes[at - 1] === CR ? at - 1 : at;
    if (isQuoted) {
      if (replacing.decode(bytes.subarray(rest, Math.max(rest, to))).trim() !== '')
        problem ??= 'SW_FORMAT_INVALID_CSV';
    } else {
      end = to;
    }
    fields.push({ from: start, to: end, isQuoted });
    if (isLast) return { from, to, end: terminated ? at + 1 : at, terminated, fields, problem };
    at++;
  }
}

type CsvItem = Record<string, string> | string[];

export function referenceCsv(bytes: Uint8Array, options: CsvOptions): Expected<CsvItem> {
  const { maxLineBytes, skips, mode } = textOf(options);
  const header = options.header ?? true;
  const delimiter = (options.delimiter ?? ',').charCodeAt(0);
  const outcome = begin<CsvItem>(bytes);
  let columns = typeof header === 'object' ? header : undefined;
  let width = columns?.length;
  let record: CsvRecord;
  for (let from = startOf(bytes); from < bytes.length; from = record.end) {
    record = csvRecord(bytes, from, delimiter);
    if (record.to - from > maxLineBytes) {
      if (!skips) return outcome.fail(from, 'SW_FORMAT_LINE_TOO_LONG');
      outcome.skipped += 1;
      outcome.leaveOut(record.end);
      continue;
    }
    const { invalidAt } = decodeUtf8(bytes, from, record.end, mode);
    if (invalidAt !== undefined) return outcome.fail(invalidAt, 'SW_FORMAT_INVALID_UTF8');
    if (record.to === from && record.terminated) {
      outcome.leaveOut(record.end);
      continue;
    }
    if (record.problem !== undefined) return outcome.fail(from, record.problem);
    const row = record.fields.map((field) => {
      const { text } = decodeUtf8(bytes, field.from, field.to, mode);
      return field.isQuoted ? text.replaceAll('""', '"') : text;
    });
    width ??= row.length;
    if (row.length !== width) return outcome.fail(from, 'SW_FORMAT_RAGGED_ROW');
    if (header === true && columns === undefined) {
      if (new Set(row).size < row.length) return outcome.fail(undefined, 'SW_FORMAT_INVALID_HEADER');
      columns = row;
      outcome.leaveOut(record.end);
      continue;
    }
    outcome.add(columns === undefined ? row : objectOf(columns, row), record.end);
  }
  return outcome;
}

function objectOf(columns: readonly string[], row: readonly string[]): Record<string, string> {
  // Not an assignment: one column may be called __proto__.
  return Object.fromEntries(columns.map((column, at) => [column, row[at] as string]));
}
