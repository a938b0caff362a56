/** Holds a strategy of the user's own to its contract: an answer that breaks it would lose or double items. */

import { StreamWeldError } from '../errors.ts';
import { type Dispatch, type OutletState, UNROUTED } from './strategy.ts';

/** @throws StreamWeldError SW_STRATEGY_INVALID */
export function checkDispatch<T>(
  strategy: string,
  dispatch: Dispatch<T>,
  waiting: number,
  outlets: readonly OutletState<T>[],
): void {
  const { taken, deliveries } = dispatch;
  if (!Number.isInteger(taken) || taken < 0 || taken > waiting) {
    throw strategyError(strategy, `took ${taken} of ${waiting} items (D1)`);
  }
  const given = new Map<number, number>();
  for (const { outlet, items } of deliveries) {
    if (outlet !== UNROUTED && outlets[outlet] === undefined)
      throw strategyError(strategy, `chose outlet ${outlet} of ${outlets.length}`);
    if (items.length === 0) throw strategyError(strategy, 'delivered no items');
    given.set(outlet, (given.get(outlet) ?? 0) + items.length);
  }
  for (const [outlet, items] of given) {
    const demand = outlets[outlet]?.demand ?? Number.POSITIVE_INFINITY;
    if (items > demand)
      throw strategyError(
        strategy,
        `gave outlet ${outlet} ${items} items against a demand of ${demand} (D3)`,
      );
  }
}

function strategyError(strategy: string, what: string): StreamWeldError {
  return new StreamWeldError(
    'SW_STRATEGY_INVALID',
    `The strategy '${strategy}' ${what}. See the numbered rules of DispatchStrategy.`,
    { stage: strategy },
  );
}
