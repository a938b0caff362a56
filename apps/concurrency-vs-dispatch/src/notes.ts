/** What a sink was given, noted by itself, so that a proof need not believe what pipeline and dispatcher count. */

import type { Item } from './item.ts';

/** As many of the last keys are kept as the widest terminal shows. */
const KEPT = 200;

export class Notes {
  /** How often each item came, by its id. */
  #times = new Uint8Array(1024);
  /** The last id of each key. */
  readonly #last = new Map<string, number>();
  readonly #keys: string[] = [];
  #count = 0;
  #lastId = -1;
  #outOfOrder = 0;
  #outOfKeyOrder = 0;

  add(items: readonly Item[]): void {
    for (const { id, key } of items) {
      this.#count += 1;
      if (id >= this.#times.length) this.#grow(id);
      // Of more than once it matters that it was, not how often.
      this.#times[id] = Math.min(2, this.timesOf(id) + 1);
      if (id <= this.#lastId) this.#outOfOrder += 1;
      if (id <= (this.#last.get(key) ?? -1)) this.#outOfKeyOrder += 1;
      this.#lastId = id;
      this.#last.set(key, id);
      if (this.#keys.push(key) >= 2 * KEPT) this.#keys.splice(0, KEPT);
    }
  }

  /** Items that it was given, the same ones counted again. */
  get count(): number {
    return this.#count;
  }

  /** Items that came after one that the source made later. */
  get outOfOrder(): number {
    return this.#outOfOrder;
  }

  /** The same among items of one key. */
  get outOfKeyOrder(): number {
    return this.#outOfKeyOrder;
  }

  /** The keys that it was given items of. */
  get keys(): readonly string[] {
    return [...this.#last.keys()];
  }

  /** The keys of the last items, the latest last. */
  lastKeys(max: number): readonly string[] {
    return max <= 0 ? [] : this.#keys.slice(-max);
  }

  /** 0, 1, or 2 for more than once. */
  timesOf(id: number): number {
    return this.#times[id] ?? 0;
  }

  /** Ids go from 0 to below this. */
  get end(): number {
    return this.#times.length;
  }

  #grow(id: number): void {
    const larger = new Uint8Array(2 ** Math.ceil(Math.log2(id + 1)));
    larger.set(this.#times);
    this.#times = larger;
  }
}
