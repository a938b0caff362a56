/** The deadlines of writes: one that takes too long is given up. */

import { runtime } from '../runtime.ts';
import type { Write } from './write.ts';

export class WriteDeadlines {
  readonly #ms: number;
  readonly #writes = new Set<Write<unknown>>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  set(write: Write<unknown>, passed: () => void): void {
    this.#writes.add(write);
    write.timer = runtime.setTimer(() => {
      this.#writes.delete(write);
      passed();
    }, this.#ms);
  }

  clear(write: Write<unknown>): void {
    if (this.#writes.delete(write)) runtime.clearTimer(write.timer);
  }

  /** No more are given up: the run itself has an end by then. */
  clearAll(): void {
    for (const write of [...this.#writes]) this.clear(write);
  }
}
