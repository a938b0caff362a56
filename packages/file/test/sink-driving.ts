/** Driving a sink that keeps positions as a run would, and letting it die as a process does. */

import { promises, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { SinkContext, WriteContext } from '@streamweld/core';
import type { FileHandle, FileSink, FileSystem } from '@streamweld/file';

export function openContext(checkpoint: string | undefined = 'run'): SinkContext {
  return {
    signal: new AbortController().signal,
    checkpoint,
    fail: (error) => {
      throw error;
    },
  };
}

export function writeContext(positions: Readonly<Record<string, unknown>> = {}, attempt = 1): WriteContext {
  return {
    signal: new AbortController().signal,
    attempt,
    positions: new Map(Object.entries(positions)),
    defer: () => {
      throw new Error('a sink that keeps positions does not defer');
    },
  };
}

/** Opens with a checkpoint, writes each batch with its number as the position, flushes, closes. */
export async function writeOnce<T>(
  sink: FileSink<T>,
  batches: readonly (readonly T[])[],
  from = 0,
): Promise<void> {
  await sink.open(openContext());
  for (const [index, batch] of batches.entries()) {
    await sink.write(batch, writeContext({ lane: from + index + 1 }));
  }
  await sink.flush();
  await sink.close();
}

/** What a folder holds, by path, unzipped; without what the sinks keep for themselves unless `all`. */
export function contentOf(folder: string, all = false): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const isOwn = /(^|\/)\.[^/]*\.(ledger|lock)(\.[^/]*)?$/.test(name);
    return !(isOwn && !all) && statSync(join(folder, name)).isFile();
  });
  return Object.fromEntries(
    names.sort().map((name) => {
      const content = readFileSync(join(folder, name));
      const isZipped = name.endsWith('.gz') && content.length > 0;
      return [name, (isZipped ? gunzipSync(content) : content).toString()];
    }),
  );
}

/** A file layer that can lose its process: nothing more happens, and what is under way has happened. */
export interface MortalLayer extends FileSystem {
  die(): Promise<void>;
}

export function mortalLayer(folder: string): MortalLayer {
  let isDead = false;
  const handles = new Set<FileHandle>();
  const underWay = new Set<Promise<unknown>>();
  const never = <R>(): Promise<R> => new Promise(() => {});
  const alive = <A extends unknown[], R>(call: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) => {
    return async (...args) => {
      if (isDead) return never();
      const answer = call(...args);
      underWay.add(answer);
      try {
        return await answer;
      } finally {
        underWay.delete(answer);
        // The process does not see how it ended.
        if (isDead) await never();
      }
    };
  };
  const wrap = (handle: FileHandle): FileHandle => {
    handles.add(handle);
    return {
      read: alive((...args) => handle.read(...args)),
      write: alive((...args) => handle.write(...args)),
      stat: alive(() => handle.stat()),
      truncate: alive((length) => handle.truncate(length)),
      chmod: alive((mode) => handle.chmod(mode)),
      datasync: alive(() => handle.datasync()),
      sync: alive(() => handle.sync()),
      close: alive(() => {
        handles.delete(handle);
        return handle.close();
      }),
    };
  };
  return {
    open: alive(async (...args) => wrap(await promises.open(...args))),
    stat: alive((path) => promises.stat(path)),
    readdir: alive((path, options) => promises.readdir(path, options)),
    mkdir: alive((path, options) => promises.mkdir(path, options)),
    rename: alive((from, to) => promises.rename(from, to)),
    unlink: alive((path) => promises.unlink(path)),
    symlink: alive((target, path) => promises.symlink(target, path)),
    readlink: alive((path) => promises.readlink(path)),
    async die() {
      isDead = true;
      await Promise.allSettled(underWay);
      await Promise.allSettled([...handles].map((handle) => handle.close()));
      // The process of a test lives on: what tells of its death has to be done for it.
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (/\.lock(\.[^/]*)?$/.test(name)) rmSync(join(folder, name));
      }
    },
  };
}
