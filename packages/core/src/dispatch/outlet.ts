/**
 * One place a dispatcher delivers to: a bounded queue, and whoever takes from it.
 *
 * Of a broadcast or demand dispatcher each subscription has its own outlet. Of a partition dispatcher each partition has
 * one, from the first day: it belongs to the partition, and the next sink adopts what a former one left.
 */

import { BatchChannel } from '../channel/batch-channel.ts';
import type { Overflow } from '../channel/channel.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { StreamWeldError } from '../errors.ts';
import { ChannelIntake, type Intake } from '../task/intake.ts';
import { WholeIntake } from '../task/whole-intake.ts';
import { chooseShares, type Share } from './share.ts';
import { SlotQueue } from './slot-queue.ts';
import type { OutletState } from './strategy.ts';

/** A seat at an outlet, as the outlet sees it. */
export interface Seat {
  pump(): void;
}

export interface OutletOptions<T> {
  readonly name: string;
  readonly partition: string | number | undefined;
  readonly capacity: number;
  /** Of an item's key, where order is kept per key. */
  readonly hash: ((item: T) => number) | undefined;
  /** Its sink keeps positions, and is given whole shares. */
  readonly isExact: boolean;
  readonly onRoom: () => void;
}

export class Outlet<T> implements OutletState<T> {
  readonly name: string;
  readonly partition: string | number | undefined;
  readonly #queue: BatchChannel<Parcel<T>> | SlotQueue<T>;
  readonly intake: Intake<T>;
  #seats: readonly Seat[] = [];
  selector: ((item: T) => boolean) | undefined;
  overflow: Overflow = 'wait';
  /** Is told what an overflow dropped, when it is done. It must not throw. */
  onDrop: ((items: readonly T[]) => void) | undefined;
  /** Nothing comes in any more. */
  isClosed = false;

  constructor(options: OutletOptions<T>) {
    this.name = options.name;
    this.partition = options.partition;
    if (options.hash === undefined) {
      const channel = new BatchChannel<Parcel<T>>(options.capacity);
      this.#queue = channel;
      this.intake = options.isExact
        ? new WholeIntake({ channel, choose: chooseShares })
        : new ChannelIntake(channel);
    } else {
      this.#queue = new SlotQueue<T>(options.capacity, options.hash);
      this.intake = this.#queue;
    }
    this.#queue.onItems = () => this.pump();
    this.#queue.onRoom = options.onRoom;
  }

  /** Whether order is kept per key: then several may take from it. */
  get isKeyed(): boolean {
    return this.#queue instanceof SlotQueue;
  }

  /** Room in its buffer, less what is in flight. */
  get demand(): number {
    return this.overflow === 'wait' ? Math.max(0, this.#queue.room) : Number.POSITIVE_INFINITY;
  }

  get room(): number {
    return Math.max(0, this.#queue.room);
  }

  get capacity(): number {
    return this.#queue.capacity;
  }

  set capacity(items: number) {
    this.#queue.capacity = items;
  }

  /** Items that wait. */
  get buffered(): number {
    return this.#queue instanceof SlotQueue ? this.#queue.items : this.#queue.queued;
  }

  /** Items that are being written. */
  get held(): number {
    return this.#queue.held;
  }

  get highWater(): number {
    return this.#queue.highWater;
  }

  get isEmpty(): boolean {
    return this.buffered === 0 && this.held === 0;
  }

  get hasSeats(): boolean {
    return this.#seats.length > 0;
  }

  seat(seat: Seat): void {
    this.#seats = [...this.#seats, seat];
  }

  /** Something of it can be written now that could not before. */
  pump(): void {
    for (const seat of this.#seats) seat.pump();
  }

  unseat(seat: Seat): void {
    this.#seats = this.#seats.filter((other) => other !== seat);
  }

  /** Takes items in; what does not fit is the overflow policy's. @throws StreamWeldError SW_CHANNEL_FULL, SW_CHANNEL_CLOSED */
  accept(parcel: Parcel<T>): void {
    if (this.isClosed) {
      throw new StreamWeldError('SW_CHANNEL_CLOSED', `'${this.name}' has left.`, { stage: this.name });
    }
    const excess = parcel.items.length - this.#queue.room;
    if (excess > 0 && this.overflow !== 'wait') this.#acceptFull(parcel);
    else this.#queue.push(parcel);
  }

  /** Lets go of a share that is not to be written: it counts as done. */
  dropShare(share: Share): void {
    if (!(this.intake instanceof WholeIntake)) return;
    for (const parcel of (this.intake as WholeIntake<T>).letGo(({ receipt }) => receipt === share))
      parcel.settle();
  }

  /** Takes everything that waits out of it. */
  clear(): Parcel<T>[] {
    return this.#queue.clear();
  }

  #acceptFull(parcel: Parcel<T>): void {
    const { length } = parcel.items;
    if (this.overflow === 'fail') {
      throw new StreamWeldError(
        'SW_CHANNEL_FULL',
        `The buffer of '${this.name}' holds ${this.capacity} items and is full. Give it a larger bufferSize, a faster sink, or overflow 'wait'.`,
        { stage: this.name },
      );
    }
    if (this.overflow === 'dropNewest') {
      const fits = this.room;
      const kept = fits === 0 ? undefined : parcel.cut(0, fits);
      const late = parcel.cut(fits, length);
      if (kept !== undefined) this.#queue.push(kept);
      this.#drop([late]);
      return;
    }
    // The oldest first: what waits, then the front of what came. What is being written is not taken back.
    const queue = this.#queue as BatchChannel<Parcel<T>>;
    const dropped: Parcel<T>[] = [];
    while (queue.room < length) {
      const oldest = queue.discard(length - queue.room);
      if (oldest === undefined) break;
      dropped.push(oldest);
    }
    const excess = length - this.room;
    if (excess >= length) {
      dropped.push(parcel);
    } else {
      if (excess > 0) dropped.push(parcel.cut(0, excess));
      queue.push(excess > 0 ? parcel.cut(excess, length) : parcel);
    }
    this.#drop(dropped);
  }

  /** Last of all, because whoever is told may do anything. */
  #drop(parcels: readonly Parcel<T>[]): void {
    for (const parcel of parcels) {
      parcel.settle();
      this.onDrop?.(parcel.items);
    }
  }
}
