/** Positions as JSON: what comes back is what was given. Everything else is tried on stores, by C5. */

import { describe, expect, it } from 'vitest';
import { positionFromJson, positionToJson } from '../src/position-json.ts';

const throughText = (value: unknown): unknown =>
  positionFromJson(JSON.parse(JSON.stringify(positionToJson(value, 'lane ""'))));

/** As `match.groups` of a regular expression is. */
const bare = (properties: object): object => Object.setPrototypeOf({ ...properties }, null) as object;

describe('positionFromJson', () => {
  it.each<[string, unknown]>([
    ['no property', bare({})],
    ['some', bare({ a: 1, b: undefined })],
    ['others within', bare({ a: [bare({ b: 2n })] })],
    ['the mark of an encoding', bare({ $: 'bare', value: {} })],
    ['a key of the language', bare(JSON.parse('{"__proto__":{"a":1}}') as object)],
  ])('gives an object back without a prototype where it had none, with %s', (_what, value) => {
    const found = throughText({ inside: value }) as { inside: object };
    expect(found.inside).toStrictEqual(value);
    expect(Object.getPrototypeOf(found.inside)).toBeNull();
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
  });
});
