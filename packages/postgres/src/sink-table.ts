/** The table of a sink, as the catalog describes it: which columns there are, and how a value is written for each. */

import type { Session } from './client.ts';
import { isRaised, PostgresError, sqlStateOf } from './errors.ts';
import { quoteIdentifier, quoteTable } from './identifiers.ts';
import type { CheckedSinkOptions } from './options.ts';
import { createTables } from './positions.ts';

export interface TableColumn {
  readonly name: string;
  /**
   * As it is written in a cast: `numeric`, `text[]`; of a domain, its base. Without the length: a cast to `varchar(3)` cuts
   * off what is too long without a word, where writing it to the column is an error.
   */
  readonly type: string;
  /** By which it is compared: of numbers and times with their precision, to which the server rounds what it stores. */
  readonly compared: string;
  /** Of an array that of its elements, of an array of arrays that of theirs. */
  readonly kind: ColumnKind;
  /**
   * How many arrays are around that: 0 where it is none, 1 for an array of however many dimensions, 2 for an array of a
   * domain over arrays.
   */
  readonly arrays: number;
  /**
   * The type in whose arrays its values are sent: its own, or `text` where an array of it is written in another way, or is
   * unnested to more than one column.
   */
  readonly element: string;
  /** Which texts of it are one value to the server. */
  readonly spelling: Spelling;
}

/**
 * `exact`: no others; `integer` and `uuid`: those that say the same number; `many`: who knows. `1.0` and `1.00`, `a` and `A`
 * where the collation says so.
 */
type Spelling = 'exact' | 'integer' | 'uuid' | 'many';

/** How a value becomes text. */
type ColumnKind = 'plain' | 'json' | 'bytes';

export interface Table {
  /** Quoted, with its schema. */
  readonly name: string;
  /** Those that can be written, by name. */
  readonly columns: ReadonlyMap<string, TableColumn>;
  /** Whether triggers see each row before it is written, and may leave it out. */
  readonly hasRowTriggers: boolean;
  /** Whether rows refer to rows of the same table: what is deleted too early may take others with it. */
  readonly refersToItself: boolean;
}

/** @throws PostgresError SW_POSTGRES_TABLE_INVALID where there is no such table. */
export async function describeTable<T>(session: Session, options: CheckedSinkOptions<T>): Promise<Table> {
  const name = quoteTable(options.table);
  if (options.create !== undefined) await createTable(session, name, options.create);
  // What a domain stands for in the end decides how a value is written; `layers` are a column's type, its elements, theirs …
  const { rows } = await session.query(
    `with recursive steps(type, oid) as (
       select oid, oid from pg_catalog.pg_type
       union all
       select s.type, t.typbasetype
         from steps s join pg_catalog.pg_type t on t.oid = s.oid and t.typtype = 'd'),
     bases as (
       select s.type, t.* from steps s join pg_catalog.pg_type t on t.oid = s.oid and t.typtype <> 'd'),
     layers(type, depth, name, category, element) as (
       select type, 0, typname, typcategory, typelem from bases
       union all
       select l.type, l.depth + 1, e.typname, e.typcategory, e.typelem
         from layers l join bases e on e.type = l.element and l.category = 'A')
     select a.attname as name, pg_catalog.format_type(b.oid, -1) as type, b.typcategory as category, b.typdelim as delimiter,
            pg_catalog.format_type(b.oid, case when b.typcategory in ('N', 'D', 'T') then a.atttypmod else -1 end) as compared,
            coalesce(l.depth, 0) as arrays, coalesce(l.name, '') as innermost,
            b.typname as base, b.typtype = 'e' as isenum, coalesce(c.collisdeterministic, true) as isdeterministic
       from pg_catalog.pg_attribute a
       join bases b on b.type = a.atttypid
       left join pg_catalog.pg_collation c on c.oid = a.attcollation
       left join layers l on l.type = b.type and l.category <> 'A'
      where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = '' and a.attidentity <> 'a'
      order by a.attnum`,
    [name],
  );
  if (rows.length === 0) {
    throw new PostgresError(
      'SW_POSTGRES_TABLE_INVALID',
      `The table ${name} is not there, or has no column that can be written. Check its name, schema and search_path; names are taken as they are, with their capitals. The option create makes it.`,
      { stage: options.name, table: options.table.table },
    );
  }
  const columns = new Map<string, TableColumn>();
  for (const row of rows as unknown as DescribedColumn[]) {
    columns.set(row.name, {
      name: row.name,
      type: row.type,
      compared: row.compared,
      kind: kindOf(row),
      arrays: row.arrays,
      element: 'AC'.includes(row.category) || row.delimiter !== ',' ? 'text' : row.type,
      spelling: spellingOf(row),
    });
  }
  for (const column of [...options.key, ...(options.columns?.keys() ?? [])]) {
    if (!columns.has(column)) throw columnUnknown(column, options);
  }
  return { name, columns, ...(await traitsOf(session, name)) };
}

/** Where it is there the user need not be allowed to create one. */
async function createTable(
  session: Session,
  name: string,
  create: ReadonlyMap<string, string>,
): Promise<void> {
  const { rows } = await session.query('select to_regclass($1) is null as missing', [name]);
  if (!(rows[0] as { missing: boolean }).missing) return;
  const columns = [...create].map(([column, type]) => `${quoteIdentifier(column)} ${type}`);
  await createTables(session, [`create table if not exists ${name} (${columns.join(', ')})`]);
}

async function traitsOf(
  session: Session,
  name: string,
): Promise<Pick<Table, 'hasRowTriggers' | 'refersToItself'>> {
  // In bits of `tgtype`: for each row (1), before (2) or instead of (64), an insert (4).
  const { rows } = await session.query(
    `select exists (
       select from pg_catalog.pg_trigger t
        where (t.tgrelid = to_regclass($1) or t.tgrelid in (select relid from pg_partition_tree(to_regclass($1))))
          and t.tgtype & 1 <> 0 and t.tgtype & 66 <> 0 and t.tgtype & 4 <> 0) as triggers,
     exists (
       select from pg_catalog.pg_constraint c
        where c.contype = 'f' and c.conrelid = to_regclass($1) and c.confrelid = c.conrelid) as itself`,
    [name],
  );
  const { triggers, itself } = rows[0] as { triggers: boolean; itself: boolean };
  return { hasRowTriggers: triggers, refersToItself: itself };
}

interface DescribedColumn {
  readonly name: string;
  readonly type: string;
  readonly compared: string;
  /** `A`: an array; `C`: composed of columns, as a row is. */
  readonly category: string;
  readonly delimiter: string;
  readonly arrays: number;
  readonly innermost: string;
  /** The name of the type, of a domain that of its base. */
  readonly base: string;
  readonly isenum: boolean;
  readonly isdeterministic: boolean;
}

function kindOf({ innermost }: DescribedColumn): ColumnKind {
  if (innermost === 'json' || innermost === 'jsonb') return 'json';
  return innermost === 'bytea' ? 'bytes' : 'plain';
}

function spellingOf({ base, isenum, isdeterministic }: DescribedColumn): Spelling {
  if (isenum) return 'exact';
  switch (base) {
    case 'text':
    case 'varchar':
      return isdeterministic ? 'exact' : 'many';
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
      return 'integer';
    case 'uuid':
      return 'uuid';
    default:
      return 'many';
  }
}

/** Where the server cannot write to the table in this mode: what to do. It is told so by the first write. */
export function tableUnfit<T>(error: unknown, options: CheckedSinkOptions<T>): PostgresError | undefined {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined || isRaised(error, sqlState)) return undefined;
  const why = unfitness(sqlState, options);
  if (why === undefined) return undefined;
  const { name, table } = options;
  return new PostgresError('SW_POSTGRES_TABLE_INVALID', `The table ${quoteTable(table)} ${why}.`, {
    stage: name,
    sqlState,
    table: table.table,
  });
}

function unfitness<T>(sqlState: string, { mode, key }: CheckedSinkOptions<T>): string | undefined {
  switch (sqlState) {
    case '42P10':
      return mode === 'upsert'
        ? `has no unique index of exactly the key (${key.map(quoteIdentifier).join(', ')}), which tells what an upsert replaces. Create one that is not partial, or name the key that there is`
        : undefined;
    case '42809':
      return mode === 'copy'
        ? "is no table that COPY writes to. If it is a view, write with mode: 'insert'"
        : 'is no table that rows can be written to, but a materialized view, a sequence or an index';
    case '0A000':
      return mode === 'copy'
        ? "cannot be written by COPY, as where row level security is on. Write with mode: 'insert'"
        : undefined;
    default:
      return undefined;
  }
}

function columnUnknown<T>(column: string, options: CheckedSinkOptions<T>): PostgresError {
  const table = quoteTable(options.table);
  return new PostgresError(
    'SW_POSTGRES_COLUMN_UNKNOWN',
    `The table ${table} has no column ${JSON.stringify(column)} that can be written. Name the columns that are meant with the option columns, or add it to the table.`,
    { stage: options.name, table: options.table.table, column },
  );
}
