/** A source that takes its time for each item. */

import type { Source } from '@streamweld/core';
import { type Item, keysFrom } from './item.ts';
import { Pace } from './pace.ts';

export class TimedSource implements Source<Item> {
  readonly name = 'source';
  readonly pace: Pace;
  readonly #limit: number;
  readonly #nextKey: () => string;
  #signal: AbortSignal | undefined;
  #made = 0;

  /** @param limit how many items there are */
  constructor(costMs: number, limit: number, seed: number) {
    this.pace = new Pace(costMs);
    this.#limit = limit;
    this.#nextKey = keysFrom(seed);
  }

  /** Items that it has handed out. */
  get made(): number {
    return this.#made;
  }

  open({ signal }: { readonly signal: AbortSignal }): void {
    this.#signal = signal;
  }

  /** One at a time: then an item can go on while the next is made. */
  pull(): Promise<readonly Item[]> | readonly Item[] | undefined {
    if (this.#made === this.#limit) return undefined;
    const waiting = this.pace.wait(this.#signal);
    return waiting === undefined ? this.#make() : waiting.then(() => this.#make());
  }

  #make(): readonly Item[] {
    return [{ id: this.#made++, key: this.#nextKey() }];
  }
}
