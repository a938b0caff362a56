/**
 * What connects to Postgres: our options for it, and what we use of `pg`, by its shape, so that a user's own pool fits. It
 * names nothing of `pg`, whose types whoever installs this package need not have.
 */

import type { ConnectionOptions as TlsOptions } from 'node:tls';

export interface ConnectionOptions {
  readonly host?: string | undefined;
  /** Default 5432. */
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** Or a function that answers it, asked anew for each connection: for passwords that expire. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  readonly database?: string | undefined;
  /**
   * TLS. `true` checks the server's certificate against the authorities that Node knows; options are those of `tls.connect`,
   * such as `ca`, `cert` and `key` as PEM. Default: what `PGSSLMODE` says, else none.
   */
  readonly ssl?: boolean | TlsOptions | undefined;
  /** Shown in `pg_stat_activity`. Default: `streamweld` and the name of the stage. */
  readonly applicationName?: string | undefined;
  /** How long making a connection may take, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number | undefined;
}

export interface PostgresField {
  readonly name: string;
  /** The oid of its type. */
  readonly dataTypeID: number;
  /** The oid of the table, and the number of the column in it, that it comes from as it is; 0 where it does not. */
  readonly tableID?: number | undefined;
  readonly columnID?: number | undefined;
}

export interface PostgresResult {
  readonly rows: readonly Record<string, unknown>[];
  readonly rowCount: number | null;
  /** The tag of the command: COMMIT, or ROLLBACK where a COMMIT could not be. */
  readonly command: string;
  readonly fields: readonly PostgresField[];
}

/** How a column's text becomes a value, by the oid of its type. */
export interface TypeParsers {
  getTypeParser(oid: number, format?: string): (text: string) => unknown;
}

export interface PostgresQuery {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly types?: TypeParsers;
}

/** One connection of a pool, by its shape: `pg.PoolClient` is one. */
export interface PostgresConnection {
  /** Of the server: by it a statement is cancelled. */
  readonly processID?: number | null | undefined;
  query(query: PostgresQuery): PromiseLike<PostgresResult>;
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
  /** Gives it back; `true`: ends it. */
  release(destroy?: boolean): unknown;
}

/** A pool of connections, by its shape: `pg.Pool` is one. It stays the user's: it is not ended here. */
export interface PostgresPool {
  connect(): PromiseLike<PostgresConnection>;
}
