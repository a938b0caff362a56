/** The demo in a process of its own, as `pnpm demo` starts it, and the server that it brings along. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe } from 'vitest';
import { OwnServer, PostgresUnavailable } from '../src/server.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export class Demo {
  readonly child: ChildProcess;
  /** Comes when the demo has ended, and its server too: they share stderr. */
  readonly code: Promise<number | null>;
  stdout = '';
  stderr = '';
  #waiting: { pattern: RegExp; seen: () => void } | undefined;

  /** @param folder for its files, and for temporary ones. */
  constructor(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    // What the machine has is for those that ask for it.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(STREAMWELD_(POSTGRES_URL|KAFKA_BROKERS|S3_.*)|AWS_.*)$/.test(name),
    );
    this.child = spawn(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', 'tsx', main, '--out', join(folder, 'out'), ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // A group of its own, as a terminal gives it: a Ctrl-C goes to all that is in it.
        detached: true,
        env: { ...Object.fromEntries(inherited), NO_COLOR: '1', TMPDIR: folder, ...env },
      },
    );
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      if (this.#waiting?.pattern.test(this.stderr) === true) this.#waiting.seen();
    });
    this.code = once(this.child, 'close').then(() => this.child.exitCode);
  }

  /** Resolves when stderr has it. */
  says(pattern: RegExp): Promise<void> {
    return new Promise((seen) => {
      this.#waiting = { pattern, seen };
      if (pattern.test(this.stderr)) seen();
    });
  }

  /** A Ctrl-C, as a terminal sends it. */
  interrupt(): void {
    if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGINT');
  }
}

/** A folder that the user can look into as whom the server runs. */
export async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flights-'));
  await chmod(folder, 0o755);
  return folder;
}

/** Ends what a test has left running, and removes its folder. */
export async function cleanUp(folder: string, demo: Demo | undefined): Promise<void> {
  demo?.child.kill('SIGKILL');
  await demo?.code;
  await rm(folder, { recursive: true, force: true });
}

/** Folders of servers that are there. */
export async function serverFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.startsWith('streamweld-flights-postgres-'));
}

/** The process id of the server that a demo has started. */
export async function serverPid(folder: string): Promise<number> {
  const [name = 'none'] = await serverFolders(folder);
  return Number((await readFile(join(folder, name, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export async function linesOf(path: string): Promise<number> {
  return gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split('\n').length;
}

/** Why the demo's own server cannot be had here. In CI that is a failure, elsewhere what needs it is skipped. */
async function whyNot(): Promise<PostgresUnavailable | undefined> {
  try {
    await (await OwnServer.start(new AbortController().signal))[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
    return error;
  }
}

const missing = await whyNot();

/** Describes tests that need the demo's own server. Where it cannot be had they are skipped, and say why. */
export function describeWithServer(name: string, body: () => void): void {
  if (missing === undefined) {
    describe(name, body);
    return;
  }
  console.warn(`Skipped: ${name}. ${missing.message}`);
  describe.skip(name, body);
}
