import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnServer } from '../src/server.ts';
import { describeWithServer, isAlive, openFolder, serverFolders, serverPid } from './demo.ts';

let folder: string;

beforeEach(async () => {
  folder = await openFolder();
  vi.stubEnv('TMPDIR', folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const never = new AbortController().signal;

describeWithServer('OwnServer', () => {
  it('listens on loopback, and lets nobody in who has not its password', async () => {
    await using server = await OwnServer.start(never);
    const url = new URL(server.url);
    expect(url.hostname).toBe('127.0.0.1');
    expect(url.password.length).toBeGreaterThan(20);

    const client = new pg.Client(url.href);
    await client.connect();
    const { rows } = await client.query('show listen_addresses');
    expect(rows).toEqual([{ listen_addresses: '127.0.0.1' }]);
    await client.end();

    url.password = 'guessed';
    await expect(new pg.Client(url.href).connect()).rejects.toMatchObject({ code: '28P01' });
  });

  it('is gone with its folder when it is disposed of, whoever is connected', async () => {
    const server = await OwnServer.start(never);
    const pid = await serverPid(folder);
    const client = new pg.Client(server.url);
    client.on('error', () => {});
    await client.connect();
    await server[Symbol.asyncDispose]();
    expect(isAlive(pid)).toBe(false);
    expect(await serverFolders(folder)).toEqual([]);
    await expect(new pg.Client(server.url).connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('leaves nothing behind when it is given up while it starts', async () => {
    const controller = new AbortController();
    const starting = OwnServer.start(controller.signal);
    controller.abort(new Error('enough'));
    await expect(starting).rejects.toThrow('enough');
    expect(await serverFolders(folder)).toEqual([]);
  });
});

describe('a server that cannot start', () => {
  it('is told of by a code, with the reason and what can be done', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
    const error: unknown = await OwnServer.start(never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'FLIGHTS_POSTGRES_UNAVAILABLE' });
    expect(String(error)).toMatch(/did not start: ENOENT.*nowhere/);
    expect(String(error)).toContain('--postgres URL or STREAMWELD_POSTGRES_URL');
    expect(String(error)).toContain('--no-postgres');
  });
});
