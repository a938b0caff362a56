/** What version 0.1 kept can be used: positions in somebody's checkpoint, and the ledger that lies beside the objects. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromKept, isVoid, parseLedger } from '../src/ledger.ts';
import { checkPositions, laneOf, type S3Position } from '../src/position.ts';
import { isCommitted } from '@streamweld/s3';

/** Never written anew: a kind that is new is a line more. */
const kept = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'kept', name));

describe('what 0.1 kept', () => {
  it.each(JSON.parse(String(kept('positions-0.1.json'))) as S3Position[])(
    'is a position: $key',
    (position) => {
      checkPositions(new Map([['lane', position]]), { stage: 'source', misfit: () => undefined });
    },
  );

  it('lies in lanes of the same names', () => {
    expect(laneOf('bucket', 'in/a', '"d41d"')).toBe('s3://bucket/in/a@d41d');
  });

  it('is a ledger', () => {
    const ledger = parseLedger(kept('ledger-0.1.json'));
    if (typeof ledger === 'string') throw new Error(ledger);
    expect([1, 2, 3, 4].map((sequence) => isCommitted(ledger, sequence))).toEqual([true, false, true, false]);
    expect(isVoid(ledger, 2)).toBe(true);
    expect(fromKept(ledger.positions)).toEqual(new Map([['orders.csv', { offset: 1500, at: 7n }]]));
    expect(ledger.pending).toEqual([{ sequence: 4, epoch: '1f0c', keys: ['out/000004.ndjson'] }]);
  });
});
