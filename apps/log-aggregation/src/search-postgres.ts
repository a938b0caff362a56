/** An index in a Postgres: full-text search over a column of words. It is still there when the app has ended. */

import type { Awaitable, Sink, SinkContext, WriteContext } from '@streamweld/core';
import { PostgresSink } from '@streamweld/postgres';
import { appPool } from '@streamweld/app-kit/postgres';
import type pg from 'pg';
import type { Entry } from './entry.ts';
import { Refusal } from '@streamweld/app-kit';
import type { Found, Hit, SearchIndex } from './search.ts';
import { wordsIn } from './words.ts';

/** Where the table is. In a database of yours it is the only thing that is touched. */
const SCHEMA = 'streamweld_logs';

// The words are cut by the app, so that both kinds of index find the same; what looks them up is the server's own.
const TABLE = `
  drop table if exists ${SCHEMA}.entries;
  create table ${SCHEMA}.entries (
    id text primary key, log text, line integer, service text, level text, at timestamptz, text text, words text[],
    lexemes tsvector generated always as (array_to_tsvector(words)) stored);
  create index on ${SCHEMA}.entries using gin (lexemes);`;

export class PostgresIndex implements SearchIndex {
  readonly name = 'search';
  readonly atomic = true;
  readonly concurrency = 1;
  readonly whereabouts: string;
  readonly #pool: pg.Pool;
  readonly #sink: Sink<Entry>;

  private constructor(pool: pg.Pool, version: string) {
    this.#pool = pool;
    this.whereabouts = `in Postgres ${version}, table ${SCHEMA}.entries, by its full-text search`;
    this.#sink = new PostgresSink<Entry>({
      client: pool,
      schema: SCHEMA,
      table: 'entries',
      // What is written again replaces itself.
      mode: 'upsert',
      key: 'id',
      columns: {
        id: ({ id }: Entry) => storable(id),
        log: ({ log }: Entry) => storable(log),
        line: 'line',
        service: 'service',
        level: 'level',
        at: ({ at }: Entry) => (at === null ? null : new Date(at)),
        text: ({ text }: Entry) => storable(text),
        words: ({ text }: Entry) => [...new Set(wordsIn(text))],
      },
    });
  }

  /** Begins with an empty table. @throws Refusal LOGS_POSTGRES_UNAVAILABLE */
  static async open(url: string): Promise<PostgresIndex> {
    const { pool } = appPool({ url, max: 3 });
    try {
      const { rows } = await pool.query<{ server_version: string }>('show server_version');
      await pool.query(`create schema if not exists ${SCHEMA}`);
      await pool.query(TABLE);
      return new PostgresIndex(pool, rows[0]?.server_version ?? '');
    } catch (error) {
      await pool.end();
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Refusal(
        'LOGS_POSTGRES_UNAVAILABLE',
        `The Postgres that was given cannot be used (${code ?? message}). Check that it runs and that its URL is right, or leave it out: then the index is in memory.`,
        { cause: error },
      );
    }
  }

  open(context: SinkContext): Awaitable<void> {
    return this.#sink.open?.(context);
  }

  write(batch: readonly Entry[], context: WriteContext): ReturnType<Sink<Entry>['write']> {
    return this.#sink.write(batch, context);
  }

  close(reason?: unknown): Awaitable<void> {
    return this.#sink.close?.(reason);
  }

  async find(words: readonly string[], limit: number): Promise<Found> {
    if (words.length === 0) return { total: 0, hits: [] };
    const { rows } = await this.#pool.query<Omit<Hit, 'at'> & { at: Date | null; total: number }>(
      `select id, service, level, at, text, (count(*) over ())::int as total from ${SCHEMA}.entries
        where lexemes @@ $1::tsquery order by at desc nulls last, log, line desc limit $2`,
      // Letters and digits, and nothing else: they can be quoted so.
      [words.map((word) => `'${word}'`).join(' & '), Number.isFinite(limit) ? limit : null],
    );
    const hits = rows.map(({ id, service, level, at, text }): Hit => {
      return { id, service, level, at: at?.getTime() ?? null, text };
    });
    return { total: rows[0]?.total ?? 0, hits };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

/** A line may hold what no text of Postgres can: NUL, and half of a surrogate pair. The files have it as it was. */
function storable(text: string): string {
  return text.replaceAll(/\p{Surrogate}|\0/gu, '\uFFFD');
}
