/** Connections and servers that go away, by the numbers of the table of faults. Each test sees that the fault fired. */

import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { openFaultProxy } from '@streamweld/testing';
import pg from 'pg';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../tools/services/postgres.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';
import { complete, counted, RETRY, type Row, rows, underFaults, watch } from './under-faults.ts';

/** A message Query that says COMMIT. */
function isCommit(request: Uint8Array): boolean {
  return request[0] === 0x51 && Buffer.from(request).includes('commit');
}

describeWithPostgres('faults', (database) => {
  const { ids, nothingLeft, query, sink, terminateWhen } = underFaults(database);
  afterEach(nothingLeft);

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
      if (!isCommit(request)) return false;
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
});

const server = await startPostgres({ from: ['local', 'embedded'] }).catch((error: unknown) => {
  if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
  return undefined;
});

describe.skipIf(server === undefined)('a server that goes away', () => {
  afterAll(() => server?.stop());

  /** A session that outlives what befalls the others. */
  const connect = async ({ url }: PostgresService): Promise<pg.Client> => {
    const client = new pg.Client(url);
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  const endOurs =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'streamweld%'";

  /** Rows into a new table, exactly once, and what becomes of the writes. */
  const begin = async (service: PostgresService, table: string, count: number) => {
    const client = await connect(service);
    await client.query(`create table ${table} (id int, t text)`);
    await client.end();
    const target = new PostgresSink<Row>({
      connection: {
        host: '127.0.0.1',
        port: service.port,
        user: 'postgres',
        database: 'postgres',
        connectTimeoutMs: 500,
      },
      table,
      batching: { maxItems: 200 },
    });
    const watched = watch(target);
    const running = new ConcurrentPipeline(counted(count), target)
      .bufferSize(200)
      .checkpoint(new MemoryCheckpointStore(), table)
      .retry({ attempts: 1000, backoff: { firstMs: 50, maxMs: 500 } })
      .run();
    const until = (look: () => number, least: number) =>
      Promise.race([
        expect.poll(look, { timeout: 50_000, interval: 5 }).toBeGreaterThanOrEqual(least),
        running,
      ]);
    const finish = async (): Promise<void> => {
      const report = await running;
      expect(report.retried).toBeGreaterThan(0);
      const after = await connect(service);
      const { rows: found } = await after.query(
        `select count(*)::int as n, count(distinct id)::int as d from ${table}`,
      );
      await after.end();
      expect(found).toEqual([{ n: count, d: count }]);
    };
    return { watched, until, finish };
  };

  it('79 killed, frozen, and started again: every outcome is resolved by what was kept, each row once', async () => {
    const service = server as PostgresService;
    const { watched, until, finish } = await begin(service, 'survived', 40_000);
    /** A postmaster that is frozen accepts a connection, and says nothing: neither to a write, nor to the question after it. */
    const unanswered = (): number =>
      watched.errors.filter(
        ({ code }) => code === 'SW_POSTGRES_UNREACHABLE' || code === 'SW_POSTGRES_OUTCOME_UNKNOWN',
      ).length;
    for (const fault of ['crash', 'crash', 'freeze', 'crash'] as const) {
      await until(() => watched.written, watched.written + 1000);
      expect(watched.written).toBeLessThan(40_000);
      if (fault === 'crash') {
        await service.crash();
        await service.restart();
        continue;
      }
      const keeper = await connect(service);
      const before = unanswered();
      service.freeze();
      try {
        await keeper.query(endOurs);
        await until(unanswered, before + 1);
      } finally {
        service.thaw();
      }
      expect(unanswered()).toBeGreaterThan(before);
      await keeper.end();
    }
    await finish();
  });

  it('86 shutting down (57P03): it is tried again until the server is there', async () => {
    const service = server as PostgresService;
    const { watched, until, finish } = await begin(service, 'awaited', 20_000);
    const refused = (): number => watched.errors.filter(({ sqlState }) => sqlState === '57P03').length;
    await until(() => watched.written, 1000);
    const keeper = await connect(service);
    const { rows: pids } = await keeper.query(
      "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid",
    );
    // It lets nobody in from now on, and waits for those who are there.
    process.kill((pids[0] as { pid: number }).pid, 'SIGTERM');
    await keeper.query(endOurs);
    await until(refused, 2);
    expect(watched.written).toBeLessThan(20_000);
    expect(watched.errors.find(({ sqlState }) => sqlState === '57P03')).toMatchObject({
      code: 'SW_POSTGRES_BUSY',
      isTransient: true,
    });
    await keeper.end();
    await service.crash();
    await service.restart();
    await finish();
  });
});
