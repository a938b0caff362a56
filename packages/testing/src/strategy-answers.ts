/** One answer of a strategy, held to the rules that a single answer shows. */

import { type OutletState, UNROUTED } from '@streamweld/core';
import type { AnyStrategyHarness } from './strategy-harness.ts';
import type { Asked } from './strategy-states.ts';

export type StateRule = 'D1' | 'D2' | 'D3' | 'D4' | 'D7' | 'D8';

type Judge = (asked: Asked, harness: AnyStrategyHarness) => string | undefined;

/** Each says what is wrong, if something is. */
const JUDGES: Readonly<Record<StateRule, Judge>> = {
  D1: ({ items, from, taken, deliveries }) => {
    const waiting = items.length - from;
    if (!Number.isInteger(taken) || taken < 0) return `It took ${taken} items, which is no count.`;
    if (taken > waiting) return `It took ${taken} items, and ${waiting} wait.`;
    for (const { places, outlet } of deliveries) {
      const place = places.find((at) => at !== undefined && (at < from || at >= from + taken));
      if (place === undefined) continue;
      return `It delivered the item at place ${place} to outlet ${outlet}, and took those from ${from} to before ${from + taken}.`;
    }
    return undefined;
  },

  D2: (asked, harness) => {
    const { items, from, outlets, taken, deliveries } = asked;
    const found = new Map<number, Set<number>>();
    for (const { outlet, places } of deliveries) {
      if (outlet !== UNROUTED && outlets[outlet] === undefined) {
        return `It delivered to outlet ${outlet}, and there are ${outlets.length}.`;
      }
      if (places.length === 0) return `A delivery to outlet ${outlet} holds no items.`;
      for (const place of places) {
        if (place === undefined) return `It gave outlet ${outlet} an item that it was not given.`;
        const at = found.get(place);
        if (at === undefined) found.set(place, new Set([outlet]));
        else at.add(outlet);
      }
    }
    for (let place = from; place < from + taken; place += 1) {
      const item = items[place];
      const went = [...(found.get(place) ?? [])].sort(byNumber);
      if (harness.gets === undefined) {
        if (went.length > 0 || !outlets.some((outlet) => wants(outlet, item))) continue;
        return `It took the item at place ${place}, and delivered it nowhere; an outlet wants it.`;
      }
      const due = [...harness.gets(item, outlets)].sort(byNumber);
      if (due.join() === went.join()) continue;
      return `The item at place ${place} went to ${nameOf(went)}, and belongs to ${nameOf(due)}.`;
    }
    return undefined;
  },

  D3: ({ outlets, deliveries }) => {
    for (const [at, { demand }] of outlets.entries()) {
      let given = 0;
      for (const { outlet, items } of deliveries) if (outlet === at) given += items.length;
      if (given > demand) return `It gave outlet ${at} ${given} items against a demand of ${demand}.`;
    }
    return undefined;
  },

  D4: ({ deliveries }) => {
    const ends = new Map<number, number>();
    for (const { outlet, places } of deliveries) {
      for (const place of places) {
        const end = ends.get(outlet) ?? -1;
        if (place === undefined) continue;
        if (place === end) return `It gave outlet ${outlet} the item at place ${place} twice.`;
        if (place < end) return `It gave outlet ${outlet} the item at place ${place} after that at ${end}.`;
        ends.set(outlet, place);
      }
    }
    return undefined;
  },

  D7: ({ items, from, outlets, taken, deliveries }) => {
    if (outlets.some(({ demand }) => demand > 0)) return undefined;
    const unrouted = new Set<number | undefined>();
    for (const { outlet, places } of deliveries) {
      if (outlet !== UNROUTED) return `It gave outlet ${outlet} items, and nobody has demand.`;
      for (const place of places) unrouted.add(place);
    }
    for (let place = from; place < from + taken; place += 1) {
      if (unrouted.has(place)) continue;
      if (outlets.length > 0 && !outlets.some((outlet) => wants(outlet, items[place]))) continue;
      const why = outlets.length === 0 ? 'there is no outlet' : 'nobody has demand';
      return `It took the item at place ${place}, and ${why}.`;
    }
    return undefined;
  },

  D8: ({ items, from, outlets, taken }) => {
    const hasDemand = outlets.length > 0 && outlets.every(({ demand }) => demand > 0);
    if (!hasDemand || taken > 0) return undefined;
    return `It took nothing; ${items.length - from} items wait, and every outlet has demand.`;
  },
};

const ALL = Object.keys(JUDGES) as readonly StateRule[];

/** What is wrong with an answer by these rules; undefined where nothing is. */
export function findBreach(
  asked: Asked,
  harness: AnyStrategyHarness,
  rules: readonly StateRule[] = ALL,
): string | undefined {
  for (const rule of rules) {
    const breach = JUDGES[rule](asked, harness);
    if (breach !== undefined) return breach;
  }
  return undefined;
}

function wants({ selector }: OutletState<unknown>, item: unknown): boolean {
  return selector === undefined || selector(item);
}

function nameOf(outlets: readonly number[]): string {
  if (outlets.length === 0) return 'none';
  return outlets.map((outlet) => (outlet === UNROUTED ? 'UNROUTED' : `outlet ${outlet}`)).join(', ');
}

function byNumber(one: number, other: number): number {
  return one - other;
}
