/** What the tests of faults share: sinks into tables of the test, rows to write, and a look at what is left behind. */

import { type Flow, from, range } from '@streamweld/core';
import { expect } from 'vitest';
import type { PostgresError } from '../src/errors.ts';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import type { Database } from './service.ts';

export interface Row {
  readonly id: number;
  readonly t?: string;
}

/** The sessions of sources and sinks, in this test's database. */
const STREAMWELD = "application_name like 'streamweld%' and datname = current_database()";

export const RETRY = { attempts: 20, backoff: { firstMs: 20, maxMs: 200 } } as const;

/** What became of the writes of a sink. */
export interface Watched {
  /** Rows in writes that were answered without an error. */
  written: number;
  /** What the others failed with, in order. */
  readonly errors: PostgresError[];
  /** How many rows each had that was begun, and when it was begun. */
  readonly begun: { readonly rows: number; readonly at: number }[];
}

export function watch(sink: PostgresSink<Row>): Watched {
  const watched: Watched = { written: 0, errors: [], begun: [] };
  const write = sink.write.bind(sink);
  sink.write = async (batch, context) => {
    watched.begun.push({ rows: batch.length, at: performance.now() });
    try {
      await write(batch, context);
      watched.written += batch.length;
    } catch (error) {
      watched.errors.push(error as PostgresError);
      throw error;
    }
  };
  return watched;
}

export interface UnderFaults {
  query(text: string): Promise<Record<string, unknown>[]>;
  /** How many rows a table has, with how many ids, from which to which. */
  ids(table: string): Promise<Record<string, unknown>[]>;
  sink(options: Omit<PostgresSinkOptions<Row>, 'connection'>, connection?: string): PostgresSink<Row>;
  /** The URL of the database, with a setting for its sessions. */
  set(setting: string): string;
  /** Nobody of ours is connected. */
  nothingLeft(): Promise<void>;
  /** Waits until one of our sessions is like that. */
  untilSession(condition: string): Promise<void>;
  /** Terminates sessions as soon as they do such a thing; answers how many. */
  terminateWhen(condition: string): Promise<number>;
}

/** What `ids` answers where each of so many rows is there once. */
export function complete(n: number): object[] {
  return [{ n, d: n, least: 0, most: n - 1 }];
}

export function rows(n: number): Row[] {
  return Array.from({ length: n }, (_, id) => ({ id, t: `row ${id}` }));
}

/** With positions. */
export function counted(n: number): Flow<Row> {
  return from(range(0, n)).map((id): Row => ({ id, t: `row ${id}` }));
}

/** Has the server answer what is written to a table with an error, so many times, and counts how often it did. */
export function refusing(table: string, sqlState: string, times: number): string {
  // What a sequence counts is not undone with the transaction.
  return `create sequence tries_${table};
    create function refuse_${table}() returns trigger language plpgsql as $$ begin
      if nextval('tries_${table}') <= ${times} then raise exception 'refused' using errcode = '${sqlState}'; end if;
      return null; end $$;
    create trigger refuse after insert on ${table} for each statement execute function refuse_${table}()`;
}

export function underFaults(database: () => Database): UnderFaults {
  const query = (text: string) => database().query(text);
  const options = { timeout: 20_000, interval: 5 };
  return {
    query,
    ids: (table) =>
      query(
        `select count(*)::int as n, count(distinct id)::int as d, min(id) as least, max(id) as most from ${table}`,
      ),
    sink: (given, connection = database().url) => new PostgresSink<Row>({ connection, ...given }),
    set: (setting) => `${database().url}?options=${encodeURIComponent(`-c ${setting}`)}`,
    async nothingLeft() {
      await expect
        .poll(() => query(`select query from pg_stat_activity where ${STREAMWELD}`), options)
        .toEqual([]);
      expect(await query('select slot_name from pg_replication_slots where active')).toEqual([]);
    },
    async untilSession(condition) {
      await expect
        .poll(() => query(`select 1 from pg_stat_activity where ${STREAMWELD} and ${condition}`), options)
        .toHaveLength(1);
    },
    async terminateWhen(condition) {
      let killed = 0;
      const kill = async (): Promise<number> => {
        const hit = await query(
          `select pg_terminate_backend(pid) from pg_stat_activity where ${STREAMWELD} and ${condition}`,
        );
        killed += hit.length;
        return killed;
      };
      await expect.poll(kill, options).toBeGreaterThan(0);
      return killed;
    },
  };
}
