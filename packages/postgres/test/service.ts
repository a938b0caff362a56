/** The real server that the tests of this package run against, and a database of it for each test file. */

import { afterAll, beforeAll, describe } from 'vitest';
import pg from 'pg';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../tools/services/postgres.ts';

export interface Database {
  readonly url: string;
  /** Of a superuser, in the test's database. */
  readonly pool: pg.Pool;
  readonly service: PostgresService;
  query<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
}

let databases = 0;

/** Why there is none, where none can be had. In CI that is a failure of every test file, elsewhere they are skipped. */
async function find(): Promise<PostgresService | PostgresUnavailable> {
  try {
    return await startPostgres();
  } catch (error) {
    if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
    return error;
  }
}

const found = await find();
afterAll(async () => {
  if (!(found instanceof PostgresUnavailable)) await found.stop();
});

/** Describes tests that need a server, with a database of their own. Where there is no server they are skipped, and say why. */
export function describeWithPostgres(name: string, body: (database: () => Database) => void): void {
  if (found instanceof PostgresUnavailable) {
    console.warn(`Skipped: ${name}. ${found.message}`);
    describe.skip(`${name} (${found.message})`, () => {
      body(() => {
        throw found;
      });
    });
    return;
  }
  const service = found;
  describe(name, () => {
    let database: Database | undefined;
    beforeAll(async () => {
      database = await createDatabase(service);
    });
    afterAll(() => database?.pool.end());
    body(() => {
      if (database === undefined) throw new Error('The database is there while a test runs.');
      return database;
    });
  });
}

async function createDatabase(service: PostgresService): Promise<Database> {
  const name = `streamweld_${process.pid}_${databases++}`;
  const admin = new pg.Client(service.url);
  await admin.connect();
  await admin.query(`drop database if exists ${name}`);
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(service.url);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4, idleTimeoutMillis: 0 });
  pool.on('error', () => {});
  // All of them at once: whoever counts handles before and after a test finds as many.
  await Promise.all([1, 2, 3, 4].map(() => pool.query('select pg_sleep(0.05)')));
  return {
    url: url.href,
    pool,
    service,
    query: async <R extends object>(text: string, values?: readonly unknown[]) =>
      (await pool.query(text, values as unknown[])).rows as R[],
  };
}
