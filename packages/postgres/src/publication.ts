/** The publication of a change source: that it is there, and which tables, rows and columns it has. */

import type { Session } from './client.ts';
import { PostgresError, sqlStateOf } from './errors.ts';
import { quoteIdentifier, quoteTable, type TableName } from './identifiers.ts';
import { SETTINGS } from './reading.ts';

/** Two made it at the same moment: which of the two the other one hears of depends on how close it was. */
const THERE_ALREADY = new Set(['42710', '23505']);

/**
 * Makes the publication where tables are named and it is not there.
 * @throws PostgresError SW_POSTGRES_SLOT_INVALID where it is there, and is of other tables than are named.
 */
export async function ensurePublication(
  session: Session,
  publication: string,
  tables: readonly TableName[] | undefined,
  stage: string,
): Promise<void> {
  const { rows } = await session.query('select 1 from pg_catalog.pg_publication where pubname = $1', [
    publication,
  ]);
  if (tables === undefined) {
    if (rows.length > 0) return;
    throw new PostgresError(
      'SW_POSTGRES_SLOT_INVALID',
      `The publication ${JSON.stringify(publication)} is not there. Create it (create publication ${quoteIdentifier(publication)} for table …), or name the tables with the option tables.`,
      { stage },
    );
  }
  const names = tables.map(quoteTable);
  await checkPublishable(session, names, stage);
  if (rows.length === 0) {
    try {
      await session.query(`create publication ${quoteIdentifier(publication)} for table ${names.join(', ')}`);
      return;
    } catch (error) {
      if (!THERE_ALREADY.has(sqlStateOf(error) ?? '')) throw error;
    }
  }
  await checkSame(session, publication, names, stage);
}

/** @throws PostgresError SW_POSTGRES_TABLE_INVALID for what is not there, or has no log. */
async function checkPublishable(session: Session, names: readonly string[], stage: string): Promise<void> {
  const { rows } = await session.query(
    `select name, c.oid is not null as is_there, pg_relation_is_publishable(c.oid) as is_fit
       from unnest($1::text[]) as name left join pg_catalog.pg_class c on c.oid = to_regclass(name)`,
    [names],
  );
  const tables = rows as unknown as readonly { name: string; is_there: boolean; is_fit: boolean }[];
  const unfit = tables.find(({ is_there: isThere, is_fit: isFit }) => !isThere || !isFit);
  if (unfit === undefined) return;
  throw new PostgresError(
    'SW_POSTGRES_TABLE_INVALID',
    unfit.is_there
      ? `${unfit.name} cannot be published: its changes are not in the log, as it is a view, an unlogged, temporary or foreign table, or one of the system. Name tables.`
      : `The table ${unfit.name} is not there. Check its name, schema and search_path; names are taken as they are, with their capitals, and one with its schema is { schema, table }.`,
    { stage },
  );
}

/**
 * Compares what is published with the tables that are named; a table that inherits from a named one, or is a part of it, is
 * named with it, as it is for the server.
 */
async function checkSame(
  session: Session,
  publication: string,
  names: readonly string[],
  stage: string,
): Promise<void> {
  const { rows } = await session.query(
    `with recursive published as (
       select c.oid from pg_catalog.pg_publication_tables p
         join pg_catalog.pg_namespace n on n.nspname = p.schemaname
         join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
        where p.pubname = $1),
     lines(oid, above) as (
       select oid, oid from published
       union select l.oid, i.inhparent from lines l join pg_catalog.pg_inherits i on i.inhrelid = l.above),
     named as (select name, to_regclass(name)::oid as oid from unnest($2::text[]) as name)
     select name || ' is not in it' as difference from named
      where oid not in (select above from lines)
        and oid not in (select r.prrelid from pg_catalog.pg_publication_rel r
                          join pg_catalog.pg_publication b on b.oid = r.prpubid where b.pubname = $1)
     union all
     select p.oid::regclass || ' is in it' from published p
      where not exists (select 1 from lines l join named on named.oid = l.above where l.oid = p.oid)`,
    [publication, names],
  );
  if (rows.length === 0) return;
  const name = quoteIdentifier(publication);
  throw new PostgresError(
    'SW_POSTGRES_SLOT_INVALID',
    `The publication ${JSON.stringify(publication)} is there, and does not publish just the tables that the option tables names: ${rows.map(({ difference }) => difference as string).join(', ')}. Change it (alter publication ${name} add table …, drop table …), name the tables that it has, or leave tables out to follow all of them.`,
    { stage },
  );
}

/** A table that is published, with what its rows are ordered by in the snapshot. */
export interface PublishedTable {
  readonly schema: string;
  readonly table: string;
  /** Its rows are those of its partitions; it has none itself. */
  readonly isPartitioned: boolean;
  /** The columns of its primary key; none where it has none. */
  readonly key: readonly string[];
  /** Those that are published, in order. */
  readonly columns: readonly string[];
  /** Which rows are published: SQL that the server gave. */
  readonly filter: string | null;
  /** Row level security hides rows of it from this user. */
  readonly hidesRows: boolean;
}

/** From there on a publication may have a row filter and a list of columns. */
const WITH_FILTERS = 150_000;
/** From there on the catalog says which columns are published that the server works out; before, none ever was. */
const WITH_GENERATED = 180_000;

export async function publishedTables(
  session: Session,
  publication: string,
): Promise<readonly PublishedTable[]> {
  // The server writes the dates and intervals of a filter as it is set to, and they are read with these settings.
  await session.query(SETTINGS);
  const { rows: servers } = await session.query("select current_setting('server_version_num') as version");
  const version = Number(servers[0]?.['version']);
  const hasFilters = version >= WITH_FILTERS;
  const { rows } = await session.query(
    `select p.schemaname as schema, p.tablename as table, c.relkind = 'p' as "isPartitioned",
            ${hasFilters ? 'p.rowfilter' : 'null::text'} as filter,
            coalesce((select array_agg(a.attname::text order by a.attnum)
                        from pg_catalog.pg_attribute a
                       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                         ${hasFilters ? 'and a.attname = any(p.attnames)' : ''}
                         ${version >= WITH_GENERATED ? '' : "and a.attgenerated = ''"}), '{}') as columns,
            coalesce((select array_agg(a.attname::text order by k.at)
                        from pg_catalog.pg_index i
                       cross join lateral unnest(i.indkey) with ordinality as k(number, at)
                        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
                       where i.indrelid = c.oid and i.indisprimary), '{}') as key,
            row_security_active(c.oid) as "hidesRows"
       from pg_catalog.pg_publication_tables p
       join pg_catalog.pg_namespace n on n.nspname = p.schemaname
       join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
      where p.pubname = $1
      order by 1, 2`,
    [publication],
  );
  return rows as unknown as PublishedTable[];
}

/**
 * A snapshot would leave out what the changes then have: the server decodes its log for whoever may replicate.
 * @throws PostgresError SW_POSTGRES_DENIED where rows of a table are hidden from this user.
 */
export function checkReadable(tables: readonly PublishedTable[], stage: string): void {
  const hidden = tables.find(({ hidesRows }) => hidesRows);
  if (hidden === undefined) return;
  throw new PostgresError(
    'SW_POSTGRES_DENIED',
    `Row level security hides rows of ${quoteTable(hidden)} from this user: the rows that are there would be handed out in part, while what changes comes of all. Let the user see them (alter role … bypassrls, or the owner of the table), or begin with the changes alone (snapshot: false).`,
    { stage, schema: hidden.schema, table: hidden.table },
  );
}
