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
import { PostgresError } from './errors.ts';
import { quoteIdentifier, quoteTable } from './identifiers.ts';
import type { CheckedSourceOptions, KeyValue } from './options.ts';
import { leastOf, type PostgresPosition, ResumeKey, WHOLE_NUMBERS } from './source-key.ts';

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

export function baseQuery({ query, table }: CheckedSourceOptions): string {
  return query ?? `select * from ${quoteTable(table as NonNullable<typeof table>)}`;
}

/** Whether the query asks for the last key itself. A `$1` within a text or a comment is taken for one too. */
function asksForKey(base: string): boolean {
  return /\$1(?!\d)/.test(base);
}

/** Learns the types of the key's columns from the server; nothing is read. */
export async function describeKey(session: Session, options: CheckedSourceOptions): Promise<ResumeKey> {
  const columns = options.resumeKey as readonly string[];
  const base = baseQuery(options);
  const nulls = asksForKey(base) ? columns.map(() => null) : [];
  const { fields } = await session.query(
    `select ${columns.map(quoteIdentifier).join(', ')} from (${base}) as ${ROWS} limit 0`,
    [...nulls, ...options.values],
  );
  return new ResumeKey(
    columns,
    fields.map(({ dataTypeID }) => dataTypeID),
    options.name,
  );
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
  return lanes.map((lane, at) => {
    const from = positions.get(lane) ?? {
      key: null,
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
  const base = baseQuery(options);
  const columns = key.columns.map(quoteIdentifier);
  const after = from.key ?? options.resumeFrom;
  const isAsked = asksForKey(base);
  const keyValues: readonly unknown[] = isAsked ? (after ?? startOf(options, key)) : (after ?? []);
  // What the query itself has as parameters is numbered behind the key, whether it asks for it or not.
  const values: unknown[] = isAsked || after !== undefined ? [...keyValues] : [];
  const conditions: string[] = [];
  if (!isAsked && after !== undefined) {
    conditions.push(`(${columns.join(', ')}) > (${columns.map((_, at) => `$${at + 1}`).join(', ')})`);
  }
  const shift = values.length === 0 ? key.columns.length : 0;
  const inner = shift === 0 || options.values.length === 0 ? base : renumber(base, shift);
  values.push(...options.values);
  const [first] = columns;
  if (lower !== undefined) conditions.push(`${first} > $${values.push(lower)}`);
  if (upper !== undefined) conditions.push(`${first} <= $${values.push(upper)}`);
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  return {
    text: `select * from (${inner}) as ${ROWS}${where} order by ${columns.join(', ')}`,
    values,
  };
}

/** `$3` becomes `$1`: a first run binds no key, and parameters that nobody asks for are none. */
function renumber(query: string, by: number): string {
  return query.replace(/\$(\d+)/g, (_, number: string) => `$${Number(number) - by}`);
}

function startOf(options: CheckedSourceOptions, key: ResumeKey): readonly KeyValue[] {
  return key.oids.map((oid, at) => {
    const least = leastOf(oid);
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
  const all = planLane({ ...options, readers: 1 }, key, { key: null }, undefined, undefined);
  const { rows } = await session.query(
    `select min(${quoteIdentifier(column)})::text as least, max(${quoteIdentifier(column)})::text as most from (${all.text}) as streamweld_all`,
    all.values,
  );
  const { least, most } = rows[0] as { least: string | null; most: string | null };
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
