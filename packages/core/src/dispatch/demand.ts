/**
 * Demand: items go to the outlet with the most free demand, as many at once as it can take.
 *
 * Among equals it is the turn of the one that has gone longest without, which at first is the order of subscription
 * (GenStage's DemandDispatcher re-inserts an asker after those that ask as much). With `shuffle` chance decides.
 */

import type { Delivery, Dispatch, DispatchStrategy, OutletState } from './strategy.ts';

export class DemandStrategy<T> implements DispatchStrategy<T> {
  readonly name = 'demand';
  readonly #random: (() => number) | undefined;
  /** When each outlet was last given something. */
  readonly #turns = new WeakMap<OutletState<T>, number>();
  #turn = 0;

  /** @param random decides among equals; without it, whose turn it is. */
  constructor(random?: () => number) {
    this.#random = random;
  }

  demand(outlets: readonly OutletState<T>[]): number {
    let sum = 0;
    for (const outlet of outlets) sum += outlet.demand;
    return sum;
  }

  dispatch(items: readonly T[], from: number, outlets: readonly OutletState<T>[]): Dispatch<T> {
    const demands = outlets.map((outlet) => outlet.demand);
    const deliveries: Delivery<T>[] = [];
    let at = from;
    while (at < items.length) {
      const outlet = this.#choose(outlets, demands);
      if (outlet < 0) break;
      const end = Math.min(items.length, at + (demands[outlet] as number));
      deliveries.push({ outlet, items: at === 0 && end === items.length ? items : items.slice(at, end) });
      // It has taken all that it could, or all there is.
      demands[outlet] = 0;
      this.#turns.set(outlets[outlet] as OutletState<T>, ++this.#turn);
      at = end;
    }
    return { taken: at - from, deliveries };
  }

  #choose(outlets: readonly OutletState<T>[], demands: readonly number[]): number {
    let best = -1;
    let most = 0;
    let equals = 0;
    let earliest = 0;
    for (let i = 0; i < demands.length; i++) {
      const demand = demands[i] as number;
      if (demand <= 0 || demand < most) continue;
      const turn = this.#turns.get(outlets[i] as OutletState<T>) ?? 0;
      if (demand > most) {
        most = demand;
        best = i;
        equals = 1;
        earliest = turn;
        continue;
      }
      equals += 1;
      // Each of n equals is kept with a chance of one in n.
      const isBetter = this.#random === undefined ? turn < earliest : this.#random() * equals < 1;
      if (isBetter) {
        best = i;
        earliest = turn;
      }
    }
    return best;
  }
}
