/** Positions as what they are to be: plain data, which a store can give back (S15). */

import assert from 'node:assert/strict';
import { positionFromJson, positionToJson } from '@streamweld/core/connector';

/** How deep plain data may go. */
const MAX_DEPTH = 200;

/**
 * The position as a store gives it back, by way of a text: equal, and nothing of it the same object; frozen, for it does
 * not change.
 * @throws AssertionError where a store could not, with the place in the position.
 */
export function storedPosition(value: unknown, place: string = 'the position'): unknown {
  // Stricter than the stores are, and with an error that tells of the source.
  const plain = stored(value, place, 0);
  return stored(positionFromJson(JSON.parse(JSON.stringify(positionToJson(plain, place)))), place, 0);
}

function stored(value: unknown, place: string, depth: number): unknown {
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'bigint':
    case 'string':
      return value;
    case 'object':
      break;
    default:
      assert.fail(`${place} is no plain data: ${typeof value}.`);
  }
  if (value === null) return null;
  if (depth === MAX_DEPTH) assert.fail(`${place} is deeper than ${MAX_DEPTH} levels, or a circle.`);
  const inside = (part: unknown, step: string): unknown => stored(part, `${place}${step}`, depth + 1);
  if (Array.isArray(value)) {
    assert.equal(
      Object.keys(value).length,
      value.length,
      `${place} is an array with holes, or with properties.`,
    );
    return Object.freeze(value.map((part, index) => inside(part, `[${index}]`)));
  }
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return new Date((value as Date).getTime());
    case Uint8Array.prototype:
      return Uint8Array.from(value as Uint8Array);
    case Map.prototype:
      return new Map(
        [...(value as Map<unknown, unknown>)].map(([key, part]) => [
          inside(key, '.key'),
          inside(part, '.value'),
        ]),
      );
    case Set.prototype:
      return new Set([...(value as Set<unknown>)].map((part) => inside(part, '.value')));
    case Object.prototype:
    case null:
      break;
    default:
      assert.fail(`${place} is no plain data: an object of the class ${value.constructor?.name ?? '?'}.`);
  }
  assert.deepEqual(Object.getOwnPropertySymbols(value), [], `${place} has a symbol as a key.`);
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inside(part, `.${key}`)])),
  );
}

export function storedPositions(positions: ReadonlyMap<string, unknown>): Map<string, unknown> {
  return new Map(
    [...positions].map(([lane, position]) => [
      lane,
      storedPosition(position, `the position of lane '${lane}'`),
    ]),
  );
}

/** Of each kind one that nobody means. */
const ABSURD: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  Number.NaN,
  5n,
  'absurd',
  [],
  {},
  { absurd: true },
  new Date(0),
];

/**
 * What no source can have given that gives positions like these: values of another kind, and its own with one part of
 * another kind. What is of the same kind only its author can tell from a real one.
 */
export function absurdLikenesses(real: readonly unknown[]): unknown[] {
  const kinds = new Set(real.map(kindOf));
  const absurd = ABSURD.filter((value) => !kinds.has(kindOf(value)));
  const example = real.at(-1);
  if (kindOf(example) !== 'object') return absurd;
  const parts = Object.entries(example as object);
  // Parts that may be left out stay: these are of every position.
  for (const [key, part] of parts) {
    absurd.push({ ...(example as object), [key]: kindOf(part) === 'object' ? 'absurd' : { absurd: true } });
  }
  return kinds.size > 1 ? absurd : [...absurd, {}, { absurd: true }];
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return Array.isArray(value)
    ? 'array'
    : Object.prototype.toString.call(value) === '[object Object]'
      ? 'object'
      : 'class';
}
