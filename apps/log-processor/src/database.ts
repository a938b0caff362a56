/** The app's part of a Postgres: a schema of its own. */

import { Refusal } from '@streamweld/app-kit';
import { appPool } from '@streamweld/app-kit/postgres';
import type pg from 'pg';
import { SCHEMA } from './arguments.ts';

const COLUMNS = `
  file text, incarnation integer, inode bigint, line integer, host text, user_name text, at timestamptz, method text,
  path text, query text, protocol text, status integer, bytes bigint, referer text, agent text`;

/** Tables of the comparison: they are there while it lasts. */
const SCRATCH = ['one_after_the_other', 'pipeline'] as const;

export class Database {
  /** With the password in it, where there is one: not to be shown. Tables that are named without a schema are the app's. */
  readonly url: string;
  readonly version: string;
  readonly #pool: pg.Pool;

  private constructor(url: string, version: string, pool: pg.Pool) {
    this.url = url;
    this.version = version;
    this.#pool = pool;
  }

  /**
   * @param folder of the damaged lines: the other half of what the table holds.
   * @param isNew whether what the schema holds is given up.
   * @param signal ends every connection, whatever it waits for.
   * @throws Refusal
   */
  static async open(given: string, folder: string, isNew: boolean, signal: AbortSignal): Promise<Database> {
    const { url, pool } = appPool({
      url: given,
      schema: SCHEMA,
      settings: { timezone: 'UTC' },
      max: 2,
      signal,
    });
    try {
      const version = await prepare(pool, isNew);
      const database = new Database(url, version, pool);
      await database.#belongTo(folder);
      return database;
    } catch (error) {
      await pool.end();
      if (error instanceof Refusal) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Refusal(
        'LOGS_POSTGRES_UNAVAILABLE',
        `The Postgres that was given cannot be used: ${reason}
Give another by --postgres URL or STREAMWELD_POSTGRES_URL, or leave both out: then the app brings one along.`,
        { cause: error },
      );
    }
  }

  async query<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.#pool.query<R>(text, values)).rows;
  }

  /** Empty tables for the comparison. What two runs of it left would be added up. */
  async makeScratch(): Promise<void> {
    await this.dropScratch();
    for (const table of SCRATCH) await this.query(`create table ${table} (${COLUMNS})`);
  }

  async dropScratch(): Promise<void> {
    await this.query(`drop table if exists ${SCRATCH.join(', ')}`);
  }

  /** A table without its damaged lines would prove nothing, nor would they without their table. */
  async #belongTo(folder: string): Promise<void> {
    await this.query('insert into home select $1 where not exists (select from home)', [folder]);
    const [home] = await this.query<{ folder: string }>('select folder from home');
    if (home === undefined || home.folder === folder) return;
    throw new Refusal(
      'LOGS_RUN_ELSEWHERE',
      `The database holds requests whose damaged lines are in another folder. Go on with both by
--out ${home.folder}
or give them up by --new.`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

/** @returns the version of the server */
async function prepare(pool: pg.Pool, isNew: boolean): Promise<string> {
  const { rows } = await pool.query<{ server_version: string }>('show server_version');
  if (isNew) await pool.query(`drop schema if exists ${SCHEMA} cascade`);
  await pool.query(`create schema if not exists ${SCHEMA}`);
  await pool.query(`create table if not exists requests (${COLUMNS})`);
  await pool.query('create table if not exists home (folder text)');
  return rows[0]?.server_version ?? '';
}
