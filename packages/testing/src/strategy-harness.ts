/** What the author of a dispatch strategy writes for its suite. */

import type { DispatchStrategy, OutletState } from '@streamweld/core';

/** An outlet that is always there, as that of a partition is. Its demand is the suite's to change. */
export interface StrategyOutlet<T> {
  readonly name: string;
  readonly partition?: string | number | undefined;
  readonly selector?: ((item: T) => boolean) | undefined;
}

export interface StrategyHarness<T> {
  /** A strategy that was never asked. Chance, if it needs any, comes from `random`, and from nowhere else (D6). */
  create(random: () => number): DispatchStrategy<T>;
  /** An item for each index, no two alike: the suite knows them by identity. */
  item(index: number): T;
  /**
   * For a strategy that counts on certain outlets: these, in this order, are there at every call. Without it the suite
   * makes outlets up, none to six, which come and go.
   */
  readonly outlets?: readonly StrategyOutlet<T>[] | undefined;
  /**
   * Where an item goes, if it is taken: the indexes of its outlets, with `UNROUTED` among them where it fits nowhere, and
   * none where it is left out on purpose. Leave it out where that depends on the demand: then an item that some outlet
   * wants has to be in at least one delivery (D2).
   */
  gets?(item: T, outlets: readonly OutletState<T>[]): readonly number[];
  /** How many states each rule is tried in. Default 2000. */
  readonly states?: number | undefined;
  /** The seed of the first state; those after it count up. Default 1. A check that fails says the seed of its state. */
  readonly seed?: number | undefined;
}

/** Any: what a check is given. */
export type AnyStrategyHarness = StrategyHarness<unknown>;
