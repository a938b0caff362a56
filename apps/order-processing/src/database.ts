/** The app's part of a Postgres: a schema of its own, and the run that it is about. */

import { appPool } from '@streamweld/app-kit/postgres';
import type pg from 'pg';
import { SCHEMA } from './arguments.ts';
import { initialStock, PRODUCTS } from './catalogue.ts';
import { postgresUnavailable } from './refusals.ts';

/** Connections at most: what writes at once, and what reads beside it. */
const CONNECTIONS = 12;

const TABLES = `
  create table run (seed integer, orders integer, folder text, starts integer default 1, is_finished boolean default false);
  create table stock (sku text primary key, name text, cents integer, initial integer, available integer check (available >= 0));
  create table reservations (order_id integer, sku text references stock, quantity integer, is_reserved boolean, primary key (order_id, sku));
  create table payments (order_id integer primary key, card text, cents integer, paid_by text);
  create table counted (order_id integer primary key);
  create table sales_by_product (sku text primary key, pieces integer, cents bigint);
  create table sales_by_country (country text primary key, orders integer, cents bigint);`;

/** What a run is recognised by: the same command goes on with it. */
export interface RunKey {
  readonly seed: number;
  readonly orders: number;
  /** The folder of its mails and dead letters. */
  readonly folder: string;
}

export interface RunRecord extends RunKey {
  /** How often it was started. */
  readonly starts: number;
  readonly isFinished: boolean;
}

/** What a transaction can do. */
export type Transaction = Pick<pg.PoolClient, 'query'>;

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
   * @param signal ends every connection, whatever it waits for.
   * @throws Refusal ORDERS_POSTGRES_UNAVAILABLE
   */
  static async open(given: string, signal: AbortSignal): Promise<Database> {
    const { url, pool } = appPool({ url: given, schema: SCHEMA, max: CONNECTIONS, signal });
    try {
      const { rows } = await pool.query<{ server_version: string }>('show server_version');
      await pool.query(`create schema if not exists ${SCHEMA}`);
      return new Database(url, rows[0]?.server_version ?? '', pool);
    } catch (error) {
      await pool.end();
      const reason = error instanceof Error ? error.message : String(error);
      throw postgresUnavailable('The Postgres that was given cannot be used', reason, { cause: error });
    }
  }

  /** The run that the schema holds, if one does. */
  async run(): Promise<RunRecord | undefined> {
    const [{ table } = {}] = await this.query<{ table: string | null }>(
      `select to_regclass('${SCHEMA}.run')::text as table`,
    );
    if (table === null) return undefined;
    const [found] = await this.query<RunRecord>(
      'select seed, orders, folder, starts, is_finished as "isFinished" from run',
    );
    return found;
  }

  /** Makes the schema anew, with everything in stock: what an earlier run has left in it is gone. */
  async begin({ seed, orders, folder }: RunKey): Promise<void> {
    const stock = PRODUCTS.map((product) => initialStock(product, orders));
    await this.transaction(async ({ query }) => {
      await query(`drop schema ${SCHEMA} cascade`);
      await query(`create schema ${SCHEMA}`);
      await query(TABLES);
      await query(
        `insert into stock select *, initial as available
           from unnest($1::text[], $2::text[], $3::int[], $4::int[]) as product(sku, name, cents, initial)`,
        [
          PRODUCTS.map(({ sku }) => sku),
          PRODUCTS.map(({ name }) => name),
          PRODUCTS.map(({ cents }) => cents),
          stock,
        ],
      );
      await query('insert into run (seed, orders, folder) values ($1, $2, $3)', [seed, orders, folder]);
    });
  }

  /** From here on there is no run. */
  async forget(): Promise<void> {
    await this.query('drop table if exists run');
  }

  /** It is started once more. */
  async goOn(): Promise<void> {
    await this.query('update run set starts = starts + 1');
  }

  async finish(): Promise<void> {
    await this.query('update run set is_finished = true');
  }

  async query<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.#pool.query<R>(text, values)).rows;
  }

  /** All that `task` does, or nothing of it. */
  async transaction<R>(task: (transaction: Transaction) => Promise<R>): Promise<R> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await task({ query: client.query.bind(client) as Transaction['query'] });
      await client.query('commit');
      return result;
    } catch (error) {
      // A connection on which this fails too is not used again.
      await client.query('rollback').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}
