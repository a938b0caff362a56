/** From what the user names (paths, globs) to the files to read, in the order they are read. */

import { dirname, normalize, sep } from 'node:path';
import type { FileStat, FileSystem, FolderEntry } from './client.ts';
import { errnoOf, FileError, toFileError } from './errors.ts';
import { expandGlob, isGlob } from './source-glob.ts';

/**
 * The files behind these paths: sorted, each once, each there and readable as a file. A path that exists is taken as
 * it is, also where it looks like a glob. A glob has what is a file; a path that names anything else is an error.
 * Where files `mayBeMissing`, they may come later.
 */
export async function findFiles(
  fs: FileSystem,
  paths: readonly string[],
  stage: string,
  allowSpecial: boolean,
  mayBeMissing = false,
): Promise<string[]> {
  const files = new Set<string>();
  for (const path of paths) {
    const stat = await look(path);
    if (stat !== undefined) {
      checkKind(stat, path, stage, allowSpecial);
      files.add(laneOf(path));
      continue;
    }
    const found = isGlob(path) ? await expandGlob(fs, path, stage, isWanted) : [];
    if (found.length === 0 && !mayBeMissing) {
      throw new FileError(
        'SW_FILE_NO_MATCH',
        `No file matches ${path}. Check the pattern; it is relative to the current folder, and * does not match ` +
          'names that begin with a dot.',
        { stage, path },
      );
    }
    for (const file of found) files.add(laneOf(file));
  }
  // By code unit, not by locale: the same order on every machine.
  return [...files].sort();

  /** What is at a path; nothing where it can only be meant as a glob. */
  async function look(path: string): Promise<FileStat | undefined> {
    try {
      return await fs.stat(path);
    } catch (error) {
      // As a path a pattern may be anything: missing, too long, through something that is no folder.
      if (isGlob(path) && errnoOf(error) !== 'EACCES') return undefined;
      if (mayBeMissing && ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
      throw toFileError(error, 'read', path, stage, 'SW_FILE_READ_FAILED');
    }
  }

  async function isWanted(path: string, entry: FolderEntry): Promise<boolean> {
    if (entry.isFile()) return true;
    if (entry.isDirectory()) return false;
    if (!entry.isSymbolicLink()) return allowSpecial;
    // A link that leads nowhere, or in a circle, is not a file that matches.
    const stat = await fs.stat(path).catch(() => undefined);
    return stat !== undefined && (stat.isFile() || (allowSpecial && !stat.isDirectory()));
  }
}

/** A folder, pipe or device in the place of a file is refused before it is opened: opening it may already do harm. */
export function checkKind(stat: FileStat, path: string, stage: string, allowSpecial: boolean): void {
  if (stat.isFile()) return;
  if (stat.isDirectory()) {
    throw new FileError(
      'SW_FILE_IS_DIRECTORY',
      `Could not read ${path}: it is a folder. Name a file, or a glob such as "${path}/*".`,
      { stage, path },
    );
  }
  if (allowSpecial) return;
  throw new FileError(
    'SW_FILE_NOT_REGULAR',
    `Could not read ${path}: it is a pipe, a socket or a device. Set allowSpecial: true if that is meant.`,
    { stage, path },
  );
}

/** A file's name as a lane: as the user wrote it, without detours, with `/` on every system. */
function laneOf(path: string): string {
  const clean = normalize(path);
  return sep === '/' ? clean : clean.replaceAll(sep, '/');
}

/** The folders in which files may come and go: those of the files that are there, and where each glob begins. */
export function foldersOf(paths: readonly string[], found: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    const names = path.split('/');
    const first = names.findIndex(isGlob);
    folders.add(first < 0 ? dirname(path) : names.slice(0, first).join('/') || (first > 0 ? '/' : '.'));
  }
  for (const path of found) folders.add(dirname(path));
  return folders;
}
