/** A file layer that counts what is open, and does what a test tells it to. */

import { promises } from 'node:fs';
import type { FileHandle, FileSystem } from '@streamweld/file';

/** Each may answer in place of the real call, throw, or wait; answering nothing lets the call through. */
export interface Faults {
  open?(path: string, flags: string | number): Promise<FileHandle> | undefined | void;
  read?(path: string, length: number): Promise<number | void> | void;
  write?(path: string, length: number, position: number): Promise<number | void> | void;
  datasync?(path: string): Promise<void> | void;
  sync?(path: string): Promise<void> | void;
  close?(path: string): Promise<void> | void;
  rename?(from: string, to: string): Promise<void> | void;
  unlink?(path: string): Promise<void> | void;
  truncate?(path: string, length: number): Promise<void> | void;
}

export interface FaultyLayer extends FileSystem {
  /** Files open now, and the most that were at once. */
  open_: number;
  mostOpen: number;
  calls: Record<string, number>;
}

export function faultyLayer(faults: Faults = {}, fs: FileSystem = promises): FaultyLayer {
  const layer: FaultyLayer = {
    open_: 0,
    mostOpen: 0,
    calls: {},
    async open(path, flags, mode) {
      count('open');
      const handle = (await faults.open?.(path, flags)) ?? (await fs.open(path, flags, mode));
      layer.open_ += 1;
      layer.mostOpen = Math.max(layer.mostOpen, layer.open_);
      return wrap(path, handle);
    },
    stat: (path) => fs.stat(path),
    readdir: (path, options) => fs.readdir(path, options),
    mkdir: (path, options) => fs.mkdir(path, options),
    async rename(from, to) {
      count('rename');
      await faults.rename?.(from, to);
      await fs.rename(from, to);
    },
    async unlink(path) {
      count('unlink');
      await faults.unlink?.(path);
      await fs.unlink(path);
    },
    async symlink(target, path) {
      count('symlink');
      await fs.symlink?.(target, path);
    },
    readlink: async (path) => (await fs.readlink?.(path)) as string,
  };
  return layer;

  function count(call: string): void {
    layer.calls[call] = (layer.calls[call] ?? 0) + 1;
  }

  function wrap(path: string, handle: FileHandle): FileHandle {
    return {
      async read(buffer, offset, length, position) {
        count('read');
        const most = (await faults.read?.(path, length)) ?? length;
        return handle.read(buffer, offset, Math.min(most, length), position);
      },
      async write(buffer, offset, length, position) {
        count('write');
        const most = (await faults.write?.(path, length, position)) ?? length;
        return handle.write(buffer, offset, Math.min(most, length), position);
      },
      stat: () => handle.stat(),
      async truncate(length) {
        count('truncate');
        await faults.truncate?.(path, length);
        await handle.truncate(length);
      },
      chmod: (mode) => handle.chmod(mode),
      async datasync() {
        count('datasync');
        await faults.datasync?.(path);
        await handle.datasync();
      },
      async sync() {
        count('sync');
        await faults.sync?.(path);
        await handle.sync();
      },
      async close() {
        count('close');
        layer.open_ -= 1;
        await handle.close();
        await faults.close?.(path);
      },
    };
  }
}

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
