/**
 * Partition: each item to the outlet of its partition, in order.
 *
 * An item whose outlet has no room holds up what comes after it, so that order is kept; the other outlets go on with
 * what they have. An item that fits no partition, or whose route throws, is UNROUTED.
 */

import {
  type Delivery,
  type Dispatch,
  type DispatchStrategy,
  NOTHING_TAKEN,
  type OutletState,
  UNROUTED,
} from './strategy.ts';

export class PartitionStrategy<T> implements DispatchStrategy<T> {
  readonly name = 'partition';
  readonly #locate: (item: T) => number;
  #thrown: { error: unknown } | undefined;

  /** @param locate the index of an item's outlet, or anything else for none. */
  constructor(locate: (item: T) => number) {
    this.#locate = locate;
  }

  /** What a route threw during the last dispatch, if one did. */
  get thrown(): { readonly error: unknown } | undefined {
    return this.#thrown;
  }

  demand(outlets: readonly OutletState<T>[]): number {
    let least = Number.POSITIVE_INFINITY;
    for (const outlet of outlets) if (outlet.demand < least) least = outlet.demand;
    return outlets.length === 0 ? 0 : least;
  }

  dispatch(items: readonly T[], from: number, outlets: readonly OutletState<T>[]): Dispatch<T> {
    this.#thrown = undefined;
    const count = outlets.length;
    const buckets: T[][] = [];
    const rooms: number[] = [];
    for (const outlet of outlets) {
      buckets.push([]);
      rooms.push(outlet.demand);
    }
    const unrouted: T[] = [];
    const end = this.#sort(items, from, buckets, rooms, unrouted);
    if (end === from) return NOTHING_TAKEN;
    const deliveries: Delivery<T>[] = [];
    for (let outlet = 0; outlet < count; outlet++) {
      const bucket = buckets[outlet] as T[];
      if (bucket.length > 0) deliveries.push({ outlet, items: bucket });
    }
    if (unrouted.length > 0) deliveries.push({ outlet: UNROUTED, items: unrouted });
    return { taken: end - from, deliveries };
  }

  /** Sorts items into buckets up to the first that has no room; answers how far it came. */
  #sort(items: readonly T[], from: number, buckets: T[][], rooms: readonly number[], unrouted: T[]): number {
    const locate = this.#locate;
    let at = from;
    for (;;) {
      try {
        for (; at < items.length; at++) {
          const item = items[at] as T;
          const outlet = locate(item);
          const bucket = buckets[outlet];
          if (bucket === undefined) {
            unrouted.push(item);
          } else if (bucket.length < (rooms[outlet] as number)) {
            bucket.push(item);
          } else {
            return at;
          }
        }
        return at;
      } catch (error) {
        this.#thrown ??= { error };
        unrouted.push(items[at] as T);
        at += 1;
      }
    }
  }
}

/** Finds the index of a name. Few names are compared one by one, which is quicker than a map. */
export function indexOfName(names: readonly (string | number)[]): (name: unknown) => number {
  if (names.every((name, index) => name === index)) {
    return (name) => (typeof name === 'number' ? name : -1);
  }
  if (names.length <= 8) {
    return (name) => {
      for (let index = 0; index < names.length; index++) if (names[index] === name) return index;
      return -1;
    };
  }
  const indexes = new Map<unknown, number>(names.map((name, index) => [name, index]));
  return (name) => indexes.get(name) ?? -1;
}
