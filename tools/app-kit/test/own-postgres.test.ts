import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnPostgres, type OwnPostgresOptions, Refusal } from '../src/index.ts';
import { describeWithOwnPostgres } from '../src/test.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'own-postgres-'));
  // The server may run as another user.
  await chmod(folder, 0o755);
  vi.stubEnv('TMPDIR', folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

function start(options: Partial<OwnPostgresOptions> = {}): Promise<OwnPostgres> {
  return OwnPostgres.start({
    signal: new AbortController().signal,
    refuse: (reason) => new Refusal('APP_NO_POSTGRES', `None: ${reason}`),
    ...options,
  });
}

/** The process id of the server whose data lies there. */
async function serverPid(data: string): Promise<number> {
  return Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function ask(url: string, question: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(question)).rows;
  } finally {
    await client.end();
  }
}

describeWithOwnPostgres('OwnPostgres', () => {
  it('listens on loopback, and lets nobody in who has not its password', async () => {
    await using server = await start();
    const url = new URL(server.url);
    expect(url.hostname).toBe('127.0.0.1');
    expect(url.username).toBe('app');
    expect(url.password.length).toBeGreaterThan(20);
    expect(await ask(url.href, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    url.password = 'guessed';
    await expect(ask(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('is gone with its temporary folder when it is disposed of, whoever is connected', async () => {
    const server = await start();
    const [name = 'none'] = await readdir(folder);
    expect(name).toMatch(/^streamweld-postgres-/);
    const pid = await serverPid(join(folder, name, 'data'));
    const client = new pg.Client(server.url);
    client.on('error', () => {});
    await client.connect();
    await server[Symbol.asyncDispose]();
    expect(isAlive(pid)).toBe(false);
    expect(await readdir(folder)).toEqual([]);
    await expect(ask(server.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('has its data again at the next start, where it was given a folder', async () => {
    const kept = join(folder, 'kept');
    {
      await using server = await start({ folder: kept, user: 'me' });
      expect(new URL(server.url).username).toBe('me');
      await ask(server.url, 'create table kept as select 42 as n');
    }
    await expect(serverPid(join(kept, 'data'))).rejects.toThrow('ENOENT');
    await using again = await start({ folder: kept, user: 'me' });
    expect(await ask(again.url, 'select n from kept')).toEqual([{ n: 42 }]);
  });

  it('leaves nothing behind when it is given up while it starts', async () => {
    const controller = new AbortController();
    const starting = start({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(starting).rejects.toThrow('enough');
    await expect(start({ signal: controller.signal })).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('OwnPostgres, where it cannot start', () => {
  it('rejects as it was told to where it does not start, with the reason', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
    await expect(start()).rejects.toMatchObject({
      code: 'APP_NO_POSTGRES',
      message: expect.stringMatching(/^None: ENOENT.*nowhere/) as string,
    });
  });
});
