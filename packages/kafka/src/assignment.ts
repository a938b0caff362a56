/**
 * The partitions that a member has, and what waits in them: taken by turns, and bounded by a level that all of them share.
 *
 *     fetched ──► queue ──► take        full: no fetch is answered for a moment, then the partition is paused
 *     fetched ──► queue ──►             half empty: it is resumed
 */

import { Deferred } from '@streamweld/core/connector';
import type { FetchedRecords, TopicPartition } from './client.ts';
import { within } from './deadline.ts';
import type { PartitionQueue, Taken } from './partition-queue.ts';
import { laneOf } from './position.ts';

export interface Levels {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** Where records come from. */
export interface Tap {
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
}

/** How long a full partition waits for room before it is paused: a client with nothing to fetch looks as seldom as that. */
const ROOM_MS = 100;

export class Assignment {
  readonly #levels: Levels;
  readonly #queues = new Map<string, PartitionQueue>();
  /** In the order of their turns. */
  #order: readonly PartitionQueue[] = [];
  #turn = 0;
  /** Who waits for room. */
  readonly #rooms = new Map<PartitionQueue, Deferred>();
  /** All of them together have enough: nothing is fetched before half of it is taken. */
  #isHeld = false;
  readonly #tap: () => Tap | undefined;

  constructor(levels: Levels, tap: () => Tap | undefined) {
    this.#levels = levels;
    this.#tap = tap;
  }

  get queues(): readonly PartitionQueue[] {
    return this.#order;
  }

  get(lane: string): PartitionQueue | undefined {
    return this.#queues.get(lane);
  }

  add(queue: PartitionQueue): void {
    this.#queues.set(queue.lane, queue);
    this.#order = [...this.#queues.values()];
  }

  remove(queue: PartitionQueue): void {
    this.#queues.delete(queue.lane);
    this.#order = [...this.#queues.values()];
    this.#rooms.get(queue)?.resolve();
  }

  clear(): void {
    for (const queue of this.#order) this.remove(queue);
  }

  /** Whether so much waits as may. The level is shared out evenly, and one record is never too many. */
  isFull({ items, bytes }: PartitionQueue, share = 1): boolean {
    const part = share / this.#order.length;
    return items > 0 && (items >= this.#levels.maxItems * part || bytes >= this.#levels.maxBytes * part);
  }

  /** What it answers settles when more may come, and soon. */
  put(fetched: FetchedRecords): Promise<void> | undefined {
    const queue = this.#queues.get(laneOf(fetched));
    if (queue === undefined) return undefined;
    queue.put(fetched);
    if (this.#hasEnough(1)) {
      this.#isHeld = true;
      for (const other of this.#order) if (other !== queue) this.#pause(other);
      return this.#awaitRoom(queue);
    }
    return this.isFull(queue) ? this.#awaitRoom(queue) : undefined;
  }

  /** Many partitions that have little each have much together. */
  #hasEnough(share: number): boolean {
    let [items, bytes] = [0, 0];
    for (const queue of this.#order) {
      items += queue.items;
      bytes += queue.bytes;
    }
    return items >= this.#levels.maxItems * share || bytes >= this.#levels.maxBytes * share;
  }

  #pause(queue: PartitionQueue): void {
    if (queue.isPaused) return;
    queue.isPaused = true;
    this.#tap()?.pause(queue);
  }

  async #awaitRoom(queue: PartitionQueue): Promise<void> {
    const room = new Deferred();
    this.#rooms.set(queue, room);
    try {
      // Who is fast takes it at once; who is slow is not to keep the client from telling that it lives.
      await within(ROOM_MS, room.promise);
    } catch {
      if (this.#queues.get(queue.lane) === queue && (this.#isHeld || this.isFull(queue, 0.5)))
        this.#pause(queue);
    } finally {
      if (this.#rooms.get(queue) === room) this.#rooms.delete(queue);
    }
  }

  /** Up to so many records of one partition, each in its turn; undefined where there are none now. */
  take(demand: number): (Taken & { readonly queue: PartitionQueue }) | undefined {
    const { length } = this.#order;
    for (let tried = 0; tried < length; tried += 1) {
      const queue = this.#order[this.#turn % length] as PartitionQueue;
      this.#turn = (this.#turn + 1) % length;
      const taken = queue.take(demand);
      if (taken === undefined) continue;
      if (this.#isHeld && !this.#hasEnough(0.5)) this.#resumeAll();
      else if (!this.#isHeld && (queue.isPaused || this.#rooms.size > 0) && !this.isFull(queue, 0.5))
        this.#makeRoom(queue);
      return { queue, records: taken.records, offset: taken.offset };
    }
    return undefined;
  }

  #resumeAll(): void {
    this.#isHeld = false;
    for (const queue of this.#order) if (!this.isFull(queue, 0.5)) this.#makeRoom(queue);
  }

  #makeRoom(queue: PartitionQueue): void {
    this.#rooms.get(queue)?.resolve();
    if (!queue.isPaused) return;
    queue.isPaused = false;
    this.#tap()?.resume(queue);
  }
}
