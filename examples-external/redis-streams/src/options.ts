/** The options of source and sink: types, defaults, checks. No value of a connection is ever shown. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkMethod,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { RedisClient } from './client.ts';

export interface ConnectionOptions {
  /** Default `localhost`. */
  readonly host?: string | undefined;
  /** Default 6379. */
  readonly port?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The number of the database. Default 0. */
  readonly database?: number | undefined;
  /** `true`, or options of Node's `tls.connect`. Default `false`. */
  readonly tls?: boolean | object | undefined;
  /** How long connecting may take, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
}

/** Where the server is, or a client that knows: one of the two. */
export interface ReachOptions {
  /** A URL (`redis://:password@host:6379/0`, `rediss://` for TLS) or options. */
  readonly connection?: string | ConnectionOptions | undefined;
  /** A client of yours, connected: it stays open when the run is over. */
  readonly client?: RedisClient | undefined;
  /** The key of the stream. */
  readonly stream: string;
  /** Shown in errors, reports and drawings. Default: `redis` and the stream. */
  readonly name?: string | undefined;
}

export interface RedisStreamSourceOptions extends ReachOptions {
  /** Whether it waits for entries that come later. Default `false`: it ends behind the last one that was there when it opened. */
  readonly follow?: boolean | undefined;
  /**
   * What becomes of a run that finds that entries were trimmed off the stream before it had read them: `'fail'` it, or
   * `'goOn'` with those that are there. Default `'fail'`.
   */
  readonly whenTrimmed?: 'fail' | 'goOn' | undefined;
  /** How long the server may be away before the source fails, in milliseconds. Default 30,000. */
  readonly reconnectMs?: number | undefined;
}

export type FieldValue = string | number | bigint | boolean;

export interface RedisStreamSinkOptions<T> extends ReachOptions {
  /** The fields of an item's entry. Default: the item is an object of strings, numbers and booleans. */
  readonly fields?: ((item: T) => Readonly<Record<string, FieldValue>>) | undefined;
  /** Trims the stream to about so many entries (`MAXLEN ~`) with each entry that is added. Default: it is never trimmed. */
  readonly maxLength?: number | undefined;
  /** The items of one write, and how long one that is not full waits. Default: up to 1,000 items, and no waiting. */
  readonly batching?:
    | { readonly maxItems?: number | undefined; readonly lingerMs?: number | undefined }
    | undefined;
  /** The key in which positions are kept for exactly once. Default `{<stream>}:streamweld:<name of the checkpoint>`. */
  readonly positionsKey?: string | undefined;
}

export interface CheckedReach {
  readonly connection: string | ConnectionOptions | undefined;
  readonly client: RedisClient | undefined;
  readonly stream: string;
  readonly name: string;
}

export interface CheckedSourceOptions extends CheckedReach {
  readonly follow: boolean;
  readonly whenTrimmed: 'fail' | 'goOn';
  readonly reconnectMs: number;
}

export interface CheckedSinkOptions<T> extends CheckedReach {
  readonly fields: ((item: T) => Readonly<Record<string, FieldValue>>) | undefined;
  readonly maxLength: number | undefined;
  readonly batching: { readonly maxItems: number; readonly lingerMs: number };
  readonly positionsKey: string | undefined;
}

const REACH = ['connection', 'client', 'stream', 'name'] as const;

export function checkSourceOptions(options: RedisStreamSourceOptions): CheckedSourceOptions {
  const given = checkOptions('RedisStreamSource options', options, [
    ...REACH,
    'follow',
    'whenTrimmed',
    'reconnectMs',
  ]);
  return {
    ...checkReach(given),
    follow: checkBoolean('follow', given.follow ?? false),
    whenTrimmed: checkOneOf('whenTrimmed', given.whenTrimmed ?? 'fail', ['fail', 'goOn']),
    reconnectMs: checkDuration('reconnectMs', given.reconnectMs ?? 30_000),
  };
}

export function checkSinkOptions<T>(options: RedisStreamSinkOptions<T>): CheckedSinkOptions<T> {
  const given = checkOptions('RedisStreamSink options', options, [
    ...REACH,
    'fields',
    'maxLength',
    'batching',
    'positionsKey',
  ]);
  const batching = checkOptions('batching', given.batching, ['maxItems', 'lingerMs']);
  return {
    ...checkReach(given),
    fields: given.fields === undefined ? undefined : checkFunction('fields', given.fields),
    maxLength: given.maxLength === undefined ? undefined : checkCount('maxLength', given.maxLength),
    batching: {
      maxItems: checkCount('batching.maxItems', batching.maxItems ?? 1000),
      lingerMs: checkDuration('batching.lingerMs', batching.lingerMs ?? 0),
    },
    positionsKey:
      given.positionsKey === undefined ? undefined : checkText('positionsKey', given.positionsKey),
  };
}

function checkReach(given: ReachOptions): CheckedReach {
  const { connection, client } = given;
  const stream = checkText('stream', given.stream);
  if ((connection === undefined) === (client === undefined)) {
    // Neither is shown: a URL may hold a password.
    throw new OptionError(
      'connection',
      'a URL or options, or a client of yours as client: one of the two',
      connection === undefined ? undefined : 'both',
    );
  }
  if (connection !== undefined) checkConnection(connection);
  if (client !== undefined) {
    for (const method of ['sendCommand', 'duplicate', 'connect', 'destroy'])
      checkMethod('client', client, method);
  }
  return { connection, client, stream, name: checkText('name', given.name ?? `redis ${stream}`) };
}

function checkConnection(connection: unknown): void {
  if (typeof connection === 'string') {
    // The error of `new URL` holds what it was given.
    if (/^rediss?:\/\//.test(connection) && URL.canParse(connection)) return;
    throw new OptionError(
      'connection',
      'a URL that begins with redis:// or rediss://',
      undefined,
      'Special characters in the user or password have to be percent-encoded. What was given is not shown, as it may hold a password.',
    );
  }
  const options = checkOptions('connection', connection as ConnectionOptions, [
    'host',
    'port',
    'username',
    'password',
    'database',
    'tls',
    'connectTimeoutMs',
  ]);
  if (options.host !== undefined) checkText('connection.host', options.host);
  if (options.username !== undefined) checkText('connection.username', options.username);
  if (options.port !== undefined) checkCount('connection.port', options.port);
  if (options.database !== undefined) checkCount('connection.database', options.database, 0);
  if (options.connectTimeoutMs !== undefined)
    checkDuration('connection.connectTimeoutMs', options.connectTimeoutMs);
  const { password, tls } = options;
  // Neither is shown: it may be the password, or a key.
  if (password !== undefined && typeof password !== 'string')
    throw new OptionError('connection.password', 'a string', typeof password);
  if (tls !== undefined && typeof tls !== 'boolean' && (typeof tls !== 'object' || tls === null))
    throw new OptionError(
      'connection.tls',
      'true, false, or an object of options of tls.connect',
      typeof tls,
    );
}
