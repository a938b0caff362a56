import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../services/postgres.ts';
import { type AppPool, appPool } from '../src/app-pool.ts';

describe('the pool of an app', () => {
  let service: PostgresService;
  let abort: AbortController;
  let made: AppPool;

  beforeAll(async () => {
    service = await startPostgres();
  });
  afterAll(() => service?.stop());
  beforeEach(() => {
    abort = new AbortController();
    made = appPool({
      url: service.url,
      schema: 'mine',
      settings: { timezone: 'UTC' },
      max: 1,
      signal: abort.signal,
    });
  });
  afterEach(async () => {
    await made.pool.end();
  });

  it('is in its schema, with its settings, as is whoever takes its URL', async () => {
    const asked = `select current_setting('search_path') as path, current_setting('timezone') as zone`;
    expect((await made.pool.query(asked)).rows).toEqual([{ path: 'mine', zone: 'UTC' }]);
    const other = new pg.Client(made.url);
    await other.connect();
    expect((await other.query(asked)).rows).toEqual([{ path: 'mine', zone: 'UTC' }]);
    await other.end();
  });

  it('keeps what the URL says of a session', async () => {
    const url = new URL(service.url);
    url.searchParams.set('options', '-c work_mem=7MB');
    const { pool } = appPool({ url: url.href, max: 1 });
    expect((await pool.query('show work_mem')).rows).toEqual([{ work_mem: '7MB' }]);
    await pool.end();
  });

  it('ends what waits for a lock once it is aborted, and who asks again waits no more', async () => {
    const holder = new pg.Client(service.url);
    await holder.connect();
    await holder.query('create table held (id integer)');
    await holder.query('begin; lock table held');
    const waiting = made.pool.query('table public.held');
    waiting.catch(() => {});
    await waitsForALock(holder);
    abort.abort();
    await expect(waiting).rejects.toThrow('Connection terminated');
    await expect(made.pool.query('table public.held')).rejects.toThrow('Client was closed');
    await expect(made.pool.query('table public.held')).rejects.toThrow('Client was closed');
    await holder.end();
  });
});

/** Resolves when somebody waits for the lock. */
async function waitsForALock(client: pg.Client): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query('select from pg_locks where not granted');
    if (rowCount === 1) return;
  }
}
