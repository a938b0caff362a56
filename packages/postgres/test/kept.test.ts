/** Positions of version 0.1 are positions: a checkpoint may hold them for years. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ChangePosition, checkChangePosition, compareChangePositions } from '../src/change-position.ts';
import { checkPosition, type PostgresPosition } from '../src/source-key.ts';

/** Never written anew: a kind that is new is a line more. */
const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'kept/positions-0.1.json'), 'utf8')) as {
  readonly rows: readonly PostgresPosition[];
  readonly changes: readonly ChangePosition[];
};

describe('positions of 0.1', () => {
  it.each(kept.rows)('are places in rows: %j', (position) => {
    expect(checkPosition(position, ['id', 'name'], 'source')).toEqual(position);
  });

  it.each(kept.changes)('are places in the changes: %j', (position) => {
    checkChangePosition(position, 'source');
    expect(compareChangePositions(position, position, 'source')).toBe(0);
  });
});
