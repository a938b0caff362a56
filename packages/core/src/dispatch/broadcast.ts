/**
 * Broadcast: every item to all outlets. The demand is the least of theirs, so the slowest sets the pace and the buffers
 * absorb the difference. What a selector does not want costs its outlet no demand.
 */

import {
  type Delivery,
  type Dispatch,
  type DispatchStrategy,
  NOTHING_TAKEN,
  type OutletState,
} from './strategy.ts';

export class BroadcastStrategy<T> implements DispatchStrategy<T> {
  readonly name = 'broadcast';

  demand(outlets: readonly OutletState<T>[]): number {
    if (outlets.length === 0) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (const outlet of outlets) if (outlet.demand < least) least = outlet.demand;
    return least;
  }

  dispatch(items: readonly T[], from: number, outlets: readonly OutletState<T>[]): Dispatch<T> {
    if (outlets.length === 0) return NOTHING_TAKEN;
    let end = items.length;
    let hasSelectors = false;
    for (const { selector, demand } of outlets) {
      if (selector !== undefined) hasSelectors = true;
      else if (from + demand < end) end = from + demand;
    }
    const wanted = hasSelectors ? new Map<number, number[]>() : undefined;
    if (wanted !== undefined) {
      outlets.forEach(({ selector, demand }, index) => {
        if (selector === undefined) return;
        const chosen: number[] = [];
        for (let at = from; at < end; at++) {
          if (!selector(items[at] as T)) continue;
          if (chosen.length === demand) {
            end = at;
            break;
          }
          chosen.push(at);
        }
        wanted.set(index, chosen);
      });
    }
    if (end === from) return NOTHING_TAKEN;
    // One array for all: it is shared, not copied.
    const all = from === 0 && end === items.length ? items : items.slice(from, end);
    const deliveries: Delivery<T>[] = [];
    for (let outlet = 0; outlet < outlets.length; outlet++) {
      const chosen = wanted?.get(outlet);
      if (chosen === undefined) {
        deliveries.push({ outlet, items: all });
        continue;
      }
      // An outlet after this one may have shortened what all of them can take.
      while (chosen.length > 0 && (chosen[chosen.length - 1] as number) >= end) chosen.pop();
      if (chosen.length > 0) deliveries.push({ outlet, items: chosen.map((at) => items[at] as T) });
    }
    return { taken: end - from, deliveries };
  }
}
