/** The server, or the way to it, goes away while changes are followed: without a word, or in order. */

import { ConcurrentPipeline } from '@streamweld/core';
import { installRuntime } from '@streamweld/core/connector';
import { openFaultProxy } from '@streamweld/testing';
import pg from 'pg';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { PostgresUnavailable, startPostgres } from '../../../tools/services/postgres.ts';
import type { PostgresChangeSourceOptions } from '../src/change-options.ts';
import type { Change } from '../src/changes.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { following } from './follow.ts';
import { describeWithPostgres } from './service.ts';

/** How often the server is told how far we are, in milliseconds; ten seconds of it pass in a tenth of one. */
const STATUS_MS = 10_000;

describeWithPostgres('changes over a network that is cut', (database) => {
  const { forget } = following(database);
  let restore = (): void => {};
  afterEach(async () => {
    restore();
    await expect
      .poll(() => database().query('select 1 from pg_replication_slots where active'), { timeout: 10_000 })
      .toEqual([]);
    await forget();
  });

  it('end with a code when nothing came for twice wal_sender_timeout, and not while the server is only idle', async () => {
    let statuses = 0;
    restore = installRuntime({
      now: () => performance.now(),
      setTimer: (callback, ms) => {
        if (ms === STATUS_MS) statuses += 1;
        return setTimeout(callback, ms === STATUS_MS ? 100 : ms);
      },
      clearTimer: (timer) => clearTimeout(timer as number),
      random: () => Math.random(),
      yield: (callback) => setImmediate(callback),
    });
    await database().query('create table cut (id int primary key)');
    const { port } = new URL(database().url);
    await using proxy = await openFaultProxy({ target: { port: Number(port || 5432) } });
    const url = new URL(database().url);
    url.port = String(proxy.port);
    const source = new PostgresChangeSource({
      connection: url.href,
      slot: 'cut',
      publication: 'cut',
      tables: ['cut'],
      snapshot: false,
      name: 'cut',
    });
    const running = new ConcurrentPipeline(source, () => {}).run();
    running.catch(() => {});
    const until = (count: number) =>
      Promise.race([running, expect.poll(() => statuses >= count, { timeout: 20_000 }).toBe(true)]);
    await until(20);
    proxy.blackhole();
    const error = (await running.catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true });
    expect(error.message).toMatch(/^cut: nothing came from the server for 130 seconds/);
  });
});

describe('a server that is stopped while changes are followed', () => {
  interface Stopping {
    readonly options?: Partial<PostgresChangeSourceOptions>;
    /** It may stand still until the server is gone. */
    readonly sink: (batch: readonly Change[], gone: Promise<void>) => void | Promise<void>;
    /** Done before the server is stopped. */
    readonly before: (admin: pg.Client) => Promise<unknown>;
  }

  /** What the run ended with. A server that does not end by itself in ten seconds is killed, and can tell nobody. */
  const stop = async (context: TestContext, { options, sink, before }: Stopping): Promise<Error> => {
    const server = await startPostgres({ from: ['local', 'embedded'] }).catch((error: unknown) => {
      if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
      context.skip(error.message);
    });
    const admin = new pg.Client(server.url);
    admin.on('error', () => {});
    await admin.connect();
    await admin.query(`create table followed (id int primary key, t text); create table other (id int);
      create publication followed for table followed`);
    let open = (): void => {};
    const gone = new Promise<void>((resolve) => {
      open = resolve;
    });
    const source = new PostgresChangeSource({
      connection: server.url,
      slot: 'followed',
      publication: 'followed',
      snapshot: false,
      name: 'followed',
      ...options,
    });
    const running = new ConcurrentPipeline(source, (batch: readonly Change[]) => sink(batch, gone))
      .run()
      .then(
        () => new Error('It ended well.'),
        (thrown: unknown) => thrown as Error,
      );
    try {
      const active = async () =>
        (await admin.query('select 1 from pg_replication_slots where active')).rows.length;
      await expect.poll(active, { timeout: 20_000 }).toBe(1);
      await before(admin);
    } finally {
      await server.stop();
      open();
    }
    return running;
  };

  it('goes at once where only what concerns nobody is not confirmed', async (context) => {
    const began = { at: 0 };
    const error = await stop(context, {
      sink: () => {},
      options: { heartbeatMs: 60_000 },
      before: async (admin) => {
        await admin.query('insert into other select generate_series(1, 1000)');
        began.at = performance.now();
      },
    });
    expect(error).toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true });
    // Neither was it kept waiting until the run gave up, nor was it killed.
    expect(error.message).not.toMatch(/is being shut down/);
    expect(performance.now() - began.at).toBeLessThan(9000);
  });

  it('does not wait for ever for a sink that stands still', async (context) => {
    let isWriting = (): void => {};
    const writing = new Promise<void>((resolve) => {
      isWriting = resolve;
    });
    const error = await stop(context, {
      sink: (_, gone) => {
        isWriting();
        return gone;
      },
      before: async (admin) => {
        await admin.query('insert into followed select generate_series(1, 10)');
        await writing;
      },
    });
    expect(error.message).toMatch(/^followed: the server is being shut down/);
  });

  it('nor where nothing is read any more, because so much waits', async (context) => {
    const error = await stop(context, {
      sink: (_, gone) => gone,
      options: { maxWaiting: 100 },
      before: async (admin) => {
        await admin.query(
          `insert into followed select n, repeat('x', 1000) from generate_series(1, 50000) as n`,
        );
        const stands = async () => {
          const sql = "select 1 from pg_stat_activity where wait_event = 'WalSenderWriteData'";
          return (await admin.query(sql)).rows.length;
        };
        await expect.poll(stands, { timeout: 20_000 }).toBe(1);
      },
    });
    expect(error.message).toMatch(/^followed: the server is being shut down/);
  });
});
