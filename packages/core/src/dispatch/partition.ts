/**
 * Partition: each item to the outlet of its partition, in order.
 *
 * An item whose outlet has no room holds up what comes after it, so that order is kept; the other outlets go on with
 * what they have. An item that fits no partition, or whose route throws, is UNROUTED.
 */

import { hashKey, type Key, mix } from './hash.ts';
import {
  type Delivery,
  type Dispatch,
  type DispatchStrategy,
  NOTHING_TAKEN,
  type OutletState,
  UNROUTED,
} from './strategy.ts';

/** How an item finds its outlet. */
export type Router<T> =
  /** The answer is the index of the outlet. */
  | { readonly kind: 'index'; readonly route: (item: T) => unknown }
  /** The answer is one of the names, in the order of the outlets. */
  | {
      readonly kind: 'name';
      readonly route: (item: T) => unknown;
      readonly names: readonly (string | number)[];
    }
  /** The answer is a key, hashed onto so many outlets. */
  | { readonly kind: 'hash'; readonly route: (item: T) => Key; readonly count: number };

/** The router for names: by index where they are 0, 1, 2 …, which needs no search. */
export function routeByName<T>(route: (item: T) => unknown, names: readonly (string | number)[]): Router<T> {
  return names.every((name, index) => name === index)
    ? { kind: 'index', route }
    : { kind: 'name', route, names };
}

/** A dispatch that is under way. */
interface Sorting<T> {
  readonly items: readonly T[];
  /** The next item: also after a route threw, the one it threw for. */
  at: number;
  readonly buckets: T[][];
  readonly rooms: readonly number[];
  readonly unrouted: T[];
}

export class PartitionStrategy<T> implements DispatchStrategy<T> {
  readonly name = 'partition';
  readonly #sort: (sorting: Sorting<T>) => void;
  #thrown: { error: unknown } | undefined;

  constructor(router: Router<T>) {
    this.#sort = sorterOf(router);
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
    const end = this.#sortAll({ items, at: from, buckets, rooms, unrouted });
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
  #sortAll(sorting: Sorting<T>): number {
    for (;;) {
      try {
        this.#sort(sorting);
        return sorting.at;
      } catch (error) {
        // Only the route of the next item can have thrown.
        this.#thrown ??= { error };
        sorting.unrouted.push(sorting.items[sorting.at] as T);
        sorting.at += 1;
      }
    }
  }
}

/**
 * The loop for a router. Each kind has a loop of its own, in which only the user's route is a call: one loop for all,
 * with a function that finds the outlet, is half as fast, because it is never inlined once a process has two dispatchers.
 */
function sorterOf<T>(router: Router<T>): (sorting: Sorting<T>) => void {
  const { route } = router;
  switch (router.kind) {
    case 'index':
      return (sorting) => sortByIndex(sorting, route);
    case 'hash':
      return (sorting) => sortByHash(sorting, router.route, router.count);
    case 'name': {
      const { names } = router;
      // A few names are compared one by one, which is quicker than a map.
      if (names.length <= 8) return (sorting) => sortByName(sorting, route, names);
      const indexes = new Map<unknown, number>(names.map((name, index) => [name, index]));
      return (sorting) => sortByMap(sorting, route, indexes);
    }
  }
}

function sortByIndex<T>(sorting: Sorting<T>, route: (item: T) => unknown): void {
  const { items, buckets, rooms, unrouted } = sorting;
  let { at } = sorting;
  try {
    for (; at < items.length; at++) {
      const item = items[at] as T;
      const outlet = route(item);
      const bucket = typeof outlet === 'number' ? buckets[outlet] : undefined;
      if (bucket === undefined) unrouted.push(item);
      else if (bucket.length < (rooms[outlet as number] as number)) bucket.push(item);
      else return;
    }
  } finally {
    sorting.at = at;
  }
}

function sortByName<T>(
  sorting: Sorting<T>,
  route: (item: T) => unknown,
  names: readonly (string | number)[],
): void {
  const { items, buckets, rooms, unrouted } = sorting;
  let { at } = sorting;
  try {
    for (; at < items.length; at++) {
      const item = items[at] as T;
      const name = route(item);
      let outlet = 0;
      while (outlet < names.length && names[outlet] !== name) outlet += 1;
      const bucket = buckets[outlet];
      if (bucket === undefined) unrouted.push(item);
      else if (bucket.length < (rooms[outlet] as number)) bucket.push(item);
      else return;
    }
  } finally {
    sorting.at = at;
  }
}

function sortByMap<T>(
  sorting: Sorting<T>,
  route: (item: T) => unknown,
  indexes: ReadonlyMap<unknown, number>,
): void {
  const { items, buckets, rooms, unrouted } = sorting;
  let { at } = sorting;
  try {
    for (; at < items.length; at++) {
      const item = items[at] as T;
      const outlet = indexes.get(route(item));
      const bucket = outlet === undefined ? undefined : buckets[outlet];
      if (bucket === undefined) unrouted.push(item);
      else if (bucket.length < (rooms[outlet as number] as number)) bucket.push(item);
      else return;
    }
  } finally {
    sorting.at = at;
  }
}

function sortByHash<T>(sorting: Sorting<T>, route: (item: T) => Key, count: number): void {
  const { items, buckets, rooms } = sorting;
  let { at } = sorting;
  // The remainder by a power of two is a mask; by anything else a division, which costs as much as all the rest.
  const mask = (count & (count - 1)) === 0 ? count - 1 : -1;
  try {
    for (; at < items.length; at++) {
      const item = items[at] as T;
      const key = route(item);
      const hash = typeof key === 'number' && (key | 0) === key ? mix(key) : hashKey(key);
      const outlet = mask >= 0 ? hash & mask : hash % count;
      const bucket = buckets[outlet] as T[];
      if (bucket.length < (rooms[outlet] as number)) bucket.push(item);
      else return;
    }
  } finally {
    sorting.at = at;
  }
}
