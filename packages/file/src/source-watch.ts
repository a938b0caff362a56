/** Waiting for files to change: looking now and then, and sooner where the system hints that something happened. */

import { runtime } from '@streamweld/core/connector';
import type { FileSystem } from './client.ts';

/** How soon after a look a hint brings on the next: writers write many times a second. */
const HINT_GAP_MS = 20;
/** With many files a look takes its time: looking is to take a fifth of it at most. */
const HINT_GAP_LOOKS = 4;
/** Watches are few on some systems, and nothing depends on them. */
const MAX_WATCHES = 64;

export class Watch {
  readonly #fs: FileSystem;
  readonly #pollMs: number;
  readonly #watches: Map<string, { close(): void } | undefined> = new Map();
  #lookedAt = 0;
  #beganAt = 0;
  #isLooking = false;
  #isHinted = false;
  #dueAt = Number.NEGATIVE_INFINITY;
  #gapMs = HINT_GAP_MS;
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(fs: FileSystem, pollMs: number) {
    this.#fs = fs;
    this.#pollMs = pollMs;
  }

  get isDue(): boolean {
    return runtime.now() >= this.#dueAt;
  }

  /** The files are being looked at: what changes meanwhile may have been missed. */
  looking(): void {
    this.#beganAt = runtime.now();
    this.#isLooking = true;
    this.#isHinted = false;
  }

  looked(): void {
    this.#isLooking = false;
    this.#lookedAt = runtime.now();
    this.#gapMs = Math.max(HINT_GAP_MS, HINT_GAP_LOOKS * (this.#lookedAt - this.#beganAt));
    this.#dueAt = this.#lookedAt + this.#pollMs;
    if (this.#isHinted) this.#hint();
  }

  /** Watches these folders and no others. What cannot be watched is not tried again. */
  over(folders: ReadonlySet<string>): void {
    for (const [folder, watch] of this.#watches) {
      if (folders.has(folder)) continue;
      watch?.close();
      this.#watches.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watches.size >= MAX_WATCHES || this.#isClosed) return;
      if (!this.#watches.has(folder)) this.#watches.set(folder, this.#watch(folder));
    }
  }

  /** Waits until the next look is due, until `before`, or until it is woken. */
  async rest(before: number): Promise<void> {
    if (this.#isClosed) return;
    const ms = Math.max(0, Math.min(this.#dueAt, before) - runtime.now());
    await new Promise<void>((resolve) => {
      const timer = runtime.setTimer(resolve, ms);
      this.#wake = () => {
        runtime.clearTimer(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Ends the waiting, now and for good. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
    for (const watch of this.#watches.values()) watch?.close();
    this.#watches.clear();
  }

  #watch(folder: string): { close(): void } | undefined {
    try {
      return this.#fs.watchFolder?.(folder, () => this.#hint());
    } catch {
      return undefined;
    }
  }

  #hint(): void {
    this.#isHinted = true;
    if (this.#isLooking) return;
    const dueAt = this.#lookedAt + Math.min(this.#gapMs, this.#pollMs);
    if (dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    this.#wake?.();
  }
}
