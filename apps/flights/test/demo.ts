/** The demo in a process of its own, as `pnpm demo` starts it, and the server that it brings along. */

import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { AppProcess } from '@streamweld/app-kit/test';

const main = new URL('../src/main.ts', import.meta.url);

/**
 * Starts the demo.
 * @param folder for its files, and for temporary ones.
 */
export function startDemo(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): AppProcess {
  return new AppProcess(main, ['--out', join(folder, 'out'), ...args], { env: { TMPDIR: folder, ...env } });
}

/** A folder that the user can look into as whom the server runs. */
export async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flights-'));
  await chmod(folder, 0o755);
  return folder;
}

/** Ends what a test has left running, and removes its folder. */
export async function cleanUp(folder: string, demo: AppProcess | undefined): Promise<void> {
  await demo?.kill();
  await rm(folder, { recursive: true, force: true });
}

/** Folders of servers that are there. */
export async function serverFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.startsWith('streamweld-postgres-'));
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
