/**
 * Positions as JSON that gives back exactly what was given: what JSON would change on the way (a bigint, a date, −0, a
 * property that is undefined) is written as `{ "$": kind, "value": … }`, and what cannot come back is refused.
 */

import { describe } from '@streamweld/core/connector';
import { FileError } from './errors.ts';

const TAG = '$';
/** Deeper than any position, and shallow enough for the stack. */
const MAX_DEPTH = 200;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** @throws FileError SW_FILE_CHECKPOINT_VALUE, which names the place in the position, for what cannot come back. */
export function toJson(value: unknown, place: string, depth = 0): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : tagged('number', numberText(value));
  }
  if (typeof value === 'bigint') return tagged('bigint', String(value));
  if (value === undefined) return tagged('undefined', null);
  if (typeof value !== 'object') throw refused(describe(value), place);
  if (depth === MAX_DEPTH) throw refused(`something deeper than ${MAX_DEPTH} levels, or in a circle,`, place);
  const inside = (part: unknown, step: string): Json => toJson(part, `${place}${step}`, depth + 1);
  if (Array.isArray(value)) {
    // A hole, or a property beside the elements, would be lost.
    if (Object.keys(value).length !== value.length) throw refused('an array with holes', place);
    return value.map((element, index) => inside(element, `[${index}]`));
  }
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return tagged('date', inside((value as Date).getTime(), ''));
    case Map.prototype:
      return tagged('map', inside([...(value as Map<unknown, unknown>)], '.entries'));
    case Set.prototype:
      return tagged('set', inside([...(value as Set<unknown>)], '.values'));
    case Uint8Array.prototype:
      return tagged('bytes', Buffer.from(value as Uint8Array).toString('base64'));
    case Object.prototype:
    case null:
      break;
    default:
      throw refused('an object of a class', place);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused('a symbol as a key', place);
  const entries = Object.entries(value).map(([key, part]) => [key, inside(part, `.${key}`)] as const);
  const object = Object.fromEntries(entries);
  return Object.hasOwn(object, TAG) ? tagged('object', object) : object;
}

/** What `toJson` was given. Throws where `json` is not of its making. */
export function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  if (!Object.hasOwn(json, TAG)) return fromEntries(json);
  const { [TAG]: kind, value } = json as { readonly [TAG]: unknown; readonly value: unknown };
  switch (kind) {
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value as string);
    case 'undefined':
      return undefined;
    case 'date':
      return new Date(fromJson(value) as number);
    case 'map':
      return new Map(fromJson(value) as [unknown, unknown][]);
    case 'set':
      return new Set(fromJson(value) as unknown[]);
    case 'bytes':
      return new Uint8Array(Buffer.from(value as string, 'base64'));
    case 'object':
      return fromEntries(value as object);
    default:
      throw new TypeError('an unknown kind of value');
  }
}

/** A key like `__proto__` becomes a property as any other. */
function fromEntries(object: object): object {
  return Object.fromEntries(Object.entries(object).map(([key, part]) => [key, fromJson(part)]));
}

function tagged(kind: string, value: Json): Json {
  return { [TAG]: kind, value };
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function refused(what: string, place: string): FileError {
  return new FileError(
    'SW_FILE_CHECKPOINT_VALUE',
    `A position holds ${what} at ${place}, which would not come back from a file as it was. ` +
      'Let the source answer positions of plain data.',
  );
}
