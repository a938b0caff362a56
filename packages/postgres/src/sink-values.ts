/**
 * Values as the text that the server reads. What it could not store as it is, is refused here, by row and column: NUL
 * would be an error of the whole batch, and a lone surrogate would silently become another character.
 */

import { describe } from '@streamweld/core/connector';
import { PostgresRowError } from './errors.ts';
import type { JsonMode } from './types.ts';
import type { TableColumn } from './sink-table.ts';

/** The text of a value, or `null`. */
export type Encode = (value: unknown) => string | null;

/** Why a value cannot be written: without the value. Its cause is what was thrown by what is not ours. */
class Refusal extends Error {}

/** No more than what it is: its content is the item's. */
export function kindOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return `a ${typeof value}`;
    default:
      return isPromise(value) ? 'a promise' : describe(value);
  }
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** A function of the user's that answers later: nobody waits for it, so a failure of it must not end the process. */
export function letGo(value: PromiseLike<unknown>): void {
  value.then(undefined, () => {});
}

function refuse(value: unknown, why: string): never {
  if (isPromise(value)) letGo(value);
  throw new Refusal(`${kindOf(value)} ${why}`);
}

export function encoderOf({ kind, arrays }: TableColumn, json: JsonMode): Encode {
  if (arrays > 0) return arrayEncoder(innermostOf(kind, json), arrays);
  return kind === 'bytes' ? encodeBytes : innermostOf(kind, json);
}

function innermostOf(kind: TableColumn['kind'], json: JsonMode): Encode {
  return kind === 'json' && json === 'value' ? encodeJson : encodePlain;
}

/** Arrays in an array are its dimensions; where an element is an array itself, they are elements. */
function arrayEncoder(innermost: Encode, arrays: number): Encode {
  const encode = arrays === 1 ? innermost : arrayEncoder(innermost, arrays - 1);
  return (value) => (Array.isArray(value) ? encodeArray(value, encode, arrays === 1) : encodePlain(value));
}

export function encodePlain(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      checkText(value);
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return null;
    case 'object':
      if (value === null) return null;
      if (value instanceof Date) return encodeDate(value);
      if (value instanceof Uint8Array) return encodeBytes(value);
      break;
    default:
  }
  return refuse(value, 'cannot be written to it');
}

/** @throws Refusal for a text that Postgres would not store as it is. */
export function checkText(text: string): void {
  if (text.includes('\0')) refuseNul();
  if (!text.isWellFormed()) refuseSurrogate();
}

export function refuseNul(): never {
  throw new Refusal('its text holds NUL, which Postgres cannot store');
}

export function refuseSurrogate(): never {
  throw new Refusal(
    'its text holds half of a surrogate pair, which Postgres would replace by another character',
  );
}

function encodeDate(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new Refusal('its date is invalid');
  const year = date.getUTCFullYear();
  const text = date.toISOString();
  if (year > 0 && year <= 9999) return text;
  // JavaScript writes such years with a sign and six digits, Postgres with as many as it takes, and an era.
  const rest = text.slice(text.indexOf('-', 1));
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

function encodeBytes(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (!(value instanceof Uint8Array)) refuse(value, 'is no Uint8Array');
  return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
}

function encodeJson(value: unknown): string | null {
  // `null` is the null of SQL, as it is for every other column; inside a value it is that of JSON.
  if (value === undefined || value === null) return null;
  // Of a promise it would be {}.
  if (isPromise(value)) refuse(value, 'is nothing that JSON has');
  let text: string | undefined;
  try {
    text = JSON.stringify(value, jsonValue) as string | undefined;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // It holds itself, is too deep or too long, or a `toJSON` of it threw.
    throw new Refusal('its JSON could not be made; why is the cause', { cause: error });
  }
  if (text === undefined) refuse(value, 'is nothing that JSON has');
  // JSON.stringify writes half of a pair, and NUL, as an escape: jsonb refuses the one and cannot store the other.
  if (/\\u(0000|d[89a-f])/.test(text) && holdsUnstorable(text)) {
    throw new Refusal('its JSON holds NUL, or half of a surrogate pair, which jsonb cannot store');
  }
  return text;
}

/** A bigint keeps its digits: JSON has numbers of any length. What it does not have would become null without a word. */
function jsonValue(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value));
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new Refusal('its JSON would hold NaN or an infinity, which JSON has no number for');
  }
  if (value === null && (this as Record<string, unknown>)[key] instanceof Date) {
    throw new Refusal('its JSON would hold a date that is invalid');
  }
  return value;
}

const rawJson: (text: string) => unknown =
  (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON ??
  ((text) => {
    if (Number.isSafeInteger(Number(text))) return Number(text);
    throw new Refusal(
      'its JSON holds a bigint beyond 2^53, which this version of Node cannot write as a number',
    );
  });

/** An escape counts where the backslashes before it are even in number: `\\\\u0000` is a text that says so. */
function holdsUnstorable(text: string): boolean {
  for (const { index } of text.matchAll(/\\u(0000|d[89a-f][0-9a-f]{2})/g)) {
    let before = 0;
    while (text[index - 1 - before] === '\\') before += 1;
    if (before % 2 === 0) return true;
  }
  return false;
}

/** `{1,NULL,"a\"b"}`, with dimensions `{{1,2},{3,4}}`. */
function encodeArray(values: readonly unknown[], encode: Encode, hasDimensions: boolean): string {
  const parts = values.map((value) => {
    if (hasDimensions && Array.isArray(value)) return encodeArray(value, encode, true);
    const text = encode(value);
    if (text === null) return 'NULL';
    return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
      ? text
      : quoted(text);
  });
  return `{${parts.join(',')}}`;
}

/** An element of an array's text. */
function quoted(text: string): string {
  return /[\\"]/.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`;
}

/**
 * What an encoder, or what gives a column its value, threw, as an error that names row and column, and holds no value. What
 * the user's own code threw is its cause.
 */
export function rowError(error: unknown, index: number, column: string, stage: string): PostgresRowError {
  const isRefusal = error instanceof Refusal;
  const why = isRefusal
    ? `in column ${JSON.stringify(column)}, ${error.message}`
    : `what gives its column ${JSON.stringify(column)} the value threw; what it threw is the cause`;
  return new PostgresRowError(`Row ${index} of the batch cannot be written: ${why}.`, [index], {
    stage,
    column,
    ...(isRefusal && !('cause' in error) ? undefined : { cause: isRefusal ? error.cause : error }),
  });
}
