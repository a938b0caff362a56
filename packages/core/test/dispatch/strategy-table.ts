/** A strategy at work with nothing running: outlets whose demand is a number, and what each was given. */

import {
  type Delivery,
  type DispatchStrategy,
  type OutletState,
  UNROUTED,
} from '../../src/dispatch/strategy.ts';

/** An outlet as a strategy sees it. Its demand is changed by the test. */
export interface TestOutlet<T> extends OutletState<T> {
  demand: number;
}

export function outlet<T>(
  name: string,
  demand: number,
  selector?: (item: T) => boolean,
  partition?: string | number,
): TestOutlet<T> {
  return { name, demand, selector, partition };
}

/** What one dispatch came to: who got what, in deliveries, and what was left. */
export interface Turnout<T> {
  /** Deliveries as `[name, items]`; `'unrouted'` where an item fits nowhere. */
  readonly deliveries: readonly (readonly [string, readonly T[]])[];
  readonly left: readonly T[];
}

/**
 * Outlets in order of subscription, and the demand they have left: GenStage's dispatcher state, without the stage.
 */
export class StrategyTable<T> {
  readonly strategy: DispatchStrategy<T>;
  outlets: TestOutlet<T>[];

  constructor(strategy: DispatchStrategy<T>, outlets: TestOutlet<T>[] = []) {
    this.strategy = strategy;
    this.outlets = outlets;
  }

  /** Dispatches from the first item on, and takes what was delivered off the demand. */
  dispatch(items: readonly T[]): Turnout<T> {
    const { taken, deliveries } = this.strategy.dispatch(items, 0, this.outlets);
    for (const { outlet: at, items: given } of deliveries) {
      const target = this.outlets[at];
      if (target !== undefined) target.demand -= given.length;
    }
    return { deliveries: deliveries.map((delivery) => this.#named(delivery)), left: items.slice(taken) };
  }

  /** The demands, by name. */
  get demands(): Record<string, number> {
    return Object.fromEntries(this.outlets.map(({ name, demand }) => [name, demand]));
  }

  /** Room grows: GenStage's ask. */
  ask(name: string, more: number): void {
    const found = this.outlets.find((other) => other.name === name);
    if (found === undefined) throw new Error(`no outlet '${name}'`);
    found.demand += more;
  }

  cancel(name: string): void {
    this.outlets = this.outlets.filter((other) => other.name !== name);
  }

  #named({ outlet: at, items }: Delivery<T>): readonly [string, readonly T[]] {
    return [at === UNROUTED ? 'unrouted' : (this.outlets[at]?.name ?? '?'), items];
  }
}
