/** The logs that are read: each a file, and how far it was read. */

import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Flow, from } from '@streamweld/core';
import { FileSource } from '@streamweld/file';
import { lines } from '@streamweld/formats';
import type { Entry } from './entry.ts';
import { parseLine } from './parse.ts';

export class Log {
  /** Unlike that of any other log of the run. */
  readonly name: string;
  readonly path: string;
  readonly #isFollowed: boolean;
  readonly #onRead: () => void;
  /** Lines that were read. */
  read = 0;

  constructor(name: string, path: string, isFollowed: boolean, onRead: () => void) {
    this.name = name;
    this.path = path;
    this.#isFollowed = isFollowed;
    this.#onRead = onRead;
  }

  /** What its lines say, in their order. For one run. */
  entries(): Flow<Entry> {
    const source = new FileSource(this.path, {
      name: this.name,
      // A log may hold anything: what is no UTF-8 is shown as such, and no reason to stop.
      format: lines({ invalidUtf8: 'replace' }),
      follow: this.#isFollowed ? { pollMs: 200 } : false,
    });
    return from(source).map((raw) => {
      this.read += 1;
      this.#onRead();
      return parseLine(this.name, this.read, raw);
    });
  }
}

export class Logs {
  readonly all: readonly Log[];
  #read = 0;
  #waiting: (() => void) | undefined;

  /** @param isFollowed whether what is written later is read too: then they never end by themselves */
  constructor(paths: readonly string[], isFollowed: boolean) {
    const taken = new Map<string, number>();
    this.all = paths.map((path) => {
      const name = basename(path);
      const again = (taken.get(name) ?? 0) + 1;
      taken.set(name, again);
      return new Log(again === 1 ? name : `${again}-${name}`, path, isFollowed, this.#onRead);
    });
  }

  /** Lines of all. */
  get read(): number {
    return this.#read;
  }

  /**
   * Resolves when so many lines were read, or when none came for `patienceMs`: then the proof says which are missing.
   * @param lines by the path of the log
   * @param isPaused then it is nobody's fault that none come
   */
  async until(
    lines: ReadonlyMap<string, number>,
    patienceMs: number,
    isPaused: () => boolean,
  ): Promise<void> {
    while (!this.all.every(({ path, read }) => read >= (lines.get(path) ?? 0))) {
      const before = this.#read;
      const patience = new AbortController();
      const next = new Promise<void>((resolve) => (this.#waiting = resolve));
      const late = wait(patienceMs, undefined, { signal: patience.signal }).catch(() => {});
      await Promise.race([next, late]);
      patience.abort();
      if (this.#read === before && !isPaused()) return;
    }
  }

  readonly #onRead = (): void => {
    this.#read += 1;
    this.#waiting?.();
    this.#waiting = undefined;
  };
}
