/** Holds a strategy of the user's own to its contract: an answer that breaks it would lose or double items. */

import { StreamWeldError } from '../errors.ts';
import { type Dispatch, type OutletState, UNROUTED } from './strategy.ts';

/** @throws StreamWeldError SW_STRATEGY_INVALID */
export function checkDispatch<T>(
  strategy: string,
  dispatch: Dispatch<T>,
  items: readonly T[],
  from: number,
  outlets: readonly OutletState<T>[],
): void {
  const { taken, deliveries } = dispatch;
  const waiting = items.length - from;
  if (!Number.isInteger(taken) || taken < 0 || taken > waiting) {
    throw strategyError(strategy, `took ${taken} of ${waiting} items (D1)`);
  }
  const given = new Map<number, number>();
  const ends = new Map<number, number>();
  for (const { outlet, items: share } of deliveries) {
    if (outlet !== UNROUTED && outlets[outlet] === undefined)
      throw strategyError(strategy, `chose outlet ${outlet} of ${outlets.length}`);
    if (share.length === 0) throw strategyError(strategy, 'delivered no items');
    const end = endOf(share, items, ends.get(outlet) ?? from, from + taken);
    if (end === undefined)
      throw strategyError(
        strategy,
        `gave outlet ${outlet} something else than items it took, in their order (D2, D4)`,
      );
    ends.set(outlet, end);
    given.set(outlet, (given.get(outlet) ?? 0) + share.length);
  }
  for (const [outlet, count] of given) {
    const demand = outlets[outlet]?.demand ?? Number.POSITIVE_INFINITY;
    if (count > demand)
      throw strategyError(
        strategy,
        `gave outlet ${outlet} ${count} items against a demand of ${demand} (D3)`,
      );
  }
  const unrouted = given.get(UNROUTED) ?? 0;
  if (taken > unrouted && outlets.every(({ demand, selector }) => demand <= 0 && selector === undefined))
    throw strategyError(strategy, `took ${taken} items without demand for any (D7)`);
}

/** If `share` is some of `items` between `from` and `to`, in their order: the index after its last. */
function endOf<T>(share: readonly T[], items: readonly T[], from: number, to: number): number | undefined {
  let at = from;
  for (const item of share) {
    while (at < to && !Object.is(items[at], item)) at += 1;
    if (at >= to) return undefined;
    at += 1;
  }
  return at;
}

function strategyError(strategy: string, what: string): StreamWeldError {
  return new StreamWeldError(
    'SW_STRATEGY_INVALID',
    `The strategy '${strategy}' ${what}. See the numbered rules of DispatchStrategy.`,
    { stage: strategy },
  );
}
