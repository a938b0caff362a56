/** What version 0.1 made of positions can be read by this one, and is what this one writes: stores keep it for years. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { positionFromJson, positionToJson } from '../src/position-json.ts';

/** Never written anew: a kind that is new is a line more. */
const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'kept/positions-0.1.json'), 'utf8')) as Record<
  string,
  unknown
>;

const positions: Readonly<Record<string, unknown>> = {
  number: 1500,
  text: 'orders.csv',
  nothing: null,
  undefined: { partial: undefined },
  bigint: 9007199254740993n,
  date: new Date(0),
  map: new Map([['a', new Map([[1n, true]])]]),
  set: new Set(['a', 2]),
  bytes: new Uint8Array([0, 1, 254, 255]),
  'minus zero': -0,
  'not a number': [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  bare: Object.setPrototypeOf({ a: 1 }, null),
  marked: { $: 'bigint', value: '1' },
};

describe('positions of 0.1', () => {
  for (const [name, position] of Object.entries(positions)) {
    it(`are what they were: ${name}`, () => {
      expect(positionFromJson(kept[name])).toStrictEqual(position);
      // What a run of today keeps can be read by the version before, should somebody go back to it.
      expect(positionToJson(position, name)).toEqual(kept[name]);
    });
  }

  it('are all tried', () => {
    expect(Object.keys(kept)).toEqual(Object.keys(positions));
  });
});
