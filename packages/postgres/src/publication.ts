/** The publication of a change source: that it is there, and which tables, rows and columns it has. */

import type { Session } from './client.ts';
import { PostgresError } from './errors.ts';
import { quoteIdentifier, quoteTable, type TableName } from './identifiers.ts';
import { SETTINGS } from './reading.ts';

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
