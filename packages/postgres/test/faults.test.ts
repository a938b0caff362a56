/** What a server and a network do to a run, by the numbers of the table of faults. Each test sees that the fault fired. */

import {
  collect,
  ConcurrentPipeline,
  type DeadLetter,
  from,
  MemoryCheckpointStore,
  range,
} from '@streamweld/core';
import { openFaultProxy } from '@streamweld/testing';
import pg from 'pg';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../tools/services/postgres.ts';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

interface Row {
  readonly id: number;
  readonly t?: string;
}

const STREAMWELD = "application_name like 'streamweld%' and datname = current_database()";
const RETRY = { attempts: 20, backoff: { firstMs: 20, maxMs: 200 } } as const;

describeWithPostgres('faults', (database) => {
  const query = (text: string) => database().query(text);
  const ids = (table: string) =>
    query(
      `select count(*)::int as n, count(distinct id)::int as d, min(id) as least, max(id) as most from ${table}`,
    );
  const complete = (n: number) => [{ n, d: n, least: 0, most: n - 1 }];
  const rows = (n: number): Row[] => Array.from({ length: n }, (_, id) => ({ id, t: `row ${id}` }));
  /** With positions. */
  const counted = (n: number) => from(range(0, n)).map((id): Row => ({ id, t: `row ${id}` }));
  const sink = (
    options: Omit<PostgresSinkOptions<Row>, 'connection'>,
    connection: string | object = database().url,
  ) => new PostgresSink<Row>({ connection, ...options });

  const nothingLeft = () =>
    expect
      .poll(() => query(`select query from pg_stat_activity where ${STREAMWELD}`), { timeout: 10_000 })
      .toEqual([]);

  afterEach(async () => {
    await nothingLeft();
    expect(await query('select slot_name from pg_replication_slots where active')).toEqual([]);
  });

  /** Terminates sessions as soon as they do such a thing; answers how many. */
  const terminateWhen = async (condition: string): Promise<number> => {
    let killed = 0;
    await expect
      .poll(
        async () => {
          const hit = await query(
            `select pg_terminate_backend(pid) from pg_stat_activity where ${STREAMWELD} and ${condition}`,
          );
          killed += hit.length;
          return killed;
        },
        { timeout: 20_000, interval: 5 },
      )
      .toBeGreaterThan(0);
    return killed;
  };

  describe('78 a session is terminated', () => {
    it('in COPY, in a statement, and while it is idle: the batch is written again, once', async () => {
      for (const mode of ['copy', 'insert'] as const) {
        const table = `terminated_${mode}`;
        await query(`create table ${table} (id int, t text)`);
        await query(`create or replace function slow() returns trigger language plpgsql as $$ begin
          if new.id % 500 = 0 then perform pg_sleep(0.02); end if; return new; end $$`);
        await query(`create trigger slow before insert on ${table} for each row execute function slow()`);
        const running = new ConcurrentPipeline(
          counted(10_000),
          sink({ table, mode, batching: { maxItems: 2000 } }),
        )
          .bufferSize(2000)
          .checkpoint(new MemoryCheckpointStore(), table)
          .retry(RETRY)
          .run();
        let killed = 0;
        for (const condition of [
          `state = 'active' and query ilike '${mode}%'`,
          'true',
          `state = 'active' and query ilike '${mode}%'`,
        ]) {
          killed += await Promise.race([terminateWhen(condition), running.then(() => 0)]);
        }
        const report = await running;
        expect(killed).toBeGreaterThan(1);
        expect(report.retried).toBeGreaterThan(0);
        expect(await ids(table)).toEqual(complete(10_000));
      }
    });

    it('in a cursor: the run fails with a code that says so', async () => {
      const source = new PostgresSource({
        connection: database().url,
        query: 'select n, pg_sleep(0.001) from generate_series(1, 1000000) as n',
      });
      const running = new ConcurrentPipeline(source, () => {}).run();
      const [killed] = await Promise.all([
        terminateWhen(`query like '%pg_sleep%'`),
        expect(running).rejects.toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST' }),
      ]);
      expect(killed).toBe(1);
    });

    it('while a source is idle in its transaction', async () => {
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      const source = new PostgresSource({
        connection: database().url,
        query: 'select * from generate_series(1, 100000)',
      });
      const running = new ConcurrentPipeline(source, () => gate).bufferSize(100).run();
      const outcome = expect(running).rejects.toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST' });
      // To the server it is not idle: a portal is open.
      await terminateWhen(`wait_event = 'ClientRead' and query like '%generate_series%'`);
      go();
      await outcome;
    });
  });

  it('80 the reply of COMMIT is lost: it is read back, and nothing is written twice', async () => {
    await using proxy = await openFaultProxy({ target: { port: database().service.port } });
    const url = new URL(database().url);
    url.port = String(proxy.port);
    await query('create table lost (id int, t text)');
    const target = sink({ table: 'lost', batching: { maxItems: 500 } }, url.href);
    const isCommit = (request: Uint8Array): boolean =>
      Buffer.from(request).includes('Qcommit'.slice(1)) && request[0] === 0x51;
    const inner = target.write.bind(target);
    target.write = (batch, context) => {
      // Each second write loses its answer.
      if (batch[0] !== undefined && (batch[0].id / 500) % 2 === 0) proxy.dropReply(isCommit);
      return inner(batch, context);
    };
    await new ConcurrentPipeline(counted(10_000), target)
      .bufferSize(500)
      .checkpoint(new MemoryCheckpointStore(), 'lost')
      .retry(RETRY)
      .run();
    expect(proxy.counts.repliesDropped).toBe(10);
    expect(await ids('lost')).toEqual(complete(10_000));
  });

  it('80 the reply is lost, and the server is not to be reached when it is asked: the retry finds it out', async () => {
    await using proxy = await openFaultProxy({ target: { port: database().service.port } });
    const url = new URL(database().url);
    url.port = String(proxy.port);
    await query('create table lost_twice (id int, t text)');
    const target = sink({ table: 'lost_twice' }, url.href);
    await target.open({ signal: new AbortController().signal, checkpoint: 'lost twice', fail: () => {} });
    const timeout = new AbortController();
    const context = {
      attempt: 1,
      positions: new Map([['', 5]]),
      defer: () => {
        throw new Error('no');
      },
    };
    proxy.dropReply((request) => {
      if (request[0] !== 0x51 || !Buffer.from(request).includes('commit')) return false;
      proxy.refuse();
      return true;
    });
    const writing = target.write(rows(5), { ...context, signal: timeout.signal });
    await expect.poll(() => proxy.counts.repliesDropped, { timeout: 10_000 }).toBe(1);
    await expect.poll(() => proxy.counts.refused, { timeout: 10_000 }).toBeGreaterThan(0);
    timeout.abort(new Error('too long'));
    await expect(writing).rejects.toThrow();
    proxy.restore();
    await target.write(rows(5), { ...context, attempt: 2, signal: new AbortController().signal });
    expect(await ids('lost_twice')).toEqual(complete(5));
    await target.close();
  });

  it('81 a deadlock and a serialization failure: the whole transaction is tried again', async () => {
    await query('create table fought (id int primary key, t text)');
    await query(`insert into fought select n, 'old' from generate_series(0, 99) as n`);
    const other = await database().pool.connect();
    await other.query('begin');
    await other.query("update fought set t = 'other' where id = 90");
    const running = new ConcurrentPipeline(counted(100), sink({ table: 'fought', mode: 'upsert', key: 'id' }))
      .checkpoint(new MemoryCheckpointStore(), 'fought')
      .retry(RETRY)
      .run();
    await expect
      .poll(() => query(`select 1 from pg_stat_activity where ${STREAMWELD} and wait_event_type = 'Lock'`), {
        timeout: 10_000,
      })
      .toHaveLength(1);
    // It holds the rows before 90, and waits for 90; now this one waits for 10. The server ends one of the two.
    const outcome = await other.query("update fought set t = 'other' where id = 10").then(
      () => 'the sink lost',
      () => 'the other lost',
    );
    await other.query('rollback');
    other.release();
    const report = await running;
    expect(outcome === 'the other lost' || report.retried > 0).toBe(true);
    expect(await ids('fought')).toEqual(complete(100));

    await query('create table serial (id int, t text)');
    await query(`create sequence tries; create function conflict() returns trigger language plpgsql as $$ begin
      if nextval('tries') <= 2 then raise exception 'no' using errcode = '40001'; end if; return null; end $$`);
    await query(
      'create trigger conflict after insert on serial for each statement execute function conflict()',
    );
    const second = await new ConcurrentPipeline(rows(100), sink({ table: 'serial' })).retry(RETRY).run();
    expect(second.retried).toBe(2);
    expect(await ids('serial')).toEqual(complete(100));
  });

  it('82 a unique violation in a batch, exactly once: it is isolated, the rest is written once', async () => {
    await query('create table dupes (id int primary key, t text)');
    await query(`insert into dupes values (777, 'there')`);
    const letters = collect<DeadLetter<Row>>();
    const report = await new ConcurrentPipeline(counted(1000), sink({ table: 'dupes' }))
      .checkpoint(new MemoryCheckpointStore(), 'dupes')
      .deadLetter(letters)
      .run();
    expect([report.written, report.deadLettered]).toEqual([999, 1]);
    expect(letters.items[0]).toMatchObject({
      item: { id: 777 },
      error: { code: 'SW_POSTGRES_DATA_INVALID' },
    });
    expect(await ids('dupes')).toEqual(complete(1000));
  });

  it.each(['copy', 'insert', 'upsert'] as const)(
    '82 what the server refuses goes to the dead letter with the code of the server, as data: %s',
    async (mode) => {
      const table = `Refused by ${mode}`;
      await query(`create table "${table}" (id int primary key, n int not null, "E-mail" text constraint "one ""${mode}""" unique,
        t text, constraint short check (length(t) < 12));
        insert into "${table}" values (1000, 1, 'there', '')`);
      const at: Readonly<Record<number, object>> = {
        3: { 'E-mail': 'there' },
        40: { n: null },
        55: { n: 'secret-value' },
        90: { t: 'secret-value, long' },
      };
      const items = from(range(0, 100)).map((id) => ({
        id,
        n: 1,
        t: `row ${id}`,
        'E-mail': `${id}`,
        ...at[id],
      }));
      const letters = collect<DeadLetter<Row>>();
      const target = new PostgresSink<object>({
        connection: database().url,
        table,
        ...(mode === 'upsert' ? { mode, key: 'id' } : { mode }),
      });
      const report = await new ConcurrentPipeline(items, target).deadLetter(letters).run();
      expect([report.written, report.deadLettered]).toEqual([96, 4]);
      // As a file would hold them.
      const written = JSON.stringify(letters.items.map(({ item, error }) => ({ id: item.id, error })));
      expect(written).not.toContain('secret-value');
      const found = JSON.parse(written) as { id: number; error: DeadLetter['error'] }[];
      const schema = 'public';
      expect(
        found.toSorted((a, b) => a.id - b.id).map(({ id, error }) => [id, error.code, error.details]),
      ).toEqual([
        [3, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23505', schema, table, constraint: `one "${mode}"` }],
        [40, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23502', schema, table, column: 'n' }],
        [
          55,
          'SW_POSTGRES_DATA_INVALID',
          mode === 'copy' ? { sqlState: '22P02', table, column: 'n' } : { sqlState: '22P02' },
        ],
        [90, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23514', schema, table, constraint: 'short' }],
      ]);
    },
  );

  it('82 with errorDetails: a letter quotes no other row', async () => {
    await query('create table quoted (id int, n int check (n < 1000))');
    const bad: Readonly<Record<number, unknown>> = { 10: 'one-of-two', 20: 'two-of-two', 25: 9_999_999_999 };
    const items = from(range(0, 30)).map((id) => ({ id, n: bad[id] ?? 1 }));
    const letters = collect<DeadLetter<{ id: number }>>();
    const target = new PostgresSink({ connection: database().url, table: 'quoted', errorDetails: true });
    const report = await new ConcurrentPipeline(items, target).deadLetter(letters).run();
    expect([report.written, report.deadLettered]).toEqual([27, 3]);
    const messages = new Map(letters.items.map(({ item, error }) => [item.id, error.message]));
    // Refused for one reason, so one error speaks of both.
    for (const id of [10, 20]) {
      expect(messages.get(id)).toContain('22P02');
      expect(messages.get(id)).not.toContain('of-two');
    }
    expect(messages.get(25)).toContain('9999999999');
  });

  it('86 timeouts, no connection left, a read-only server: named, and tried again where that helps', async () => {
    await query('create table slowly (id int, t text)');
    const options = (setting: string) => `${database().url}?options=${encodeURIComponent(`-c ${setting}`)}`;
    const blocker = await database().pool.connect();
    const failing = async (setting: string, act?: () => Promise<unknown>): Promise<unknown> => {
      await blocker.query('begin; lock table slowly in access exclusive mode');
      const running = new ConcurrentPipeline(rows(10), sink({ table: 'slowly' }, options(setting)))
        .retry({ attempts: 2, backoff: { firstMs: 1 } })
        .run();
      const error = await running.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      await blocker.query('rollback');
      await act?.();
      return error;
    };
    expect(await failing('statement_timeout=50')).toMatchObject({
      code: 'SW_POSTGRES_CANCELED',
      sqlState: '57014',
      isTransient: true,
    });
    expect(await failing('lock_timeout=50')).toMatchObject({
      code: 'SW_POSTGRES_BUSY',
      sqlState: '55P03',
      isTransient: true,
    });
    blocker.release();
    await expect(
      new ConcurrentPipeline(rows(10), sink({ table: 'slowly' }, options('default_transaction_read_only=on')))
        .retry(RETRY)
        .run(),
    ).rejects.toMatchObject({ code: 'SW_POSTGRES_READ_ONLY', isTransient: false });
    expect(await ids('slowly')).toMatchObject([{ n: 0 }]);
    const limited = `limited_${process.pid}`;
    await query(`create role ${limited} login connection limit 0`);
    const url = new URL(database().url);
    url.username = limited;
    await expect(
      new ConcurrentPipeline(rows(1), sink({ table: 'slowly' }, url.href)).run(),
    ).rejects.toMatchObject({
      code: 'SW_POSTGRES_BUSY',
      sqlState: '53300',
    });
    await query(`drop role ${limited}`);
  });

  it('88 the table changes under the sink: a clear error, no part of a batch', async () => {
    await query('create table changed (id int, t text)');
    const source = from(range(0, 1_000_000)).map((id) => ({ id, t: `row ${id}` }));
    let isChanged = false;
    const target = sink({ table: 'changed', batching: { maxItems: 100 } });
    const inner = target.write.bind(target);
    target.write = async (batch, context) => {
      if ((batch[0]?.id ?? 0) >= 1000 && !isChanged) {
        isChanged = true;
        await query('alter table changed drop column t');
      }
      return inner(batch, context);
    };
    await expect(new ConcurrentPipeline(source, target).bufferSize(100).run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_QUERY_INVALID',
      sqlState: '42703',
    });
    const [{ n }] = (await query('select count(*)::int as n from changed')) as [{ n: number }];
    expect(n % 100).toBe(0);
    expect(n).toBeGreaterThanOrEqual(1000);
  });

  describe('89 a run that ends early leaves nothing', () => {
    it.each(['break', 'abort', 'abort while it sorts', 'drain'])('%s', async (how) => {
      const slow = 'select n as id from generate_series(1, 10000000) as n order by md5(n::text)';
      const fast = 'select n as id from generate_series(1, 10000000) as n';
      const source = new PostgresSource<Row>({
        connection: database().url,
        query: how.includes('sorts') ? slow : fast,
      });
      const controller = new AbortController();
      const pipeline = new ConcurrentPipeline(how === 'break' ? from(source).take(10) : from(source), () => {
        if (how === 'abort') controller.abort(new Error('enough'));
        if (how === 'drain') void pipeline.drain();
      });
      const running = pipeline.run({ signal: controller.signal }).catch((error: unknown) => error);
      if (how.includes('sorts')) {
        await expect
          .poll(
            () =>
              query(
                `select 1 from pg_stat_activity where ${STREAMWELD} and query like '%md5%' and state = 'active'`,
              ),
            { timeout: 10_000 },
          )
          .toHaveLength(1);
        controller.abort(new Error('enough'));
      }
      const start = performance.now();
      await running;
      expect(performance.now() - start).toBeLessThan(10_000);
    });

    it('a sink that is aborted while it waits for a lock', async () => {
      await query('create table locked (id int, t text)');
      const blocker = await database().pool.connect();
      await blocker.query('begin; lock table locked in access exclusive mode');
      const controller = new AbortController();
      const running = new ConcurrentPipeline(rows(10), sink({ table: 'locked' })).run({
        signal: controller.signal,
      });
      await expect
        .poll(
          () => query(`select 1 from pg_stat_activity where ${STREAMWELD} and wait_event_type = 'Lock'`),
          { timeout: 10_000 },
        )
        .toHaveLength(1);
      controller.abort(new Error('enough'));
      await expect(running).rejects.toThrow();
      await nothingLeft();
      await blocker.query('rollback');
      blocker.release();
      expect(await query('select * from locked')).toEqual([]);
    });

    it('a run that is aborted while it connects to what never answers', async () => {
      await using proxy = await openFaultProxy({ target: { port: database().service.port } });
      proxy.blackhole();
      const url = new URL(database().url);
      url.port = String(proxy.port);
      for (const make of [
        (controller: AbortController) =>
          new ConcurrentPipeline(rows(1), sink({ table: 'x' }, url.href)).run({ signal: controller.signal }),
        (controller: AbortController) =>
          new ConcurrentPipeline(
            new PostgresSource({ connection: url.href, query: 'select 1' }),
            () => {},
          ).run({ signal: controller.signal }),
        (controller: AbortController) =>
          new ConcurrentPipeline(
            new PostgresChangeSource({ connection: url.href, slot: 's', publication: 'p' }),
            () => {},
          ).run({ signal: controller.signal }),
      ]) {
        const controller = new AbortController();
        const running = make(controller);
        await expect.poll(() => proxy.connections, { timeout: 10_000 }).toBe(1);
        controller.abort(new Error('enough'));
        await expect(running).rejects.toThrow();
        await expect.poll(() => proxy.connections, { timeout: 5000 }).toBe(0);
      }
    });

    it('a change source that waits for a transaction to make its slot', async () => {
      await query('create table watched (id int primary key)');
      const blocker = await database().pool.connect();
      await blocker.query('begin; insert into watched values (1)');
      const controller = new AbortController();
      const running = new ConcurrentPipeline(
        new PostgresChangeSource({
          connection: database().url,
          slot: 'waiting',
          publication: 'waiting',
          tables: ['watched'],
        }),
        () => {},
      ).run({ signal: controller.signal });
      await expect
        .poll(
          () => query(`select 1 from pg_stat_activity where ${STREAMWELD} and query like 'CREATE_REPL%'`),
          { timeout: 10_000 },
        )
        .toHaveLength(1);
      controller.abort(new Error('enough'));
      await expect(running).rejects.toThrow();
      await nothingLeft();
      await blocker.query('rollback');
      blocker.release();
      expect(await query("select 1 from pg_replication_slots where slot_name = 'waiting'")).toEqual([]);
    });

    it('a pool of yours goes back as it came', async () => {
      const pool = new pg.Pool({ connectionString: database().url, max: 2 });
      await query('create table borrowed (id int, t text)');
      await new ConcurrentPipeline(
        rows(100),
        new PostgresSink<Row>({ client: pool, table: 'borrowed' }),
      ).run();
      await new ConcurrentPipeline(
        from(new PostgresSource<Row>({ client: pool, table: 'borrowed', resumeKey: 'id' })).take(3),
        () => {},
      ).run();
      expect(pool.totalCount).toBe(pool.idleCount);
      expect(pool.waitingCount).toBe(0);
      for (let at = 0; at < 2; at++) {
        const client = await pool.connect();
        // What the pool itself listens for, and what we did.
        expect(client.listenerCount('error')).toBeLessThanOrEqual(1);
        expect(client.listenerCount('notification')).toBe(0);
        const { rows: state } = await client.query(
          "select current_setting('timezone') as zone, (select count(*)::int from pg_cursors) as cursors, pg_current_xact_id_if_assigned() as xid",
        );
        expect(state[0]).toMatchObject({ cursors: 0, xid: null });
        client.release();
      }
      await pool.end();
    });
  });
});

const server = await startPostgres({ from: ['local', 'embedded'] }).catch((error: unknown) => {
  if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
  return undefined;
});

describe.skipIf(server === undefined)('79 the server is killed, frozen, and started again', () => {
  afterAll(() => server?.stop());

  it('resolves every outcome by what was kept: each row once', { timeout: 60_000 }, async () => {
    const service = server as PostgresService;
    const admin = async (text: string): Promise<Record<string, unknown>[]> => {
      const client = new pg.Client(service.url);
      client.on('error', () => {});
      await client.connect();
      const result = await client.query(text);
      await client.end();
      return result.rows as Record<string, unknown>[];
    };
    await admin('create table survived (id int, t text)');
    const target = new PostgresSink<Row>({
      connection: service.url,
      table: 'survived',
      batching: { maxItems: 200 },
    });
    let written = 0;
    const inner = target.write.bind(target);
    target.write = async (batch, context) => {
      await inner(batch, context);
      written += batch.length;
    };
    const items = from(range(0, 40_000)).map((id): Row => ({ id, t: `row ${id}` }));
    const running = new ConcurrentPipeline(items, target)
      .bufferSize(200)
      .checkpoint(new MemoryCheckpointStore(), 'survived')
      .retry({ attempts: 100, backoff: { firstMs: 50, maxMs: 500 } })
      .run();
    for (const fault of ['crash', 'crash', 'freeze', 'crash'] as const) {
      const before = written;
      await Promise.race([
        expect.poll(() => written, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before + 1000),
        running,
      ]);
      expect(written).toBeLessThan(40_000);
      if (fault === 'crash') {
        await service.crash();
        await service.restart();
      } else {
        service.freeze();
        await new Promise((resolve) => setTimeout(resolve, 300));
        service.thaw();
      }
    }
    const report = await running;
    expect(report.retried).toBeGreaterThan(0);
    expect(await admin('select count(*)::int as n, count(distinct id)::int as d from survived')).toEqual([
      { n: 40_000, d: 40_000 },
    ]);
  });
});
