import { describe, expect, it } from 'vitest';
import { LaneBook } from '../../src/delivery/lane.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { SlotQueue } from '../../src/dispatch/slot-queue.ts';

const book = new LaneBook(() => {});
/** Items of one batch of a source, with a claim of which the queue makes pieces. */
const batch = (...items: readonly number[]) => {
  const receipt = book.issue('', 1, items.length);
  return { receipt, parcel: new Parcel<number>(items, receipt, null) };
};
/** An item is its own key, and chooses its slot by its number. */
const queueOf = (capacity = 100) => {
  const told = { items: 0, room: 0 };
  const queue = new SlotQueue<number>(capacity, (item) => (item % 32) << 27);
  queue.onItems = () => void (told.items += 1);
  queue.onRoom = () => void (told.room += 1);
  return { queue, told };
};
const itemsOf = (parcel: Parcel<number> | undefined) => [...(parcel?.items ?? [])];

describe('SlotQueue', () => {
  it('hands out slots in the order in which they got items, each with all of its items', () => {
    const { queue } = queueOf();
    queue.push(batch(2, 1, 34, 33).parcel);
    // Within one push by their numbers.
    expect(itemsOf(queue.take(100))).toEqual([1, 33, 2, 34]);
    expect(queue.take(100)).toBeUndefined();
  });

  it('cuts a batch in as many pieces as it has slots, and is done with it when all are settled', () => {
    const { queue } = queueOf();
    const { receipt, parcel } = batch(1, 2, 33);
    queue.push(parcel);
    expect(receipt.pieces).toBe(2);
    const one = batch(4, 36);
    queue.push(one.parcel);
    expect(one.receipt.pieces).toBe(1);
    const taken = queue.take(2);
    expect(itemsOf(taken)).toEqual([1, 33]);
    taken?.settle();
    expect(receipt.isDone).toBe(false);
    queue.take(1)?.settle();
    expect(receipt.isDone).toBe(true);
  });

  it('keeps a slot from others until what was taken of it is released, and says so then', () => {
    const { queue, told } = queueOf();
    queue.push(batch(1, 33, 65).parcel);
    const first = queue.take(1) as Parcel<number>;
    expect(itemsOf(first)).toEqual([1]);
    expect([queue.items, queue.held, queue.queued]).toEqual([2, 1, 0]);
    queue.push(batch(97).parcel);
    expect(queue.take(9)).toBeUndefined();
    told.items = 0;
    queue.release(first);
    expect(told).toEqual({ items: 1, room: 1 });
    expect(queue.queued).toBe(3);
    const rest = queue.take(9) as Parcel<number>;
    expect(itemsOf(rest)).toEqual([33, 65, 97]);
    told.items = 0;
    queue.release(rest);
    // Nothing waits: only room has come.
    expect([told.items, queue.queued, queue.items, queue.held]).toEqual([0, 0, 0, 0]);
  });

  it('counts what waits and what is held against its capacity, and remembers the most of it', () => {
    const { queue } = queueOf(10);
    queue.push(batch(1, 2, 3).parcel);
    const taken = queue.take(2) as Parcel<number>;
    expect([queue.room, queue.highWater]).toEqual([7, 3]);
    queue.push(batch(4, 5).parcel);
    expect([queue.room, queue.highWater]).toEqual([5, 5]);
    queue.release(taken);
    queue.push(batch(6).parcel);
    expect([queue.room, queue.highWater, queue.isClosed]).toEqual([6, 5, false]);
  });

  it('gives everything that waits when it is cleared, with its claims, and goes on with what is held', () => {
    const { queue } = queueOf();
    const { receipt, parcel } = batch(1, 2, 33, 34);
    queue.push(parcel);
    const held = queue.take(1) as Parcel<number>;
    const cleared = queue.clear();
    expect(cleared.flatMap(itemsOf)).toEqual([33, 2, 34]);
    expect([queue.items, queue.held, queue.queued]).toEqual([0, 1, 0]);
    expect(queue.take(9)).toBeUndefined();
    expect(queue.clear()).toEqual([]);
    for (const one of cleared) one.settle();
    expect(receipt.isDone).toBe(false);
    held.settle();
    expect(receipt.isDone).toBe(true);
    queue.release(held);
    queue.push(batch(65).parcel);
    expect(itemsOf(queue.take(9))).toEqual([65]);
  });
});
