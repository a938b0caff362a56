/**
 * A lock against a second writer, in this process or another.
 *
 *     .out.ndjson.lock ──► "mark pid start host"      a symbolic link that leads nowhere: made, with what it says, in
 *                                                     one step, and never seen half-written
 *
 * Whoever was killed leaves its lock behind. It is taken over at once where the system tells that the process is gone:
 * its number is free, or belongs to one that was started at another time. Of several that would take it over one wins:
 *
 *     .out.ndjson.lock ──► "m1 …"  (gone)      a lock that says m1 is taken over by whoever makes .out.ndjson.lock.m1;
 *     .out.ndjson.lock.m1 ──► "m2 …"           that one may be gone too, and so on. The last of the chain has the lock,
 *                                              and puts its own in place of the first, before it removes the others.
 */

import { promises } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runtime } from '@streamweld/core/connector';
import type { FileHandle, FileSystem } from './client.ts';
import { errnoOf, FileError } from './errors.ts';
import { createIn, type Workshop, writeFailure } from './sink-workshop.ts';

interface Holder {
  /** What no other lock says. */
  readonly mark: string;
  readonly pid: number;
  /** When the process was started, as far as the system tells. */
  readonly start: string;
  readonly host: string;
}

/** A mark, and nothing else that could stand behind the name of a lock: a file may be called `out.lock` too. */
const MARK = /^[0-9a-z]{8}[0-9a-z]+x[0-9a-z]+$/;
/** The longest chain of takers that were killed while they took over. */
const LONGEST_CHAIN = 64;

export class FileLock {
  readonly path: string;
  readonly #shop: Workshop;
  #mine: Holder | undefined;

  constructor(path: string, shop: Workshop) {
    this.path = path;
    this.#shop = shop;
  }

  /** @throws FileError SW_FILE_LOCKED, which says who has it. */
  async acquire(): Promise<void> {
    const mark = Math.floor(runtime.random() * 36 ** 8)
      .toString(36)
      .padStart(8, '0');
    const mine: Holder = {
      mark: `${mark}${process.pid.toString(36)}x${((sequence += 1)).toString(36)}`,
      pid: process.pid,
      start: await startOf(process.pid),
      host: hostname(),
    };
    try {
      await createIn(this.#shop, dirname(this.path), () => this.#take(mine));
    } catch (error) {
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#mine = mine;
  }

  async #take(mine: Holder): Promise<void> {
    const { fs } = this.#shop;
    for (;;) {
      if (await make(fs, this.path, mine)) return;
      const chain = await this.#chain();
      const last = chain.at(-1);
      // It was released in between.
      if (last === undefined) continue;
      if (!(await isGone(last.holder))) throw this.#locked(last);
      const claim = `${this.path}.${last.holder.mark}`;
      if (!(await make(fs, claim, mine))) continue;
      // Somebody who took it over before may have removed its claim just now; then the chain does not end here.
      const now = await this.#chain();
      if (now.at(-1)?.holder.mark !== mine.mark) {
        await remove(fs, claim);
        continue;
      }
      await this.#putFirst(mine);
      return;
    }
  }

  /** Those who have, or had, the lock: the last one has it. */
  async #chain(): Promise<{ readonly path: string; readonly holder: Holder }[]> {
    const chain: { path: string; holder: Holder }[] = [];
    for (let path = this.path; chain.length < LONGEST_CHAIN; ) {
      const holder = await read(this.#shop.fs, path);
      if (holder === undefined) break;
      chain.push({ path, holder });
      path = `${this.path}.${holder.mark}`;
    }
    return chain;
  }

  async #putFirst(mine: Holder): Promise<void> {
    const { fs } = this.#shop;
    const place = `${this.path}.new`;
    await remove(fs, place);
    await make(fs, place, mine);
    await fs.rename(place, this.path);
    // From here on the chain begins and ends with this one. What else there is was left by those who were killed, or
    // belongs to somebody who will see that it was too late.
    const folder = dirname(this.path);
    const names = await fs.readdir(folder, { withFileTypes: true });
    for (const { name } of names) {
      if (!name.startsWith(`${basename(this.path)}.`)) continue;
      if (MARK.test(name.slice(basename(this.path).length + 1))) await remove(fs, join(folder, name));
    }
  }

  async release(): Promise<void> {
    if (this.#mine === undefined) return;
    this.#mine = undefined;
    await remove(this.#shop.fs, this.path);
  }

  #locked({ path, holder }: { readonly path: string; readonly holder: Holder }): FileError {
    const { pid, host } = holder;
    const isOurs = pid === process.pid && host === hostname();
    const who =
      pid === 0
        ? 'somebody who did not say who it is'
        : isOurs
          ? `another sink of this process (${pid})`
          : `process ${pid} on ${host}`;
    const advice = isOurs
      ? 'Give each sink a path of its own; those whose paths come from a function or a template, a name or a root of their own.'
      : `Wait for it or stop it. If you know that it is gone, remove ${path}.`;
    return new FileError(
      'SW_FILE_LOCKED',
      `Could not write: ${who} has locked what this sink writes to. ${advice}`,
      { stage: this.#shop.stage, path: this.path },
    );
  }
}

/** Marks of this process are never the same, even where chance is not. */
let sequence = 0;

/** Says whether it was made; not where something is there already. */
async function make(fs: FileSystem, path: string, holder: Holder): Promise<boolean> {
  const text = [holder.mark, holder.pid, holder.start, holder.host].join(' ');
  try {
    if (fs.symlink !== undefined) {
      await fs.symlink(text, path);
      return true;
    }
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    // Not every file system has links, and not every user may make them.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(errnoOf(error) ?? '')) throw error;
  }
  return makeFile(fs, path, text);
}

async function makeFile(fs: FileSystem, path: string, text: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await fs.open(path, 'wx');
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    const bytes = Buffer.from(text);
    await handle.write(bytes, 0, bytes.length, 0);
  } catch (error) {
    await handle.close().catch(() => {});
    await remove(fs, path);
    throw error;
  }
  await handle.close();
  return true;
}

async function read(fs: FileSystem, path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = (await readLink(fs, path)) ?? (await readFile(fs, path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const [mark = '', pid, start = '', ...host] = text.split(' ');
  // What is not understood is somebody's, and stays.
  if (!/^\w+$/.test(mark) || !/^\d+$/.test(pid ?? ''))
    return { mark: 'unknown', pid: 0, start: '', host: '' };
  return { mark, pid: Number(pid), start, host: host.join(' ') };
}

async function readLink(fs: FileSystem, path: string): Promise<string | undefined> {
  try {
    return await fs.readlink?.(path);
  } catch (error) {
    if (errnoOf(error) === 'EINVAL' || errnoOf(error) === 'UNKNOWN') return undefined;
    throw error;
  }
}

async function readFile(fs: FileSystem, path: string): Promise<string> {
  const handle = await fs.open(path, 'r');
  try {
    const bytes = Buffer.alloc(1024);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function remove(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Whether it is sure that the process is gone. Of another machine that cannot be known. */
async function isGone({ pid, start, host }: Holder): Promise<boolean> {
  if (pid === 0 || host !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (errnoOf(error) === 'ESRCH') return true;
  }
  const now = await startOf(pid);
  return start !== UNKNOWN && now !== UNKNOWN && now !== start;
}

const UNKNOWN = '-';

/** When a process was started, in ticks since the machine was, and when that was: numbers are used again. */
async function startOf(pid: number): Promise<string> {
  try {
    const [stat, boot] = await Promise.all([
      promises.readFile(`/proc/${pid}/stat`, 'latin1'),
      promises.readFile('/proc/sys/kernel/random/boot_id', 'latin1'),
    ]);
    // The second field is the name of the program, in parentheses; it may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A process that has ended and that nobody has asked about yet writes no more.
    if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
    return `${fields[19] ?? UNKNOWN}@${boot.trim()}`;
  } catch {
    return UNKNOWN;
  }
}
