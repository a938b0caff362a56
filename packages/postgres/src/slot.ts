/** The slot and the publication of a change source: what is there, what is made, and how far the server is told we are. */

import type { Session } from './client.ts';
import { PostgresError } from './errors.ts';
import { quoteIdentifier, quoteTable, type TableName } from './identifiers.ts';
import { SETTINGS } from './reading.ts';

export interface SlotState {
  /** Everything before was confirmed: the server may have forgotten it. */
  readonly confirmed: string;
  readonly isActive: boolean;
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
    `select plugin, database = current_database() as is_here, confirmed_flush_lsn::text as confirmed, active as is_active,
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
        is_active: boolean;
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
    isActive: row.is_active,
    end: row.end,
    behindBytes: row.behind,
    isLost: row.is_lost,
  };
}

/** Makes the publication where tables are named and it is not there. */
export async function ensurePublication(
  session: Session,
  publication: string,
  tables: readonly TableName[] | undefined,
  stage: string,
): Promise<void> {
  const { rows } = await session.query('select 1 from pg_catalog.pg_publication where pubname = $1', [
    publication,
  ]);
  if (rows.length > 0) return;
  if (tables === undefined) {
    throw new PostgresError(
      'SW_POSTGRES_SLOT_INVALID',
      `The publication ${JSON.stringify(publication)} is not there. Create it (create publication ${quoteIdentifier(publication)} for table …), or name the tables with the option tables.`,
      { stage },
    );
  }
  await session.query(
    `create publication ${quoteIdentifier(publication)} for table ${tables.map(quoteTable).join(', ')}`,
  );
}

/** A table that is published, with what its rows are ordered by in the snapshot. */
export interface PublishedTable {
  readonly schema: string;
  readonly table: string;
  /** The columns of its primary key; none where it has none. */
  readonly key: readonly string[];
  /** Those that are published, in order. */
  readonly columns: readonly string[];
  /** Which rows are published: SQL that the server gave. */
  readonly filter: string | null;
}

export async function publishedTables(
  session: Session,
  publication: string,
): Promise<readonly PublishedTable[]> {
  // The server writes the dates and intervals of a filter as it is set to, and they are read with these settings.
  await session.query(SETTINGS);
  const { rows } = await session.query(
    `select p.schemaname as schema, p.tablename as table, p.rowfilter as filter, p.attnames::text[] as columns,
            coalesce((select array_agg(a.attname::text order by k.at)
                        from pg_catalog.pg_index i
                       cross join lateral unnest(i.indkey) with ordinality as k(number, at)
                        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
                       where i.indrelid = c.oid and i.indisprimary), '{}') as key
       from pg_catalog.pg_publication_tables p
       join pg_catalog.pg_namespace n on n.nspname = p.schemaname
       join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
      where p.pubname = $1
      order by 1, 2`,
    [publication],
  );
  return rows as unknown as PublishedTable[];
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
