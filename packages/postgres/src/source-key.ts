/**
 * The resume key: what of a row is its place, where reading goes on after it, and which of two places comes first.
 *
 * Values of a key are what the source hands out (types.ts): a whole number beyond 2^53 and a timestamp are text, and the
 * server takes them back as they are.
 */

import { PostgresError } from './errors.ts';
import type { KeyValue } from './options.ts';

/** Where to resume in a lane. Plain data, so that any store can keep it. */
export interface PostgresPosition {
  /** The values of the resume key of the last row; `null` where no key is wholly read yet. */
  readonly key: readonly KeyValue[] | null;
  /** The types of the key's columns, by their oids: positions are compared by them, also before anything is opened. */
  readonly types: readonly number[];
  /** The first key's values at which the lanes part, where there are several. All lanes carry the same. */
  readonly bounds?: readonly KeyValue[] | undefined;
}

type Compare = (a: KeyValue, b: KeyValue) => number;

const INT2 = 21;
const INT4 = 23;
const INT8 = 20;
const OID = 26;
const FLOAT4 = 700;
const FLOAT8 = 701;
const NUMERIC = 1700;
const DATE = 1082;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;
const UUID = 2950;
const BOOL = 16;
const TIME = 1083;
const MACADDR = 829;
const TEXTS = new Set([18, 19, 25, 1042, 1043]);

export const WHOLE_NUMBERS: ReadonlySet<number> = new Set([INT2, INT4, INT8]);

/** A value before all others of a type: where a query that asks for `$1` begins, if nothing else was said. */
export function leastOf(oid: number): KeyValue | undefined {
  switch (oid) {
    case INT2:
      return -32_768;
    case INT4:
      return -2_147_483_648;
    case INT8:
      return '-9223372036854775808';
    case NUMERIC:
    case FLOAT4:
    case FLOAT8:
      return '-Infinity';
    case DATE:
    case TIMESTAMP:
    case TIMESTAMPTZ:
      return '-infinity';
    case UUID:
      return '00000000-0000-0000-0000-000000000000';
    default:
      return TEXTS.has(oid) ? '' : undefined;
  }
}

/** The order of the server for a type, as far as it can be known here: that of texts depends on their collation. */
function compareOf(oid: number): Compare | undefined {
  switch (oid) {
    case INT2:
    case INT4:
    case OID:
    case FLOAT4:
    case FLOAT8:
      return compareFloats;
    case BOOL:
      return (a, b) => Number(a) - Number(b);
    case INT8:
      return (a, b) => compareAs(BigInt(a), BigInt(b));
    case NUMERIC:
      return (a, b) => compareNumerics(String(a), String(b));
    case DATE:
    case TIMESTAMP:
    case TIMESTAMPTZ:
      return (a, b) => compareTimes(String(a), String(b));
    case UUID:
      return (a, b) => compareAs(String(a), String(b));
    default:
      return undefined;
  }
}

/** Types of which two values are the same where their texts are. */
const PLAIN = new Set([...TEXTS, TIME, MACADDR]);

/** Whether it can be seen here that two values of the type are the same: if not, rows of one key would be parted. */
export function isKnownType(oid: number): boolean {
  return PLAIN.has(oid) || compareOf(oid) !== undefined;
}

function compareAs<V extends bigint | string | number>(a: V, b: V): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** NaN comes last, as in Postgres. */
function compareFloats(a: KeyValue, b: KeyValue): number {
  const [one, other] = [Number(a), Number(b)];
  if (Number.isNaN(one) || Number.isNaN(other))
    return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  return compareAs(one, other);
}

/** By value, whatever the number of digits: 1.0 equals 1.00. */
function compareNumerics(a: string, b: string): number {
  const rank = (text: string): number =>
    text === 'NaN' ? 3 : text === 'Infinity' ? 2 : text === '-Infinity' ? 0 : 1;
  if (rank(a) !== 1 || rank(b) !== 1) return rank(a) - rank(b);
  const scale = Math.max(fraction(a).length, fraction(b).length);
  const unscaled = (text: string): bigint =>
    BigInt(text.replace(/\..*/, '') + fraction(text).padEnd(scale, '0'));
  return compareAs(unscaled(a), unscaled(b));
}

function fraction(text: string): string {
  const point = text.indexOf('.');
  return point < 0 ? '' : text.slice(point + 1);
}

/** ISO, in UTC: `2026-01-02 03:04:05.6+00`, a year beyond 9999, `0044-03-15 BC`, or an infinity. */
function compareTimes(a: string, b: string): number {
  const rank = (text: string): number =>
    text === 'infinity' ? 3 : text === '-infinity' ? 0 : text.endsWith(' BC') ? 1 : 2;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) !== 1) return compareDates(a, b);
  // Before the era years run backwards, and the days of a year forwards.
  const [yearA, yearB] = [a, b].map((text) => Number.parseInt(text, 10)) as [number, number];
  return yearA === yearB ? compareDates(a.slice(0, -3), b.slice(0, -3)) : yearB - yearA;
}

function compareDates(a: string, b: string): number {
  const digits = (text: string): number => text.indexOf('-');
  if (digits(a) !== digits(b)) return digits(a) - digits(b);
  // A fraction is written without its last zeros: `05` comes before `05.6`.
  return compareAs(a.replace('+00', ''), b.replace('+00', ''));
}

/** Reads, checks and compares the places of rows. */
export class ResumeKey {
  readonly columns: readonly string[];
  readonly #stage: string;
  readonly oids: readonly number[];

  constructor(columns: readonly string[], oids: readonly number[], stage: string) {
    this.columns = columns;
    this.oids = oids;
    this.#stage = stage;
  }

  /** @throws PostgresError SW_POSTGRES_KEY_INVALID where a value is null, or of a type that cannot be a place. */
  of(row: Record<string, unknown>): readonly KeyValue[] {
    return this.columns.map((column) => {
      const value = row[column];
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
      if (value === null) throw this.nullIn(column);
      throw new PostgresError(
        'SW_POSTGRES_KEY_INVALID',
        `The column ${JSON.stringify(column)} of ${this.#stage} is of a type that cannot be a resumeKey. Numbers, texts, uuids and times can.`,
        { stage: this.#stage, column },
      );
    });
  }

  nullIn(column: string): PostgresError {
    return new PostgresError(
      'SW_POSTGRES_KEY_INVALID',
      `A row of ${this.#stage} has null in ${JSON.stringify(column)}, a column of its resumeKey: nothing could be resumed after it. Leave such rows out of the query, or choose another key.`,
      { stage: this.#stage, column },
    );
  }

  /**
   * Sees to it that no row which is handed out has a null behind the first column: on resume it would be passed by. Nulls of
   * the first come last, where `of` meets them.
   */
  check(rows: readonly Record<string, unknown>[], from: number, to: number): void {
    for (let at = 1; at < this.columns.length; at++) {
      const column = this.columns[at] as string;
      for (let row = from; row < to; row++) if (rows[row]?.[column] === null) throw this.nullIn(column);
    }
  }

  /** As the server sees it: 2.0 and 2.00 are one number. */
  isSame(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
    return this.columns.every((column, at) => {
      const [one, other] = [a[column], b[column]];
      if (one === other) return true;
      const compare = one === null || other === null ? undefined : compareOf(this.oids[at] as number);
      return compare !== undefined && compare(one as KeyValue, other as KeyValue) === 0;
    });
  }
}

/** @throws PostgresError SW_POSTGRES_KEY_INVALID where the order of a column's type is only known to the server. */
export function comparePositions(
  a: Pick<PostgresPosition, 'key' | 'types'>,
  b: Pick<PostgresPosition, 'key'>,
  stage: string,
): number {
  if (a.key === null || b.key === null) return Number(a.key !== null) - Number(b.key !== null);
  for (const [at, oid] of a.types.entries()) {
    const compare = compareOf(oid);
    const [one, other] = [a.key[at] as KeyValue, b.key[at] as KeyValue];
    if (one === other) continue;
    if (compare === undefined) {
      throw new PostgresError(
        'SW_POSTGRES_KEY_INVALID',
        `The order of column ${at + 1} of the key that ${stage} reads by is known to the server alone, so two positions cannot be compared here. Read by a number, a uuid or a time, or give each sink a pipeline of its own.`,
        { stage },
      );
    }
    const order = compare(one, other);
    if (order !== 0) return order;
  }
  return 0;
}

/** @throws PostgresError SW_POSTGRES_POSITION_INVALID for what this source cannot have given. */
export function checkPosition(
  position: unknown,
  columns: readonly string[] | undefined,
  stage: string,
): PostgresPosition {
  const { key, types, bounds } = (Object(position) ?? {}) as Partial<PostgresPosition>;
  const isKey =
    key === null ||
    (Array.isArray(key) && key.length === columns?.length && key.every((value) => isKeyValue(value)));
  const isBounds =
    bounds === undefined || (Array.isArray(bounds) && bounds.every((value) => isKeyValue(value)));
  const isTypes =
    Array.isArray(types) && types.length === columns?.length && types.every(Number.isSafeInteger);
  if (columns !== undefined && key !== undefined && isKey && isTypes && isBounds) {
    return { key, types: types as readonly number[], ...(bounds === undefined ? undefined : { bounds }) };
  }
  throw positionInvalid(stage, columns);
}

export function positionInvalid(
  stage: string,
  columns: readonly string[] | undefined,
  cause?: unknown,
): PostgresError {
  const expected =
    columns === undefined
      ? 'it has no resumeKey, so it has no positions'
      : `its positions hold a value for each of ${columns.map((name) => JSON.stringify(name)).join(', ')}`;
  return new PostgresError(
    'SW_POSTGRES_POSITION_INVALID',
    `${stage} cannot resume from what the checkpoint holds: ${expected}. Was the query or the key changed? Give the checkpoint another name to begin anew.`,
    { stage, ...(cause === undefined ? undefined : { cause }) },
  );
}

export function isKeyValue(value: unknown): value is KeyValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
