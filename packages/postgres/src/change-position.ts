/** Where a change source stands: a place in the server's log, or in the rows that were there before. */

import { PostgresError } from './errors.ts';
import { parseLsn } from './lsn.ts';
import { compareSnapshotPlaces, type SnapshotPlace } from './source-snapshot.ts';

/** Where to resume. Plain data, so that any store can keep it. */
export interface ChangePosition {
  /** In the log: everything before is done. */
  readonly lsn: string;
  /** Of the transaction behind it, so many changes are done: a large one is handed out in several batches. */
  readonly partial?: { readonly commit: string; readonly changes: number } | undefined;
  /** The rows that were there are still being read: this table, behind this key. */
  readonly snapshot?: SnapshotPlace | undefined;
}

/**
 * By the place in the log, and within a transaction by its changes. Of one that is done in part the commit counts, not what
 * lies before it: that differs between runs, since the position moves on while nothing changes.
 * @throws PostgresError SW_POSTGRES_KEY_INVALID for two places in a snapshot whose order is only known to the server.
 */
export function compareChangePositions(a: ChangePosition, b: ChangePosition, stage: string): number {
  // Changes come after all rows of the snapshot.
  if ((a.snapshot === undefined) !== (b.snapshot === undefined)) return a.snapshot === undefined ? 1 : -1;
  if (a.snapshot !== undefined && b.snapshot !== undefined)
    return compareSnapshotPlaces(a.snapshot, b.snapshot, stage);
  const [one, other] = [parseLsn(a.partial?.commit ?? a.lsn), parseLsn(b.partial?.commit ?? b.lsn)];
  if (one !== other) return one < other ? -1 : 1;
  return (a.partial?.changes ?? 0) - (b.partial?.changes ?? 0);
}

/** @throws PostgresError SW_POSTGRES_POSITION_INVALID for what no change source can have given. */
export function checkChangePosition(position: unknown, stage: string): void {
  const { lsn, partial, snapshot } = Object(position) as Partial<ChangePosition>;
  const isPosition =
    typeof lsn === 'string' &&
    /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(lsn) &&
    (partial === undefined || (typeof partial?.commit === 'string' && Number.isInteger(partial.changes))) &&
    (snapshot === undefined ||
      (typeof snapshot?.schema === 'string' &&
        typeof snapshot.table === 'string' &&
        Number.isSafeInteger(snapshot.rows) &&
        Array.isArray(snapshot.types) &&
        (snapshot.key === null || Array.isArray(snapshot.key))));
  if (isPosition) return;
  throw new PostgresError(
    'SW_POSTGRES_POSITION_INVALID',
    `${stage} cannot resume from what the checkpoint holds: it is no place in the server's log. Give the checkpoint another name to begin anew.`,
    { stage },
  );
}
