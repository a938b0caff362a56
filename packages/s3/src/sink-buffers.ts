/**
 * What bounds the memory of a sink: so many buffers of one size, lent in the order in which they are asked for, and used
 * again. Memory that is new for each part would be resident until it is collected.
 */

import { onAbort } from '@streamweld/core/connector';

/** So many of something: whoever wants one waits until there is one. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** @throws the reason of the signal */
  take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const take = (): void => {
        forget();
        resolve();
      };
      this.#waiting.add(take);
      const forget = onAbort(signal, (reason) => {
        this.#waiting.delete(take);
        reject(reason as Error);
      });
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

export class PartBuffers {
  readonly size: number;
  readonly #slots: Slots;
  readonly #free: Buffer[] = [];

  constructor(size: number, count: number) {
    this.size = size;
    this.#slots = new Slots(count);
  }

  /** @throws the reason of the signal */
  async take(signal: AbortSignal): Promise<Buffer> {
    await this.#slots.take(signal);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
    this.#slots.give();
  }

  /** Of one that a request which was called off may still be reading, only the place is given back. */
  drop(): void {
    this.#slots.give();
  }
}
