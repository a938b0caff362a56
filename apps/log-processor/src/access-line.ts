/** A line of an access log in the combined format, as Apache and nginx write it, taken apart. */

import type { LogLine } from './log-source.ts';

/** A row of the table `requests`. Texts are as they stand in the log, with their escapes. */
export interface RequestRow {
  /** The path of the log. */
  readonly file: string;
  /** How many files the log had before this one: it is rotated. */
  readonly incarnation: number;
  /** The number of the file to the system, by which it is found again once it is rotated. */
  readonly inode: number;
  /** From 1. */
  readonly line: number;
  readonly host: string;
  readonly user_name: string | null;
  /** As ISO 8601, with the zone that the log has. */
  readonly at: string;
  /** Null where the request is none of HTTP's, as `\x16\x03\x01` is: then the path is all of it. */
  readonly method: string | null;
  readonly path: string;
  /** Behind the `?`. */
  readonly query: string | null;
  readonly protocol: string | null;
  readonly status: number;
  /** Of the body. A `-` is none. */
  readonly bytes: number;
  readonly referer: string | null;
  readonly agent: string | null;
}

/** A line that is none of the format. Its message says why, and quotes nothing of it. */
export class DamagedLine extends Error {
  override readonly name = 'DamagedLine';
  readonly code = 'LOGS_LINE_DAMAGED';
}

/** Servers cut requests off long before. */
const MOST_CHARACTERS = 65_536;

/** Each consumes what it matches, once: no line, whatever is in it, takes more than a few passes over it. */
const QUOTED = String.raw`"([^"\\]*(?:\\[^][^"\\]*)*)"`;
const FIELDS: readonly (readonly [what: string, pattern: string])[] = [
  ['a host', '([^ ]+) '],
  ['an identity, or -', '[^ ]+ '],
  ['a user, or -', String.raw`([^[]+) (?=\[)`],
  [
    'a time as [01/Dec/2026:12:54:39 +0000]',
    String.raw`\[([0-3]\d)/([A-Z][a-z]{2})/([12]\d{3}):((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) ([+-](?:0\d|1[0-5])[0-5]\d)\] `,
  ],
  ['a request in quotes', `${QUOTED} `],
  ['a status of three digits', String.raw`([1-9]\d{2}) `],
  ['a number of bytes, or -', String.raw`(\d{1,15}|-) `],
  ['a referer in quotes', `${QUOTED} `],
  ['an agent in quotes, and the end', `${QUOTED}$`],
];

const LINE = new RegExp(`^${FIELDS.map(([, pattern]) => pattern).join('')}`);
/** A method is a token of RFC 9110; what follows it is all of the target but for the protocol at its end. */
const REQUEST = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+?)(?: (HTTP\/\d(?:\.\d+)?))?$/s;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** What comes before the space, and DEL. */
const CONTROL = /[^ -\uffff]|\u007f/;

/** @throws DamagedLine */
export function parseLine({ file, incarnation, inode, line, text }: LogLine): RequestRow {
  if (text.length > MOST_CHARACTERS) throw new DamagedLine(`is longer than ${MOST_CHARACTERS} characters`);
  const found = LINE.exec(text);
  if (found === null || CONTROL.test(text) || text.includes('\ufffd'))
    throw new DamagedLine(whatIsWrong(text));
  const [, host, user, day, month, year, time, zone, request, status, bytes, referer, agent] =
    found as unknown as string[];
  const [, method = null, target = request as string, protocol = null] =
    REQUEST.exec(request as string) ?? [];
  const mark = method === null ? -1 : target.indexOf('?');
  return {
    file,
    incarnation,
    inode,
    line,
    host: host as string,
    user_name: orNull(user as string),
    at: `${dateOf(year as string, month as string, day as string)}T${time}${zone}`,
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? null : target.slice(mark + 1),
    protocol,
    status: Number(status),
    bytes: bytes === '-' ? 0 : Number(bytes),
    referer: orNull(referer as string),
    agent: orNull(agent as string),
  };
}

function orNull(text: string): string | null {
  return text === '-' ? null : text;
}

/** @throws DamagedLine for a day that the calendar does not have */
function dateOf(year: string, month: string, day: string): string {
  const index = MONTHS.indexOf(month);
  const date = new Date(Date.UTC(Number(year), index, Number(day)));
  if (index < 0 || date.getUTCDate() !== Number(day) || date.getUTCMonth() !== index) {
    throw new DamagedLine('has a day that the calendar does not have');
  }
  return `${year}-${String(index + 1).padStart(2, '0')}-${day}`;
}

function whatIsWrong(text: string): string {
  if (text === '') return 'is empty';
  if (CONTROL.test(text)) return `has a control character at column ${text.search(CONTROL) + 1}`;
  if (text.includes('\ufffd')) return `has bytes that are not UTF-8 at column ${text.indexOf('\ufffd') + 1}`;
  let at = 0;
  for (const [what, pattern] of FIELDS) {
    const field = new RegExp(pattern, 'y');
    field.lastIndex = at;
    if (!field.test(text)) return `expected ${what} at column ${at + 1}`;
    at = field.lastIndex;
  }
  throw new Error('Each field is there, and not all of them: the patterns contradict one another.');
}
