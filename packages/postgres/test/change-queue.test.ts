/** Which positions a change source gives its changes, and which of two comes first. No server is needed. */

import { describe, expect, it } from 'vitest';
import { type ChangePosition, compareChangePositions } from '../src/change-position.ts';
import { ChangeQueue } from '../src/change-queue.ts';
import type { Change, Logged } from '../src/changes.ts';

const change = (id: number): Logged => ({
  kind: 'change',
  change: { kind: 'insert', schema: 'public', table: 't', new: { id }, old: null, transaction: undefined },
});
const begin = (lsn: string): Logged => ({
  kind: 'begin',
  transaction: { id: 1, lsn, committedAt: new Date(0) },
});
const commit = (lsn: string): Logged => ({ kind: 'commit', lsn });
const idOf = ({ new: row }: Change): unknown => row?.['id'];

/** Takes as they come, so many at once; answers the position behind each change that ended a batch. */
function follow(
  from: ChangePosition,
  messages: readonly Logged[],
  demand: number,
): Map<unknown, ChangePosition> {
  const queue = new ChangeQueue(from, 100);
  const behind = new Map<unknown, ChangePosition>();
  for (const message of messages) {
    queue.put(message, 10);
    for (let taken = queue.take(demand); taken !== undefined; taken = queue.take(demand)) {
      const last = taken.items.at(-1);
      if (last !== undefined) behind.set(idOf(last), taken.position);
    }
  }
  return behind;
}

describe('ChangeQueue', () => {
  const messages = [begin('0/50'), change(1), change(2), change(3), commit('0/60')];

  it('gives a change the same position whether it came alone or with what follows', () => {
    const alone = follow({ lsn: '0/10' }, messages, 1);
    expect([...alone]).toEqual([
      [1, { lsn: '0/10', partial: { commit: '0/50', changes: 1 } }],
      [2, { lsn: '0/10', partial: { commit: '0/50', changes: 2 } }],
      [3, { lsn: '0/60' }],
    ]);
    const queue = new ChangeQueue({ lsn: '0/10' }, 100);
    for (const message of messages) queue.put(message, 10);
    expect([1, 2, 3].map(() => queue.take(1)?.position)).toEqual([...alone.values()]);
  });

  it('goes on within a transaction that comes whole again', () => {
    const resumed = follow({ lsn: '0/10', partial: { commit: '0/50', changes: 2 } }, messages, 5);
    expect([...resumed]).toEqual([[3, { lsn: '0/60' }]]);
  });

  it('is never full of what cannot be taken yet', () => {
    const queue = new ChangeQueue({ lsn: '0/10' }, 1);
    queue.put(begin('0/50'), 10);
    queue.put(change(1), 1 << 30);
    expect(queue.take(1)).toBeUndefined();
    expect(queue.isFull(0.5)).toBe(false);
    queue.put(change(2), 10);
    expect(queue.isFull(1)).toBe(true);
    expect(queue.take(1)?.items.map(idOf)).toEqual([1]);
    expect(queue.isFull(0.5)).toBe(false);
  });

  it('moves on while nothing changes, and never past what is on its way', () => {
    const queue = new ChangeQueue({ lsn: '0/10' }, 100);
    expect(queue.moveTo('0/20')).toEqual({ items: [], position: { lsn: '0/20' } });
    expect(queue.moveTo('0/20')).toBeUndefined();
    queue.put(begin('0/50'), 10);
    expect(queue.moveTo('0/30')).toBeUndefined();
    queue.put(change(1), 10);
    queue.put(change(2), 10);
    expect(queue.take(1)?.items).toHaveLength(1);
    expect(queue.moveTo('0/40')).toBeUndefined();
    queue.put(commit('0/60'), 10);
    expect(queue.moveTo('0/70')).toBeUndefined();
    expect(queue.take(5)?.position).toEqual({ lsn: '0/60' });
    expect(queue.moveTo('0/30')).toBeUndefined();
    expect(queue.moveTo('0/70')?.position).toEqual({ lsn: '0/70' });
  });
});

describe('compareChangePositions', () => {
  const snapshot = { schema: 'public', table: 't', key: [1], types: [23], rows: 1 };
  const compare = (a: ChangePosition, b: ChangePosition) => compareChangePositions(a, b, 'changes');

  it('orders positions as they come', () => {
    const ordered: ChangePosition[] = [
      { lsn: '0/10', snapshot },
      // Rows that came before it were deleted between two runs.
      { lsn: '0/10', snapshot: { ...snapshot, key: [2], rows: 0 } },
      { lsn: '0/10', snapshot: { ...snapshot, table: 'unkeyed', key: null, types: [], rows: 3 } },
      { lsn: '0/10', snapshot: { ...snapshot, table: 'unkeyed', key: null, types: [], rows: 4 } },
      { lsn: '0/10', snapshot: { ...snapshot, schema: 'shop', table: 'a', rows: 2 } },
      { lsn: '0/10' },
      { lsn: '0/20' },
      { lsn: '0/20', partial: { commit: '0/50', changes: 1 } },
      { lsn: '0/20', partial: { commit: '0/50', changes: 2 } },
      { lsn: '0/60' },
      { lsn: '1/0' },
    ];
    for (const [at, one] of ordered.entries())
      for (const [other, two] of ordered.entries())
        expect(Math.sign(compare(one, two)), `${at} and ${other}`).toBe(Math.sign(at - other));
  });

  it('refuses to order keys that only the server can', () => {
    const named = (key: string): ChangePosition => ({
      lsn: '0/10',
      snapshot: { ...snapshot, key: [key], types: [25] },
    });
    expect(compare(named('a'), named('a'))).toBe(0);
    expect(() => compare(named('a'), named('B'))).toThrow(/known to the server alone/);
  });

  it('takes a part of a transaction for the same in a run that idled before it and in one that did not', () => {
    const idled: ChangePosition = { lsn: '0/40', partial: { commit: '0/50', changes: 5 } };
    const of = (changes: number): ChangePosition => ({ lsn: '0/10', partial: { commit: '0/50', changes } });
    expect([4, 5, 6].map((changes) => Math.sign(compare(of(changes), idled)))).toEqual([-1, 0, 1]);
  });
});
