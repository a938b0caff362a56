/** What the processes of a machine make once, for all of them. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A folder outside the repository for what is fetched once. */
export function cacheFolder(): string {
  const folder = path.join(process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'streamweld');
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** Makes `target` where it is not there. Whoever asks meanwhile, in whatever process, waits for it. */
export async function makeOnce(target: string, make: () => Promise<void>): Promise<void> {
  if (fs.existsSync(target)) return;
  const release = await lock(`${target}.lock`);
  try {
    if (!fs.existsSync(target)) await make();
  } finally {
    release();
  }
}

/** Whoever has made the file holds the lock, as long as it lives. */
async function lock(file: string): Promise<() => void> {
  for (; ; await sleep(100)) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readIfThere(file);
    if (holder !== undefined && holder !== '' && !isAlive(Number(holder))) fs.rmSync(file, { force: true });
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
