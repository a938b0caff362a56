/** A slot that falls behind is told of; one that has lost its log is an error that says so. */

import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { installRuntime } from '@streamweld/core/connector';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../tools/services/postgres.ts';
import type { Change } from '../src/changes.ts';
import type { PostgresError } from '../src/errors.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { describeWithPostgres } from './service.ts';

/** How often the source looks, in milliseconds. */
const LOOK_MS = 60_000;

describeWithPostgres('a slot that falls behind', (database) => {
  const query = (text: string) => database().query(text);
  let restore = (): void => {};
  afterEach(() => restore());

  /** A run behind a sink that waits for `open`, whose looks at the slot are made by the test. */
  const begin = async (name: string, onNotice?: (notice: PostgresError) => void) => {
    const looks: (() => void)[] = [];
    restore = installRuntime({
      now: () => performance.now(),
      setTimer: (callback, ms) => (ms === LOOK_MS ? looks.push(callback) : setTimeout(callback, ms)),
      clearTimer: (timer) => clearTimeout(timer as number),
      random: () => Math.random(),
      yield: (callback) => setImmediate(callback),
    });
    await query(`create table ${name} (id int primary key)`);
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const found: unknown[] = [];
    const source = new PostgresChangeSource({
      connection: database().url,
      slot: name,
      publication: name,
      tables: [name],
      heartbeatMs: 20,
      maxBehindBytes: 1 << 20,
      ...(onNotice === undefined ? undefined : { onNotice }),
    });
    const pipeline = new ConcurrentPipeline(source, async (batch: readonly Change[]) => {
      if (batch.some((change) => change.new?.['id'] === 1)) await opened;
      found.push(...batch.map((change) => change.new?.['id']));
    }).checkpoint(new MemoryCheckpointStore(), name);
    const running = pipeline.run();
    const until = (look: () => Promise<unknown>) =>
      Promise.race([expect.poll(look, { timeout: 20_000 }).toBe(true), running]);
    const isActive = async () =>
      (await query(`select 1 from pg_replication_slots where slot_name = '${name}' and active`)).length === 1;
    await until(isActive);
    let looked = 0;
    /** Looks, and waits until the next look is due. */
    const look = async (): Promise<void> => {
      await until(async () => looks.length === looked + 1);
      looks[looked]?.();
      looked += 1;
      await until(async () => looks.length === looked + 1);
    };
    const end = async (): Promise<void> => {
      await pipeline.drain();
      await running;
      await query(`select pg_drop_replication_slot('${name}')`);
    };
    return { open, until, look, end, found };
  };

  /** Whether the slot holds back more than a megabyte: what is logged counts once it is written out. */
  const isBehind = async (name: string): Promise<boolean> =>
    (
      await query(`select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) > 1048576 as is_behind
        from pg_replication_slots where slot_name = '${name}'`)
    )[0]?.['is_behind'] === true;

  /** Three megabytes that are no change of a table. */
  const log = async (
    name: string,
    until: (look: () => Promise<unknown>) => Promise<unknown>,
  ): Promise<void> => {
    await query("select pg_logical_emit_message(false, 'other', repeat('x', 3000000))");
    await until(() => isBehind(name));
  };

  it('tells of it while a sink holds the position back, each time it looks, and no more when that is over', async () => {
    const notices: PostgresError[] = [];
    const { open, until, look, end, found } = await begin('behind', (notice) => notices.push(notice));
    await look();
    expect(notices).toEqual([]);
    await query('insert into behind values (1)');
    await log('behind', until);
    await look();
    expect(notices).toMatchObject([{ code: 'SW_POSTGRES_SLOT_BEHIND', stage: 'postgres changes of behind' }]);
    expect(notices[0]?.message).toMatch(/^The slot "behind" holds back [1-3] MiB of the server's log/);
    await look();
    expect(notices).toHaveLength(2);
    open();
    await until(async () => !(await isBehind('behind')));
    expect(found).toEqual([1]);
    await look();
    expect(notices).toHaveLength(2);
    await end();
  });

  it('warns by the process where nobody else is told', async () => {
    const { open, until, look, end } = await begin('warned');
    await query('insert into warned values (1)');
    await log('warned', until);
    const warned = once(process, 'warning');
    await look();
    expect((await warned)[0]).toMatchObject({ code: 'SW_POSTGRES_SLOT_BEHIND' });
    open();
    await end();
  });
});

const server = await startPostgres({
  from: ['local', 'embedded'],
  settings: { max_slot_wal_keep_size: '1MB' },
}).catch((error: unknown) => {
  if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
  return undefined;
});

describe.skipIf(server === undefined)('a slot that has lost its log', () => {
  afterAll(() => server?.stop());

  it('ends the run, and every later one with a code that says what to do', async () => {
    const { url } = server as PostgresService;
    const admin = new pg.Client(url);
    await admin.connect();
    await admin.query('create table lost (id int primary key); insert into lost values (1)');
    const store = new MemoryCheckpointStore();
    const found: unknown[] = [];
    const run = (name: string) => {
      const source = new PostgresChangeSource({
        connection: url,
        slot: 'lost',
        publication: 'lost',
        tables: ['lost'],
      });
      return new ConcurrentPipeline(source, (batch: readonly Change[]) => {
        found.push(...batch.map((change) => change.new?.['id']));
      })
        .checkpoint(store, name)
        .run();
    };
    const slot = async (): Promise<Record<string, unknown> | undefined> => {
      const { rows } = await admin.query(
        `select wal_status, active from pg_replication_slots where slot_name = 'lost'`,
      );
      return rows[0] as Record<string, unknown> | undefined;
    };
    const running = run('lost').catch((error: unknown) => error);
    await expect
      .poll(async () => [found.length, (await slot())?.['active']], { timeout: 20_000 })
      .toEqual([1, true]);
    // Whole segments of the log, more than a slot may hold back: whoever reads is cut off, and the slot is given up.
    for (let at = 0; at < 4; at++)
      await admin.query('insert into lost select max(id) + 1 from lost; select pg_switch_wal()');
    await admin.query('checkpoint');
    await expect
      .poll(
        async () => {
          await admin.query('checkpoint');
          return (await slot())?.['wal_status'];
        },
        { timeout: 20_000 },
      )
      .toBe('lost');
    expect(await running).toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST' });
    // With a position, and without one: what was missed is missed.
    for (const name of ['lost', 'another name']) {
      const error = await run(name).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SW_POSTGRES_SLOT_INVALID', isTransient: false });
      expect((error as Error).message).toMatch(
        /"lost" has lost .*changes are missing.*select pg_drop_replication_slot\('lost'\).*begin anew/,
      );
    }
    // It does help: what is there now comes, and then what changes.
    await admin.query(`select pg_drop_replication_slot('lost')`);
    found.length = 0;
    const anew = run('begun anew');
    anew.catch(() => {});
    await expect.poll(() => found.length, { timeout: 20_000 }).toBe(5);
    await admin.query(
      "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = 'lost'",
    );
    await expect(anew).rejects.toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST' });
    await admin.query(`select pg_drop_replication_slot('lost')`);
    await expect
      .poll(
        async () =>
          (await admin.query("select 1 from pg_stat_activity where application_name like 'streamweld%'"))
            .rows,
      )
      .toEqual([]);
    await admin.end();
  });
});
