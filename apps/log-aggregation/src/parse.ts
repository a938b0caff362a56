/** From a line to an entry: access logs in the combined or common format, a JSON object a line as pino writes it, or neither. */

import { type Entry, type Level, LEVELS } from './entry.ts';

type Said = Omit<Entry, 'id' | 'log' | 'line' | 'raw'>;

/** Host, two names, time, request, status, size; in the combined format also where from and by what. */
const ACCESS =
  /^\S+ \S+ \S+ \[([^\]]+)\] "(?:[^"\\]|\\.)*" (\d{3}) (?:\d+|-)(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?$/;
const TIME = /^(\d{2})\/(\w{3})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** The end of the year 9999, the last that dates are written with four digits for. */
const LATEST = 253_402_300_799_999;

const OTHER_NAMES: Readonly<Record<string, Level>> = { warning: 'warn', critical: 'fatal' };
/** Of a line in JSON, what has a place of its own, or only says which process it was. */
const NOT_TEXT = new Set(['level', 'time', 'pid', 'hostname']);

/** Nothing is refused: what nobody understands is an entry of the level `unknown`. @param line its number, from 1 on */
export function parseLine(log: string, line: number, raw: string): Entry {
  const own = serviceNamed(log.replace(/\.[^.]*$/, ''));
  const said = parseAccess(raw, own) ?? parseJson(raw, own) ?? odd(raw, own);
  return { id: `${log}:${line}`, log, line, ...said, raw };
}

function odd(raw: string, service: string): Said {
  return { service, level: 'unknown', at: null, text: raw };
}

function parseAccess(raw: string, service: string): Said | undefined {
  const [, time, answered] = ACCESS.exec(raw) ?? [];
  if (time === undefined) return undefined;
  const status = Number(answered);
  const level = status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info';
  return { service, level, at: accessTime(time), text: raw, status };
}

function accessTime(text: string): number | null {
  const [, day, name = '', year, clock, hours, minutes] = TIME.exec(text) ?? [];
  const month = String(MONTHS.indexOf(name) + 1).padStart(2, '0');
  return timeOf(`${year}-${month}-${day}T${clock}${hours}:${minutes}`);
}

function parseJson(raw: string, own: string): Said | undefined {
  if (!/^\s*\{/.test(raw)) return undefined;
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(raw) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { level, name, service, time, status, ms } = said;
  const who = [service, name].find((each) => typeof each === 'string' && each !== '');
  return {
    service: who === undefined ? own : serviceNamed(who as string),
    level: levelOf(level),
    at: timeOf(time),
    text: Object.entries(said)
      .filter(([key]) => !NOT_TEXT.has(key))
      .flatMap(([, value]) => valuesIn(value))
      .join(' '),
    ...(typeof status === 'number' && Number.isFinite(status) ? { status } : {}),
    ...(typeof ms === 'number' && Number.isFinite(ms) ? { ms } : {}),
  };
}

/** Texts and numbers, however deep. One that is too large for a number is none. */
function valuesIn(value: unknown): readonly (string | number)[] {
  if (typeof value === 'string' || Number.isFinite(value)) return [value as string | number];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(valuesIn);
}

/** A name, or pino's number: those in between belong to the one below. */
function levelOf(given: unknown): Level {
  if (typeof given === 'number') return LEVELS[Math.floor(given / 10) - 1] ?? 'unknown';
  if (typeof given !== 'string') return 'unknown';
  const name = given.toLowerCase();
  return LEVELS.find((level) => level === name) ?? OTHER_NAMES[name] ?? 'unknown';
}

function timeOf(given: unknown): number | null {
  const ms = typeof given === 'number' ? given : typeof given === 'string' ? Date.parse(given) : Number.NaN;
  return ms >= 0 && ms <= LATEST ? ms : null;
}

/** What may become the name of a folder, whatever somebody calls himself in a log. */
function serviceNamed(name: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 64);
  return plain === '' ? 'unnamed' : plain;
}
