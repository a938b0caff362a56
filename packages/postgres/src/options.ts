/** The options of the sources, the sink and the store: types, defaults, checks. No value of a connection is ever shown. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { ConnectionOptions, PostgresPool } from './connection.ts';
import { checkIdentifier, type TableName } from './identifiers.ts';
import { isKeyValue } from './source-key.ts';
import { parametersOf } from './sql-parameters.ts';
import type { JsonMode } from './types.ts';

/** Where the server is, or a pool that knows: one of the two. */
export interface ReachOptions {
  /** A URL (`postgres://user@host/database`) or options. */
  readonly connection?: string | ConnectionOptions | undefined;
  /** A pool of yours, a `pg.Pool` or an object like it: it stays open when the run is over. */
  readonly client?: PostgresPool | undefined;
  /** Shown in errors, reports and drawings. Default: `postgres` and what is read or written. */
  readonly name?: string | undefined;
  /**
   * Whether errors quote the server's own words, which may hold data: `invalid input syntax for type integer: "…"`. Default
   * `false`: they name the SQLSTATE, the table, the column and the constraint. Of several rows that are refused for one
   * reason the words are never quoted: they are about the first alone.
   */
  readonly errorDetails?: boolean | undefined;
}

/** A value of a resume key, in the form in which the source hands it out. */
export type KeyValue = string | number | boolean;

export interface PostgresSourceOptions extends ReachOptions {
  /** What to read. With a `resumeKey` it may hold `$1`, the last value of the key; else it is asked for whole. */
  readonly query?: string | undefined;
  /** Instead of a query: all columns of this table. A raw name; it is quoted. */
  readonly table?: string | undefined;
  /** Of the table. Default: the search path decides. */
  readonly schema?: string | undefined;
  /** Parameters of the query, `$1` on; with a `resumeKey` they come behind its columns: with one column from `$2` on. */
  readonly values?: readonly unknown[] | undefined;
  /**
   * The column, or columns, by which the rows are ordered and reading is resumed. Their values must never be null, and
   * new rows must come behind the old ones. With it items have positions.
   */
  readonly resumeKey?: string | readonly string[] | undefined;
  /** Where a first run begins: behind this value of the key. Default: at the beginning. */
  readonly resumeFrom?: KeyValue | readonly KeyValue[] | undefined;
  /** How many readers share the keys by range, each a lane of its own. The first key must be a whole number. Default 1. */
  readonly readers?: number | undefined;
  /** Whether `json` and `jsonb` become values, or stay the text, with every digit. Default `'value'`. */
  readonly json?: JsonMode | undefined;
}

export interface CheckedReach {
  readonly connection: string | ConnectionOptions | undefined;
  readonly client: PostgresPool | undefined;
  readonly name: string;
  readonly errorDetails: boolean;
}

export interface CheckedSourceOptions extends CheckedReach {
  readonly query: string | undefined;
  readonly table: TableName | undefined;
  readonly values: readonly unknown[];
  readonly resumeKey: readonly string[] | undefined;
  readonly resumeFrom: readonly KeyValue[] | undefined;
  readonly readers: number;
  readonly json: JsonMode;
}

const REACH = ['connection', 'client', 'name', 'errorDetails'] as const;

export function checkSourceOptions(options: PostgresSourceOptions): CheckedSourceOptions {
  const given = checkOptions('PostgresSource options', options, [
    ...REACH,
    'query',
    'table',
    'schema',
    'values',
    'resumeKey',
    'resumeFrom',
    'readers',
    'json',
  ]);
  if ((given.query === undefined) === (given.table === undefined)) {
    throw new OptionError('PostgresSource options', 'an object with either query or table', given);
  }
  if (given.query !== undefined) checkText('query', given.query);
  if (given.values !== undefined && !Array.isArray(given.values)) {
    throw new OptionError('values', 'an array', given.values);
  }
  const resumeKey = given.resumeKey === undefined ? undefined : checkColumns('resumeKey', given.resumeKey);
  const resumeFrom = given.resumeFrom === undefined ? undefined : [given.resumeFrom].flat();
  if (
    resumeFrom !== undefined &&
    (resumeFrom.length !== resumeKey?.length || !resumeFrom.every(isKeyValue))
  ) {
    throw new OptionError(
      'resumeFrom',
      'a text, number or boolean for each column of resumeKey',
      given.resumeFrom,
    );
  }
  if (given.query !== undefined) checkParameters(given.query, resumeKey, given.values ?? []);
  const readers = checkCount('readers', given.readers ?? 1);
  if (readers > 1 && resumeKey === undefined) {
    throw new OptionError('readers', '1 without a resumeKey', readers, 'Give the key that is to be shared.');
  }
  return {
    ...checkReach(given, given.table ?? 'query'),
    query: given.query?.trim().replace(/(\s*;)+$/, ''),
    table: given.table === undefined ? undefined : checkTable(given.table, given.schema),
    values: given.values ?? [],
    resumeKey,
    resumeFrom,
    readers,
    json: checkOneOf('json', given.json ?? 'value', ['value', 'text']),
  };
}

/** Here, since the server would only say that a message has the wrong number of parameters. */
function checkParameters(
  query: string,
  key: readonly string[] | undefined,
  values: readonly unknown[],
): void {
  const asked = Math.max(0, ...parametersOf(query));
  const forKey = key?.length ?? 0;
  if (asked <= forKey + values.length) return;
  throw new OptionError(
    'values',
    `a value for each parameter of the query, up to $${asked}`,
    values,
    forKey === 0
      ? undefined
      : `With a resumeKey the last key is ${forKey === 1 ? '$1' : `$1 to $${forKey}`}, and the first value $${forKey + 1}.`,
  );
}

export function checkReach(given: ReachOptions, what: string): CheckedReach {
  const { connection, client } = given;
  if ((connection === undefined) === (client === undefined)) {
    // Neither is shown: a URL may hold a password.
    throw new OptionError(
      'connection',
      'a URL or options, or a pool as client: one of the two',
      connection === undefined ? undefined : 'both',
    );
  }
  if (connection !== undefined) checkConnection(connection);
  if (client !== undefined && typeof (client as { connect?: unknown } | null)?.connect !== 'function') {
    // It is not shown: a URL that was given in the wrong place may hold a password.
    throw new OptionError('client', 'a pool of connections, with connect()', typeof client);
  }
  return {
    connection,
    client,
    name: checkText('name', given.name ?? `postgres ${what}`),
    errorDetails: checkBoolean('errorDetails', given.errorDetails ?? false),
  };
}

function checkConnection(connection: unknown): void {
  if (typeof connection === 'string') {
    // The error of `new URL` holds what it was given.
    if (/^postgres(ql)?:\/\//.test(connection) && URL.canParse(connection)) {
      checkTlsWords(new URL(connection).searchParams.getAll('ssl'));
      return;
    }
    throw new OptionError(
      'connection',
      'a URL that begins with postgres://',
      undefined,
      'Special characters in the user or password have to be percent-encoded. What was given is not shown, as it may hold a password.',
    );
  }
  const options = checkOptions('connection', connection as ConnectionOptions, [
    'host',
    'port',
    'user',
    'password',
    'database',
    'ssl',
    'applicationName',
    'connectTimeoutMs',
  ]);
  if (options.port !== undefined) checkCount('connection.port', options.port);
  if (options.connectTimeoutMs !== undefined) {
    checkDuration('connection.connectTimeoutMs', options.connectTimeoutMs);
  }
  for (const name of ['host', 'user', 'database', 'applicationName'] as const) {
    if (options[name] !== undefined) checkText(`connection.${name}`, options[name]);
  }
  if (options.host?.includes('://') === true) {
    throw new OptionError(
      'connection.host',
      'a name, an address or the folder of a socket',
      'a URL',
      'Give a URL as connection itself. What was given is not shown, as it may hold a password.',
    );
  }
  const { password, ssl } = options;
  if (ssl !== undefined && typeof ssl !== 'boolean' && (typeof ssl !== 'object' || ssl === null)) {
    // It is not shown: it may be a key.
    throw new OptionError(
      'connection.ssl',
      'true, false, or an object of options of tls.connect',
      typeof ssl,
    );
  }
  if (password !== undefined && typeof password !== 'string' && typeof password !== 'function') {
    // It is not shown: it may be the password.
    throw new OptionError('connection.password', 'a string, or a function that answers one', typeof password);
  }
}

/** The client takes any other word for an object of options, and the process ends when it looks into it. */
function checkTlsWords(words: readonly string[]): void {
  if (words.every((word) => ['true', '1', '0', 'no-verify'].includes(word))) return;
  throw new OptionError(
    'connection',
    'a URL with ssl=true, ssl=0, ssl=no-verify or no ssl',
    'another word',
    'sslmode=verify-full turns TLS on, sslmode=disable turns it off. What was given is not shown, as it may hold a password.',
  );
}

export function checkTable(table: unknown, schema: unknown): TableName {
  return {
    table: checkIdentifier('table', table),
    schema: schema === undefined ? undefined : checkIdentifier('schema', schema),
  };
}

function checkColumns(option: string, value: unknown): readonly string[] {
  const columns = (Array.isArray(value) ? value : [value]).map((name) => checkIdentifier(option, name));
  if (columns.length === 0 || new Set(columns).size !== columns.length) {
    throw new OptionError(option, 'one column or more, each once', value);
  }
  return columns;
}

/** A column's value of an item: the name of a property, or a function of the item. */
export type ColumnValue<T> = string | ((item: T) => unknown);

export interface PostgresSinkOptions<T = object> extends ReachOptions {
  /** Where the rows go. A raw name; it is quoted. */
  readonly table: string;
  /** Of the table. Default: the search path decides. */
  readonly schema?: string | undefined;
  /**
   * `copy` is the fastest, `insert` comes close and goes where COPY does not (views with triggers), `upsert` replaces the
   * row that has the same `key`. Default `copy`.
   */
  readonly mode?: 'copy' | 'insert' | 'upsert' | undefined;
  /** For `upsert`: the columns of a unique index, each also in `columns`, where that is given. */
  readonly key?: string | readonly string[] | undefined;
  /** For `upsert`: items for which it answers true, at once, are deleted by their key. */
  readonly delete?: ((item: T) => boolean) | undefined;
  /**
   * Which columns are written, and from what: a list of properties of the same names; or for each column the name of a
   * property, or a function of the item. A column whose property an item does not have is left out: it gets its default, and
   * an upsert leaves it as it is. Default: an item's properties are the columns, and one that the table does not have is an
   * error.
   */
  readonly columns?: readonly string[] | Readonly<Record<string, ColumnValue<T>>> | undefined;
  /** Creates the table if it is not there: columns by name, each with its type in SQL, `{ id: 'bigint primary key' }`. */
  readonly create?: Readonly<Record<string, string>> | undefined;
  /** The rows of one write, and how long one that is not full waits. Default: up to 10,000 rows, and no waiting. */
  readonly batching?:
    | { readonly maxItems?: number | undefined; readonly lingerMs?: number | undefined }
    | undefined;
  /**
   * The most writes at once, each on a connection of its own, as far as the run's `maxConcurrency` allows. `upsert` takes
   * one, so that the last of a key wins. Default 4.
   */
  readonly writers?: number | undefined;
  /** How `json` and `jsonb` are given: as values, or as text that is JSON already. Default `'value'`. */
  readonly json?: JsonMode | undefined;
  /** Where positions are kept for exactly once. It is created on first use. Default `streamweld_positions`. */
  readonly positionsTable?: string | undefined;
}

export interface CheckedSinkOptions<T> extends CheckedReach {
  readonly table: TableName;
  readonly mode: 'copy' | 'insert' | 'upsert';
  readonly key: readonly string[];
  readonly isDelete: ((item: T) => boolean) | undefined;
  readonly columns: ReadonlyMap<string, ColumnValue<T>> | undefined;
  readonly create: ReadonlyMap<string, string> | undefined;
  readonly maxItems: number;
  readonly lingerMs: number;
  readonly writers: number;
  readonly json: JsonMode;
  readonly positionsTable: string;
}

export function checkSinkOptions<T>(options: PostgresSinkOptions<T>): CheckedSinkOptions<T> {
  const given = checkOptions('PostgresSink options', options, [
    ...REACH,
    'table',
    'schema',
    'mode',
    'key',
    'delete',
    'columns',
    'create',
    'batching',
    'writers',
    'json',
    'positionsTable',
  ]);
  const mode = checkOneOf('mode', given.mode ?? 'copy', ['copy', 'insert', 'upsert']);
  if ((mode === 'upsert') !== (given.key !== undefined)) {
    throw new OptionError(
      'key',
      mode === 'upsert'
        ? "the columns of a unique index, with mode 'upsert'"
        : "given with mode 'upsert' alone",
      given.key,
    );
  }
  if (given.delete !== undefined) {
    checkFunction('delete', given.delete);
    if (mode !== 'upsert') throw new OptionError('delete', "given with mode 'upsert' alone", given.delete);
  }
  const key = given.key === undefined ? [] : checkColumns('key', given.key);
  const columns = given.columns === undefined ? undefined : checkColumnValues(given.columns);
  // The key of a row that is not written would be another each time: every write would insert.
  if (columns !== undefined && key.some((name) => !columns.has(name))) {
    throw new OptionError(
      'columns',
      `a list or object with the key (${key.join(', ')}) in it`,
      given.columns,
    );
  }
  const batching = checkOptions('batching', given.batching, ['maxItems', 'lingerMs']);
  const table = checkTable(given.table, given.schema);
  return {
    ...checkReach(given, table.table),
    table,
    mode,
    key,
    isDelete: given.delete,
    columns,
    create: given.create === undefined ? undefined : checkCreate(given.create),
    maxItems: checkCount('batching.maxItems', batching.maxItems ?? 10_000),
    lingerMs: checkDuration('batching.lingerMs', batching.lingerMs ?? 0),
    writers: mode === 'upsert' ? 1 : checkCount('writers', given.writers ?? 4),
    json: checkOneOf('json', given.json ?? 'value', ['value', 'text']),
    positionsTable: checkIdentifier('positionsTable', given.positionsTable ?? 'streamweld_positions'),
  };
}

function checkColumnValues<T>(
  columns: readonly string[] | Readonly<Record<string, ColumnValue<T>>>,
): ReadonlyMap<string, ColumnValue<T>> {
  if (Array.isArray(columns)) return new Map(checkColumns('columns', columns).map((name) => [name, name]));
  if (typeof columns !== 'object' || columns === null) {
    throw new OptionError(
      'columns',
      'a list of names, or an object of names and what they are taken from',
      columns,
    );
  }
  const entries = Object.entries(columns as Readonly<Record<string, ColumnValue<T>>>);
  checkColumns(
    'columns',
    entries.map(([name]) => name),
  );
  for (const [name, value] of entries) {
    if (typeof value === 'string') continue;
    checkFunction(`columns.${name}`, value);
  }
  return new Map(entries);
}

function checkCreate(create: unknown): ReadonlyMap<string, string> {
  if (typeof create !== 'object' || create === null || Array.isArray(create)) {
    throw new OptionError('create', 'an object of columns and their types', create);
  }
  const entries = Object.entries(create);
  checkColumns(
    'create',
    entries.map(([name]) => name),
  );
  for (const [name, type] of entries) checkText(`create.${name}`, type);
  return new Map(entries as [string, string][]);
}
