import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { openFaultProxy } from '@streamweld/testing';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { S3Unavailable, type S3Service, findS3, startS3 } from '../services/s3.ts';

const OWN = ['versitygw', 'minio'] as const;
const found = await findS3({ from: OWN });
afterAll(async () => {
  if (!(found instanceof S3Unavailable)) await found.stop();
});

function service(): S3Service {
  if (found instanceof S3Unavailable) throw found;
  return found;
}

const clients: S3Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

const folders: string[] = [];

/** A folder for temporary files, in which nobody else has any. */
function ownTemporary(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'test-s3-'));
  folders.push(folder);
  vi.stubEnv('TMPDIR', folder);
  return folder;
}

function clientOf({ endpoint, region, credentials }: Pick<S3Service, 'endpoint' | 'region' | 'credentials'>) {
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  clients.push(client);
  return client;
}

async function put(client: S3Client, bucket: string, key: string, body: string): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
    if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
  });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

async function get(client: S3Client, bucket: string, key: string): Promise<string | undefined> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Body?.transformToString();
}

async function reach(endpoint: string): Promise<void> {
  const socket = net.connect(Number(new URL(endpoint).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}

/** What the system says of who listens where: only addresses of loopback. */
function listens(port: number): string[] {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].flatMap((table) =>
    fs
      .readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(end) === true)
      .map(([, local]) => (local as string).slice(0, -end.length)),
  );
}

if (found instanceof S3Unavailable) console.warn(`Skipped: a real S3. ${found.message}`);

describe.skipIf(found instanceof S3Unavailable)(
  found instanceof S3Unavailable ? `a real S3 (${found.message})` : 'a real S3',
  () => {
    it('takes what is put, and gives it back', async () => {
      const client = clientOf(service());
      await put(client, 'put', 'a/b.txt', 'stored');
      expect(await get(client, 'put', 'a/b.txt')).toBe('stored');
    });

    it('stores on a condition, or not', async () => {
      const client = clientOf(service());
      await put(client, 'once', 'a', 'first');
      const again = new PutObjectCommand({ Bucket: 'once', Key: 'a', Body: 'second', IfNoneMatch: '*' });
      await expect(client.send(again)).rejects.toMatchObject({ name: 'PreconditionFailed' });
      expect(await get(client, 'once', 'a')).toBe('first');
    });

    it('lets nobody in who has not its keys', async () => {
      const { endpoint, region, credentials } = service();
      const stranger = clientOf({
        endpoint,
        region,
        credentials: { ...credentials, secretAccessKey: 'guessed' },
      });
      await expect(stranger.send(new ListBucketsCommand({}))).rejects.toMatchObject({
        name: 'SignatureDoesNotMatch',
      });
    });

    it.runIf(process.platform === 'linux')('listens on loopback alone', () => {
      // 127.0.0.1 and ::1, of each four bytes the last first.
      const loopback = ['0100007F', '00000000000000000000000001000000'];
      const addresses = listens(service().port);
      expect(addresses).toContain(loopback[0]);
      expect(loopback).toEqual(expect.arrayContaining(addresses));
    });

    it('keeps what it took when it is killed, and comes back at the same place', async () => {
      const client = clientOf(service());
      await put(client, 'crashed', 'before', 'kept');
      await service().crash();
      await expect(reach(service().endpoint)).rejects.toThrow('ECONNREFUSED');
      await service().restart();
      expect(await get(client, 'crashed', 'before')).toBe('kept');
      await put(client, 'crashed', 'after', 'taken');
      // It runs: then it is killed first.
      await service().restart();
      expect(await get(client, 'crashed', 'after')).toBe('taken');
    });

    it('lets everyone wait while it is frozen', async () => {
      const client = clientOf(service());
      await put(client, 'frozen', 'a', 'before');
      service().freeze();
      const asked: Promise<string | undefined>[] = [];
      const answer = (): Promise<string> => {
        const asking = get(client, 'frozen', 'a');
        asked.push(asking);
        return Promise.race([asking.then(() => 'comes'), sleep(500, 'does not come')]);
      };
      // On a busy machine the signal takes a moment.
      await expect.poll(answer).toBe('does not come');
      service().thaw();
      expect(new Set(await Promise.all(asked))).toEqual(new Set(['before']));
    });

    it('is reached through a proxy, which breaks what is on its way', async () => {
      await using proxy = await openFaultProxy({ target: { port: service().port } });
      const client = clientOf({ ...service(), endpoint: `http://127.0.0.1:${proxy.port}` });
      await put(client, 'proxied', 'large', 'x'.repeat(1 << 20));
      expect(await get(client, 'proxied', 'large')).toHaveLength(1 << 20);
      proxy.cutAfter(1 << 19, 'reply');
      await expect(get(client, 'proxied', 'large')).rejects.toThrow();
      expect(proxy.counts.cut).toBe(1);
    });

    it('does not mind another one, and leaves nothing behind when it is stopped', async () => {
      const temporary = ownTemporary();
      const other = await startS3({ from: OWN });
      expect(fs.readdirSync(temporary)).toEqual([expect.stringMatching(/^streamweld-s3-/)]);
      const [mine, theirs] = [clientOf(service()), clientOf(other)];
      await put(mine, 'shared', 'a', 'mine');
      await put(theirs, 'shared', 'a', 'theirs');
      expect(await get(mine, 'shared', 'a')).toBe('mine');
      expect(await get(theirs, 'shared', 'a')).toBe('theirs');
      await other.stop();
      await expect(reach(other.endpoint)).rejects.toThrow('ECONNREFUSED');
      expect(fs.readdirSync(temporary)).toEqual([]);
      expect(await get(mine, 'shared', 'a')).toBe('mine');
    });

    it('is stopped where it is frozen, and where it has crashed', async () => {
      const temporary = ownTemporary();
      for (const end of ['freeze', 'crash'] as const) {
        const other = await startS3({ from: OWN });
        await other[end]();
        await other.stop();
        await expect(reach(other.endpoint)).rejects.toThrow('ECONNREFUSED');
        expect(fs.readdirSync(temporary)).toEqual([]);
      }
    });

    it('ends with whoever started it, even if that is killed, and its folder too', async () => {
      const temporary = ownTemporary();
      const starter = spawn(
        process.execPath,
        ['--import', 'tsx', `${import.meta.dirname}/../services/s3.ts`],
        { env: { ...process.env, STREAMWELD_S3_ENDPOINT: '' }, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [line] = (await once(starter.stdout, 'data')) as [Buffer];
      const [kind, endpoint] = String(line).split(/\s/) as [string, string];
      expect(OWN.map((name) => `${name}:`)).toContain(kind);
      await reach(endpoint);
      const servers = () => fs.readdirSync(temporary).filter((name) => name.startsWith('streamweld-s3-'));
      expect(servers()).toHaveLength(1);
      starter.kill('SIGKILL');
      await expect
        .poll(() => reach(endpoint).then(() => 'there', String), { timeout: 10_000 })
        .toContain('ECONNREFUSED');
      await expect.poll(servers, { timeout: 10_000 }).toEqual([]);
    });
  },
);

describe('an S3 that cannot be had', () => {
  it('is an error that says why, and in CI one that ends the tests', async () => {
    vi.stubEnv('STREAMWELD_S3_ENDPOINT', '');
    vi.stubEnv('CI', undefined);
    const why = 'There is no S3: STREAMWELD_S3_ENDPOINT is not set.';
    await expect(startS3({ from: ['given'] })).rejects.toThrow(new S3Unavailable(why));
    expect(await findS3({ from: ['given'] })).toEqual(new S3Unavailable(why));
    vi.stubEnv('CI', 'true');
    await expect(findS3({ from: ['given'] })).rejects.toThrow(why);
  });

  it('says what to install, where there is nothing', async () => {
    const empty = fs.mkdtempSync(path.join(os.tmpdir(), 'nothing-'));
    try {
      vi.stubEnv('CI', undefined);
      vi.stubEnv('STREAMWELD_S3_ENDPOINT', '');
      for (const name of ['PATH', 'HOME', 'XDG_CACHE_HOME']) vi.stubEnv(name, empty);
      const { message } = (await findS3()) as S3Unavailable;
      expect(message).toContain('versitygw: neither on the PATH nor in ~/go/bin');
      expect(message).toContain('minio: neither on the PATH nor in ~/go/bin');
      expect(message).toMatch(/install Go 1\.\d+ or later .*, or versitygw, or minio/);
    } finally {
      fs.rmSync(empty, { recursive: true });
    }
  });

  it('is built by Go, once, whoever asks at the same time', async () => {
    const folder = ownTemporary();
    const cache = path.join(folder, 'cache');
    const count = path.join(folder, 'count');
    const binary = String.raw`printf '#!/bin/sh\necho it is a stand-in; exit 3\n'`;
    const go = `#!/bin/sh
[ "$1" = version ] && exit
echo "$@" >> '${count}'
sleep 0.2
[ -e '${folder}/broken' ] && { echo it does not compile; exit 1; }
${binary} > "$GOBIN/versitygw" && chmod +x "$GOBIN/versitygw"
`;
    fs.writeFileSync(path.join(folder, 'go'), go, { mode: 0o755 });
    fs.writeFileSync(path.join(folder, 'broken'), '');
    vi.stubEnv('CI', undefined);
    vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`);
    vi.stubEnv('HOME', folder);
    vi.stubEnv('XDG_CACHE_HOME', cache);
    const find = async () => ((await findS3({ from: ['versitygw'] })) as S3Unavailable).message;
    expect(await find()).toContain('it does not compile');
    expect(fs.readdirSync(path.join(cache, 'streamweld'))).toEqual([]);

    fs.rmSync(path.join(folder, 'broken'));
    fs.rmSync(count);
    for (const message of await Promise.all([find(), find(), find()])) {
      expect(message).toMatch(/versitygw did not start: it is a stand-in/);
    }
    expect(fs.readFileSync(count, 'utf8')).toMatch(/^install github.com\/versity\/versitygw\/\S+@v[\d.]+\n$/);
    expect(fs.readdirSync(path.join(cache, 'streamweld'))).toHaveLength(1);
  });

  it('takes the next, where what is found does not start', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'broken-'));
    try {
      const broken = path.join(folder, 'minio');
      fs.writeFileSync(broken, '#!/bin/sh\necho it is too old\nexit 3\n', { mode: 0o755 });
      vi.stubEnv('CI', undefined);
      vi.stubEnv('PATH', `${folder}:/bin:/usr/bin`);
      const { message } = (await findS3({ from: ['minio'] })) as S3Unavailable;
      expect(message).toMatch(/minio did not start: it is too old/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('is the one that was given, if one was, with keys of its own or those of AWS', async () => {
    vi.stubEnv('STREAMWELD_S3_ENDPOINT', 'https://s3.example');
    for (const name of ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'REGION']) {
      vi.stubEnv(`AWS_${name}`, '');
      vi.stubEnv(`STREAMWELD_S3_${name}`, '');
    }
    await expect(startS3()).rejects.toThrow('set STREAMWELD_S3_ACCESS_KEY_ID');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'aws');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    const given = await startS3();
    expect(given).toMatchObject({ kind: 'given', endpoint: 'https://s3.example', port: 443 });
    expect(given.credentials).toEqual({ accessKeyId: 'aws', secretAccessKey: 'secret' });
    expect(() => given.crash()).toThrow('is not stopped or started');
    vi.stubEnv('STREAMWELD_S3_ACCESS_KEY_ID', 'mine');
    vi.stubEnv('STREAMWELD_S3_REGION', 'eu-west-1');
    expect(await startS3()).toMatchObject({ region: 'eu-west-1', credentials: { accessKeyId: 'mine' } });
  });
});
