/** The slot of a change source: what is there, and what is said where it cannot be used. */

import { runtime } from '@streamweld/core/connector';
import type { Session } from './client.ts';
import { PostgresError, sqlStateOf } from './errors.ts';
import { PublicationMissing } from './replication.ts';

/** How often, and how long apart, a slot is tried that is still in use: the server notices late that a host is gone. */
export const BUSY = { times: 40, ms: 250 } as const;

export interface SlotState {
  /** Everything before was confirmed: the server may have forgotten it. Null while the slot is being made. */
  readonly confirmed: string | null;
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
        confirmed: string | null;
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

export interface MadeSlot extends SlotState {
  readonly confirmed: string;
}

/**
 * Undefined where there is none. One that another is just making is waited for: nothing is known of it yet, and whoever
 * makes it may give it up.
 * @throws PostgresError SW_POSTGRES_BUSY where that takes too long.
 */
export async function readMadeSlot(
  session: Session,
  slot: string,
  stage: string,
  signal: AbortSignal,
): Promise<MadeSlot | undefined> {
  for (let time = 1; ; time++) {
    signal.throwIfAborted();
    const state = await readSlot(session, slot, stage);
    if (state === undefined) return undefined;
    const { confirmed } = state;
    if (confirmed !== null) return { ...state, confirmed };
    if (time === BUSY.times) throw beingMade(slot, stage);
    await new Promise<void>((resolve) => runtime.setTimer(resolve, BUSY.ms));
  }
}

export function beingMade(slot: string, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_BUSY',
    `The slot ${JSON.stringify(slot)} is being made by another run, and the server waits for the transactions that are open. Run this one again once that is over, or give it a slot of its own.`,
    { stage, isTransient: true },
  );
}

/** @param slot which is not there, though there is a position to resume from. */
export function slotGone(slot: string, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_SLOT_INVALID',
    `The slot ${JSON.stringify(slot)} is gone, and with it what lies behind the position to resume from: changes are missing. Begin anew, with another name for the checkpoint and a sink that takes rows again.`,
    { stage },
  );
}

/** The server had to forget what it was to keep for it (`max_slot_wal_keep_size`, say): nothing can be read from it again. */
export function slotLost(slot: string, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_SLOT_INVALID',
    `The slot ${JSON.stringify(slot)} has lost the log that it was to keep: changes are missing. Drop it (${dropping(slot)}), and begin anew, with another name for the checkpoint and a sink that takes rows again.`,
    { stage },
  );
}

/** What the server says when a slot is made or read, in our words where its own say too little; anything else as it is. */
export function explainSlot(
  error: unknown,
  {
    slot,
    publication,
    name: stage,
  }: { readonly slot: string; readonly publication: string; readonly name: string },
): unknown {
  const sqlState = error instanceof PublicationMissing ? MISSING : sqlStateOf(error);
  switch (sqlState) {
    case MISSING:
      return new PostgresError(
        'SW_POSTGRES_SLOT_INVALID',
        `The server cannot tell the changes of the publication ${JSON.stringify(publication)}, or has no slot ${JSON.stringify(slot)} any more. Create what is missing; and where the publication was dropped and made again, the slot still stands where there was none: drop it too (${dropping(slot)}), and begin anew, with another name for the checkpoint and a sink that takes rows again.`,
        { stage, sqlState },
      );
    case THERE_ALREADY:
      return new PostgresError(
        'SW_POSTGRES_SLOT_INVALID',
        `The slot ${JSON.stringify(slot)} is there already, and a temporary one would be made. Give the source a slot of its own, or drop that one.`,
        { stage, sqlState },
      );
    case DENIED:
      return new PostgresError(
        'SW_POSTGRES_DENIED',
        'The user may not follow changes: it lacks the attribute REPLICATION (alter role … replication).',
        { stage, sqlState },
      );
    default:
      return error;
  }
}

/** What is asked for is not there. */
const MISSING = '42704';
export const THERE_ALREADY = '42710';
const DENIED = '42501';

function dropping(slot: string): string {
  return `select pg_drop_replication_slot('${slot}')`;
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
