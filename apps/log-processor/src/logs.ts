/** The files that were read: where they are now, and how much of each was. */

import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FilePosition } from '@streamweld/file';
import type { Damaged } from './damaged-lines.ts';
import type { Database } from './database.ts';

/** One file that a path has named: the log itself, or what it was before it was rotated. */
export interface ReadLog {
  readonly file: string;
  readonly incarnation: number;
  /** Where it is now. Undefined where it is gone, compressed or overwritten. */
  readonly path: string | undefined;
  /** Lines that were read from its beginning. */
  readonly limit: number;
  /** When it was last written to, in milliseconds of the wall clock. */
  readonly mtimeMs: number;
}

interface Named {
  readonly file: string;
  readonly incarnation: number;
  readonly inode: number;
}

/** @param positions of the run, by path. */
export async function findLogs(
  database: Database,
  damaged: readonly Damaged[],
  positions: ReadonlyMap<string, FilePosition>,
): Promise<readonly ReadLog[]> {
  const stored = await database.query<Named>(
    'select file, incarnation, min(inode)::float8 as inode from requests group by 1, 2',
  );
  const current = [...positions].map(
    ([
      file,
      {
        incarnation,
        file: { ino },
      },
    ]) => ({ file, incarnation, inode: ino }),
  );
  const named = new Map<string, Named>();
  for (const each of [...current, ...damaged, ...stored]) named.set(`${each.incarnation} ${each.file}`, each);
  const logs = await Promise.all([...named.values()].map((each) => find(each, positions.get(each.file))));
  return logs.toSorted((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.incarnation - b.incarnation,
  );
}

async function find(
  { file, incarnation, inode }: Named,
  position: FilePosition | undefined,
): Promise<ReadLog> {
  const isCurrent = position?.incarnation === incarnation;
  // A log that was copied and cut has its number still, and another content.
  const isThere = position !== undefined && (isCurrent || position.file.ino !== inode);
  const found = isThere ? await byInode(file, inode) : undefined;
  return {
    file,
    incarnation,
    path: found?.path,
    limit: isCurrent ? position.record : Number.POSITIVE_INFINITY,
    mtimeMs: found?.mtimeMs ?? 0,
  };
}

/** At its path, or beside it under another name. */
async function byInode(file: string, inode: number): Promise<{ path: string; mtimeMs: number } | undefined> {
  const folder = dirname(file);
  const names = await readdir(folder).catch(() => []);
  for (const path of [file, ...names.map((name) => join(folder, name))]) {
    const found = await stat(path).catch(() => undefined);
    if (found?.ino === inode && found.isFile()) return { path, mtimeMs: found.mtimeMs };
  }
  return undefined;
}
