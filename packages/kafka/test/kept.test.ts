/** Positions of version 0.1 are positions: a checkpoint may hold them for years. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isKafkaPosition, type KafkaPosition, laneOf, parseLane } from '../src/position.ts';

/** Never written anew: a kind that is new is a line more. */
const kept = JSON.parse(
  readFileSync(join(import.meta.dirname, 'kept/positions-0.1.json'), 'utf8'),
) as KafkaPosition[];

describe('positions of 0.1', () => {
  it.each(kept)('are positions: %j', (position) => {
    expect(isKafkaPosition(position)).toBe(true);
  });

  it('lie in lanes of the same names', () => {
    expect(laneOf({ topic: 'orders.v1', partition: 3 })).toBe('orders.v1/3');
    expect(parseLane('orders.v1/3')).toEqual({ topic: 'orders.v1', partition: 3 });
  });
});
