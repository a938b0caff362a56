/**
 * What comes again of a write that failed, and is written already: a batch goes to several partitions, and one of them may
 * fail when the others have theirs. Of bad items the rest comes again, of others all from the first that failed on; with
 * this, what is written is not written twice.
 */

interface Remainder<T> {
  readonly items: readonly T[];
  readonly done: ReadonlySet<number>;
}

export class Remainders<T> {
  readonly #most: number;
  #kept: Remainder<T>[] = [];

  /** @param most as many as there may be writes at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** Which of these items are written, by index. Nothing where it is no remainder. */
  take(items: readonly T[]): ReadonlySet<number> | undefined {
    const found = this.#kept.find((kept) => areSame(kept.items, items));
    if (found === undefined) return undefined;
    this.#kept = this.#kept.filter((kept) => kept !== found);
    return found.done;
  }

  /** Everything from this index on comes again. */
  keepFrom(items: readonly T[], from: number, done: ReadonlySet<number>): void {
    this.#keep(items, (index) => index >= from, done);
  }

  /** Everything but these comes again. */
  keepWithout(items: readonly T[], left: ReadonlySet<number>, done: ReadonlySet<number>): void {
    this.#keep(items, (index) => !left.has(index), done);
  }

  #keep(items: readonly T[], comesAgain: (index: number) => boolean, done: ReadonlySet<number>): void {
    const again: T[] = [];
    const written = new Set<number>();
    for (const [index, item] of items.entries()) {
      if (!comesAgain(index)) continue;
      if (done.has(index)) written.add(again.length);
      again.push(item);
    }
    if (written.size === 0) return;
    this.#kept.push({ items: again, done: written });
    // One that never came is of a write that was given up.
    if (this.#kept.length > this.#most) this.#kept.shift();
  }
}

function areSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => Object.is(item, b[index]));
}
