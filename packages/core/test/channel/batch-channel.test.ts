import { describe, expect, it, vi } from 'vitest';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import { Parcel } from '../../src/delivery/parcel.ts';

function parcel(...items: readonly number[]): Parcel<number> {
  return new Parcel(items, null, null);
}

describe('BatchChannel', () => {
  it('remembers the most items there ever were, queued and held', () => {
    const channel = new BatchChannel<Parcel<number>>(10);
    channel.push(parcel(1, 2, 3));
    channel.take(2);
    channel.push(parcel(4, 5));
    expect(channel.highWater).toBe(5);
    channel.release(2);
    channel.clear();
    channel.push(parcel(6));
    expect(channel.highWater).toBe(5);
  });

  it('gives what is discarded no room, for nobody holds it', () => {
    const channel = new BatchChannel<Parcel<number>>(4);
    channel.push(parcel(1, 2, 3));
    expect(channel.discard(2)?.items).toEqual([1, 2]);
    expect([channel.queued, channel.held, channel.room]).toEqual([1, 0, 3]);
  });

  it('tells the end once', () => {
    const channel = new BatchChannel<Parcel<number>>(4);
    channel.onItems = vi.fn();
    channel.close();
    channel.close();
    expect(channel.onItems).toHaveBeenCalledTimes(1);
  });

  it('clears out exactly what is queued', () => {
    const channel = new BatchChannel<Parcel<number>>(9);
    expect(channel.clear()).toEqual([]);
    channel.push(parcel(1, 2));
    channel.push(parcel(3));
    expect(channel.clear().map(({ items }) => items)).toEqual([[1, 2], [3]]);
    expect(channel.queued).toBe(0);
  });
});
