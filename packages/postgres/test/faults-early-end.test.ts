/** Runs that end before their time leave nothing on the server, by the numbers of the table of faults. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { openFaultProxy } from '@streamweld/testing';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';
import { type Row, rows, underFaults } from './under-faults.ts';

describeWithPostgres('faults', (database) => {
  const { nothingLeft, query, sink, untilSession } = underFaults(database);
  afterEach(nothingLeft);

  describe('89 a run that ends early leaves nothing', () => {
    it.each(['break', 'abort', 'drain'])('%s', async (how) => {
      const source = new PostgresSource<Row>({
        connection: database().url,
        query: 'select n as id from generate_series(1, 10000000) as n',
      });
      const controller = new AbortController();
      const pipeline = new ConcurrentPipeline(how === 'break' ? from(source).take(10) : from(source), () => {
        if (how === 'abort') controller.abort(new Error('enough'));
        if (how === 'drain') void pipeline.drain();
      });
      const start = performance.now();
      const outcome = await pipeline.run({ signal: controller.signal }).catch((error: unknown) => error);
      expect(performance.now() - start).toBeLessThan(10_000);
      expect(outcome instanceof Error ? outcome.message : 'a report').toBe(
        how === 'abort' ? 'enough' : 'a report',
      );
    });

    it('abort while it sorts, and before: a server that has only read the query takes no notice of a cancel', async () => {
      for (let time = 0; time < 10; time++) {
        const source = new PostgresSource({
          connection: database().url,
          query: 'select n as id from generate_series(1, 10000000) as n order by md5(n::text)',
        });
        const controller = new AbortController();
        const running = new ConcurrentPipeline(source, () => {}).run({ signal: controller.signal });
        const outcome = running.then(
          () => 'a report',
          (error: unknown) => (error as Error).message,
        );
        // The last of them a while later.
        if (time === 9) await untilSession(`query like '%md5%' and now() - query_start > '300 ms'`);
        else await untilSession(`query like '%md5%' and state = 'active'`);
        const start = performance.now();
        controller.abort(new Error('enough'));
        expect(await outcome).toBe('enough');
        expect(performance.now() - start).toBeLessThan(10_000);
        await nothingLeft();
      }
    });

    it('a source whose query failed in its course, and that is closed later', async () => {
      const source = new PostgresSource({
        connection: database().url,
        query: 'select 1 / (n - 3000) from generate_series(1, 5000) as n',
      });
      await source.open({
        positions: new Map(),
        signal: new AbortController().signal,
        settled: () => Promise.resolve(),
        endLane: () => {},
        fail: () => {},
      });
      const read = async (): Promise<void> => {
        for (;;) await source.pull(100);
      };
      await expect(read()).rejects.toMatchObject({ code: 'SW_POSTGRES_DATA_INVALID', sqlState: '22012' });
      // The server has said all that it has to say.
      await untilSession(`state = 'idle in transaction (aborted)'`);
      await query('select 1');
      await source.close();
    });

    it('a sink that is aborted while it waits for a lock', async () => {
      await query('create table locked (id int, t text)');
      const blocker = await database().pool.connect();
      await blocker.query('begin; lock table locked in access exclusive mode');
      const controller = new AbortController();
      const running = new ConcurrentPipeline(rows(10), sink({ table: 'locked' })).run({
        signal: controller.signal,
      });
      await untilSession(`wait_event_type = 'Lock'`);
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
      await untilSession(`query like 'CREATE_REPL%'`);
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
