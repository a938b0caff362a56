/** Who did what, as the processes tell it, and whether that is all of it, once, and in order. */

import { CUSTOMERS } from './pipeline.ts';

export interface Proof {
  readonly lost: number;
  readonly doubled: number;
  /** Jobs that a process did after a later one of the same customer. */
  readonly outOfOrder: number;
}

export class Ledger {
  readonly #items: number;
  readonly #times: Uint8Array;
  readonly #last = new Map<number, Int32Array>();
  readonly counts = new Map<number, number>();
  #outOfOrder = 0;
  #done = 0;

  constructor(items: number) {
    this.#items = items;
    this.#times = new Uint8Array(items);
  }

  /** Jobs that were done at least once. */
  get done(): number {
    return this.#done;
  }

  note(process: number, ids: readonly number[]): void {
    this.counts.set(process, (this.counts.get(process) ?? 0) + ids.length);
    let last = this.#last.get(process);
    if (last === undefined) this.#last.set(process, (last = new Int32Array(CUSTOMERS).fill(-1)));
    for (const id of ids) {
      if (this.#times[id] === 0) this.#done += 1;
      this.#times[id] = Math.min(255, (this.#times[id] as number) + 1);
      const customer = id % CUSTOMERS;
      if (id < (last[customer] as number)) this.#outOfOrder += 1;
      last[customer] = id;
    }
  }

  /** @param each how often each job is to be done. */
  prove(each: number): Proof {
    let doubled = 0;
    for (const times of this.#times) doubled += Math.max(0, times - each);
    return { lost: this.#items - this.#done, doubled, outOfOrder: this.#outOfOrder };
  }
}
