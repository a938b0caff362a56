/**
 * The file layer: the few calls of node:fs that this package makes, by their shape. `node:fs/promises` is one; a test
 * that injects faults, or a file system of somebody's own, is another.
 */

import { constants, promises } from 'node:fs';
import { runtime } from '@streamweld/core/connector';
import { errnoOf } from './errors.ts';

export interface FileStat {
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
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
}

export const nodeFileSystem: FileSystem = promises;

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
  makeRoom: () => Promise<boolean> = async () => false,
): Promise<FileHandle> {
  const deadline = runtime.now() + OPEN_PATIENCE_MS;
  for (let waitMs = 5; ; waitMs = Math.min(2 * waitMs, OPEN_WAIT_MS)) {
    try {
      return await fs.open(path, flags, mode);
    } catch (error) {
      const errno = errnoOf(error);
      if ((errno !== 'EMFILE' && errno !== 'ENFILE') || runtime.now() >= deadline) throw error;
    }
    if (!(await makeRoom())) await pause(waitMs);
  }
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
