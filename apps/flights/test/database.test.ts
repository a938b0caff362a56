import type { OwnPostgres } from '@streamweld/app-kit';
import { describeWithOwnPostgres } from '@streamweld/app-kit/test';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Database } from '../src/database.ts';
import { startOwn } from '../src/postgres.ts';

const never = new AbortController().signal;

describeWithOwnPostgres('Database', () => {
  let server: OwnPostgres;
  let database: Database;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startOwn(never);
    client = new pg.Client(server.url);
    client.on('error', () => {});
    await client.connect();
    await client.query(`set search_path = streamweld_flights`);
  });

  afterAll(async () => {
    await client.end();
    await database[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    await database?.[Symbol.asyncDispose]();
    database = await Database.open(server.url, never);
  });

  /** Flights at the full hours of a day, the first two of each row late. */
  async function fill(table: string, rows: readonly number[]): Promise<void> {
    await client.query(
      `insert into ${table}
       select r, timestamp '2001-01-01' + r * interval '1 hour', case when r < 2 then 20 else 1 end, 100,
              case when r % 2 = 0 then 'AAA' else 'BBB' end, 'CCC' from unnest($1::int[]) as r`,
      [rows],
    );
  }

  it('tallies a table that has everything, once', async () => {
    await fill('broadcast', [0, 1, 2, 3, 4]);
    expect(await database.tally('broadcast', 5)).toEqual({
      rows: 5,
      lost: 0,
      doubled: 0,
      airports: new Map([
        ['AAA', { flights: 3, late: 1, delay: 22 }],
        ['BBB', { flights: 2, late: 1, delay: 21 }],
      ]),
    });
  });

  it('sees what is lost, what is there twice and what should not be there', async () => {
    await fill('broadcast', [0, 1, 1, 3, 7]);
    expect(await database.tally('broadcast', 5)).toMatchObject({ rows: 5, lost: 2, doubled: 2 });
    expect(await database.tally('pipeline', 5)).toMatchObject({ rows: 0, lost: 5, doubled: 0 });
  });

  it('tells how many flights two tables do not share', async () => {
    await fill('pipeline', [0, 1, 2]);
    await fill('one_after_the_other', [2, 1, 0]);
    expect(await database.differing('one_after_the_other', 'pipeline')).toBe(0);
    await fill('pipeline', [2, 3]);
    expect(await database.differing('one_after_the_other', 'pipeline')).toBe(2);
    await client.query('update pipeline set delay = delay + 1 where "row" = 0');
    expect(await database.differing('one_after_the_other', 'pipeline')).toBe(4);
  });

  it('tells the hours of the day, the most punctual first', async () => {
    await fill('survived', [0, 1, 2, 26]);
    const hours = await database.hours('survived');
    expect(hours[0]).toEqual({ hour: 2, lateShare: 0 });
    expect(hours.slice(1).map(({ lateShare }) => lateShare)).toEqual([1, 1]);
  });

  it('makes its own schema anew and touches nothing else', async () => {
    await client.query('create table if not exists public.pipeline as select 1 as mine');
    await fill('pipeline', [0]);
    await using again = await Database.open(server.url, never);
    expect(await again.tally('pipeline', 0)).toMatchObject({ rows: 0 });
    expect((await client.query('select mine from public.pipeline')).rows).toEqual([{ mine: 1 }]);
  });

  it('waits for no answer when it is aborted', async () => {
    const controller = new AbortController();
    await using waiting = await Database.open(server.url, controller.signal);
    await client.query('begin; lock table pipeline in access exclusive mode');
    const tally = waiting.tally('pipeline', 1);
    controller.abort(new Error('enough'));
    await expect(tally).rejects.toThrow('enough');
    await client.query('rollback');
  });
});
