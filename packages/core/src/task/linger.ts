/** How long a write that is not full waits for more items. */

import { runtime } from '../runtime.ts';

export class Linger {
  readonly #ms: number;
  readonly #onDue: () => void;
  #timer: unknown;
  /** What is there is written, full or not. */
  isDue = false;

  constructor(ms: number, onDue: () => void) {
    this.#ms = ms;
    this.#onDue = onDue;
  }

  /** Whether there is nothing to wait for. */
  get isOver(): boolean {
    return this.#ms === 0 || this.isDue;
  }

  /** From the first item on. */
  begin(): void {
    this.#timer ??= runtime.setTimer(this.#expire, this.#ms);
  }

  clear(): void {
    if (this.#timer === undefined) return;
    runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    this.isDue = true;
    this.#onDue();
    this.isDue = false;
  };
}
