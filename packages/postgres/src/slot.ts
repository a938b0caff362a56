/** The slot of a change source: what is there, and what is said where it cannot be used. */

import type { Session } from './client.ts';
import { PostgresError } from './errors.ts';

export interface SlotState {
  /** Everything before was confirmed: the server may have forgotten it. */
  readonly confirmed: string;
  /** Where the server's log ends. */
  readonly end: string;
  /** How many bytes of log it holds back. */
  readonly behindBytes: number;
  readonly isLost: boolean;
}

/** Undefined where there is no such slot. @throws PostgresError SW_POSTGRES_SLOT_INVALID for one that is another's. */
export async function readSlot(
  session: Session,
  slot: string,
  stage: string,
): Promise<SlotState | undefined> {
  const { rows } = await session.query(
    `select plugin, database = current_database() as is_here, confirmed_flush_lsn::text as confirmed,
            pg_current_wal_lsn()::text as "end",
            pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 as behind,
            coalesce(wal_status, '') = 'lost' as is_lost
       from pg_catalog.pg_replication_slots where slot_name = $1`,
    [slot],
  );
  const row = rows[0] as
    | {
        plugin: string | null;
        is_here: boolean | null;
        confirmed: string;
        end: string;
        behind: number;
        is_lost: boolean;
      }
    | undefined;
  if (row === undefined) return undefined;
  if (row.plugin !== 'pgoutput' || row.is_here !== true) {
    throw new PostgresError(
      'SW_POSTGRES_SLOT_INVALID',
      `The replication slot ${JSON.stringify(slot)} is there already, for another plugin or another database than this source needs. Give the source a slot of its own.`,
      { stage },
    );
  }
  return {
    confirmed: row.confirmed,
    end: row.end,
    behindBytes: row.behind,
    isLost: row.is_lost,
  };
}

/** @param slot which is not there, or does not hold what is to be resumed. */
export function slotGone(slot: string, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_SLOT_INVALID',
    `The slot ${JSON.stringify(slot)} is gone, or has lost what lies behind the position to resume from: changes are missing. Begin anew, with another name for the checkpoint and a sink that takes rows again.`,
    { stage },
  );
}

/** A server that was restored, say: it would pass by all changes up to there, and say nothing. */
export function logBehind(end: string, lsn: string, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_SLOT_INVALID',
    `The position to resume from, ${lsn}, lies behind the end of the server's log, ${end}: it is of another server, or this one was restored to an earlier state. Begin anew, with another name for the checkpoint and a sink that takes rows again.`,
    { stage },
  );
}

export function slotBehind(slot: string, bytes: number, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_SLOT_BEHIND',
    `The slot ${JSON.stringify(slot)} holds back ${Math.round(bytes / (1 << 20))} MiB of the server's log, because what was read is not yet durable. Is a sink too slow? A slot that nobody reads any more has to be dropped.`,
    { stage },
  );
}
