/**
 * The only file that knows `pg`: opening a pool or borrowing one, sessions that end, and errors as ours.
 *
 *     Sessions ─ acquire ─► Session ─ query, cursor, copy ─► release      back to the pool, fit for others
 *                                                        └► destroy      the connection is gone: whatever it did is undone
 */

import { Deferred, onAbort } from '@streamweld/core/connector';
import pg from 'pg';
import Cursor from 'pg-cursor';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type {
  ConnectionOptions,
  PostgresConnection,
  PostgresPool,
  PostgresResult,
  TypeParsers,
} from './connection.ts';
import { CopyIn } from './copy-in.ts';
import { PostgresError, toPostgresError, type Translation } from './errors.ts';
import { KNOWN_TYPES } from './types.ts';

export interface SessionsOptions {
  readonly connection: string | ConnectionOptions | undefined;
  readonly client: PostgresPool | undefined;
  /** The most connections at once, beside one for cancelling. */
  readonly max: number;
  readonly stage: string;
  readonly errorDetails: boolean;
  /** How long a connection that nobody uses is kept, in milliseconds. Default 10,000. */
  readonly idleMs?: number | undefined;
}

/** How long a session that was told to stop may take before it is told again. */
const AGAIN_MS = 100;

/** How long a connection may take to end in order before it is cut off. */
const END_MS = 2000;

/** Where sessions come from: a pool of our own, or the user's. */
export class Sessions {
  readonly #options: SessionsOptions;
  #own: pg.Pool | undefined;
  /** Clients of our own pool that are not ended: what a pool begins to connect, it does not let go of. */
  readonly #clients = new Set<pg.Client>();
  #isClosed = false;
  readonly #live = new Set<Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  translation(action: string): Translation {
    const { stage, errorDetails } = this.#options;
    return { action, stage, errorDetails };
  }

  /**
   * A session that is this caller's alone until it is released.
   * @throws PostgresError SW_POSTGRES_UNREACHABLE, SW_POSTGRES_DENIED and others; what the signal gives as its reason.
   */
  async acquire(signal?: AbortSignal): Promise<Session> {
    signal?.throwIfAborted();
    let connecting: Promise<PostgresConnection>;
    try {
      connecting = Promise.resolve(this.#pool().connect());
    } catch (error) {
      throw toPostgresError(error, this.translation('connect to Postgres'));
    }
    // Nobody can stop a pool from connecting: what it answers to somebody who has left goes back at once.
    const left = new Deferred<never>();
    const stopListening = signal === undefined ? () => {} : onAbort(signal, (reason) => left.reject(reason));
    let hasLeft = false;
    connecting.then(
      (late) => {
        if (hasLeft) late.release();
      },
      () => {},
    );
    try {
      const connection = await first(connecting, left.promise);
      const session = new Session(connection, this);
      this.#live.add(session);
      return session;
    } catch (error) {
      hasLeft = true;
      if (signal?.aborted === true) throw error;
      throw toPostgresError(error, this.translation('connect to Postgres'));
    } finally {
      stopListening();
    }
  }

  /** Stops what a session is doing, through another one, as far as that is possible in so many milliseconds. */
  async cancel(session: Session, ms: number): Promise<void> {
    const { processId } = session;
    if (processId === undefined) return;
    let isLate = false;
    const stopping = (async () => {
      // Where the server has read the query of a cursor, and not yet that it is to be carried out, it takes no notice.
      while (session.isBusy && !isLate) {
        await this.cancelProcess(processId, ms);
        await within(AGAIN_MS, session.idle());
      }
    })();
    await within(ms, stopping);
    isLate = true;
  }

  /** Likewise, for one that is known by the number of its process on the server. */
  async cancelProcess(processId: number, ms: number): Promise<void> {
    const canceling = this.acquire().then((other) =>
      other.query('select pg_cancel_backend($1)', [processId]).then(
        () => other.release(),
        () => other.destroy(),
      ),
    );
    await within(ms, canceling).catch(() => {});
  }

  /** Lends a session to a call: given back where it ends well, and ended where it fails, whatever state that left it in. */
  async lend<R>(action: string, use: (session: Session) => Promise<R>, signal?: AbortSignal): Promise<R> {
    try {
      const session = await this.acquire(signal);
      try {
        const result = await use(session);
        session.release();
        return result;
      } catch (error) {
        session.destroy();
        throw error;
      }
    } catch (error) {
      throw toPostgresError(error, this.translation(action));
    }
  }

  forget(session: Session): void {
    this.#live.delete(session);
  }

  /** Cuts off what was not given back, and ends the pool if it is ours. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const session of this.#live) session.destroy();
    const pool = this.#own;
    this.#own = undefined;
    if (pool === undefined) return;
    await within(END_MS, pool.end());
    // Of one that still connects, or does not answer, nobody hears any more.
    for (const client of this.#clients) cutOff(client);
  }

  #pool(): PostgresPool {
    const { client, connection, max, stage, idleMs = 10_000 } = this.#options;
    if (client !== undefined) return client;
    if (this.#isClosed) {
      throw new PostgresError(
        'SW_POSTGRES_CONNECTION_LOST',
        `${stage} was closed, and is not opened again: make another one for another run.`,
        { stage },
      );
    }
    if (this.#own === undefined) {
      const clients = this.#clients;
      const Client = class extends pg.Client {
        constructor(config?: string | pg.ClientConfig) {
          super(config);
          clients.add(this);
          this.once('end', () => clients.delete(this));
          // A server may end a session in the same breath in which it says that it is ready: between the pool and the
          // session nobody listens, and an error that nobody hears would end the process. Its next query fails.
          this.on('error', () => {});
        }
      };
      this.#own = new pg.Pool({
        ...toPgConfig(connection, stage),
        max: max + 1,
        idleTimeoutMillis: idleMs,
        Client,
      });
      // A connection that is lost while nobody uses it is nobody's failure: the pool makes another.
      this.#own.on('error', () => {});
    }
    return this.#own as PostgresPool;
  }
}

/** One connection, in one pair of hands. */
export class Session {
  readonly #connection: PostgresConnection;
  readonly #sessions: Sessions;
  /** The connection ended by itself: nothing that is asked of it will be answered. */
  #lost: unknown;
  #isOver = false;
  #tell: (() => void) | undefined;
  readonly #waiting = new Set<(error: unknown) => void>();
  /** Of those that wait now. */
  #idle = new Deferred();

  constructor(connection: PostgresConnection, sessions: Sessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    // `on`, not `once`: a backend that is terminated makes two.
    connection.on('error', this.#onLoss);
    connection.on('end', this.#onEnd);
  }

  readonly #onLoss = (error: unknown): void => {
    this.#lost ??= error;
    for (const reject of this.#waiting) reject(this.#lost);
    this.#waiting.clear();
    this.#idle.resolve();
    const tell = this.#tell;
    this.#tell = undefined;
    tell?.();
  };

  /** Calls back once the connection is lost, or given back. */
  onLoss(callback: () => void): void {
    if (this.isLost) callback();
    else this.#tell = callback;
  }

  readonly #onEnd = (): void => this.#onLoss(new Error('Connection terminated'));

  /** Whether something that was asked of it has not been answered. */
  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Resolves once all that was asked of it is answered. */
  idle(): Promise<void> {
    return this.isBusy ? this.#idle.promise : Promise.resolve();
  }

  /** The number of its process on the server, where the client knows it. */
  get processId(): number | undefined {
    return this.#connection.processID ?? undefined;
  }

  /** How much it has received, where the client tells. */
  get bytesRead(): number {
    const { connection } = this.#connection as {
      readonly connection?: { readonly stream?: { readonly bytesRead?: number } };
    };
    return connection?.stream?.bytesRead ?? 0;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** The connection itself, for notifications. */
  get connection(): PostgresConnection {
    return this.#connection;
  }

  async query(
    text: string,
    values?: readonly unknown[],
    types: TypeParsers = KNOWN_TYPES,
  ): Promise<PostgresResult> {
    return this.#orLost(
      Promise.resolve(
        this.#connection.query({
          text,
          ...(values === undefined ? undefined : { values }),
          types,
        }),
      ),
    );
  }

  /** @throws where the transaction had failed: then COMMIT is answered without an error, and its tag is ROLLBACK. */
  async commit(): Promise<void> {
    const { command } = await this.query('commit');
    if (command !== 'COMMIT') throw new Error(`The server answered COMMIT with ${command}.`);
  }

  /** Opens a server-side cursor: a portal that is read in pieces. */
  cursor(text: string, values: readonly unknown[], types: TypeParsers): SessionCursor {
    const cursor = new Cursor<Record<string, unknown>>(text, [...values], { types } as never);
    let isCopy = false;
    // A COPY is spoken in another way, which the client's cursor does not know: the process would end of it.
    Object.assign(cursor, {
      handleCopyData: () => {
        isCopy = true;
      },
      handleCopyInResponse: (connection: { sendCopyFail(words: string): void; sync(): void }) => {
        isCopy = true;
        connection.sendCopyFail('a source only reads');
        connection.sync();
      },
    });
    (this.#connection.query as (query: unknown) => unknown)(cursor);
    let hasFailed = false;
    let isFirst = true;
    const read = (count: number): Promise<Record<string, unknown>[]> =>
      new Promise((resolve, reject) => {
        cursor.read(count, (error, rows, result) => {
          const twice = isFirst ? duplicate(result?.fields ?? []) : undefined;
          isFirst = false;
          if (isCopy) reject(this.#queryInvalid('A COPY answers no rows: give a select.'));
          else if (error as Error | undefined) reject(error);
          else if (twice !== undefined) {
            const named = JSON.stringify(twice);
            const words = `It answers two columns named ${named}, and one would hide the other: name them apart.`;
            reject(this.#queryInvalid(words));
          } else resolve(rows);
        });
      });
    return {
      read: (count) => {
        const reading = this.#orLost(read(count));
        reading.catch(() => {
          hasFailed = true;
        });
        return reading;
      },
      // Its answer never comes when the connection is lost; nor where it failed: the portal is gone, and the client would
      // wait for an answer that it has had.
      close: () => (hasFailed ? Promise.resolve() : this.#orLost(cursor.close())),
    };
  }

  #queryInvalid(words: string): PostgresError {
    const { stage } = this.#sessions.translation('');
    return new PostgresError('SW_POSTGRES_QUERY_INVALID', `${stage} cannot read this query. ${words}`, {
      stage,
    });
  }

  /**
   * COPY … FROM STDIN with such messages, each made when the one before it was handed on: it may take its place.
   * @returns how many rows the server took.
   * @throws what making it throws.
   */
  copyIn(sql: string, messages: Iterable<Uint8Array>): Promise<number> {
    const copy = new CopyIn(sql);
    (this.#connection.query as (query: unknown) => unknown)(copy);
    return this.#orLost(copy.send(messages));
  }

  /** Rejects too when the connection is lost: then the client's own promise may never settle. */
  #orLost<T>(promise: Promise<T>): Promise<T> {
    if (this.#lost !== undefined) {
      // The client may still answer, or fail: nobody asks for that.
      promise.catch(() => {});
      return Promise.reject(this.#lost);
    }
    return new Promise<T>((resolve, reject) => {
      if (!this.isBusy) this.#idle = new Deferred();
      this.#waiting.add(reject);
      const settled = (): void => {
        this.#waiting.delete(reject);
        if (!this.isBusy) this.#idle.resolve();
      };
      promise.then(resolve, reject).then(settled, settled);
    });
  }

  /** Ends the connection when the signal aborts: then nobody waits for its answer. The answer takes that back. */
  destroyOn(signal: AbortSignal | undefined): () => void {
    return signal === undefined ? () => {} : onAbort(signal, () => this.destroy());
  }

  /** Gives it back, fit for others: outside a transaction, with nothing running. */
  release(): void {
    this.#end(this.isLost);
  }

  /** Ends the connection: the server undoes what was not committed. */
  destroy(): void {
    this.#end(true);
  }

  #end(destroys: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sessions.forget(this);
    this.#connection.off('error', this.#onLoss);
    this.#connection.off('end', this.#onEnd);
    // What it says from now on concerns nobody, and must not end the process: a destroyed one may still fail.
    if (destroys) this.#connection.on('error', () => {});
    this.#connection.release(destroys);
    this.#onLoss(new Error('Connection terminated: it was given back'));
  }
}

export interface SessionCursor {
  /** Up to so many rows; none at the end. */
  read(count: number): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** A name that comes twice. */
function duplicate(fields: readonly { readonly name: string }[]): string | undefined {
  const names = new Set<string>();
  return fields.find(({ name }) => names.size === names.add(name).size)?.name;
}

/** The first of two to settle. Neither is kept waiting for: both settle soon, or are let go with what made them. */
function first<A, B>(one: PromiseLike<A>, other: PromiseLike<B>): Promise<A | B> {
  return new Promise<A | B>((resolve, reject) => {
    one.then(resolve, reject);
    other.then(resolve, reject);
  });
}

/** Ends the socket under a client: it may not have begun to speak. */
export function cutOff(client: object): void {
  (client as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
}

/** The promise, or nothing once so many milliseconds have passed. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return first(promise, late).finally(() => clearTimeout(timer));
}

/** Of a connection on which nobody speaks the system itself sees whether the other side is there: a cut cable says nothing. */
const KEEPALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 30_000 } as const;

/** What `pg` is told, by its shape: types of `pg` are not there where this package is installed. */
interface PgConfig
  extends Omit<ConnectionOptions, 'applicationName' | 'connectTimeoutMs' | 'password' | 'ssl'> {
  readonly connectionString?: string;
  readonly password?: string | (() => Promise<string>);
  readonly ssl?: boolean | TlsOptions;
  readonly application_name?: string;
  readonly fallback_application_name?: string;
  readonly connectionTimeoutMillis: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelayMillis: number;
}

/** The options of `pg`. */
export function toPgConfig(connection: string | ConnectionOptions | undefined, stage: string): PgConfig {
  const name = `streamweld ${stage}`.slice(0, 63);
  if (typeof connection === 'string') {
    return {
      connectionString: connection,
      fallback_application_name: name,
      connectionTimeoutMillis: 30_000,
      ...KEEPALIVE,
    };
  }
  const { applicationName, connectTimeoutMs, password, ssl, ...rest } = connection ?? {};
  return {
    ...rest,
    ...KEEPALIVE,
    ...(password === undefined
      ? undefined
      : { password: typeof password === 'function' ? () => ask(password, stage) : password }),
    ...(ssl === undefined ? undefined : { ssl: typeof ssl === 'object' ? copyTls(ssl) : ssl }),
    connectionTimeoutMillis: connectTimeoutMs ?? 30_000,
    ...(applicationName === undefined
      ? { fallback_application_name: name }
      : { application_name: applicationName }),
  };
}

async function ask(password: () => string | Promise<string>, stage: string): Promise<string> {
  try {
    return await password();
  } catch (cause) {
    throw new PostgresError(
      'SW_POSTGRES_DENIED',
      `The function connection.password of ${stage} threw; its error is the cause.`,
      { stage, cause },
    );
  }
}

/** A copy, since `pg` hides the key of the one it is given; where it did already, the key is not among what is spread. */
function copyTls(ssl: TlsOptions): TlsOptions {
  return 'key' in ssl ? { ...ssl, key: ssl.key } : { ...ssl };
}
