/** What a server cannot do now, and may be able to later, by the numbers of the table of faults. */

import { collect, ConcurrentPipeline, type DeadLetter, MemoryCheckpointStore } from '@streamweld/core';
import { once } from 'node:events';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import type { Change } from '../src/changes.ts';
import type { PostgresConnection, PostgresPool } from '../src/connection.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';
import { complete, counted, refusing, RETRY, type Row, rows, underFaults, watch } from './under-faults.ts';

describeWithPostgres('faults', (database) => {
  const { ids, nothingLeft, query, set, sink, terminateWhen, untilSession } = underFaults(database);
  afterEach(nothingLeft);

  /** Opened by the test; it says when somebody waits there. */
  const gate = () => {
    let open = (): void => {};
    let arrive = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const pass = (): Promise<void> => {
      arrive();
      return opened;
    };
    return { open, arrived, pass };
  };

  describe('81 another transaction is in the way: the whole transaction is tried again', () => {
    it('a deadlock (40P01)', async () => {
      await query('create table fought (id int primary key, t text)');
      await query(`insert into fought select n, 'old' from generate_series(0, 99) as n`);
      const other = await database().pool.connect();
      // Whoever looks first ends itself: it is the sink, after a second.
      await other.query(
        "begin; set local deadlock_timeout = '1min'; update fought set t = 'other' where id = 90",
      );
      const target = sink({ table: 'fought', mode: 'upsert', key: 'id' });
      const watched = watch(target);
      const running = new ConcurrentPipeline(counted(100), target)
        .checkpoint(new MemoryCheckpointStore(), 'fought')
        .retry(RETRY)
        .run();
      await untilSession("wait_event = 'transactionid'");
      // The sink holds the rows before 90, and waits for 90; now this one waits for 10.
      await other.query("update fought set t = 'other' where id = 10");
      await other.query('commit');
      other.release();
      expect((await running).retried).toBe(1);
      expect(watched.errors).toMatchObject([
        { code: 'SW_POSTGRES_BUSY', sqlState: '40P01', isTransient: true },
      ]);
      expect(watched.begun.map((write) => write.rows)).toEqual([100, 100]);
      expect(await ids('fought')).toEqual(complete(100));
      expect(await query(`select * from fought where t <> 'row ' || id`)).toEqual([]);
    });

    it('a row that was changed meanwhile (40001)', async () => {
      await query('create table serial (id int primary key, t text)');
      await query(`insert into serial values (90, 'old')`);
      const other = await database().pool.connect();
      await other.query("begin; update serial set t = 'other' where id = 90");
      const target = sink(
        { table: 'serial', mode: 'upsert', key: 'id' },
        set('default_transaction_isolation=serializable'),
      );
      const watched = watch(target);
      const running = new ConcurrentPipeline(counted(100), target)
        .checkpoint(new MemoryCheckpointStore(), 'serial')
        .retry(RETRY)
        .run();
      await untilSession("wait_event = 'transactionid'");
      await other.query('commit');
      other.release();
      expect((await running).retried).toBe(1);
      expect(watched.errors).toMatchObject([
        { code: 'SW_POSTGRES_BUSY', sqlState: '40001', isTransient: true },
      ]);
      expect(watched.begun.map((write) => write.rows)).toEqual([100, 100]);
      expect(await ids('serial')).toEqual(complete(100));
      expect(await query(`select * from serial where t <> 'row ' || id`)).toEqual([]);
    });
  });

  describe('86 what the server has no room or no time for is an outage', () => {
    it.each(['copy', 'insert', 'upsert'] as const)(
      'a full disk (53100) by %s: the same batch again, later and later, and never the dead letter',
      async (mode) => {
        const table = `full_${mode}`;
        await query(`create table ${table} (id int primary key, t text); ${refusing(table, '53100', 3)}`);
        const letters = collect<DeadLetter<Row>>();
        const target = sink(mode === 'upsert' ? { table, mode, key: 'id' } : { table, mode });
        const watched = watch(target);
        const report = await new ConcurrentPipeline(counted(100), target)
          .checkpoint(new MemoryCheckpointStore(), table)
          .retry({ attempts: 5, jitter: 0, backoff: { firstMs: 20 } })
          .deadLetter(letters)
          .run();
        expect([report.written, report.retried, report.deadLettered]).toEqual([100, 3, 0]);
        expect(
          watched.errors.map(({ code, sqlState, isTransient }) => ({ code, sqlState, isTransient })),
        ).toEqual(
          Array.from({ length: 3 }, () => ({
            code: 'SW_POSTGRES_BUSY',
            sqlState: '53100',
            isTransient: true,
          })),
        );
        expect(watched.errors[0]?.message).toContain('the disk of the server is full');
        expect(watched.begun.map((write) => write.rows)).toEqual([100, 100, 100, 100]);
        for (const [at, least] of [20, 40, 80].entries()) {
          const [one, next] = watched.begun.slice(at, at + 2);
          // A timer may come a fraction of a millisecond early.
          expect((next?.at ?? 0) - (one?.at ?? 0)).toBeGreaterThan(least - 1);
        }
        expect(await ids(table)).toEqual(complete(100));
        expect(letters.items).toEqual([]);
      },
    );

    it.each(['53100', '53200', '53300', '57P03', '57P05', '25P04', '58030'])(
      '%s that does not pass: the run fails with it, and no row is to blame',
      async (sqlState) => {
        const table = `failing_${sqlState.toLowerCase()}`;
        await query(`create table ${table} (id int, t text); ${refusing(table, sqlState, 1_000_000)}`);
        const letters = collect<DeadLetter<Row>>();
        const running = new ConcurrentPipeline(rows(100), sink({ table }))
          .retry({ attempts: 3, backoff: { firstMs: 1 } })
          .deadLetter(letters)
          .run();
        await expect(running).rejects.toMatchObject({ sqlState, isTransient: true });
        expect(await query(`select last_value::int as n from tries_${table}`)).toEqual([{ n: 3 }]);
        expect(letters.items).toEqual([]);
        expect(await query(`select * from ${table}`)).toEqual([]);
      },
    );

    it.each([
      ['statement_timeout', 'SW_POSTGRES_CANCELED', '57014'],
      ['lock_timeout', 'SW_POSTGRES_BUSY', '55P03'],
    ])('%s: named, and tried again with the same batch', async (setting, code, sqlState) => {
      const table = `slow_${setting}`;
      await query(`create table ${table} (id int, t text)`);
      const blocker = await database().pool.connect();
      await blocker.query(`begin; lock table ${table} in access exclusive mode`);
      const letters = collect<DeadLetter<Row>>();
      const target = sink({ table }, set(`${setting}=100`));
      const watched = watch(target);
      const running = new ConcurrentPipeline(rows(10), target).retry(RETRY).deadLetter(letters).run();
      await Promise.race([
        expect.poll(() => watched.errors.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2),
        running,
      ]);
      await blocker.query('rollback');
      blocker.release();
      expect((await running).written).toBe(10);
      expect(watched.errors[0]).toMatchObject({ code, sqlState, isTransient: true });
      expect(new Set(watched.begun.map((write) => write.rows))).toEqual(new Set([10]));
      expect(await ids(table)).toEqual(complete(10));
      expect(letters.items).toEqual([]);
    });

    it('a server that is read-only (25006): no second attempt, and no row is to blame', async () => {
      await query('create table unwritable (id int, t text)');
      const letters = collect<DeadLetter<Row>>();
      const target = sink({ table: 'unwritable' }, set('default_transaction_read_only=on'));
      const watched = watch(target);
      await expect(
        new ConcurrentPipeline(rows(10), target).retry(RETRY).deadLetter(letters).run(),
      ).rejects.toMatchObject({ code: 'SW_POSTGRES_READ_ONLY', sqlState: '25006', isTransient: false });
      expect(watched.errors).toHaveLength(1);
      expect(letters.items).toEqual([]);
      expect(await ids('unwritable')).toMatchObject([{ n: 0 }]);
    });

    it('no connection left (53300): as the run begins it fails, in its course it waits', async () => {
      const role = `limited_${process.pid}`;
      const url = new URL(database().url);
      await query(`create table crowded (id int, t text);
        create role ${role} login password '${url.password}' connection limit 0;
        grant all on crowded to ${role}; grant create on schema public to ${role}`);
      url.username = role;
      const open = () =>
        sink(
          { table: 'crowded', batching: { maxItems: 100 }, positionsTable: 'crowded_positions' },
          url.href,
        );
      await expect(new ConcurrentPipeline(rows(1), open()).run()).rejects.toMatchObject({
        code: 'SW_POSTGRES_BUSY',
        sqlState: '53300',
      });
      await query(`alter role ${role} connection limit 10`);
      const target = open();
      const watched = watch(target);
      const inner = target.write.bind(target);
      target.write = async (batch, context) => {
        if (batch[0]?.id === 500 && context.attempt === 1) {
          await query(`alter role ${role} connection limit 0`);
          await terminateWhen('true');
        }
        return inner(batch, context);
      };
      const running = new ConcurrentPipeline(counted(1000), target)
        .bufferSize(100)
        .checkpoint(new MemoryCheckpointStore(), 'crowded')
        .retry({ ...RETRY, attempts: 1000 })
        .run();
      const refused = () => watched.errors.filter(({ sqlState }) => sqlState === '53300');
      await Promise.race([
        expect.poll(() => refused().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2),
        running,
      ]);
      await query(`alter role ${role} connection limit 10`);
      expect((await running).written).toBe(1000);
      expect(refused()[0]).toMatchObject({ code: 'SW_POSTGRES_BUSY', isTransient: true });
      expect(await ids('crowded')).toEqual(complete(1000));
      await query(`drop owned by ${role}; drop role ${role}`);
    });
  });

  describe('86 idle_in_transaction_session_timeout and statement_timeout', () => {
    /** As long as it takes the server to find a transaction that is idle under this limit. */
    const limitPassed = async (setting: string): Promise<void> => {
      const client = new pg.Client(set(setting));
      await client.connect();
      const ended = once(client, 'error');
      client.on('error', () => {});
      await client.query('begin');
      expect((await ended)[0]).toMatchObject({ code: '25P03' });
      await client.end();
    };
    const IDLE = 'idle_in_transaction_session_timeout=50';

    it('a transaction of the sink that was idle (25P03): it is tried again, once', async () => {
      await query('create table paused (id int, t text)');
      const pool = new pg.Pool({
        connectionString: set(IDLE),
        application_name: 'streamweld of a pool',
      });
      let ended = 0;
      const idling: PostgresPool = {
        async connect() {
          const client = await pool.connect();
          const connection: PostgresConnection = {
            // Twice the process has something else to do behind `begin`, until the server has had enough.
            query: async (asked) => {
              const found = client.query(asked as never) as unknown;
              if (asked.text !== 'begin' || ended === 2) return found as never;
              const error = once(client, 'error');
              await found;
              expect((await error)[0]).toMatchObject({ code: '25P03' });
              ended += 1;
              return (await found) as never;
            },
            on: (event, listener) => client.on(event as 'error', listener),
            off: (event, listener) => client.off(event as 'error', listener),
            release: (destroy) => client.release(destroy),
          };
          return connection;
        },
      };
      const target = new PostgresSink<Row>({ client: idling, table: 'paused', mode: 'insert' });
      const watched = watch(target);
      const report = await new ConcurrentPipeline(counted(100), target)
        .checkpoint(new MemoryCheckpointStore(), 'paused')
        .retry(RETRY)
        .run();
      await pool.end();
      expect(ended).toBe(2);
      expect(report.retried).toBe(2);
      expect(watched.errors[0]).toMatchObject({
        code: 'SW_POSTGRES_CONNECTION_LOST',
        sqlState: '25P03',
        isTransient: true,
      });
      expect(await ids('paused')).toEqual(complete(100));
    });

    it.each([1, 3])('a query with %i readers behind a sink that stands still goes on', async (readers) => {
      const table = `held_${readers}`;
      await query(`create table ${table} as select n as id from generate_series(0, 4999) as n`);
      const { open, arrived, pass } = gate();
      const source = new PostgresSource<Row>({ connection: set(IDLE), table, resumeKey: 'id', readers });
      const found: number[] = [];
      const running = new ConcurrentPipeline(source, async (batch: readonly Row[]) => {
        await pass();
        found.push(...batch.map(({ id }) => id));
      })
        .bufferSize(100)
        .run();
      await Promise.race([arrived, running]);
      await limitPassed(IDLE);
      open();
      await running;
      expect(found.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, id) => id));
    });

    it('a snapshot of several tables and the stream behind it go on likewise', async () => {
      await query(`create table idle_1 as select n as id from generate_series(1, 20) as n;
        create table idle_2 as select n as id from generate_series(21, 40) as n`);
      const { open, arrived, pass } = gate();
      const source = new PostgresChangeSource({
        connection: set(IDLE),
        slot: 'idle',
        publication: 'idle',
        tables: ['idle_1', 'idle_2'],
      });
      const found: unknown[] = [];
      const pipeline = new ConcurrentPipeline(source, async (batch: readonly Change[]) => {
        await pass();
        found.push(...batch.map((change) => change.new?.['id']));
      }).bufferSize(10);
      const running = pipeline.run();
      const until = (count: number) =>
        Promise.race([expect.poll(() => found.length, { timeout: 20_000 }).toBe(count), running]);
      await Promise.race([arrived, running]);
      await limitPassed(IDLE);
      open();
      await until(40);
      await query('insert into idle_2 values (41)');
      await until(41);
      await pipeline.drain();
      await running;
      await query("select pg_drop_replication_slot('idle')");
      expect(found).toEqual(Array.from({ length: 41 }, (_, at) => at + 1));
    });

    it('a query that a sink holds up longer than statement_timeout: a clear code, and the next run goes on', async () => {
      await query('create table cut as select n as id from generate_series(0, 4999) as n');
      await query('create table kept (id int)');
      const store = new MemoryCheckpointStore();
      const run = (limit: string, hold?: () => Promise<void>) => {
        const target = sink({ table: 'kept', batching: { maxItems: 50 } });
        const inner = target.write.bind(target);
        let writes = 0;
        target.write = async (batch, context) => {
          writes += 1;
          if (writes === 3) await hold?.();
          return inner(batch, context);
        };
        const source = new PostgresSource<Row>({ connection: set(limit), table: 'cut', resumeKey: 'id' });
        return new ConcurrentPipeline(source, target).bufferSize(100).checkpoint(store, 'cut').run();
      };
      const setting = 'statement_timeout=1000';
      // As long as the server lets any statement take; that of the source began before.
      const limitPassed = async (): Promise<void> => {
        const client = new pg.Client(set(setting));
        await client.connect();
        await expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
        await client.end();
      };
      await expect(run(setting, limitPassed)).rejects.toMatchObject({
        code: 'SW_POSTGRES_CANCELED',
        sqlState: '57014',
        isTransient: true,
        message: expect.stringContaining('statement_timeout') as string,
      });
      const [first] = (await ids('kept')) as [{ n: number; d: number }];
      expect(first.n).toBeGreaterThan(0);
      expect(first.n).toBeLessThan(5000);
      expect((await run('statement_timeout=0')).written).toBe(5000 - first.n);
      expect(await ids('kept')).toEqual(complete(5000));
    });
  });
});
