/** Who did what and when, as the processes tell it, and whether that is all of it, once, and in order. */

import { CUSTOMERS } from './pipeline.ts';

export interface Proof {
  readonly lost: number;
  readonly doubled: number;
  /** Jobs that were first done after a later one of the same customer, by whichever process. */
  readonly outOfOrder: number;
}

interface Entry {
  readonly at: number;
  readonly ids: readonly number[];
}

/** What is done by those who share the jobs: each of them once. */
class Share {
  readonly #times: Uint8Array;
  readonly #entries: Entry[] = [];
  #items: number;
  #done = 0;

  constructor(items: number) {
    this.#items = items;
    this.#times = new Uint8Array(items);
  }

  cutTo(items: number): void {
    this.#items = items;
  }

  get isComplete(): boolean {
    return this.#done === this.#items;
  }

  note(entry: Entry): void {
    this.#entries.push(entry);
    for (const id of entry.ids) {
      if (this.#times[id] === 0) this.#done += 1;
      this.#times[id] = Math.min(255, (this.#times[id] as number) + 1);
    }
  }

  prove(): Proof {
    const seen = new Uint8Array(this.#times.length);
    const last = new Int32Array(CUSTOMERS).fill(-1);
    let outOfOrder = 0;
    for (const { ids } of this.#entries.toSorted((a, b) => a.at - b.at)) {
      for (const id of ids) {
        if (seen[id] === 1) continue;
        seen[id] = 1;
        const customer = id % CUSTOMERS;
        if (id < (last[customer] as number)) outOfOrder += 1;
        else last[customer] = id;
      }
    }
    const doubled = this.#times.reduce((sum, times) => sum + Math.max(0, times - 1), 0);
    return { lost: this.#items - this.#done, doubled, outOfOrder };
  }
}

export class Ledger {
  /** One, or one for each process where each is to do all of it. */
  readonly #shares: readonly Share[];
  readonly counts = new Map<number, number>();

  /** @param shares in how many all jobs are to be done. */
  constructor(items: number, shares: number) {
    this.#shares = Array.from({ length: shares }, () => new Share(items));
  }

  /** In how many all jobs are to be done. */
  get shares(): number {
    return this.#shares.length;
  }

  /** Fewer came than were meant to: the first so many. */
  cutTo(items: number): void {
    for (const share of this.#shares) share.cutTo(items);
  }

  /** Whether all there is to do is done. */
  get isComplete(): boolean {
    return this.#shares.every((share) => share.isComplete);
  }

  /** @param process from 1 on. @param at when they were done, by a clock that all processes of the machine share */
  note(process: number, ids: readonly number[], at: number): void {
    this.counts.set(process, (this.counts.get(process) ?? 0) + ids.length);
    const share = this.#shares.length === 1 ? this.#shares[0] : this.#shares[process - 1];
    share?.note({ ids, at });
  }

  prove(): Proof {
    const proofs = this.#shares.map((share) => share.prove());
    const sum = (what: keyof Proof): number => proofs.reduce((total, proof) => total + proof[what], 0);
    return { lost: sum('lost'), doubled: sum('doubled'), outOfOrder: sum('outOfOrder') };
  }
}
