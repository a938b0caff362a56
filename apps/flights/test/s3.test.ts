/** The demo with an S3: what comes of all its flights there. */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { AppProcess, Ended } from '@streamweld/app-kit/test';
import { from } from '@streamweld/core';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openS3Faults } from '../../../tools/services/s3-faults.ts';
import { findS3, type S3Service, S3Unavailable } from '../../../tools/services/s3.ts';
import { FlightsSource } from '../src/flights-source.ts';
import { FLIGHTS_BUCKET } from '../src/s3.ts';
import { cleanUp, openFolder, startDemo } from './demo.ts';

/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;
/** Nobody may see it. */
const SECRET = 'planted-secret-planted-secret';

let folder: string;
let demo: AppProcess | undefined;

beforeEach(async () => {
  folder = await openFolder();
});

afterEach(() => cleanUp(folder, demo));

/** Act 2, without Postgres unless it says something else. */
function start(env: NodeJS.ProcessEnv, limit: number, args = ['--no-postgres']): AppProcess {
  demo = startDemo(folder, ['--progress', 'plain', '--act', '2', '--limit', String(limit), ...args], env);
  return demo;
}

function play(...given: Parameters<typeof start>): Promise<Ended> {
  return start(...given).ended;
}

/** As `tools/services/s3.ts` reads them. */
function reaching(service: S3Service, endpoint = service.endpoint): NodeJS.ProcessEnv {
  return {
    STREAMWELD_S3_ENDPOINT: endpoint,
    STREAMWELD_S3_ACCESS_KEY_ID: service.credentials.accessKeyId,
    STREAMWELD_S3_SECRET_ACCESS_KEY: service.credentials.secretAccessKey,
    STREAMWELD_S3_REGION: service.region,
  };
}

/** The SDK itself. */
interface Bare {
  readonly client: S3Client;
  /** By key, in the order of the listing. */
  objects(): Promise<Map<string, { readonly etag: string | undefined; readonly bytes: Buffer }>>;
}

/**
 * Describes tests that need a server: one of their own, as what an earlier demo has left in the bucket of another is
 * somebody's. Where there is none they are skipped, and say why; in CI that is a failure.
 */
function describeWithS3(name: string, body: (service: S3Service, bare: Bare) => void): void {
  describe(name, async () => {
    const found = await findS3({ from: ['versitygw', 'minio'] });
    if (found instanceof S3Unavailable) {
      console.warn(`Skipped: ${name}. ${found.message}`);
      it.skip(found.message, () => {});
      return;
    }
    const { endpoint, region, credentials } = found;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    afterAll(async () => {
      client.destroy();
      await found.stop();
    });
    const Bucket = FLIGHTS_BUCKET;
    body(found, {
      client,
      async objects() {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
        const entries = Contents.map(async ({ Key = '', ETag: etag }) => {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
          return [Key, { etag, bytes: Buffer.from((await Body?.transformToByteArray()) ?? []) }] as const;
        });
        return new Map(await Promise.all(entries));
      },
    });
  });
}

function rowsIn(bytes: Buffer): string[] {
  return gunzipSync(bytes).toString().trimEnd().split('\n');
}

describeWithS3('the demo with an S3', (service, bare) => {
  it(
    'makes the bucket, archives every flight in order in objects of 100,000, and proves that',
    async () => {
      const LIMIT = 210_000;
      const { code, stdout, stderr } = await play(reaching(service), LIMIT);
      expect(code, stderr).toBe(0);

      const [, run] =
        /all flights go to the bucket streamweld-flights, too,\n {2}in the folder (\S+)/.exec(stdout) ?? [];
      expect(stdout).toMatch(/s3 +210,000 .* in gzipped objects/);
      expect(stdout).toContain('✓ broadcast  210,000 in, 210,000 back from 3 objects of S3');
      expect(stdout).toContain('✓ broadcast  0 lost in S3, 0 doubled, 0 out of order');
      expect(stdout).toMatch(/✓ broadcast {2}flights, late, delays equal in S3 at (\d+) of \1 airports/);
      expect(stdout.match(/✓/g)).toHaveLength(11);
      expect(stdout).not.toContain('WRONG');

      const objects = await bare.objects();
      const [first, second, third] = [1, 2, 3].map((number) => `${run}/flights/000000000${number}.ndjson.gz`);
      expect([...objects.keys()].filter((key) => key.startsWith(`${run}/`))).toEqual([
        first,
        second,
        third,
        `${run}/ledger.json`,
      ]);
      const lines = [first, second, third].map((key = '') =>
        rowsIn(objects.get(key)?.bytes ?? Buffer.alloc(0)),
      );
      expect(lines.map(({ length }) => length)).toEqual([100_000, 100_000, 10_000]);
      const all = lines.flat();
      let row = 0;
      for await (const flight of from(new FlightsSource({ limit: LIMIT }))) {
        if (all[row] !== JSON.stringify(flight)) expect(JSON.parse(all[row] ?? 'null')).toEqual(flight);
        row += 1;
      }
      expect(row).toBe(LIMIT);
      // What the SDK says of Node 20 does not get in between, and no secret is told.
      expect(stderr).not.toContain('AWS SDK');
      expect(stdout + stderr).not.toContain(service.credentials.secretAccessKey);
      const { Uploads = [] } = await bare.client.send(
        new ListMultipartUploadsCommand({ Bucket: FLIGHTS_BUCKET }),
      );
      expect(Uploads).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'leaves alone what others have there, and proves its own flights alone',
    async () => {
      await bare.client.send(new CreateBucketCommand({ Bucket: FLIGHTS_BUCKET })).catch(() => {});
      const Body = 'of somebody';
      await bare.client.send(
        new PutObjectCommand({ Bucket: FLIGHTS_BUCKET, Key: 'flights/1.ndjson.gz', Body }),
      );
      const earlier = await play(reaching(service), 5000);
      expect(earlier.code, earlier.stderr).toBe(0);
      const before = await bare.objects();

      const { code, stdout, stderr } = await play(reaching(service), 5000);
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('✓ broadcast  5,000 in, 5,000 back from 1 object of S3');
      const after = await bare.objects();
      expect(after.size).toBe(before.size + 2);
      for (const [key, { etag }] of before) expect(after.get(key)?.etag).toBe(etag);
    },
    TIMEOUT,
  );

  it(
    'writes to another bucket where one is named',
    async () => {
      const named = { ...reaching(service), STREAMWELD_S3_BUCKET: 'flights-of-mine' };
      const { code, stdout, stderr } = await play(named, 1000);
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('all flights go to the bucket flights-of-mine, too');
      expect(stdout).toContain('1,000 back from 1 object of S3');
      const { KeyCount } = await bare.client.send(new ListObjectsV2Command({ Bucket: 'flights-of-mine' }));
      expect(KeyCount).toBe(2);
    },
    TIMEOUT,
  );

  it(
    'proves what a Ctrl-C has left',
    async () => {
      const running = start(reaching(service), 3_000_000, ['--no-postgres', '--slow']);
      await running.says(/Act 2, broadcast: +[1-9]/);
      running.interrupt();
      expect((await running.ended).code, running.stderr).toBe(0);
      const { stdout } = running;
      expect(stdout).toMatch(/✓ broadcast {2}([\d,]+) in, \1 back from \d+ objects? of S3/);
      expect(stdout).toContain('✓ broadcast  0 lost in S3, 0 doubled, 0 out of order');
    },
    TIMEOUT,
  );

  it(
    'loads nothing of it where no endpoint is given',
    async () => {
      const tell = `import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => console.error('the SDK is loaded: '
  + Object.keys(createRequire('/any/').cache).some((path) => path.includes('/@aws-sdk/'))));`;
      const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(tell)}`;
      const without = await play({ NODE_OPTIONS }, 5000);
      expect(without.code, without.stderr).toBe(0);
      expect(without.stderr).toContain('the SDK is loaded: false');
      expect(without.stdout).not.toMatch(/s3/i);
      expect(without.stdout.match(/✓/g)).toHaveLength(8);
      const withOne = await play({ ...reaching(service), NODE_OPTIONS }, 5000);
      expect(withOne.stderr).toContain('the SDK is loaded: true');
    },
    TIMEOUT,
  );

  it.each([
    ['a secret key', { STREAMWELD_S3_SECRET_ACCESS_KEY: SECRET }],
    ['an access key', { STREAMWELD_S3_ACCESS_KEY_ID: 'nobody', STREAMWELD_S3_SECRET_ACCESS_KEY: SECRET }],
  ])(
    'does not take %s that is wrong, and says so before a server is started',
    async (_, wrong) => {
      const { code, stdout, stderr } = await play({ ...reaching(service), ...wrong }, 5000, []);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^FLIGHTS_S3_UNAVAILABLE: The S3 at 127\.0\.0\.1:\d+ cannot be used: .*access key/m,
      );
      expect(stderr).toContain('takes these keys, or run the demo without\nSTREAMWELD_S3_ENDPOINT');
      expect(stderr).not.toContain('Postgres starts');
      expect(stdout + stderr).not.toContain(SECRET);
    },
    TIMEOUT,
  );
});

describeWithS3('an S3 in which the demo may not do everything', (service, bare) => {
  it(
    'is told of before anything is begun, and does where the bucket is there',
    async () => {
      await using faults = await openS3Faults(service);
      const refused = { kind: 'error', status: 403, code: 'AccessDenied' } as const;
      const making = faults.plan({ on: 'CreateBucket', fault: refused, times: 9 });
      const env = reaching(service, faults.endpoint);
      const without = await play(env, 5000, []);
      expect(making.met).toBe(1);
      expect(without.code).toBe(1);
      expect(without.stderr).toMatch(
        /^FLIGHTS_S3_UNAVAILABLE: S3 has no bucket streamweld-flights, and did not make it: AccessDenied \(status 403\)$/m,
      );
      expect(without.stderr).toContain('Make it yourself');
      expect(without.stderr).not.toContain('Postgres starts');

      await bare.client.send(new CreateBucketCommand({ Bucket: FLIGHTS_BUCKET }));
      const { code, stdout, stderr } = await play(env, 5000);
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('5,000 back from 1 object of S3');
      expect(making.met).toBe(1);

      const writing = faults.plan({ on: 'PutObject', fault: refused, times: 9 });
      const readOnly = await play(env, 5000, []);
      expect(writing.met).toBe(1);
      expect(readOnly.code).toBe(1);
      expect(readOnly.stderr).toMatch(/^FLIGHTS_S3_UNAVAILABLE: .* cannot be used: .*AccessDenied/m);
      expect(readOnly.stderr).not.toContain('Postgres starts');
    },
    TIMEOUT,
  );
});

describe('an S3 that does not answer', () => {
  it.each([
    ['is not there', 'nothing listens', async () => 1],
    ['says nothing', 'no answer within 8 s', silence],
  ])(
    'because it %s is told of within seconds, before a server is started, with what can be done',
    async (_, reason, listen) => {
      const begunAt = performance.now();
      const { code, stdout, stderr } = await play(
        {
          STREAMWELD_S3_ENDPOINT: `http://127.0.0.1:${await listen()}/${SECRET}`,
          // What AWS calls them will do.
          AWS_ACCESS_KEY_ID: 'somebody',
          AWS_SECRET_ACCESS_KEY: SECRET,
        },
        5000,
        [],
      );
      // The start of the demo included, on a busy machine.
      expect(performance.now() - begunAt).toBeLessThan(30_000);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^FLIGHTS_S3_UNAVAILABLE: The S3 at 127\.0\.0\.1:\d+ cannot be used: /m);
      expect(stderr).toContain(reason);
      expect(stderr).toContain('run the demo without\nSTREAMWELD_S3_ENDPOINT');
      expect(stderr).not.toContain('Postgres starts');
      expect(stdout).not.toContain('Act 2');
      expect(stdout + stderr).not.toContain(SECRET);
    },
    TIMEOUT,
  );

  const open: { close(): void; sockets: Socket[] }[] = [];
  afterAll(() => {
    for (const { close, sockets } of open) {
      close();
      for (const socket of sockets) socket.destroy();
    }
  });

  /** Takes connections, and says nothing on them. */
  async function silence(): Promise<number> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
    }).listen(0, '127.0.0.1');
    open.push({ close: () => server.close(), sockets });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  it.each([
    ['it is no URL of a store', { STREAMWELD_S3_ENDPOINT: 'localhost:9000' }, 'expected the URL of a store'],
    [
      'it has a password',
      { STREAMWELD_S3_ENDPOINT: `http://me:${SECRET}@localhost:9000` },
      'expected the URL of a store',
    ],
    [
      'a key is missing',
      { STREAMWELD_S3_ENDPOINT: 'http://localhost:9000', AWS_SECRET_ACCESS_KEY: SECRET },
      'expected with STREAMWELD_S3_ACCESS_KEY_ID and STREAMWELD_S3_SECRET_ACCESS_KEY',
    ],
    [
      'no bucket can have such a name',
      {
        STREAMWELD_S3_ENDPOINT: 'http://localhost:9000',
        STREAMWELD_S3_BUCKET: 'Mine/too',
        AWS_ACCESS_KEY_ID: 'somebody',
        AWS_SECRET_ACCESS_KEY: SECRET,
      },
      "expected 3 to 63 of a-z, 0-9, '-' and '.', got 'Mine/too'",
    ],
  ])('is refused where %s, and no secret of it is told', async (_, env, message) => {
    const { code, stderr } = await play(env, 5000);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^STREAMWELD_S3_(ENDPOINT|BUCKET): /);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(SECRET);
  });
});
