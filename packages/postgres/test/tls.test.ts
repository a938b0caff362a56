/** Every way in which a server is spoken to goes over TLS where that is asked for, as the server itself sees it. */

import { collect, ConcurrentPipeline, from, range } from '@streamweld/core';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { Sessions } from '../src/client.ts';
import type { ConnectionOptions } from '../src/connection.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresNotificationSource } from '../src/source-notifications.ts';
import { PostgresSource } from '../src/source.ts';
import { pem, pemFile, presenting, startTlsServer } from './tls-server.ts';

type Connection = string | ConnectionOptions;

async function read(source: PostgresSource): Promise<readonly Record<string, unknown>[]> {
  const sink = collect<Record<string, unknown>>();
  await new ConcurrentPipeline(source, sink).run();
  return sink.items;
}

const socket = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-socket-'));
// The server may run as another user.
fs.chmodSync(socket, 0o777);
const found = await startTlsServer(socket);
afterAll(async () => {
  await found?.stop();
  fs.rmSync(socket, { recursive: true, force: true });
});

describe.skipIf(found === undefined)('TLS', () => {
  const service = found as NonNullable<typeof found>;
  let admin: pg.Pool;

  beforeAll(async () => {
    // Over the socket: it works whatever the server presents.
    admin = new pg.Pool({ host: socket, port: service.port, user: 'postgres', database: 'postgres', max: 2 });
    admin.on('error', () => {});
    await admin.query(`create role certified login superuser;
      create function session() returns text volatile language sql as
        $$ select case when ssl then coalesce(client_dn, 'encrypted') else 'plain' end from pg_stat_ssl where pid = pg_backend_pid() $$`);
  });
  afterAll(() => admin.end());

  const query = async (text: string): Promise<Record<string, unknown>[]> =>
    (await admin.query<Record<string, unknown>>(text)).rows;
  const seen = async (text: string): Promise<unknown[]> => (await query(text)).map((row) => row['seen']);
  /** What the sessions of a stage are, and which kind. */
  const sessions = (stage: string) =>
    query(`select distinct backend_type as kind, case when ssl then coalesce(client_dn, 'encrypted') else 'plain' end as seen
      from pg_stat_activity join pg_stat_ssl using (pid) where application_name = 'streamweld ${stage}' order by 1`);

  afterEach(() =>
    expect
      .poll(() => query("select query from pg_stat_activity where application_name like 'streamweld%'"), {
        timeout: 10_000,
      })
      .toEqual([]),
  );

  const url = (words: Readonly<Record<string, string>>, user = 'postgres', host = '127.0.0.1'): string => {
    const made = new URL(`postgres://${user}@${host}:${service.port}/postgres`);
    for (const [name, value] of Object.entries(words)) made.searchParams.set(name, value);
    return made.href;
  };
  const options = (ssl: ConnectionOptions['ssl'], user = 'postgres'): ConnectionOptions => ({
    host: '127.0.0.1',
    port: service.port,
    user,
    database: 'postgres',
    ssl,
  });
  const certificate = {
    ca: pem('root.pem'),
    cert: pem('client.pem', 'intermediate.pem'),
    key: pem('client.key'),
  };
  const rooted = { sslmode: 'verify-full', sslrootcert: pemFile('root.pem') };
  let made = 0;
  /** A name for a table, a slot or a stage. */
  const name = (what: string): string => `${what}_${made++}`;

  const connections: readonly (readonly [string, string, () => Connection])[] = [
    ['ssl: { ca }', 'encrypted', () => options({ ca: pem('root.pem') })],
    ['sslmode and sslrootcert in a URL', 'encrypted', () => url(rooted)],
    ['ssl: { ca, cert, key }', '/CN=certified', () => options(certificate, 'certified')],
    [
      'sslcert and sslkey in a URL',
      '/CN=certified',
      () => {
        // A URL names one file for a certificate and what leads to its authority.
        const file = path.join(socket, 'chain.pem');
        fs.writeFileSync(file, certificate.cert);
        return url({ ...rooted, sslcert: file, sslkey: pemFile('client.key') }, 'certified');
      },
    ],
  ];

  describe.each(connections)('by %s', (_, expected, connect) => {
    it('reads a query, and a table with several readers', async () => {
      const connection = connect();
      const source = new PostgresSource({ connection, query: 'select session() as seen' });
      expect(await read(source)).toEqual([{ seen: expected }]);
      const table = name('read');
      await query(`create table ${table} as select n, 0 as filler from generate_series(1, 3000) as n;
        create view ${table}_seen as select n, session() as seen from ${table}`);
      const shared = new PostgresSource({ connection, table: `${table}_seen`, resumeKey: 'n', readers: 3 });
      const rows = await read(shared);
      expect(rows).toHaveLength(3000);
      expect(new Set(rows.map((row) => row['seen']))).toEqual(new Set([expected]));
    });

    it.each(['copy', 'insert', 'upsert'] as const)('writes by %s, exactly once', async (mode) => {
      const connection = connect();
      const table = name('written');
      await query(`create table ${table} (n int primary key, seen text default session())`);
      const sink = new PostgresSink<{ n: number }>({
        connection,
        table,
        mode,
        ...(mode === 'upsert' ? { key: 'n' } : undefined),
      });
      await using store = new PostgresCheckpointStore({ connection, table: name('store') });
      const items = from(range(0, 3)).map((n) => ({ n }));
      await new ConcurrentPipeline(items, sink).checkpoint(store, table).run();
      expect(await seen(`select seen from ${table}`)).toEqual([expected, expected, expected]);
    });

    it('keeps checkpoints', async () => {
      const connection = connect();
      const table = name('kept');
      await using store = new PostgresCheckpointStore({ connection, table });
      await store.load('x');
      await query(`alter table ${table} add column seen text default session()`);
      await store.save('x', new Map([['', 1]]));
      expect(await seen(`select seen from ${table}`)).toEqual([expected]);
    });

    it('listens', async () => {
      const connection = connect();
      const stage = name('listening');
      const source = new PostgresNotificationSource({ connection, channel: stage, name: stage });
      const heard: unknown[] = [];
      const pipeline = new ConcurrentPipeline(
        source,
        (batch: readonly { payload?: string | undefined }[]) => {
          heard.push(...batch.map((item) => item.payload));
        },
      );
      const running = pipeline.run();
      await expect.poll(() => pipeline.state).toBe('running');
      expect(await sessions(stage)).toEqual([{ kind: 'client backend', seen: expected }]);
      await query(`notify ${stage}, 'one'`);
      await expect.poll(() => heard).toEqual(['one']);
      await pipeline.drain();
      await running;
    });

    it('follows changes, and holds the server back where they come too fast', async () => {
      const connection = connect();
      const stage = name('changes');
      await query(
        `create table ${stage} (n int primary key, filler text); insert into ${stage} values (0, 'there')`,
      );
      const source = new PostgresChangeSource({
        connection,
        name: stage,
        slot: stage,
        publication: stage,
        tables: [stage],
        temporary: true,
        maxWaiting: 10,
      });
      let changes = 0;
      let done = (): void => {};
      const all = new Promise<void>((resolve) => {
        done = resolve;
      });
      const pipeline = new ConcurrentPipeline(source, async (batch: readonly unknown[]) => {
        await new Promise((resolve) => setImmediate(resolve));
        changes += batch.length;
        if (changes === 3001) done();
      }).bufferSize(10);
      const running = pipeline.run();
      // What was there comes first: what is put in now is streamed.
      await expect.poll(() => changes, { timeout: 10_000 }).toBe(1);
      expect(await sessions(stage)).toContainEqual({ kind: 'walsender', seen: expected });
      expect(new Set((await sessions(stage)).map((session) => session['seen']))).toEqual(new Set([expected]));
      await query(`insert into ${stage} select n, repeat('x', 1000) from generate_series(1, 3000) as n`);
      await Promise.race([all, running]);
      await pipeline.drain();
      await running;
      expect(changes).toBe(3001);
    });
  });

  it('counts what comes over it, by which rows that are large are fetched fewer at a time', async () => {
    const reached = new Sessions({
      connection: options({ ca: pem('root.pem') }),
      client: undefined,
      max: 1,
      stage: 'counted',
      errorDetails: false,
    });
    try {
      const session = await reached.acquire();
      const before = session.bytesRead;
      await session.query("select repeat('x', 1000000)");
      expect(session.bytesRead - before).toBeGreaterThan(1_000_000);
      session.release();
    } finally {
      await reached.close();
    }
  });

  it('takes options that are frozen or were given to pg before, and leaves them as they are', async () => {
    const seenWith = (ssl: ConnectionOptions['ssl']) =>
      read(new PostgresSource({ connection: options(ssl, 'certified'), query: 'select session() as seen' }));
    const frozen = Object.freeze({ ...certificate });
    expect(await seenWith(frozen)).toEqual([{ seen: '/CN=certified' }]);
    const own = { ...certificate };
    expect(await seenWith(own)).toEqual([{ seen: '/CN=certified' }]);
    expect(Object.keys(own)).toEqual(['ca', 'cert', 'key']);
    const hidden = { ...certificate };
    await new pg.Pool({ ...options(undefined), ssl: hidden } as pg.PoolConfig).end();
    expect(Object.keys(hidden), 'pg has hidden it').toEqual(['ca', 'cert']);
    expect(await seenWith(hidden)).toEqual([{ seen: '/CN=certified' }]);
  });

  it('takes a client of yours as it is', async () => {
    const pool = new pg.Pool(options({ ca: pem('root.pem') }) as pg.PoolConfig);
    pool.on('error', () => {});
    expect(await read(new PostgresSource({ client: pool, query: 'select session() as seen' }))).toEqual([
      { seen: 'encrypted' },
    ]);
    await pool.end();
  });

  it('checks the name of a host, where a host is called by one', async () => {
    for (const connection of [
      url(rooted, 'postgres', 'localhost'),
      { ...options({ ca: pem('root.pem') }), host: 'localhost' },
    ]) {
      expect(await read(new PostgresSource({ connection, query: 'select session() as seen' }))).toEqual([
        { seen: 'encrypted' },
      ]);
    }
  });

  it('is not in the way of a Unix socket', async () => {
    const { port } = service;
    for (const connection of [
      { host: socket, port, user: 'postgres', database: 'postgres' },
      `postgres:///postgres?host=${socket}&port=${port}&user=postgres`,
      `postgres://postgres@${encodeURIComponent(socket)}:${port}/postgres`,
    ]) {
      const source = new PostgresSource({ connection, query: 'select session() as seen' });
      expect(await read(source)).toEqual([{ seen: 'plain' }]);
    }
  });

  /** What the words of a URL do: `encrypted`, or why there is no connection. */
  const outcome = async (connection: Connection): Promise<unknown> => {
    try {
      const [row] = await read(new PostgresSource({ connection, query: 'select session() as seen' }));
      return row?.['seen'];
    } catch (error) {
      return /\((?:SQLSTATE )?(\w+)\)/.exec((error as Error).message)?.[1] ?? error;
    }
  };
  const ROOT = { sslrootcert: pemFile('root.pem') };
  const LIBPQ = { uselibpqcompat: 'true' };
  const REFUSED = '28000';
  const UNKNOWN = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
  const ELSEWHERE = 'ERR_TLS_CERT_ALTNAME_INVALID';

  it('is what PGSSLMODE says where neither URL nor options do', async () => {
    try {
      for (const [mode, expected] of [
        ['disable', REFUSED],
        ['require', UNKNOWN],
        ['no-verify', 'encrypted'],
      ] as const) {
        vi.stubEnv('PGSSLMODE', mode);
        expect(await outcome(url({}))).toBe(expected);
        expect(await outcome(options(undefined))).toBe(expected);
        expect(await outcome(options(false))).toBe(REFUSED);
        expect(await outcome(options({ ca: pem('root.pem') }))).toBe('encrypted');
        expect(await outcome(url({ sslmode: 'disable' }))).toBe(REFUSED);
      }
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is what the words of a URL say, as the README has it', async () => {
    vi.stubEnv('PGSSLMODE', undefined);
    // The client warns of words that will mean something else, once.
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const table = async (rows: readonly (readonly [Readonly<Record<string, string>>, string])[]) => {
      for (const [words, expected] of rows) {
        expect(await outcome(url(words)), JSON.stringify(words)).toBe(expected);
      }
    };
    try {
      await table([
        [{}, REFUSED],
        [{ sslmode: 'disable' }, REFUSED],
        [{ sslmode: 'disable', ...ROOT }, REFUSED],
        [{ ssl: '0' }, REFUSED],
        [{ sslmode: 'verify-full' }, UNKNOWN],
        [{ sslmode: 'verify-full', ...ROOT }, 'encrypted'],
        [{ sslmode: 'no-verify' }, 'encrypted'],
        [{ ssl: 'no-verify' }, 'encrypted'],
        [{ ssl: 'true' }, UNKNOWN],
        [{ ssl: 'true', ...ROOT }, 'encrypted'],
        [{ sslmode: 'a word that is none' }, UNKNOWN],
      ]);
      expect(warn).not.toHaveBeenCalled();
      await table([
        [{ sslmode: 'allow' }, UNKNOWN],
        [{ sslmode: 'prefer' }, UNKNOWN],
        [{ sslmode: 'require' }, UNKNOWN],
        [{ sslmode: 'verify-ca' }, UNKNOWN],
        [{ sslmode: 'require', ...ROOT }, 'encrypted'],
        [{ ...LIBPQ, sslmode: 'prefer' }, 'encrypted'],
        [{ ...LIBPQ, sslmode: 'require' }, 'encrypted'],
        [{ ...LIBPQ, sslmode: 'verify-full' }, UNKNOWN],
      ]);
      expect(warn).toHaveBeenCalledOnce();
      await service.crash();
      await service.restart(presenting('elsewhere.pem', 'intermediate.pem'));
      await table([
        [{ sslmode: 'no-verify' }, 'encrypted'],
        [{ sslmode: 'prefer', ...ROOT }, ELSEWHERE],
        [{ sslmode: 'require', ...ROOT }, ELSEWHERE],
        [{ sslmode: 'verify-ca', ...ROOT }, ELSEWHERE],
        [{ sslmode: 'verify-full', ...ROOT }, ELSEWHERE],
        [{ ...LIBPQ, sslmode: 'require', ...ROOT }, 'encrypted'],
        [{ ...LIBPQ, sslmode: 'verify-ca', ...ROOT }, 'encrypted'],
        [{ ...LIBPQ, sslmode: 'verify-full', ...ROOT }, ELSEWHERE],
      ]);
    } finally {
      warn.mockRestore();
      vi.unstubAllEnvs();
      await service.crash();
      await service.restart(presenting('server.pem', 'intermediate.pem'));
    }
  });
});
