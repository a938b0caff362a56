/**
 * The file layer: the few calls of node:fs that this package makes, by their shape. `node:fs/promises` is one; a test
 * that injects faults, or a file system of somebody's own, is another.
 */

import { constants, promises, watch } from 'node:fs';
import { runtime } from '@streamweld/core/connector';
import { errnoOf } from './errors.ts';

export interface FileStat {
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  /** When it was last written to. Without it a change that keeps the size is seen only where the file is opened. */
  readonly mtimeMs?: number | undefined;
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
}

export interface FileHandle {
  /** `position` null reads on from where the last read ended, for what cannot be sought. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesRead: number }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>;
  stat(): Promise<FileStat>;
  truncate(length: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export interface FileSystem {
  open(path: string, flags: string | number, mode?: number): Promise<FileHandle>;
  /** Follows symbolic links. */
  stat(path: string): Promise<FileStat>;
  readdir(path: string, options: { withFileTypes: true }): Promise<FolderEntry[]>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes a symbolic link, and reads where one leads: what a lock is made of, in one step. Without them it is a file. */
  symlink?(target: string, path: string): Promise<void>;
  readlink?(path: string): Promise<string>;
  /**
   * Calls back when something in a folder may have changed, until it is closed. For a source that follows: a hint to
   * look sooner. It may throw, stay silent or call too often; nothing depends on it.
   */
  watchFolder?(folder: string, onChange: () => void): { close(): void };
}

export const nodeFileSystem: FileSystem = {
  ...promises,
  watchFolder(folder, onChange) {
    const watcher = watch(folder, { persistent: false }, onChange);
    // Out of watches, or the folder is gone: whoever follows looks now and then anyway.
    watcher.on('error', () => watcher.close());
    return watcher;
  },
};

/** Reads without waiting for somebody to write: a pipe opens at once, and says EAGAIN when it has nothing yet. */
export const READ_FLAGS: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** How long an open is tried again when no handle is left, and how long at most between two tries. */
const OPEN_PATIENCE_MS = 1000;
const OPEN_WAIT_MS = 100;

/**
 * Opens, being patient where the process has no handle left: others close theirs. `makeRoom` may close one of the
 * caller's own, and says whether it did. After a second the error is the caller's.
 */
export async function openPatiently(
  fs: FileSystem,
  path: string,
  flags: string | number,
  mode?: number,
  makeRoom?: () => Promise<boolean>,
): Promise<FileHandle> {
  return patiently(() => fs.open(path, flags, mode), makeRoom);
}

async function patiently<R>(task: () => Promise<R>, makeRoom?: () => Promise<boolean>): Promise<R> {
  const deadline = runtime.now() + OPEN_PATIENCE_MS;
  for (let waitMs = 5; ; waitMs = Math.min(2 * waitMs, OPEN_WAIT_MS)) {
    try {
      return await task();
    } catch (error) {
      const errno = errnoOf(error);
      if ((errno !== 'EMFILE' && errno !== 'ENFILE') || runtime.now() >= deadline) throw error;
    }
    if ((await makeRoom?.()) !== true) await pause(waitMs);
  }
}

/** A file layer as patient as that: for who holds many handles, and can give some up to look around. */
export function patientLayer(fs: FileSystem, makeRoom: () => Promise<boolean>): FileSystem {
  return {
    open: (path, flags, mode) => openPatiently(fs, path, flags, mode, makeRoom),
    stat: (path) => fs.stat(path),
    readdir: (path, options) => patiently(() => fs.readdir(path, options), makeRoom),
    mkdir: (path, options) => fs.mkdir(path, options),
    rename: (from, to) => fs.rename(from, to),
    unlink: (path) => fs.unlink(path),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    runtime.setTimer(resolve, ms);
  });
}

/** Makes names in a folder survive a power loss. Where folders cannot be synced (Windows), there is nothing to do. */
export async function syncFolder(fs: FileSystem, folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await fs.open(folder, 'r');
  } catch (error) {
    if (isUnsupported(error)) return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  } finally {
    await handle.close();
  }
}

function isUnsupported(error: unknown): boolean {
  return ['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS'].includes(errnoOf(error) ?? '');
}
