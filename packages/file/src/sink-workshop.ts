/** What all files of a sink share, and the few operations on them that more than one way of writing needs. */

import { dirname, resolve } from 'node:path';
import { type FileHandle, type FileStat, type FileSystem, syncFolder } from './client.ts';
import { errnoOf, FileError, toFileError } from './errors.ts';
import type { HandlePool } from './sink-handles.ts';

export interface Workshop {
  readonly fs: FileSystem;
  readonly handles: HandlePool;
  readonly stage: string;
  readonly mkdir: boolean;
  readonly mode: number | undefined;
  /** Folders whose names have changed since they were synced last. */
  readonly changedFolders: Set<string>;
  /** Folders above those that hold our files, whose names may not be durable yet. */
  readonly foldersAbove: Set<string>;
  /** Folders of which that has been seen to. */
  readonly knownFolders: Set<string>;
  /** The sync of folders under way: the next waits for it. */
  folderSync: Promise<void>;
  isAbandoned: boolean;
}

export function openWorkshop(
  fs: FileSystem,
  handles: HandlePool,
  stage: string,
  mkdir: boolean,
  mode: number | undefined,
): Workshop {
  return {
    fs,
    handles,
    stage,
    mkdir,
    mode,
    changedFolders: new Set(),
    foldersAbove: new Set(),
    knownFolders: new Set(),
    folderSync: Promise.resolve(),
    isAbandoned: false,
  };
}

/**
 * Where the bytes of one file lie until it is finished. One of its methods at a time is called.
 *
 *     create ──► append ◄─┐ ──► sync ──► finish
 *                └────────┘          └──► abandon
 */
export interface Body {
  /** Its name in the end. */
  readonly path: string;
  /** Bytes of whole writes. What lies behind them, after a failure, is written over or thrown away. */
  readonly length: number;
  create(): Promise<void>;
  /** Adds to the end, all or nothing: a write that failed half-way is as if it had not been, and may be repeated. */
  append(bytes: Uint8Array): Promise<void>;
  /** Takes back what was appended beyond `length`. Where that fails, it is made up for by the next append. */
  cutBack(length: number): Promise<void>;
  /** Waits until the disk has it. */
  sync(): Promise<void>;
  /** What is synced now was promised to be durable: it outlives even a failed run. */
  promise(): void;
  /** No more will be appended: it gets its name. */
  finish(): Promise<void>;
  /** The run failed: nothing is left but what was promised. */
  abandon(): Promise<void>;
}

export function checkAbandoned(shop: Workshop, path: string): void {
  if (!shop.isAbandoned) return;
  throw new FileError('SW_FILE_WRITE_FAILED', `Writing ${path} was abandoned.`, { path });
}

export function writeFailure(shop: Workshop, error: unknown, path: string): unknown {
  return toFileError(error, 'write', path, shop.stage, 'SW_FILE_WRITE_FAILED');
}

/** What stands under the name of a file; nothing if there is nothing, an error if it is no file. */
export async function statFile(shop: Workshop, path: string): Promise<FileStat | undefined> {
  let stat: FileStat;
  try {
    stat = await shop.fs.stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw writeFailure(shop, error, path);
  }
  if (stat.isFile()) return stat;
  const [code, kind] = stat.isDirectory()
    ? (['SW_FILE_IS_DIRECTORY', 'a folder'] as const)
    : (['SW_FILE_NOT_REGULAR', 'a pipe, a socket or a device, which no file can replace'] as const);
  throw new FileError(code, `Could not write ${path}: it is ${kind}. Name a file.`, {
    stage: shop.stage,
    path,
  });
}

/** Creates something in a folder, and the folder with it where it is missing and may be made. */
export async function createIn<R>(shop: Workshop, folder: string, create: () => Promise<R>): Promise<R> {
  let created: R;
  try {
    created = await create();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || !shop.mkdir) throw error;
    await shop.fs.mkdir(folder, { recursive: true });
    created = await create();
  }
  noteFoldersAbove(shop, resolve(folder));
  return created;
}

/**
 * All names on the way to a folder are to be durable, also those that were there before: whoever made them may have been
 * killed before that.
 */
function noteFoldersAbove({ foldersAbove, knownFolders }: Workshop, folder: string): void {
  for (let made = folder; !knownFolders.has(made); made = dirname(made)) {
    knownFolders.add(made);
    if (made === dirname(made)) return;
    foldersAbove.add(dirname(made));
  }
}

/** Writes all bytes at a place of a file, however many calls that takes. */
export async function writeAll(
  shop: Workshop,
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    checkAbandoned(shop, path);
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) {
      throw new FileError('SW_FILE_WRITE_FAILED', `${path} takes no more bytes.`, { path });
    }
    done += bytesWritten;
  }
}

/** After a failed sync the system may forget what it could not write, and call the next sync a success. */
export async function syncData(shop: Workshop, handle: FileHandle, path: string): Promise<void> {
  try {
    await handle.datasync();
  } catch (cause) {
    throw new FileError(
      'SW_FILE_SYNC_FAILED',
      `Could not sync ${path}: what was written may not be on disk. The run cannot go on; the cause says more.`,
      { stage: shop.stage, path, cause },
    );
  }
}

/** Syncs every folder in which a name has changed before it was called. */
export function syncFolders(shop: Workshop): Promise<void> {
  const syncing = shop.folderSync.then(() => syncChanged(shop));
  shop.folderSync = syncing.catch(() => {});
  return syncing;
}

async function syncChanged({ fs, changedFolders, foldersAbove, stage }: Workshop): Promise<void> {
  for (const folders of [foldersAbove, changedFolders]) {
    for (const folder of [...folders]) {
      // What changes from now on may be too late for this sync.
      folders.delete(folder);
      try {
        await syncFolder(fs, folder);
      } catch (cause) {
        // A folder above that we may not read is not one that we made.
        if (folders === foldersAbove && errnoOf(cause) === 'EACCES') continue;
        folders.add(folder);
        throw new FileError(
          'SW_FILE_SYNC_FAILED',
          `Could not sync the folder ${folder}: the names in it may not survive a power loss. The cause says more.`,
          { stage, path: folder, cause },
        );
      }
    }
  }
}
