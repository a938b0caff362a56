/** Connections of an app to a Postgres, in a schema of its own. */

import pg from 'pg';

/** How long a connection may take to come to be, in milliseconds. */
const CONNECT_MS = 10_000;

export interface AppPoolOptions {
  /** Of the server, as it was given. */
  readonly url: string;
  /** Where tables that are named without a schema are. Default: the server's. */
  readonly schema?: string | undefined;
  /** Further parameters of a session, as `timezone`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Connections at most. */
  readonly max: number;
  /** Ends every connection, whatever it waits for, and each that comes to be later. */
  readonly signal?: AbortSignal | undefined;
}

export interface AppPool {
  /** What gives the same session to somebody else. With the password in it, where there is one: not to be shown. */
  readonly url: string;
  readonly pool: pg.Pool;
}

/** Opens no connection yet. A connection that is lost is told to whoever asks over it, and to nobody else. */
export function appPool({ url: given, schema, settings = {}, max, signal }: AppPoolOptions): AppPool {
  const url = new URL(given);
  const parameters = { ...(schema === undefined ? {} : { search_path: schema }), ...settings };
  const options = [
    url.searchParams.get('options'),
    ...Object.entries(parameters).map(([name, value]) => `-c ${name}=${value}`),
  ];
  url.searchParams.set('options', options.filter(Boolean).join(' '));
  const pool = new pg.Pool({ connectionString: url.href, max, connectionTimeoutMillis: CONNECT_MS });
  pool.on('error', () => {});
  if (signal !== undefined) pool.on('connect', (client) => endWith(signal, client));
  return { url: url.href, pool };
}

function endWith(signal: AbortSignal, client: pg.PoolClient): void {
  const end = () => void client.end().catch(() => {});
  // Whoever tries again after the abort is given a new connection, which would wait for ever as the first did.
  if (signal.aborted) {
    end();
    return;
  }
  signal.addEventListener('abort', end, { once: true });
  client.once('end', () => signal.removeEventListener('abort', end));
}
