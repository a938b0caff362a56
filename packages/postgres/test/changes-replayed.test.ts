/** Changes of several tables under concurrent writers, replayed into other tables while the run is ended again and again. */

import { ConcurrentPipeline, type Sink, type SinkContext, type WriteContext } from '@streamweld/core';
import { Random } from '@streamweld/testing';
import pg from 'pg';
import { expect, it } from 'vitest';
import type { Change } from '../src/changes.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { describeWithPostgres } from './service.ts';

const KEYS: Readonly<Record<string, readonly string[]>> = {
  items: ['id'],
  pairs: ['a', 'b'],
  scratch: ['id'],
  full_rows: ['id'],
};
const SEED = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);

/** Applies changes, and keeps where it stands, in one transaction. */
class Replica implements Sink<Change> {
  readonly concurrency = 1;
  readonly atomic = true;
  readonly keepsPositions = true;
  readonly #pool: pg.Pool;
  #epoch = 0;
  applied = 0;
  unchanged = 0;
  partial = 0;
  hasMarker = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async open(_context: SinkContext): Promise<void> {
    // Whatever an earlier run still has under way is fenced.
    const { rows } = await this.#pool.query('update replica.place set epoch = epoch + 1 returning epoch');
    this.#epoch = (rows[0] as { epoch: number }).epoch;
  }

  async positions(): Promise<ReadonlyMap<string, unknown>> {
    const { rows } = await this.#pool.query('select position from replica.place');
    const { position } = rows[0] as { position: unknown };
    return position === null ? new Map() : new Map([['', position]]);
  }

  async write(batch: readonly Change[], { positions }: WriteContext): Promise<void> {
    const position = positions?.get('') as { partial?: unknown };
    const client = await this.#pool.connect();
    try {
      const place = `update replica.place set position = ${pg.escapeLiteral(JSON.stringify(position))} where epoch = ${this.#epoch} returning 1`;
      const statements = ['begin', place, ...batch.map(apply), 'commit'];
      const results = (await client.query(statements.join(';\n'))) as unknown as { rowCount: number }[];
      if (results[1]?.rowCount !== 1) throw new Error('fenced');
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.applied += batch.length;
    this.unchanged += batch.filter(
      (change) => change.kind === 'update' && change.unchanged !== undefined,
    ).length;
    if (position.partial !== undefined) this.partial += 1;
    this.hasMarker ||= batch.some(({ table, new: row }) => table === 'items' && row?.['id'] === -1);
  }
}

function apply(change: Change): string {
  const table = `replica.${pg.escapeIdentifier(change.table)}`;
  const keys = KEYS[change.table] as readonly string[];
  const literal = (value: unknown): string =>
    value === null ? 'null' : pg.escapeLiteral(typeof value === 'string' ? value : JSON.stringify(value));
  const where = (row: Readonly<Record<string, unknown>>): string =>
    keys.map((key) => `${pg.escapeIdentifier(key)} = ${literal(row[key])}`).join(' and ');
  if (change.kind === 'truncate') return `truncate ${table}`;
  if (change.kind === 'delete') return `delete from ${table} where ${where(change.old)}`;
  const names = Object.keys(change.new);
  const set = names
    .map((name) => `${pg.escapeIdentifier(name)} = excluded.${pg.escapeIdentifier(name)}`)
    .join(', ');
  const upsert = `insert into ${table} (${names.map((name) => pg.escapeIdentifier(name)).join(', ')}) values (${names
    .map((name) => literal(change.new[name]))
    .join(', ')}) on conflict (${keys.join(', ')}) do update set ${set}`;
  const isMoved = change.old !== null && keys.some((key) => change.old?.[key] !== change.new[key]);
  return isMoved
    ? `delete from ${table} where ${where(change.old as Readonly<Record<string, unknown>>)};\n${upsert}`
    : upsert;
}

describeWithPostgres('changes, replayed', (database) => {
  it('equal what they were made to, whatever ends the run in between', { timeout: 180_000 }, async () => {
    const random = new Random(SEED);
    console.log(`seed ${SEED}`);
    const { url, pool } = database();
    const query = (text: string) => database().query(text);
    await query(`
      create table items (id int primary key, n int not null default 0, t text, at timestamptz default now());
      create table pairs (a int, b int, v numeric, primary key (a, b));
      create table scratch (id int primary key, t text);
      create table full_rows (id int primary key, n int, t text);
      alter table full_rows replica identity full;
      alter table items alter t set storage external; alter table full_rows alter t set storage external;
      insert into items select n, n, case when n % 10 = 0 then repeat(md5(n::text), 200) else 'short' end from generate_series(1, 6000) as n;
      insert into pairs select n, n % 7, n + 0.25 from generate_series(1, 4000) as n;
      insert into full_rows select n, n, repeat(md5(n::text), 200) from generate_series(1, 200) as n;
      create schema replica;
      create table replica.items (like items including indexes); create table replica.pairs (like pairs including indexes);
      create table replica.scratch (like scratch including indexes); create table replica.full_rows (like full_rows including indexes);
      create table replica.place (epoch int not null, position jsonb); insert into replica.place values (0, null)`);

    const replica = new Replica(pool);
    let isOver = false;
    let runs = 0;
    let ended = 0;
    const following = (async () => {
      while (!isOver) {
        const source = new PostgresChangeSource({
          connection: url,
          slot: 'replayed',
          publication: 'replayed',
          tables: Object.keys(KEYS),
          heartbeatMs: 50,
        });
        const controller = new AbortController();
        const pipeline = new ConcurrentPipeline(source, replica)
          .bufferSize(400)
          .checkpoint(noStore, 'replayed');
        const running = pipeline.run({ signal: controller.signal });
        runs += 1;
        const how = runs % 4;
        const end = (): void => {
          if (how === 0) void pipeline.drain();
          else if (how === 1)
            void query('select pg_terminate_backend(active_pid) from pg_replication_slots where active');
          else controller.abort(new Error('killed'));
        };
        // Again and again: while the snapshot is read there is nobody yet to be terminated.
        const timer = setInterval(end, 60 + random.next() * 400);
        const look = setInterval(() => isOver && void pipeline.drain(), 20);
        await running.catch((error: unknown) => {
          ended += 1;
          const { code, message } = error as { code?: string; message: string };
          if (message !== 'killed' && code !== 'SW_POSTGRES_CONNECTION_LOST') throw error;
        });
        clearInterval(timer);
        clearInterval(look);
      }
    })();

    let changed = 0;
    const write = async (writer: number): Promise<void> => {
      const client = new pg.Client(url);
      await client.connect();
      const some = (most: number): number => Math.floor(random.next() * most);
      for (let round = 0; round < 45; round++) {
        const from = some(6000);
        const count = 1 + some(writer === 0 && round % 9 === 0 ? 3000 : 300);
        const fresh = 10_000 + (writer * 100 + round) * 1000;
        const statement = [
          `update items set n = n + 1, at = now() where id between ${from} and ${from + count}`,
          `insert into items select n, 1, 'new' from generate_series(${fresh}, ${fresh + count}) as n`,
          `delete from items where id between ${from} and ${from + count / 4}`,
          `update pairs set b = b + 1000 where a between ${from} and ${from + count}`,
          `insert into scratch select n, 'x' from generate_series(${fresh}, ${fresh + count}) as n`,
          `update full_rows set n = n + 1 where id between ${from % 200} and ${(from % 200) + 50}`,
          `update full_rows set id = id + 1000000 where id = ${1 + (from % 200)}`,
          `update items set t = repeat(md5(n::text), 150) where id between ${from} and ${from + 20}`,
        ][(round + writer * 3) % 8] as string;
        try {
          await client.query('begin');
          const { rowCount } = await client.query(statement);
          if (round % 15 === 14) await client.query('truncate scratch');
          await client.query(round % 11 === 10 ? 'rollback' : 'commit');
          if (round % 11 !== 10) changed += rowCount ?? 0;
        } catch {
          // Writers may be in each other's way.
          await client.query('rollback');
        }
      }
      await client.end();
    };
    while (changed < 50_000)
      await Promise.all(
        [0, 1, 2].map((writer) =>
          write(writer)
            .then(() => query(`delete from items where id >= 10000`))
            .then(() => query('delete from scratch')),
        ),
      );
    await query(`insert into items (id) values (-1)`);
    await Promise.race([
      following,
      expect.poll(() => replica.hasMarker, { timeout: 120_000, interval: 50 }).toBe(true),
    ]);
    isOver = true;
    await following;

    console.log(
      `${changed} rows changed, ${replica.applied} changes applied in ${runs} runs, ${ended} of them killed`,
    );
    for (const [table, keys] of Object.entries(KEYS)) {
      const order = keys.join(', ');
      const of = (schema: string) =>
        query(
          `select count(*)::int as n, md5(string_agg(r::text, ',' order by ${order})) as rows from ${schema}.${table} as r`,
        );
      expect(await of('replica'), table).toEqual(await of('public'));
    }
    expect(runs).toBeGreaterThan(2);
    expect(replica.unchanged).toBeGreaterThan(0);
    expect(replica.partial).toBeGreaterThan(0);
    expect(await query(`select 1 from pg_replication_slots where slot_name = 'replayed' and active`)).toEqual(
      [],
    );
    await query(`select pg_drop_replication_slot('replayed')`);
  });
});

/** Never asked: the sink keeps the positions. */
const noStore = { load: () => new Map<string, unknown>(), save: () => {} };
