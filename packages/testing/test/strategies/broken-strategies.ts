/** Strategies that break one rule each, on purpose: a plain one with a defect around it. */

import {
  type Delivery,
  type Dispatch,
  type DispatchStrategy,
  type OutletState,
  UNROUTED,
} from '@streamweld/core';
import type { StrategyHarness } from '@streamweld/testing';
import {
  BY_REMAINDER,
  byRemainder,
  oneByOne,
  type Outlets,
  SPILL,
  spill,
  TO_ALL,
  toAll,
} from './plain-strategies.ts';

export interface BrokenStrategy {
  readonly rule: string;
  readonly defect: string;
  /** What the check says of it: it is caught for the right reason. */
  readonly says: RegExp;
  readonly harness: StrategyHarness<number>;
}

type Answer = Dispatch<number>;
type Asked = (items: readonly number[], from: number, outlets: Outlets) => Answer;

/** The spill with another way to dispatch, made anew for each strategy. */
function asking(make: (random: () => number) => Asked): StrategyHarness<number> {
  return { ...SPILL, create: (random) => ({ ...spill, dispatch: make(random) }) };
}

/** The spill with an answer that is changed. */
function answering(
  change: (answer: Answer, items: readonly number[], from: number, outlets: Outlets) => unknown,
): StrategyHarness<number> {
  return asking(
    () => (items, from, outlets) =>
      change(spill.dispatch(items, from, outlets), items, from, outlets) as Answer,
  );
}

function counting(demand: (outlets: Outlets) => unknown): StrategyHarness<number> {
  return { ...SPILL, create: () => ({ ...spill, demand: demand as DispatchStrategy<number>['demand'] }) };
}

function changing(change: (delivery: Delivery<number>) => Delivery<number>): StrategyHarness<number> {
  return answering(({ taken, deliveries }) => ({ taken, deliveries: deliveries.map(change) }));
}

/** Shared by all instances, as a variable of a module is. */
let calls = 0;

export const BROKEN_STRATEGIES: readonly BrokenStrategy[] = [
  {
    rule: 'D1',
    defect: 'takes more than there is',
    says: /took \d+ items, and \d+ wait/,
    harness: answering(({ deliveries }, items) => ({ taken: items.length + 1, deliveries })),
  },
  {
    rule: 'D1',
    defect: 'takes half an item',
    says: /which is no count/,
    harness: answering(({ taken, deliveries }) => ({ taken: taken / 2, deliveries })),
  },
  {
    rule: 'D1',
    defect: 'takes from behind',
    says: /delivered the item at place \d+ to outlet \d, and took those from/,
    harness: answering(({ taken, deliveries }, items) => {
      const last = items.slice(items.length - taken);
      let at = 0;
      return {
        taken,
        deliveries: deliveries.map(({ outlet, items: { length } }) => ({
          outlet,
          items: last.slice(at, (at += length)),
        })),
      };
    }),
  },
  {
    rule: 'D2',
    defect: 'loses an item',
    says: /delivered it nowhere; an outlet wants it/,
    harness: answering(({ taken, deliveries }) => ({
      taken,
      deliveries: deliveries
        .map(({ outlet, items }) => ({ outlet, items: items.filter((item) => item % 5 !== 0) }))
        .filter(({ items }) => items.length > 0),
    })),
  },
  {
    rule: 'D2',
    defect: 'makes an item up',
    says: /an item that it was not given/,
    harness: changing(({ outlet, items }) => ({ outlet, items: items.map((item) => item + 0.5) })),
  },
  {
    rule: 'D2',
    defect: 'delivers no items',
    says: /holds no items/,
    harness: answering(({ taken, deliveries }, _items, _from, outlets) => ({
      taken,
      deliveries: [...deliveries, ...[...outlets.keys()].map((outlet) => ({ outlet, items: [] }))],
    })),
  },
  {
    rule: 'D2',
    defect: 'delivers to an outlet that is not there',
    says: /delivered to outlet \d+, and there are \d/,
    harness: changing(({ outlet, items }) => ({ outlet: outlet + 1, items })),
  },
  {
    rule: 'D2',
    defect: 'forgets one of those that an item belongs to',
    says: /went to .*, and belongs to outlet/,
    harness: { ...TO_ALL, create: () => oneByOne((item, outlets) => toAll(item, outlets).slice(0, 2)) },
  },
  {
    rule: 'D2',
    defect: 'gives an item to somebody else',
    says: /went to outlet 0, and belongs to UNROUTED/,
    harness: {
      ...BY_REMAINDER,
      create: () => oneByOne((item) => byRemainder(item).map((outlet) => Math.max(0, outlet))),
    },
  },
  {
    rule: 'D3',
    defect: 'gives one too many',
    says: /against a demand of/,
    harness: asking(
      () => (items, from, outlets) =>
        spill.dispatch(
          items,
          from,
          outlets.map((outlet) => ({ ...outlet, demand: outlet.demand && outlet.demand + 1 })),
        ),
    ),
  },
  {
    rule: 'D3',
    defect: 'holds each delivery to the demand, and not all of them together',
    says: /against a demand of/,
    harness: asking(() => (items, from, outlets) => {
      const { demand } = outlets[0] ?? { demand: 0 };
      if (demand === 0) return spill.dispatch(items, from, outlets);
      const deliveries: Delivery<number>[] = [];
      for (let at = from; at < items.length; at += demand) {
        deliveries.push({ outlet: 0, items: items.slice(at, at + demand) });
      }
      return { taken: items.length - from, deliveries };
    }),
  },
  {
    rule: 'D4',
    defect: 'delivers the last first',
    says: /after that at/,
    harness: changing(({ outlet, items }) => ({ outlet, items: items.toReversed() })),
  },
  {
    rule: 'D4',
    defect: 'delivers the second half first',
    says: /after that at/,
    harness: answering(({ taken, deliveries }) => ({
      taken,
      deliveries: deliveries.flatMap(({ outlet, items }) => {
        const half = items.length >> 1;
        const parts = [items.slice(half), items.slice(0, half)];
        return parts.filter(({ length }) => length > 0).map((part) => ({ outlet, items: part }));
      }),
    })),
  },
  {
    rule: 'D4',
    defect: 'delivers an item twice to the same outlet',
    says: /twice/,
    harness: answering(({ taken, deliveries }) => ({
      taken,
      deliveries: [...deliveries, ...deliveries.slice(-1)],
    })),
  },
  {
    rule: 'D5',
    defect: 'takes the items out of the list it was given',
    says: /It changed the list of items|not extensible|read only/,
    harness: asking(() => (items, from, outlets) => {
      const answer = spill.dispatch(items, from, outlets);
      (items as number[]).splice(from, answer.taken);
      return answer;
    }),
  },
  {
    rule: 'D5',
    defect: 'lowers the demand of outlets as it goes',
    says: /It changed outlet|read only/,
    harness: asking(() => (items, from, outlets) => {
      const answer = spill.dispatch(items, from, outlets);
      for (const { outlet, items: given } of answer.deliveries) {
        (outlets[outlet] as { demand: number }).demand -= given.length;
      }
      return answer;
    }),
  },
  {
    rule: 'D5',
    defect: 'sorts the outlets when it counts their demand',
    says: /It changed the list of outlets|read only/,
    harness: counting((outlets) => {
      (outlets as OutletState<number>[]).sort((a, b) => b.demand - a.demand);
      return 0;
    }),
  },
  {
    rule: 'D5',
    defect: 'marks the items',
    says: /It changed the item at place/,
    harness: {
      // Objects, which a type of numbers does not show.
      item: (index) => ({ index, isSeen: false }) as unknown as number,
      create: () => ({
        ...spill,
        dispatch: (items, from, outlets) => {
          for (const item of items.slice(from)) (item as unknown as { isSeen: boolean }).isSeen = true;
          return spill.dispatch(items, from, outlets);
        },
      }),
    },
  },
  {
    rule: 'D5',
    defect: 'fills one array for every delivery, call after call',
    says: /what it had delivered 1 calls before/,
    harness: asking(() => {
      const share: number[] = [];
      return (items, from, outlets) => {
        const first = outlets.findIndex(({ demand }) => demand > 0);
        share.length = 0;
        if (first === -1) return { taken: 0, deliveries: [] };
        share.push(...items.slice(from, from + (outlets[first] as OutletState<number>).demand));
        return { taken: share.length, deliveries: [{ outlet: first, items: share }] };
      };
    }),
  },
  {
    rule: 'D6',
    defect: 'waits',
    says: /It answers a promise/,
    harness: answering(async (answer) => answer),
  },
  {
    rule: 'D6',
    defect: 'waits for its demand',
    says: /Its demand is a promise/,
    harness: counting(async (outlets) => spill.demand(outlets)),
  },
  {
    rule: 'D6',
    defect: 'has chance of its own',
    says: /is asked a second time/,
    harness: asking(
      () => (items, from, outlets) =>
        spill.dispatch(items, from, Math.random() < 0.5 ? outlets : outlets.slice(0, 1)),
    ),
  },
  {
    rule: 'D6',
    defect: 'goes by the clock',
    says: /is asked a second time/,
    harness: asking(
      () => (items, from, outlets) =>
        spill.dispatch(items, from, Date.now() < 1.6e12 ? outlets : outlets.slice(0, 1)),
    ),
  },
  {
    rule: 'D6',
    defect: 'remembers what another instance was asked',
    says: /is asked a second time/,
    harness: asking(() => (items, from, outlets) => {
      calls += 1;
      return spill.dispatch(items, from, calls % 7 === 0 ? outlets.slice(0, 1) : outlets);
    }),
  },
  {
    rule: 'D7',
    defect: 'lets go of items that nobody has room for',
    says: /nobody has demand/,
    harness: answering((answer, items, from, outlets) =>
      answer.taken === 0 && outlets.length > 0 ? { taken: items.length - from, deliveries: [] } : answer,
    ),
  },
  {
    rule: 'D7',
    defect: 'lets go of items while nobody is there',
    says: /there is no outlet/,
    harness: answering((answer, items, from, outlets) =>
      outlets.length === 0 ? { taken: items.length - from, deliveries: [] } : answer,
    ),
  },
  {
    rule: 'D7',
    defect: 'gives to an outlet without demand',
    says: /It gave outlet 0 items, and nobody has demand/,
    harness: answering((answer, items, from, outlets) =>
      answer.taken === 0 && outlets.length > 0
        ? { taken: 1, deliveries: [{ outlet: 0, items: items.slice(from, from + 1) }] }
        : answer,
    ),
  },
  {
    rule: 'D8',
    defect: 'waits for a full batch',
    says: /It took nothing; \d+ items wait/,
    harness: answering((answer, items, from) =>
      items.length - from < 5 ? { taken: 0, deliveries: [] } : answer,
    ),
  },
  {
    rule: 'D8',
    defect: 'is stuck at an outlet without bound',
    says: /It took nothing.*\n(.*\n)+.*demand Infinity/,
    harness: answering((answer, _items, _from, outlets) =>
      outlets.some(({ demand }) => demand === Number.POSITIVE_INFINITY)
        ? { taken: 0, deliveries: [] }
        : answer,
    ),
  },
  { rule: 'D9', defect: 'has no demand without outlets', says: /-Infinity/, harness: counting(most) },
  {
    rule: 'D9',
    defect: 'has a demand that is an average',
    says: /Its demand was (NaN|\d+\.\d+)/,
    harness: counting((outlets) => spill.demand(outlets) / outlets.length),
  },
  {
    rule: 'D9',
    defect: 'has a demand below zero',
    says: /Its demand was -1/,
    harness: counting((outlets) => outlets.length - 1),
  },
  {
    rule: 'D10',
    defect: 'remembers whose turn it is by the index',
    says: /At call [2-6], to other outlets than before/,
    harness: asking(() => {
      let turn = 0;
      return (items, from, outlets) => {
        const outlet = turn;
        const { demand } = outlets[outlet] ?? { demand: items.length };
        if (demand === 0 || outlets.length === 0) return spill.dispatch(items, from, outlets);
        const share = items.slice(from, from + demand);
        turn = (outlet + 1) % outlets.length;
        return { taken: share.length, deliveries: [{ outlet, items: share }] };
      };
    }),
  },
  {
    rule: 'D10',
    defect: 'remembers the outlets of its first call',
    says: /At call [2-6], to other outlets than before/,
    harness: asking(() => {
      let first: Outlets | undefined;
      return (items, from, outlets) =>
        spill.dispatch(items, from, (first ??= outlets.map((each) => ({ ...each }))));
    }),
  },
  {
    rule: 'D10',
    defect: 'remembers where an item belongs',
    says: /At call [2-6], to other outlets than before: The item at place \d+ went to/,
    harness: {
      ...TO_ALL,
      create: () => {
        const known = new Map<number, number[]>();
        return oneByOne((item, outlets) => {
          const found = known.get(item) ?? toAll(item, outlets);
          known.set(item, found);
          return found;
        });
      },
    },
  },
  {
    rule: 'D10',
    defect: 'takes what fits nowhere for an outlet that has gone, and is stuck',
    says: /At call [2-6].*It took nothing/,
    harness: {
      ...BY_REMAINDER,
      create: () => {
        let isStuck = false;
        const whole = oneByOne(byRemainder);
        return {
          ...whole,
          dispatch: (items, from, outlets) => {
            if (isStuck) return { taken: 0, deliveries: [] };
            const answer = whole.dispatch(items, from, outlets);
            isStuck = answer.deliveries.some(({ outlet }) => outlet === UNROUTED);
            return answer;
          },
        };
      },
    },
  },
];

function most(outlets: Outlets): number {
  return Math.max(...outlets.map(({ demand }) => demand));
}
