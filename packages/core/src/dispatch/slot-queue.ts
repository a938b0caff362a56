/**
 * The queue of a keyed partition: several seats take from it, and the items of one key stay in order.
 *
 *     push ──► key ──► slot 0: [..] ─┐
 *                      slot 1: [..] ─┼─► ready slots, first come first served ──► seat takes a few slots' items
 *                      …             │        ▲                                        │
 *                      slot 31: [..]─┘        └──────── slot is free again ◄── written ┘
 *
 * Keys hash onto slots. A slot that a seat has taken from stays with that seat until what it took is written, retries
 * included; so no two writes ever hold items of one key. The queue belongs to the partition: seats come and go.
 */

import { BatchDeque } from '../channel/batch-deque.ts';
import { joinParcels, Parcel } from '../delivery/parcel.ts';
import type { Intake } from '../task/intake.ts';

/** Enough that a few seats seldom want the same, few enough that a batch is not cut to dust: half as many are twice as fast. */
const SLOTS = 32;
/** The highest bits of a hash choose its slot: the lowest may be those that chose the partition, and are all alike. */
const SHIFT = 27;

interface Slot<T> {
  readonly queued: BatchDeque<Parcel<T>>;
  isTaken: boolean;
}

export class SlotQueue<T> implements Intake<T> {
  readonly #hash: (item: T) => number;
  readonly #slots: Slot<T>[] = Array.from({ length: SLOTS }, () => ({
    queued: new BatchDeque<Parcel<T>>(),
    isTaken: false,
  }));
  /** Slots with items that no seat has. */
  #ready: Slot<T>[] = [];
  readonly #taken = new Map<Parcel<T>, readonly Slot<T>[]>();
  #items = 0;
  #held = 0;
  #highWater = 0;
  capacity: number;
  /** Items came, or a slot is free again. */
  onItems: () => void = nobody;
  /** Room came. */
  onRoom: () => void = nobody;

  /** @param hash of an item's key. */
  constructor(capacity: number, hash: (item: T) => number) {
    this.capacity = capacity;
    this.#hash = hash;
  }

  get room(): number {
    return this.capacity - this.#items - this.#held;
  }

  get items(): number {
    return this.#items;
  }

  get held(): number {
    return this.#held;
  }

  get highWater(): number {
    return this.#highWater;
  }

  /** Items in slots that are free to be taken: 0, or at least 1. */
  get queued(): number {
    return this.#ready.length === 0 ? 0 : this.#items;
  }

  get isClosed(): boolean {
    return false;
  }

  push(parcel: Parcel<T>): void {
    const whole = parcel.unify();
    const bySlot: (T[] | undefined)[] = new Array<T[] | undefined>(SLOTS).fill(undefined);
    let pieces = 0;
    for (const item of whole.items) {
      const slot = this.#hash(item) >>> SHIFT;
      const items = bySlot[slot];
      if (items !== undefined) {
        items.push(item);
      } else {
        bySlot[slot] = [item];
        pieces += 1;
      }
    }
    if (pieces > 1) whole.retain(pieces - 1);
    for (const [index, items] of bySlot.entries()) {
      if (items === undefined) continue;
      const slot = this.#slots[index] as Slot<T>;
      if (slot.queued.items === 0 && !slot.isTaken) this.#ready.push(slot);
      slot.queued.push(new Parcel(items, whole.receipt, null));
    }
    this.#items += whole.items.length;
    this.#highWater = Math.max(this.#highWater, this.#items + this.#held);
    this.onItems();
  }

  take(max: number): Parcel<T> | undefined {
    const parcels: Parcel<T>[] = [];
    const slots: Slot<T>[] = [];
    let missing = max;
    while (missing > 0) {
      const slot = this.#ready.shift();
      if (slot === undefined) break;
      slot.isTaken = true;
      slots.push(slot);
      while (missing > 0) {
        const parcel = slot.queued.shift(missing);
        if (parcel === undefined) break;
        parcels.push(parcel);
        missing -= parcel.items.length;
      }
    }
    if (parcels.length === 0) return undefined;
    const joined = parcels.length === 1 ? (parcels[0] as Parcel<T>) : joinParcels(parcels);
    this.#items -= joined.items.length;
    this.#held += joined.items.length;
    this.#taken.set(joined, slots);
    return joined;
  }

  release(parcel: Parcel<T>): void {
    this.#held -= parcel.items.length;
    let isReady = false;
    for (const slot of this.#taken.get(parcel) ?? []) {
      slot.isTaken = false;
      if (slot.queued.items === 0) continue;
      this.#ready.push(slot);
      isReady = true;
    }
    this.#taken.delete(parcel);
    if (isReady) this.onItems();
    this.onRoom();
  }

  /** Takes everything that waits out of it. */
  clear(): Parcel<T>[] {
    const parcels: Parcel<T>[] = [];
    for (const slot of this.#slots) {
      for (let parcel = slot.queued.shift(MOST); parcel !== undefined; parcel = slot.queued.shift(MOST))
        parcels.push(parcel);
    }
    this.#ready = [];
    this.#items = 0;
    return parcels;
  }
}

const MOST = Number.MAX_SAFE_INTEGER;

function nobody(): void {}
