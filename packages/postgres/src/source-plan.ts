/**
 * What a source asks the server: one statement for each lane.
 *
 *     no key       <query>
 *     key          select * from (<query>) order by key                        the first time
 *                  select * from (<query>) where key > $1 order by key         resumed
 *                  select * from (<query with $1>) order by key                where the query asks for the key itself
 *     readers      the same, with  first key > lower and first key <= upper    one for each range
 */

import type { Session } from './client.ts';
import type { PostgresField } from './connection.ts';
import { PostgresError } from './errors.ts';
import { quoteIdentifier, quoteTable } from './identifiers.ts';
import type { CheckedSourceOptions, KeyValue } from './options.ts';
import { parametersOf } from './sql-parameters.ts';
import {
  isKnownType,
  leastOf,
  positionInvalid,
  type PostgresPosition,
  ResumeKey,
  WHOLE_NUMBERS,
} from './source-key.ts';

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The lane of a source that has one. */
const ONLY_LANE = '';

export interface LanePlan {
  readonly lane: string;
  readonly statement: Statement;
  readonly from: PostgresPosition;
}

const ROWS = 'streamweld_rows';

function baseQuery({ query, table }: CheckedSourceOptions): string {
  return query ?? `select * from ${quoteTable(table as NonNullable<typeof table>)}`;
}

/** As a table to select from. A comment at the end of a query ends with its line. */
function asRows(base: string): string {
  return `(${base}\n) as ${ROWS}`;
}

/** Which columns of the key the query asks for itself, by `$1` on. */
function askedColumns(base: string, options: CheckedSourceOptions): readonly boolean[] {
  const asked = parametersOf(base);
  return (options.resumeKey as readonly string[]).map((_, at) => asked.has(at + 1));
}

/** A parameter that nobody asks for has no type: it is asked for. */
function unasked(asked: readonly boolean[]): readonly string[] {
  return asked.flatMap((isAsked, at) => (isAsked ? [] : [`$${at + 1}::text is null`]));
}

/** Learns the types of the key's columns from the server; nothing is read. */
export async function describeKey(session: Session, options: CheckedSourceOptions): Promise<ResumeKey> {
  const columns = options.resumeKey as readonly string[];
  const base = baseQuery(options);
  const asked = askedColumns(base, options);
  const isBound = asked.includes(true) || options.values.length > 0;
  const where = isBound ? unasked(asked) : [];
  const { fields } = await session.query(
    `select ${columns.map(quoteIdentifier).join(', ')} from ${asRows(base)}${whereOf(where)} limit 0`,
    isBound ? [...columns.map(() => null), ...options.values] : [],
  );
  await checkSameness(session, fields, columns, options.name);
  return new ResumeKey(
    columns,
    fields.map(({ dataTypeID }) => dataTypeID),
    options.name,
  );
}

/**
 * Rows that the server takes for equal must not be parted by a batch's end: on resume the later ones would not come.
 * @throws PostgresError SW_POSTGRES_KEY_INVALID where only the server can tell: `1 day` and `24 hours`, `a` and `A`.
 */
async function checkSameness(
  session: Session,
  fields: readonly PostgresField[],
  columns: readonly string[],
  stage: string,
): Promise<void> {
  const { rows } = await session.query(
    `select ((t.oid = any ($1::oid[]) or t.typtype = 'e') and coalesce(l.collisdeterministic, true)) as "isKnown"
       from unnest($2::oid[], $3::oid[], $4::int2[]) with ordinality as f(type, relation, number, at)
       join pg_catalog.pg_type t on t.oid = f.type
       left join pg_catalog.pg_attribute a on a.attrelid = f.relation and a.attnum = f.number
       left join pg_catalog.pg_collation l on l.oid = a.attcollation
      order by f.at`,
    [
      fields.map(({ dataTypeID }) => dataTypeID).filter(isKnownType),
      fields.map(({ dataTypeID }) => dataTypeID),
      fields.map(({ tableID }) => tableID ?? 0),
      fields.map(({ columnID }) => columnID ?? 0),
    ],
  );
  const unknown = rows.findIndex(({ isKnown }) => isKnown === false);
  if (unknown < 0) return;
  const column = columns[unknown];
  throw new PostgresError(
    'SW_POSTGRES_KEY_INVALID',
    `The column ${JSON.stringify(column)} of the resumeKey of ${stage} has a type or a collation by which values can be equal that are written differently: rows could be lost on resume. Numbers, texts of an ordinary collation, uuids, times and enums can be keys.`,
    { stage, column },
  );
}

function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
}

/** The plan of a source without a key: everything, once. */
export function planWhole(options: CheckedSourceOptions): Statement {
  return { text: baseQuery(options), values: options.values };
}

/** A statement for each lane, from where it stands. */
export async function planLanes(
  session: Session,
  options: CheckedSourceOptions,
  key: ResumeKey,
  positions: ReadonlyMap<string, PostgresPosition>,
): Promise<readonly LanePlan[]> {
  const known = [...positions.values()].find(({ bounds }) => bounds !== undefined)?.bounds;
  // How the lanes part is decided once; from then on the positions tell.
  const bounds =
    known ?? (positions.size > 0 || options.readers === 1 ? [] : await findBounds(session, options, key));
  const lanes =
    bounds.length === 0 ? [ONLY_LANE] : Array.from({ length: bounds.length + 1 }, (_, at) => `${at + 1}`);
  for (const lane of positions.keys()) {
    if (!lanes.includes(lane)) throw positionInvalid(options.name, options.resumeKey);
  }
  return lanes.map((lane, at) => {
    const from = positions.get(lane) ?? {
      key: null,
      types: key.oids,
      ...(bounds.length === 0 ? undefined : { bounds }),
    };
    return { lane, from, statement: planLane(options, key, from, bounds[at - 1], bounds[at]) };
  });
}

function planLane(
  options: CheckedSourceOptions,
  key: ResumeKey,
  from: PostgresPosition,
  lower: KeyValue | undefined,
  upper: KeyValue | undefined,
): Statement {
  const { from: rows, values } = selectLane(options, key, from, lower, upper);
  return { text: `select * ${rows} order by ${key.columns.map(quoteIdentifier).join(', ')}`, values };
}

/** What a lane selects from, with its conditions. Parameters of the query itself are numbered behind the key. */
function selectLane(
  options: CheckedSourceOptions,
  key: ResumeKey,
  place: PostgresPosition,
  lower: KeyValue | undefined,
  upper: KeyValue | undefined,
): { readonly from: string; readonly values: readonly unknown[] } {
  const base = baseQuery(options);
  const columns = key.columns.map(quoteIdentifier);
  const after = place.key ?? options.resumeFrom;
  const asked = askedColumns(base, options);
  const values: unknown[] = [];
  const conditions: string[] = [];
  if (asked.includes(true)) {
    values.push(...startOf(options, key, after, asked));
    conditions.push(...unasked(asked));
  } else if (after !== undefined) {
    values.push(...after);
    conditions.push(`(${columns.join(', ')}) > (${columns.map((_, at) => `$${at + 1}`).join(', ')})`);
  } else if (options.values.length > 0) {
    values.push(...columns.map(() => null));
    conditions.push(...unasked(asked));
  }
  values.push(...options.values);
  const [first] = columns;
  if (lower !== undefined) conditions.push(`${first} > $${values.push(lower)}`);
  if (upper !== undefined) conditions.push(`${first} <= $${values.push(upper)}`);
  return { from: `from ${asRows(base)}${whereOf(conditions)}`, values };
}

function startOf(
  options: CheckedSourceOptions,
  key: ResumeKey,
  after: readonly KeyValue[] | undefined,
  asked: readonly boolean[],
): readonly (KeyValue | null)[] {
  return key.oids.map((oid, at) => {
    if (asked[at] === false) return null;
    const least = after === undefined ? leastOf(oid) : after[at];
    if (least !== undefined) return least;
    const column = key.columns[at] as string;
    throw new PostgresError(
      'SW_POSTGRES_KEY_INVALID',
      `The query of ${options.name} asks for $${at + 1}, the last ${JSON.stringify(column)}, and a first run knows none: its type has no least value. Give resumeFrom, or leave $${at + 1} out of the query.`,
      { stage: options.name, column },
    );
  });
}

/** Cuts the range of the first key into as many pieces of one size as there are readers. */
async function findBounds(
  session: Session,
  options: CheckedSourceOptions,
  key: ResumeKey,
): Promise<readonly KeyValue[]> {
  const [column] = key.columns as [string];
  if (!WHOLE_NUMBERS.has(key.oids[0] as number)) {
    throw new PostgresError(
      'SW_POSTGRES_KEY_INVALID',
      `${options.name} is to have ${options.readers} readers, and ${JSON.stringify(column)}, the first column of its resumeKey, is no whole number: its range cannot be shared. Choose another key, or leave readers out.`,
      { stage: options.name, column },
    );
  }
  const all = selectLane(options, key, { key: null, types: key.oids }, undefined, undefined);
  const name = quoteIdentifier(column);
  const { rows } = await session.query(
    `select min(${name})::text as least, max(${name})::text as most, count(*) - count(${name}) as nulls ${all.from}`,
    all.values,
  );
  const { least, most, nulls } = rows[0] as { least: string | null; most: string | null; nulls: unknown };
  // No range has them: they would be left out without a word.
  if (Number(nulls) > 0) throw key.nullIn(column);
  if (least === null || most === null) return [];
  const [low, high] = [BigInt(least), BigInt(most)];
  const readers = BigInt(options.readers);
  const bounds: string[] = [];
  for (let at = 1n; at < readers; at++) {
    const bound = String(low + ((high - low) * at) / readers);
    if (bound !== bounds.at(-1)) bounds.push(bound);
  }
  return bounds;
}
