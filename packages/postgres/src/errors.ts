/**
 * What can go wrong with Postgres, as errors of ours: one table of codes, and one place that turns what the server or the
 * client said into a code.
 *
 * The server quotes data: `invalid input syntax for type integer: "4111 1111…"`, `Key (email)=(…) already exists`. So its own
 * words are neither our message nor our cause, unless `errorDetails` asks for them; what names no data, such as the
 * SQLSTATE, the constraint and the column, is always there.
 */

import { isStreamWeldError, StreamWeldError, WriteError } from '@streamweld/core/connector';
import { tlsFailure, tlsRefusal } from './tls-failure.ts';

/** The one table of codes of this package. */
export const POSTGRES_ERROR_CODES = {
  SW_POSTGRES_UNREACHABLE: 'No connection to the server could be made.',
  SW_POSTGRES_DENIED: 'The server refused the user, or what the user wanted to do.',
  SW_POSTGRES_CONNECTION_LOST: 'A connection ended while it was in use.',
  SW_POSTGRES_BUSY: 'The server could not do it now, and may be able to later.',
  SW_POSTGRES_QUERY_INVALID: 'The server could not understand a query, or it names what is not there.',
  SW_POSTGRES_DATA_INVALID: 'The server refused the data.',
  SW_POSTGRES_READ_ONLY: 'The server, or the transaction, allows no writing.',
  SW_POSTGRES_CANCELED:
    'The server stopped a statement because it took too long, or because somebody asked it to.',
  SW_POSTGRES_TABLE_INVALID: 'A table is not there, or cannot be written in the way that is asked for.',
  SW_POSTGRES_COLUMN_UNKNOWN: 'An item has a property, or a column is named, that the table does not have.',
  SW_POSTGRES_OUTCOME_UNKNOWN: 'The connection was lost while a transaction was committed.',
  SW_POSTGRES_KEY_INVALID: 'A resume key has a value or a type by which nothing can be resumed.',
  SW_POSTGRES_POSITION_INVALID: 'What is to be resumed from is no position of this source.',
  SW_POSTGRES_SLOT_INVALID: 'A replication slot or a publication is not there, or not fit for its source.',
  SW_POSTGRES_SLOT_BEHIND: 'A replication slot holds back much of the log of the server.',
  SW_POSTGRES_FAILED: 'The server failed in a way that has no code of its own here.',
} as const;

export type PostgresErrorCode = keyof typeof POSTGRES_ERROR_CODES;

/** What the server says of a failure that holds no data. */
export interface ServerFields {
  /** The five characters of the server's own code: 23505. */
  readonly sqlState?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

export interface PostgresErrorDetails extends ServerFields {
  /** The name of the source or sink. */
  readonly stage?: string | undefined;
  readonly cause?: unknown;
  /** The same again may succeed. */
  readonly isTransient?: boolean | undefined;
}

/** A failure that Postgres, or the way there, is the cause of. */
export class PostgresError extends StreamWeldError implements ServerFields {
  override readonly name: string = 'PostgresError';
  /** Whether the same again may succeed. It is not called `retryable`: that would blame the items of a write. */
  readonly isTransient: boolean;
  readonly sqlState: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly constraint: string | undefined;

  constructor(code: PostgresErrorCode, message: string, details: PostgresErrorDetails = {}) {
    super(code, message, {
      stage: details.stage,
      details: known(details),
      ...('cause' in details ? { cause: details.cause } : undefined),
    });
    this.isTransient = details.isTransient ?? false;
    this.sqlState = details.sqlState;
    this.schema = details.schema;
    this.table = details.table;
    this.column = details.column;
    this.constraint = details.constraint;
  }
}

/** Rows that the server, or we, refuse whatever happens: a WriteError, so the policies know which items to take out. */
export class PostgresRowError extends WriteError implements ServerFields {
  override readonly name: string = 'PostgresRowError';
  override readonly code: string;
  readonly sqlState: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly constraint: string | undefined;

  constructor(
    message: string,
    failed: readonly number[] | undefined,
    details: PostgresErrorDetails = {},
    code: PostgresErrorCode = 'SW_POSTGRES_DATA_INVALID',
  ) {
    super(message, {
      stage: details.stage,
      details: known(details),
      failed,
      retryable: false,
      ...('cause' in details ? { cause: details.cause } : undefined),
    });
    this.code = code;
    this.sqlState = details.sqlState;
    this.schema = details.schema;
    this.table = details.table;
    this.column = details.column;
    this.constraint = details.constraint;
  }
}

/** What is known of them, for programs; a dead letter carries it. */
function known({
  sqlState,
  schema,
  table,
  column,
  constraint,
}: ServerFields): Record<string, unknown> | undefined {
  const fields = Object.entries({ sqlState, schema, table, column, constraint });
  const told = fields.filter(([, value]) => value !== undefined);
  return told.length === 0 ? undefined : Object.fromEntries(told);
}

interface Verdict {
  readonly code: PostgresErrorCode;
  readonly isTransient: boolean;
  /** What happened, and what to do now. */
  readonly words: string;
}

const REFUSED: Verdict = {
  code: 'SW_POSTGRES_DATA_INVALID',
  isTransient: false,
  words: 'a function or trigger of the database refused it',
};
const REFUSED_BY_POLICY: Verdict = {
  code: 'SW_POSTGRES_DATA_INVALID',
  isTransient: false,
  words: 'a policy of row level security does not allow the row',
};

/** Where in the server it was: RAISE of a function, whatever code that gives; a row that a policy does not allow. */
const RAISE = 'exec_stmt_raise';
const POLICY = 'ExecWithCheckOptions';

/** Classes of codes that are the server's own: of another is what a function of the database made up. */
const OWN = /^(?:0[0-389ABFLPZ]|[12]\d|2[BDF]|3[489BDF]|4[024]|5[34578]|72|F0|HV|P0|XX)/;

export function isRaised(error: unknown, sqlState: string): boolean {
  return routineOf(error) === RAISE || !OWN.test(sqlState);
}

function routineOf(error: unknown): unknown {
  return (error as { routine?: unknown }).routine;
}

/** By the server's code, or by its class, the first two characters. Appendix A of the manual of Postgres has them all. */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  '08': { code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true, words: 'the connection failed' },
  '08P01': {
    code: 'SW_POSTGRES_FAILED',
    isTransient: false,
    words: 'client and server do not understand each other',
  },
  '21000': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'two rows of a batch have keys that the server takes for one',
  },
  '22': { code: 'SW_POSTGRES_DATA_INVALID', isTransient: false, words: 'a value does not fit its column' },
  '22001': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a text is longer than its column',
  },
  '22003': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a number is out of the range of its column',
  },
  '22021': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a text holds a character that Postgres cannot store, such as NUL',
  },
  '22P02': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a value cannot be read as the type of its column',
  },
  '22P05': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a JSON text holds \\u0000, which jsonb cannot store',
  },
  '23': { code: 'SW_POSTGRES_DATA_INVALID', isTransient: false, words: 'a constraint does not hold' },
  '23502': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a column that must have a value has none',
  },
  '23503': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a foreign key points to a row that is not there',
  },
  '23505': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words:
      "another row has the same value in a unique index. By the columns of one, as its key, mode: 'upsert' replaces rows",
  },
  '23514': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a check constraint does not hold',
  },
  '25006': {
    code: 'SW_POSTGRES_READ_ONLY',
    isTransient: false,
    words: 'nothing can be written here. Is it a standby, or default_transaction_read_only?',
  },
  '25P03': {
    code: 'SW_POSTGRES_CONNECTION_LOST',
    isTransient: true,
    words: 'the server ended a transaction that was idle too long',
  },
  '25P04': {
    code: 'SW_POSTGRES_CONNECTION_LOST',
    isTransient: true,
    words: 'the server ended a transaction that took too long (transaction_timeout)',
  },
  '28': {
    code: 'SW_POSTGRES_DENIED',
    isTransient: false,
    words: 'the server did not let this user in. Check user and password',
  },
  '28000': {
    code: 'SW_POSTGRES_DENIED',
    isTransient: false,
    words:
      'the server did not let this user in, or not from here. Check the user, and whether it asks for TLS or a certificate',
  },
  '3D000': {
    code: 'SW_POSTGRES_DENIED',
    isTransient: false,
    words: 'the database does not exist. Check its name',
  },
  '40': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'the transaction was rolled back by the server',
  },
  '40001': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'another transaction changed the same rows',
  },
  '40P01': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'it was in a deadlock with another transaction',
  },
  '3F000': { code: 'SW_POSTGRES_QUERY_INVALID', isTransient: false, words: 'a schema does not exist' },
  '42': {
    code: 'SW_POSTGRES_QUERY_INVALID',
    isTransient: false,
    words: 'the server cannot carry out the statement',
  },
  '42501': {
    code: 'SW_POSTGRES_DENIED',
    isTransient: false,
    words: 'the user lacks the privilege. GRANT it',
  },
  '42601': {
    code: 'SW_POSTGRES_QUERY_INVALID',
    isTransient: false,
    words: 'the statement has a syntax error',
  },
  '42703': { code: 'SW_POSTGRES_QUERY_INVALID', isTransient: false, words: 'a column does not exist' },
  '42P01': { code: 'SW_POSTGRES_QUERY_INVALID', isTransient: false, words: 'a table does not exist' },
  '53': { code: 'SW_POSTGRES_BUSY', isTransient: true, words: 'the server is out of resources' },
  '53100': { code: 'SW_POSTGRES_BUSY', isTransient: true, words: 'the disk of the server is full' },
  '53300': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'the server has no connection left (max_connections, or for changes max_wal_senders)',
  },
  '53400': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words:
      'a limit that the server is set to was reached. Where it is max_replication_slots, drop the slots that nobody reads (pg_replication_slots), or raise it; where it is temp_file_limit, raise that',
  },
  '55': { code: 'SW_POSTGRES_BUSY', isTransient: true, words: 'what is needed is in use' },
  '55P03': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'a lock could not be had in time (lock_timeout)',
  },
  '44': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a row does not fit the condition of its view',
  },
  '54000': {
    code: 'SW_POSTGRES_DATA_INVALID',
    isTransient: false,
    words: 'a row is too large for the server, or for an index',
  },
  '55000': {
    code: 'SW_POSTGRES_FAILED',
    isTransient: false,
    words: 'the server, or what is to be used, is not in a state that allows it',
  },
  P0: REFUSED,
  '57014': {
    code: 'SW_POSTGRES_CANCELED',
    isTransient: true,
    words: 'the statement was cancelled, by statement_timeout or by somebody',
  },
  '57P': { code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true, words: 'the server ended the connection' },
  '57P03': {
    code: 'SW_POSTGRES_BUSY',
    isTransient: true,
    words: 'the server is starting, stopping or recovering',
  },
  '58': { code: 'SW_POSTGRES_BUSY', isTransient: true, words: 'the system that the server runs on failed' },
};

/** Where the server's words name a table, a column, a privilege or a slot, and cannot quote data. */
const NAMES_ONLY = new Set(['42703', '42P01', '42501', '42704', '42883', '42710', '3F000', '55000', '55006']);

/** What Node says when there is no way to the server. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Is the server running, and the port right?',
  ENOTFOUND: 'the host name is not known. Check it',
  EAI_AGAIN: 'the host name could not be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network of the host',
  ETIMEDOUT: 'the host did not answer in time',
};

const NO_SOCKET = 'there is no such socket. Is the server running, and the folder right?';
const FILES = new Set(['ENOENT', 'EACCES', 'EISDIR']);

const LOST = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** The server's code of what was thrown, if it was the server. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object)
    ? code
    : undefined;
}

export interface Translation {
  /** What was being done, for the sentence `Could not … `. */
  readonly action: string;
  readonly stage: string;
  /** Whether the server's own words may be quoted: they may hold data. */
  readonly errorDetails: boolean;
}

/** What the server or the client threw, as an error of ours. */
export function toPostgresError(error: unknown, translation: Translation): StreamWeldError {
  if (isStreamWeldError(error)) return error;
  const verdict = judge(error);
  return new PostgresError(verdict.code, sentence(error, verdict, translation), {
    ...fieldsOf(error),
    stage: translation.stage,
    isTransient: verdict.isTransient,
    ...causeOf(error, verdict, translation),
  });
}

/** Likewise for a write: where the data is at fault, an error that blames the items. */
export function toWriteError(
  error: unknown,
  failed: readonly number[] | undefined,
  translation: Translation,
): StreamWeldError {
  if (isStreamWeldError(error)) return error;
  const verdict = judge(error);
  if (verdict.code !== 'SW_POSTGRES_DATA_INVALID') return toPostgresError(error, translation);
  return new PostgresRowError(sentence(error, verdict, translation), failed, {
    ...fieldsOf(error),
    stage: translation.stage,
    ...causeOf(error, verdict, translation),
  });
}

/** Whether it is the data that the server refuses. */
export function isOfData(error: unknown): boolean {
  return sqlStateOf(error) !== undefined && judge(error).code === 'SW_POSTGRES_DATA_INVALID';
}

function judge(error: unknown): Verdict {
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) {
    const refusal = sqlState === '28000' || sqlState === '08P01' ? tlsRefusal(messageOf(error)) : undefined;
    if (refusal !== undefined) return { code: 'SW_POSTGRES_DENIED', isTransient: false, words: refusal };
    if (sqlState === '42501' && routineOf(error) === POLICY) return REFUSED_BY_POLICY;
    const known = VERDICTS[sqlState] ?? VERDICTS[sqlState.slice(0, 3)] ?? VERDICTS[sqlState.slice(0, 2)];
    if (isRaised(error, sqlState) && known?.isTransient !== true && known?.code !== REFUSED.code)
      return REFUSED;
    return known ?? { code: 'SW_POSTGRES_FAILED', isTransient: false, words: 'the server failed' };
  }
  const code = codeOf(error) ?? '';
  const message = messageOf(error);
  const call = (error as { syscall?: unknown } | null | undefined)?.syscall;
  const unreachable = code === 'ENOENT' && call === 'connect' ? NO_SOCKET : UNREACHABLE[code];
  if (unreachable !== undefined)
    return { code: 'SW_POSTGRES_UNREACHABLE', isTransient: true, words: unreachable };
  if (call === 'open' || call === 'read') {
    const words = 'a file that the URL names as sslrootcert, sslcert or sslkey cannot be read';
    if (FILES.has(code)) return { code: 'SW_POSTGRES_DENIED', isTransient: false, words };
  }
  if (/timeout exceeded when trying to connect|timeout expired|due to connection timeout/i.test(message)) {
    return {
      code: 'SW_POSTGRES_UNREACHABLE',
      isTransient: true,
      words: 'no connection was to be had in time. Is the pool too small, or the server too busy?',
    };
  }
  if (/password must be a (non-empty )?string/.test(message)) {
    const words = 'the server asks for a password, and none was given';
    return { code: 'SW_POSTGRES_DENIED', isTransient: false, words };
  }
  if (/error establishing an SSL connection/.test(message)) {
    return {
      code: 'SW_POSTGRES_UNREACHABLE',
      isTransient: true,
      words: 'what listens there did not answer as Postgres does. Is it Postgres, and the port right?',
    };
  }
  // Before TLS: a connection that ends while TLS is agreed on is one that ended.
  if (
    LOST.has(code) ||
    /connection terminated|client was closed|not queryable|connection error/i.test(message)
  ) {
    return { code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true, words: 'the connection ended' };
  }
  const tls = tlsFailure(code, message);
  if (tls !== undefined) return { code: 'SW_POSTGRES_DENIED', isTransient: false, words: tls };
  return { code: 'SW_POSTGRES_FAILED', isTransient: false, words: 'it failed without a code of the server' };
}

function sentence(error: unknown, verdict: Verdict, { action, errorDetails }: Translation): string {
  const { sqlState, table, column, constraint } = fieldsOf(error);
  const places = [
    table === undefined ? undefined : `table ${JSON.stringify(table)}`,
    column === undefined ? undefined : `column ${JSON.stringify(column)}`,
    constraint === undefined ? undefined : `constraint ${JSON.stringify(constraint)}`,
    sqlState === undefined ? undefined : `SQLSTATE ${sqlState}`,
    // What Node calls it: whoever looks it up finds more by it.
    sqlState === undefined && verdict.code === 'SW_POSTGRES_DENIED' ? codeOf(error) : undefined,
  ].filter((place) => place !== undefined);
  const where = places.length === 0 ? '' : ` (${places.join(', ')})`;
  const namesOnly = sqlState !== undefined && NAMES_ONLY.has(sqlState) && !isRaised(error, sqlState);
  const quoted = errorDetails || namesOnly ? ` The server: ${ended(messageOf(error).trim())}` : '';
  return `${ended(`Could not ${action}: ${verdict.words}${where}`)}${quoted}`;
}

function ended(sentence: string): string {
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`;
}

function fieldsOf(error: unknown): ServerFields {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return {};
  const { schema, table, column, constraint, where } = error as Record<string, string | undefined>;
  if (column !== undefined || where === undefined) return { sqlState, schema, table, column, constraint };
  // Of a value that a COPY cannot read the column is told there only, and before the value.
  const copying = /^COPY (.+?), line \d+, column (.+?): /s.exec(where);
  return { sqlState, schema, table: table ?? copying?.[1], column: copying?.[2], constraint };
}

/**
 * The server's error may quote data, and one about a file or TLS what was given in its place: they are causes only on request.
 * What anybody else threw is one as it is.
 */
function causeOf(
  error: unknown,
  { code }: Verdict,
  { errorDetails }: Translation,
): { cause: unknown } | undefined {
  const isOfServer = typeof error === 'object' && error !== null && 'severity' in error;
  return errorDetails || !(isOfServer || code === 'SW_POSTGRES_DENIED') ? { cause: error } : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : '';
}
