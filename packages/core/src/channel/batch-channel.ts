/**
 * The channel inside a run: batches from one task to the next, without a promise.
 *
 *     producer ── push ──► [ queued ] ── take ──► consumer holds them ── release ──►
 *                ◄──────────────── room = capacity − queued − held ────────────────
 *
 * What the consumer has taken and not yet released still counts: the bound holds from the source's answer to the
 * settled write. The producer asks for `room` before it produces, so nothing is ever pushed that does not fit; each
 * side is called back when the other moved.
 */

import { type Batch, BatchDeque } from './batch-deque.ts';

export class BatchChannel<B extends Batch> {
  readonly #queued = new BatchDeque<B>();
  #held = 0;
  #closed = false;
  #highWater = 0;
  /** Items came, or the end. */
  onItems: () => void = nobody;
  /** Room came. */
  onRoom: () => void = nobody;

  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many more items fit. */
  get room(): number {
    return this.capacity - this.#queued.items - this.#held;
  }

  /** Items that wait to be taken. */
  get queued(): number {
    return this.#queued.items;
  }

  /** Items that were taken and not released. */
  get held(): number {
    return this.#held;
  }

  /** The most items there ever were, queued and held. */
  get highWater(): number {
    return this.#highWater;
  }

  /** No more will be pushed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  push(batch: B): void {
    this.#queued.push(batch);
    const level = this.#queued.items + this.#held;
    if (level > this.#highWater) this.#highWater = level;
    this.onItems();
  }

  /** The next items, at most `max`, and of one batch; the taker holds them. */
  take(max: number): B | undefined {
    const batch = this.#queued.shift(max);
    if (batch !== undefined) this.#held += batch.items.length;
    return batch;
  }

  /** The next items, at most `max`, and of one batch, taken out for good: they need no room. */
  discard(max: number): B | undefined {
    return this.#queued.shift(max);
  }

  /** What was taken needs its room no more. */
  release(items: number): void {
    this.#held -= items;
    this.onRoom();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onItems();
  }

  /** Takes everything that is queued out of it, for somebody else or for nobody. */
  clear(): B[] {
    const batches: B[] = [];
    for (let batch = this.#queued.shift(MOST); batch !== undefined; batch = this.#queued.shift(MOST))
      batches.push(batch);
    return batches;
  }
}

const MOST = Number.MAX_SAFE_INTEGER;

function nobody(): void {}
