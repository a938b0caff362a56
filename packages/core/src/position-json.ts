/**
 * Positions as JSON that gives back exactly what was given: what JSON would change on the way (a bigint, a date, −0, a
 * property that is undefined, an object without a prototype) is written as `{ "$": kind, "value": … }`, and what cannot
 * come back is refused.
 */

import { describe, StreamWeldError } from './errors.ts';

const TAG = '$';
/** Deeper than any position, and shallow enough for the stack. */
const MAX_DEPTH = 200;

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * A position as JSON. `place` is where it belongs, for the error: `lane "a"`.
 * @throws StreamWeldError SW_POSITION_UNSTORABLE, which names the place in the position, for what cannot come back.
 */
export function positionToJson(value: unknown, place: string): Json {
  return toJson(value, place, 0);
}

function toJson(value: unknown, place: string, depth: number): Json {
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
    // A date is data here: no clock is read.
    case Date.prototype: // oxlint-disable-line no-restricted-globals
      return tagged('date', inside((value as Date).getTime(), ''));
    case Map.prototype:
      return tagged('map', inside([...(value as Map<unknown, unknown>)], '.entries'));
    case Set.prototype:
      return tagged('set', inside([...(value as Set<unknown>)], '.values'));
    case Uint8Array.prototype:
      return tagged('bytes', btoa(binaryOf(value as Uint8Array)));
    case Object.prototype:
    case null:
      break;
    default:
      throw refused('an object of a class', place);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused('a symbol as a key', place);
  const entries = Object.entries(value).map(([key, part]) => [key, inside(part, `.${key}`)] as const);
  const object = Object.fromEntries(entries);
  if (Object.getPrototypeOf(value) === null) return tagged('bare', object);
  return Object.hasOwn(object, TAG) ? tagged('object', object) : object;
}

/** What {@link positionToJson} was given. Throws where `json` is not of its making. */
export function positionFromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(positionFromJson);
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
      return new Date(positionFromJson(value) as number); // oxlint-disable-line no-restricted-globals
    case 'map':
      return new Map(positionFromJson(value) as [unknown, unknown][]);
    case 'set':
      return new Set(positionFromJson(value) as unknown[]);
    case 'bytes':
      return Uint8Array.from(atob(value as string), (character) => character.charCodeAt(0));
    case 'object':
      return fromEntries(value as object);
    case 'bare':
      return Object.setPrototypeOf(fromEntries(value as object), null);
    default:
      throw new TypeError('an unknown kind of value');
  }
}

/** A key like `__proto__` becomes a property as any other. */
function fromEntries(object: object): object {
  return Object.fromEntries(Object.entries(object).map(([key, part]) => [key, positionFromJson(part)]));
}

function tagged(kind: string, value: Json): Json {
  return { [TAG]: kind, value };
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A character for each byte: what base64 is made of where there is no Buffer. */
function binaryOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function refused(what: string, place: string): StreamWeldError {
  return new StreamWeldError(
    'SW_POSITION_UNSTORABLE',
    `A position holds ${what} at ${place}, which would not come back from a store as it was. ` +
      'Let the source answer positions of plain data.',
  );
}
