/**
 * What a log comes to, counted without StreamWeld and without a regular expression: bytes are cut at line feeds, and a
 * cursor walks over each line. It is the other half of the proof, so it shares nothing with what it proves.
 */

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

export interface Sum {
  requests: number;
  bytes: number;
}

export interface Count {
  lines: number;
  readonly total: Sum;
  readonly byStatus: Map<string, Sum>;
  readonly byPath: Map<string, Sum>;
  /** By the minute, in UTC: `2026-12-01 12:54`. */
  readonly byMinute: Map<string, Sum>;
  /** What cannot be read, by its number. */
  readonly damaged: Map<number, string>;
}

export function nothing(): Count {
  return {
    lines: 0,
    total: { requests: 0, bytes: 0 },
    byStatus: new Map(),
    byPath: new Map(),
    byMinute: new Map(),
    damaged: new Map(),
  };
}

/**
 * @param limit lines from the beginning. @returns also how many come behind them.
 * @throws what the system says where it cannot be read
 */
export async function countFile(path: string, limit: number): Promise<Count & { readonly behind: number }> {
  const count = nothing();
  let behind = 0;
  for await (const text of linesOf(path)) {
    if (count.lines === limit) behind += 1;
    else countLine(text, count);
  }
  return { ...count, behind };
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const bytes: AsyncIterable<Buffer> = (await isGzip(path)) ? file.pipe(createGunzip()) : file;
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  const textOf = (line: Buffer): string => {
    const text = line.toString('utf8');
    const begin = isFirst && text.startsWith('\ufeff') ? 1 : 0;
    isFirst = false;
    return text.slice(begin, text.endsWith('\r') ? -1 : undefined);
  };
  for await (const chunk of bytes) {
    const block: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10, from)) {
      yield textOf(block.subarray(from, end));
      from = end + 1;
    }
    rest = block.subarray(from);
  }
  if (rest.length > 0) yield textOf(rest);
}

/** By its first bytes, whatever it is called. */
async function isGzip(path: string): Promise<boolean> {
  await using file = await open(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
  return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
}

function countLine(text: string, count: Count): void {
  count.lines += 1;
  const read = readLine(text);
  if (read === undefined) {
    count.damaged.set(count.lines, text);
    return;
  }
  add(count.total, read.bytes);
  for (const [sums, key] of [
    [count.byStatus, read.status],
    [count.byPath, read.path],
    [count.byMinute, read.minute],
  ] as const) {
    const sum = sums.get(key) ?? { requests: 0, bytes: 0 };
    add(sum, read.bytes);
    sums.set(key, sum);
  }
}

function add(sum: Sum, bytes: number): void {
  sum.requests += 1;
  sum.bytes += bytes;
}

interface Read {
  readonly status: string;
  readonly path: string;
  readonly minute: string;
  readonly bytes: number;
}

function readLine(text: string): Read | undefined {
  if (text.length > 65_536) return undefined;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 32 || code === 127 || code === 0xfffd) return undefined;
  }
  // A host, an identity, and a user who may have spaces, each of at least one character.
  const identity = text.indexOf(' ') + 1;
  const user = text.indexOf(' ', identity) + 1;
  const bracket = text.indexOf('[', user);
  const close = text.indexOf('] "', bracket);
  if (identity < 2 || user < identity + 2 || bracket < user + 2 || close < 0) return undefined;
  if (text[bracket - 1] !== ' ') return undefined;
  const minute = minuteOf(text.slice(bracket + 1, close));
  const request = quotedAt(text, close + 2);
  if (minute === undefined || request === undefined) return undefined;
  const [status = '', size = '', ...behind] = text.slice(request.end + 1).split(' ');
  if (text[request.end] !== ' ' || !isDigits(status, 3, 3) || status[0] === '0') return undefined;
  if (size !== '-' && !isDigits(size, 1, 15)) return undefined;
  const referer = quotedAt(text, text.length - behind.join(' ').length);
  if (behind.length === 0 || referer === undefined || text[referer.end] !== ' ') return undefined;
  const agent = quotedAt(text, referer.end + 1);
  if (agent?.end !== text.length) return undefined;
  return { status, path: pathOf(request.text), minute, bytes: size === '-' ? 0 : Number(size) };
}

/** What stands in quotes from there on, and where it ends: a backslash takes what follows it along. */
function quotedAt(text: string, at: number): { readonly text: string; readonly end: number } | undefined {
  if (text[at] !== '"') return undefined;
  for (let index = at + 1; index < text.length; index++) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === '"') return { text: text.slice(at + 1, index), end: index + 1 };
  }
  return undefined;
}

function isDigits(text: string, least: number, most: number): boolean {
  return (
    text.length >= least &&
    text.length <= most &&
    Array.from(text).every((digit) => digit >= '0' && digit <= '9')
  );
}

const DAYS: Readonly<Record<string, [number, number]>> = {
  Jan: [1, 31],
  Feb: [2, 28],
  Mar: [3, 31],
  Apr: [4, 30],
  May: [5, 31],
  Jun: [6, 30],
  Jul: [7, 31],
  Aug: [8, 31],
  Sep: [9, 30],
  Oct: [10, 31],
  Nov: [11, 30],
  Dec: [12, 31],
};

/** @param stamp `01/Dec/2026:12:54:39 +0000` */
function minuteOf(stamp: string): string | undefined {
  const number = (from: number, length: number): number => {
    const digits = stamp.slice(from, from + length);
    return isDigits(digits, length, length) ? Number(digits) : Number.NaN;
  };
  const marks = `${stamp[2]}${stamp[6]}${stamp[11]}${stamp[14]}${stamp[17]}${stamp[20]}`;
  const sign = stamp[21] === '+' ? 1 : -1;
  const month = Object.hasOwn(DAYS, stamp.slice(3, 6)) ? DAYS[stamp.slice(3, 6)] : undefined;
  if (stamp.length !== 26 || marks !== '//::: ' || month === undefined) return undefined;
  if (stamp[21] !== '+' && stamp[21] !== '-') return undefined;
  const [year, day, hour] = [number(7, 4), number(0, 2), number(12, 2)];
  const [minute, second, zoneHours, zoneMinutes] = [
    number(15, 2),
    number(18, 2),
    number(22, 2),
    number(24, 2),
  ];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month[0] === 2 && isLeap ? 29 : month[1];
  const isTime =
    year >= 1000 && year <= 2999 && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 59;
  if (!isTime || !(zoneHours <= 15 && zoneMinutes <= 59)) return undefined;
  const at = Date.UTC(year, month[0] - 1, day, hour, minute) - sign * (zoneHours * 60 + zoneMinutes) * 60_000;
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}

const METHOD_SIGNS = "!#$%&'*+-.^_`|~";

/** The target of a request without its query; all of what is no request of HTTP. */
function pathOf(request: string): string {
  const words = request.split(' ');
  const [method = '', ...rest] = words;
  const isMethod =
    method !== '' &&
    Array.from(method).every(
      (sign) =>
        (sign >= 'a' && sign <= 'z') ||
        (sign >= 'A' && sign <= 'Z') ||
        (sign >= '0' && sign <= '9') ||
        METHOD_SIGNS.includes(sign),
    );
  if (!isMethod || rest.join(' ') === '') return request;
  const target =
    isProtocol(rest.at(-1) ?? '') && rest.slice(0, -1).join(' ') !== '' ? rest.slice(0, -1) : rest;
  return target.join(' ').split('?', 1)[0] as string;
}

function isProtocol(word: string): boolean {
  if (!word.startsWith('HTTP/')) return false;
  const [major = '', minor, ...more] = word.slice(5).split('.');
  return (
    isDigits(major, 1, 1) &&
    more.length === 0 &&
    (minor === undefined || isDigits(minor, 1, Number.MAX_SAFE_INTEGER))
  );
}
