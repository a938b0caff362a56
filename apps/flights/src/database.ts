/** The demo's part of a Postgres: a schema of its own, and what is asked of it by SQL, with nothing of StreamWeld between. */

import pg from 'pg';
import { LATE_MINUTES } from './flight.ts';
import { PostgresUnavailable } from './postgres.ts';
import type { AirportFigures } from './statistics.ts';

/** Where its tables are. In a database of yours it is the only thing that is touched. */
export const SCHEMA = 'streamweld_flights';

const TABLES = ['one_after_the_other', 'pipeline', 'broadcast', 'survived'] as const;
export type Table = (typeof TABLES)[number];

/** Of each of them. Times are local, so they have no zone. */
const COLUMNS =
  '"row" integer, date timestamp, delay integer, distance integer, origin text, destination text';

/** What a table comes to. */
export interface Tally {
  readonly rows: number;
  /** Of the rows that were asked about, how many are not there. */
  readonly lost: number;
  /** Rows that are there again, or should not be at all. */
  readonly doubled: number;
  readonly airports: ReadonlyMap<string, AirportFigures>;
}

/** How late flights are that leave in one hour of the day. */
export interface Hour {
  readonly hour: number;
  readonly lateShare: number;
}

export class Database {
  /** With the password in it, where there is one: not to be shown. Tables that are named without a schema are the demo's. */
  readonly url: string;
  readonly version: string;
  readonly #client: pg.Client;
  /** Rejects when there is nothing to wait for any more. */
  readonly #aborted: Promise<never>;

  private constructor(url: string, version: string, client: pg.Client, signal: AbortSignal) {
    this.url = url;
    this.version = version;
    this.#client = client;
    this.#aborted = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    this.#aborted.catch(() => {});
  }

  /**
   * Makes the schema and its tables anew: what an earlier demo has left in it is gone.
   * @throws PostgresUnavailable
   */
  static async open(given: string, signal: AbortSignal): Promise<Database> {
    const url = new URL(given);
    const options = [url.searchParams.get('options'), `-c search_path=${SCHEMA}`];
    url.searchParams.set('options', options.filter(Boolean).join(' '));
    try {
      const client = new pg.Client(url.href);
      // Whoever asks hears of a connection that was lost.
      client.on('error', () => {});
      await client.connect();
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      await client.query(`drop schema if exists ${SCHEMA} cascade`);
      await client.query(`create schema ${SCHEMA}`);
      for (const table of TABLES) await client.query(`create table ${table} (${COLUMNS})`);
      // Enough to tell three million rows apart in memory.
      await client.query(`set work_mem = '256MB'`);
      return new Database(url.href, rows[0]?.server_version ?? '', client, signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new PostgresUnavailable('The Postgres that was given cannot be used', reason, { cause: error });
    }
  }

  /** What is in a table that should hold the rows from 0 up to, and without, `end`. */
  async tally(table: Table, end: number): Promise<Tally> {
    const [counts] = await this.#query<{ rows: number; wanted: number }>(
      `select count(*)::int as rows, count(distinct "row") filter (where "row" >= 0 and "row" < $1)::int as wanted
         from ${table}`,
      [end],
    );
    const airports = await this.#query<AirportFigures & { airport: string }>(
      `select origin as airport, count(*)::int as flights, count(*) filter (where delay >= $1)::int as late,
              sum(delay)::int as delay
         from ${table} group by origin`,
      [LATE_MINUTES],
    );
    const { rows, wanted } = counts ?? { rows: 0, wanted: 0 };
    return {
      rows,
      lost: end - wanted,
      doubled: rows - wanted,
      airports: new Map(airports.map(({ airport, ...figures }) => [airport, figures])),
    };
  }

  /** How many flights are in one of two tables more often than in the other. */
  async differing(one: Table, other: Table): Promise<number> {
    const [found] = await this.#query<{ rows: number }>(
      `select count(*)::int as rows from (
         (table ${one} except all table ${other}) union all (table ${other} except all table ${one})) as flights`,
    );
    return found?.rows ?? 0;
  }

  /** The rows of act 3 and the position that stands for them, as they are at one moment. */
  async survived(): Promise<{ rows: number; position: number }> {
    const [found] = await this.#query<{ rows: number; position: string | null }>(
      `select (select count(*)::int from survived) as rows, (select max(position) from streamweld_positions) as position`,
    );
    return { rows: found?.rows ?? 0, position: Number(found?.position ?? 0) };
  }

  /** The hours of the day, the most punctual first, without those at which hardly anybody flies. */
  hours(table: Table): Promise<Hour[]> {
    return this.#query<Hour>(
      `select extract(hour from date)::int as hour, (count(*) filter (where delay >= $1))::float8 / count(*) as "lateShare"
         from ${table} group by hour having count(*) > (select count(*) from ${table}) / 100 order by "lateShare"`,
      [LATE_MINUTES],
    );
  }

  async #query<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    const { rows } = await Promise.race([this.#client.query<R>(text, values), this.#aborted]);
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}
