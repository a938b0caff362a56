/**
 * A real S3 server for tests and demos, on loopback, in a folder of its own that goes with it.
 *
 * Where it comes from, the first that can be had:
 *  1. `STREAMWELD_S3_ENDPOINT`: one of yours, with `STREAMWELD_S3_ACCESS_KEY_ID`, `STREAMWELD_S3_SECRET_ACCESS_KEY` and
 *     `STREAMWELD_S3_REGION`, or what AWS calls them. It cannot be crashed.
 *  2. The binary of versitygw, or else of minio: on the PATH, or in `~/go/bin`.
 *  3. Go, which builds versitygw once.
 *
 * It tells its clients nothing of where it is: a proxy before `port` is all that a client has to be led to.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Afterwards } from './command.ts';
import { freePort } from './free-port.ts';
import { S3_SERVERS, type S3Keys, type S3Server } from './s3-servers.ts';

export interface S3Service {
  readonly kind: 'given' | S3Server['kind'];
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly credentials: S3Keys & { readonly sessionToken?: string };
  /** Kills it with SIGKILL. */
  crash(): Promise<void>;
  /** Starts it again with the same port and data, and resolves when it answers. If it still runs, it is killed first. */
  restart(): Promise<void>;
  /** Stops it where it is, with SIGSTOP; `thaw` lets it go on. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface S3ServiceOptions {
  /** Only from there: a test that crashes the server cannot use one that was given. */
  readonly from?: readonly S3Service['kind'][] | undefined;
}

/** No server could be had; `message` says why, for each place that was tried. */
export class S3Unavailable extends Error {
  override readonly name = 'S3Unavailable';
}

/** For tests, which are skipped where there is none. In CI that is an error. */
export async function findS3(options?: S3ServiceOptions): Promise<S3Service | S3Unavailable> {
  try {
    return await startS3(options);
  } catch (error) {
    if (!(error instanceof S3Unavailable) || process.env['CI'] !== undefined) throw error;
    return error;
  }
}

/** @throws S3Unavailable */
export async function startS3(options: S3ServiceOptions = {}): Promise<S3Service> {
  const from = options.from ?? ['given', 'versitygw', 'minio'];
  const reasons: string[] = [];
  const given = process.env['STREAMWELD_S3_ENDPOINT'];
  if (from.includes('given')) {
    if (given !== undefined && given !== '') return givenService(given);
    reasons.push('STREAMWELD_S3_ENDPOINT is not set');
  }
  for (const server of S3_SERVERS) {
    if (!from.includes(server.kind)) continue;
    try {
      return await startOwn(server, await server.find());
    } catch (error) {
      reasons.push(`${server.kind}: ${(error as Error).message}`);
    }
  }
  throw new S3Unavailable(`There is no S3: ${reasons.join('; ')}.`);
}

function givenService(endpoint: string): S3Service {
  const refuse = (): never => {
    throw new Error('An S3 that was given by STREAMWELD_S3_ENDPOINT is not stopped or started.');
  };
  const variable = (name: string): string | undefined =>
    process.env[`STREAMWELD_S3_${name}`] || process.env[`AWS_${name}`] || undefined;
  const [accessKeyId, secretAccessKey] = [variable('ACCESS_KEY_ID'), variable('SECRET_ACCESS_KEY')];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error(
      'STREAMWELD_S3_ENDPOINT is set, and no keys: set STREAMWELD_S3_ACCESS_KEY_ID and STREAMWELD_S3_SECRET_ACCESS_KEY too.',
    );
  }
  const sessionToken = variable('SESSION_TOKEN');
  const { port, protocol } = new URL(endpoint);
  return {
    kind: 'given',
    endpoint,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    region: variable('REGION') ?? 'us-east-1',
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? undefined : { sessionToken }),
    },
    crash: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: () => Promise.resolve(),
  };
}

/** How long a server may take to answer: a busy machine is slow, one that cannot start says so at once. */
const START_MS = 60_000;

async function startOwn(which: S3Server, binary: string): Promise<S3Service> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-s3-'));
  const afterwards = new Afterwards('[ -z "$last" ] || kill -9 "$last"; sleep 1; rm -rf "$1"', folder);
  const port = await freePort();
  const log = path.join(folder, 'log');
  // Of its own, so that nobody who means another server is let in.
  const credentials = { accessKeyId: 'streamweld', secretAccessKey: randomBytes(20).toString('hex') };
  let child: ChildProcess | undefined;

  const kill = async (): Promise<void> => {
    const server = child;
    child = undefined;
    if (server === undefined || hasEnded(server)) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  };
  const start = async (): Promise<void> => {
    const output = fs.openSync(log, 'a');
    const server = spawn(binary, which.args(`127.0.0.1:${port}`, folder), {
      cwd: folder,
      // Nothing of the caller's environment reaches the server: keys of AWS and the like stay out.
      env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C', TZ: 'UTC', ...which.env(credentials) },
      stdio: ['ignore', output, output],
    });
    fs.closeSync(output);
    child = server;
    let failure: string | undefined;
    server.once('error', ({ message }) => (failure = message));
    if (server.pid !== undefined) afterwards.tell(String(server.pid));
    // Its number may be another's from then on.
    server.once('exit', () => afterwards.tell(''));
    for (const until = Date.now() + START_MS; !(await answers(port, which.health)); await sleep(20)) {
      if (hasEnded(server)) failure ??= fs.readFileSync(log, 'utf8').slice(-800);
      if (Date.now() > until) failure ??= 'it does not answer';
      if (failure === undefined) continue;
      await kill();
      throw new Error(`${binary} did not start: ${failure}`);
    }
  };
  const stop = async (): Promise<void> => {
    await kill();
    afterwards.cancel();
    fs.rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kind: which.kind,
    endpoint: `http://127.0.0.1:${port}`,
    port,
    region: 'us-east-1',
    credentials,
    crash: kill,
    async restart() {
      // Two would not share their data, and the first would be lost sight of.
      await kill();
      await start();
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    stop,
  };
}

function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', port, path, timeout: 500, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .on('timeout', function (this: http.ClientRequest) {
        this.destroy();
      })
      .on('error', () => resolve(false));
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const service = await startS3();
  const { accessKeyId, secretAccessKey } = service.credentials;
  console.log(`${service.kind}: ${service.endpoint}`);
  if (service.kind !== 'given') {
    console.log(
      `AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_REGION=${service.region}`,
    );
  }
  console.log('Ctrl-C stops it.');
  process.once('SIGINT', () => void service.stop());
}
