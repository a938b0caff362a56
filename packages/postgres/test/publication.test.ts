/** What a source finds of its publication and its slot: made by others, for others, at the same moment, or not any more. */

import { ConcurrentPipeline } from '@streamweld/core';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { following } from './follow.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('a publication', (database) => {
  const query = (text: string) => database().query(text);
  const { follow, forget } = following(database);
  afterEach(forget);

  const refused = async (...given: Parameters<typeof follow>): Promise<Error & { code: string }> =>
    (await follow(...given).then(
      () => new Error('It was not refused.'),
      (error: unknown) => error,
    )) as Error & { code: string };

  it('is refused where it publishes other tables than are named, whichever way they differ', async () => {
    await query('create table one (id int primary key); create table two (id int primary key)');
    await query('create publication one for table one; create publication pair for table one, two');
    const missing = await refused('one', 1, { tables: ['one', { schema: 'public', table: 'two' }] });
    expect(missing).toMatchObject({ code: 'SW_POSTGRES_SLOT_INVALID', isTransient: false });
    expect(missing.message).toMatch(/"one".*"public"\."two" is not in it.*alter publication "one" add table/);
    const more = await refused('pair', 1, { tables: ['one'] });
    expect(more.code).toBe('SW_POSTGRES_SLOT_INVALID');
    expect(more.message).toMatch(/"pair".* two is in it/);
    await query('create publication everything for all tables');
    expect((await refused('everything', 1, { tables: ['one'] })).message).toMatch(/two is in it/);
    expect(await query('select slot_name from pg_replication_slots')).toEqual([]);
  });

  it('is taken where it publishes the tables that are named, or what inherits from them', async () => {
    await query('create table root (id int primary key) partition by range (id)');
    await query('create publication root for table root');
    const during = () => query('insert into root values (2)');
    // Without a partition there is nothing to be published yet.
    await query(
      'create table root_1 partition of root for values from (0) to (10); insert into root values (1)',
    );
    expect(await follow('root', 2, { tables: ['root'], during })).toHaveLength(2);
    await query('create table above (id int primary key); create table below () inherits (above)');
    await query('create publication above for table above; insert into above values (1)');
    expect(await follow('above', 1, { tables: ['above'] })).toHaveLength(1);
    await query(
      'create table empty (id int) partition by range (id); create publication empty for table empty',
    );
    const { drained } = await started('empty', ['empty']);
    await drained();
  });

  it('is not made for what is no table that is logged, and says which', async () => {
    await query('create view seen as select 1 as id; create unlogged table light (id int primary key)');
    for (const [table, words] of [
      ['seen', /"seen" cannot be published.*view/],
      ['light', /"light" cannot be published.*unlogged/],
      ['not there', /"not there" is not there/],
      ['public.seen', /"public\.seen" is not there.*\{ schema, table \}/],
    ] as const) {
      const error = await refused('unfit', 1, { tables: [table] });
      expect(error).toMatchObject({ code: 'SW_POSTGRES_TABLE_INVALID', isTransient: false });
      expect(error.message).toMatch(words);
    }
  });

  /** A run that reads no snapshot, which has begun to follow. */
  const started = async (slot: string, tables?: readonly string[], options: object = {}) => {
    const source = new PostgresChangeSource({
      connection: database().url,
      slot,
      publication: slot,
      tables,
      snapshot: false,
      heartbeatMs: 20,
      ...options,
    });
    const pipeline = new ConcurrentPipeline(source, () => {});
    const running = pipeline.run();
    running.catch(() => {});
    await Promise.race([
      running,
      expect
        .poll(() => query(`select 1 as n from pg_replication_slots where slot_name = '${slot}' and active`), {
          timeout: 20_000,
        })
        .toEqual([{ n: 1 }]),
    ]);
    return {
      running,
      drained: async () => {
        await pipeline.drain();
        await running;
      },
    };
  };

  it('is made once by several that begin at the same moment', async () => {
    await query('create table shared (id int primary key)');
    const names = [1, 2, 3, 4, 5, 6].map((n) => `shared_${n}`);
    for (let time = 0; time < 5; time++) {
      const runs = await Promise.all(
        names.map((slot) => started(slot, ['shared'], { publication: 'shared', temporary: true })),
      );
      await Promise.all(runs.map(({ drained }) => drained()));
      await query('drop publication shared');
    }
  });

  it('and a slot is made once by two: the other waits until it is made, and is told that it is in use', async () => {
    await query('create table raced (id int primary key); create publication raced for table raced');
    const other = await database().pool.connect();
    try {
      // Whoever makes a slot waits for the transactions that are open.
      await other.query('begin; create temporary table open (id int)');
      const pipelines = [1, 2].map(() => {
        const source = new PostgresChangeSource({
          connection: database().url,
          slot: 'raced',
          publication: 'raced',
          snapshot: false,
        });
        return new ConcurrentPipeline(source, () => {});
      });
      const outcomes = Promise.all(
        pipelines.map(async (pipeline) => {
          try {
            return await pipeline.run();
          } catch (error) {
            // The one that has the slot need not go on.
            await Promise.allSettled(pipelines.map((one) => one.drain()));
            return error;
          }
        }),
      );
      await expect
        .poll(() =>
          query(`select count(distinct pid)::int >= 3 as all from pg_stat_activity
            where application_name like 'streamweld%' and datname = current_database()`),
        )
        .toEqual([{ all: true }]);
      await other.query('rollback');
      expect(await outcomes).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ written: 0 }),
          expect.objectContaining({ code: 'SW_POSTGRES_BUSY', sqlState: '55006' }),
        ]),
      );
    } finally {
      other.release(true);
    }
  });

  it('that is dropped ends the run, and the next one, with what is to be done', async () => {
    await query('create table dropped (id int primary key)');
    const { running } = await started('dropped', ['dropped']);
    await query('drop publication dropped; insert into dropped values (1)');
    const first = (await running.catch((error: unknown) => error)) as Error;
    // Where it is made again the log still begins before that, when there was none.
    const second = await refused('dropped', 1, { tables: ['dropped'], snapshot: false });
    for (const error of [first, second]) {
      expect(error).toMatchObject({ code: 'SW_POSTGRES_SLOT_INVALID', isTransient: false });
      expect(error.message).toMatch(
        /publication "dropped".*select pg_drop_replication_slot\('dropped'\).*begin anew/,
      );
    }
  });

  it('is of no use to a user that may not replicate, or where no slot is left: both say what is missing', async () => {
    await query('create table poor (id int primary key); create publication poor for table poor');
    await query('create role poor login; grant select on poor to poor');
    const url = new URL(database().url);
    url.username = 'poor';
    const denied = await refused('poor', 1, { connection: url.href });
    await query('drop owned by poor; drop role poor');
    expect(denied.code).toBe('SW_POSTGRES_DENIED');
    expect(denied.message).toMatch(/attribute REPLICATION/);

    // Each session has temporary ones of its own, which go with it.
    const taking = new pg.Client(database().url);
    await taking.connect();
    try {
      const most = Number((await query('show max_replication_slots'))[0]?.['max_replication_slots']);
      for (let n = 0; n < most; n++) {
        await taking
          .query('select pg_create_physical_replication_slot($1, false, true)', [`taken_${n}`])
          .catch(() => {});
      }
      const full = await refused('poor', 1);
      expect(full).toMatchObject({ code: 'SW_POSTGRES_BUSY', sqlState: '53400' });
      expect(full.message).toMatch(/max_replication_slots.*pg_replication_slots/);
    } finally {
      await taking.end();
    }
  });

  it('has a slot that is there already where a temporary one was asked for', async () => {
    await query('create table kept (id int primary key); create publication kept for table kept');
    await query("select pg_create_logical_replication_slot('kept', 'pgoutput')");
    const error = await refused('kept', 1, { temporary: true });
    expect(error.code).toBe('SW_POSTGRES_SLOT_INVALID');
    expect(error.message).toMatch(/"kept" is there already.*temporary/);
  });
});
