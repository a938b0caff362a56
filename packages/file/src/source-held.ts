/** Followed files whose last record may go on: each is due when nothing was added to it for a while. */

import type { GrowingFile } from './source-growing.ts';

export class HeldRecords<T> {
  readonly #flushMs: number;
  readonly #files: Set<GrowingFile<T>> = new Set();
  /** When the first is due, or was: a file may have grown since. */
  dueAt: number = Number.POSITIVE_INFINITY;

  constructor(flushMs: number) {
    this.#flushMs = flushMs;
  }

  add(file: GrowingFile<T>): void {
    this.#files.add(file);
    this.dueAt = Math.min(this.dueAt, file.grewAt + this.#flushMs);
  }

  delete(file: GrowingFile<T>): void {
    this.#files.delete(file);
  }

  clear(): void {
    this.#files.clear();
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /** Those that are due, which are held no longer. */
  due(now: number): readonly GrowingFile<T>[] {
    if (now < this.dueAt) return [];
    const held = [...this.#files];
    this.clear();
    return held.filter((file) => {
      const isDue = now >= file.grewAt + this.#flushMs;
      if (!isDue) this.add(file);
      return isDue;
    });
  }
}
