/** Strategies that keep every rule, and are simple enough to see it. */

import { type Delivery, type DispatchStrategy, type OutletState, UNROUTED } from '@streamweld/core';
import type { StrategyHarness } from '@streamweld/testing';

export type Outlets = readonly OutletState<number>[];

/** Everything to the first sink, and what it has no room for to the second, and so on: the one of the guide. */
export const spill: DispatchStrategy<number> = {
  name: 'spill',
  demand: (outlets) => outlets.reduce((sum, outlet) => sum + outlet.demand, 0),
  dispatch: (items, from, outlets) => {
    const deliveries: Delivery<number>[] = [];
    let at = from;
    for (const [outlet, { demand }] of outlets.entries()) {
      const end = Math.min(items.length, at + demand);
      if (end > at) deliveries.push({ outlet, items: items.slice(at, end) });
      at = end;
    }
    return { taken: at - from, deliveries };
  },
};

/** One item after the other, to whom it belongs, until somebody has no room for his. */
export function oneByOne(
  gets: (item: number, outlets: Outlets) => readonly number[],
): DispatchStrategy<number> {
  return {
    name: 'one by one',
    demand: (outlets) => Math.min(...outlets.map(({ demand }) => demand), 1),
    dispatch: (items, from, outlets) => {
      if (outlets.length === 0) return { taken: 0, deliveries: [] };
      const rooms = outlets.map(({ demand }) => demand);
      const deliveries: Delivery<number>[] = [];
      let at = from;
      for (; at < items.length; at += 1) {
        const item = items[at] as number;
        const targets = gets(item, outlets);
        if (targets.some((target) => rooms[target] === 0)) break;
        for (const outlet of targets) {
          deliveries.push({ outlet, items: [item] });
          rooms[outlet] = (rooms[outlet] as number) - 1;
        }
      }
      return { taken: at - from, deliveries };
    },
  };
}

/** To all who want it. */
export function toAll(item: number, outlets: Outlets): number[] {
  return [...outlets.keys()].filter((at) => outlets[at]?.selector?.(item) ?? true);
}

/** Every seventh fits nowhere. */
export function byRemainder(item: number): number[] {
  return [item % 7 === 0 ? UNROUTED : item % 3];
}

export const SPILL: StrategyHarness<number> = { create: () => spill, item: (index) => index };

export const TO_ALL: StrategyHarness<number> = {
  create: () => oneByOne(toAll),
  item: (index) => index,
  gets: toAll,
};

export const BY_REMAINDER: StrategyHarness<number> = {
  create: () => oneByOne(byRemainder),
  item: (index) => index,
  outlets: ['eu', 'us', 2].map((partition) => ({ name: `partition ${partition}`, partition })),
  gets: byRemainder,
};
