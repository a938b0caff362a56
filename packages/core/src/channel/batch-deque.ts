/**
 * The storage of every channel: a ring of batches, held by reference, counted in items.
 *
 *          head                     tail
 *     ┌──┬──────┬──────┬──────┬──────┬──┬──┐
 *     │  │ b0   │ b1   │ b2   │ b3   │  │  │   #batches (a power of two long)
 *     └──┴─▲────┴──────┴──────┴──────┴──┴──┘
 *          └ #from: items of b0 that are already taken
 *
 * Taking part of a batch cuts a piece off it; what stays is never copied.
 */

/** What a channel can hold: items in order, from which a piece can be cut. */
export interface Batch {
  readonly items: readonly unknown[];
  /**
   * The piece from `from` up to `to`. Pieces are cut front to back, and each only once; the one that reaches the end of
   * the batch takes over what the batch itself was holding. The whole batch may answer itself.
   */
  cut(from: number, to: number): this;
}

export class BatchDeque<B extends Batch> {
  #batches: (B | undefined)[] = new Array<B | undefined>(8);
  #head = 0;
  #length = 0;
  #from = 0;
  #items = 0;

  /** How many items it holds. */
  get items(): number {
    return this.#items;
  }

  /** How many batches it holds: more than none also where all that is left are batches without items. */
  get batches(): number {
    return this.#length;
  }

  /** The newest batch. */
  get last(): B | undefined {
    return this.#length === 0
      ? undefined
      : this.#batches[(this.#head + this.#length - 1) & (this.#batches.length - 1)];
  }

  push(batch: B): void {
    if (this.#length === this.#batches.length) this.#grow();
    this.#batches[(this.#head + this.#length) & (this.#batches.length - 1)] = batch;
    this.#length += 1;
    this.#items += batch.items.length;
  }

  /** Counts an item that was appended to the newest batch where it stands. */
  countAppended(): void {
    this.#items += 1;
  }

  /** The oldest batch, or as much of it as `max` (1 or more) allows. */
  shift(max: number): B | undefined {
    const batch = this.#batches[this.#head];
    if (batch === undefined) return undefined;
    const from = this.#from;
    const left = batch.items.length - from;
    if (left > max) {
      this.#from = from + max;
      this.#items -= max;
      return batch.cut(from, from + max);
    }
    this.#batches[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#batches.length - 1);
    this.#length -= 1;
    this.#from = 0;
    this.#items -= left;
    return from === 0 ? batch : batch.cut(from, batch.items.length);
  }

  #grow(): void {
    const old = this.#batches;
    const grown = new Array<B | undefined>(old.length * 2);
    for (let i = 0; i < this.#length; i++) grown[i] = old[(this.#head + i) & (old.length - 1)];
    this.#batches = grown;
    this.#head = 0;
  }
}
