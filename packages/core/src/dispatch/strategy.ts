/**
 * The contract of a dispatch strategy: who gets which items.
 *
 * A strategy decides and moves nothing. It is asked with the items that wait and the outlets there are, and answers
 * which items go where. It holds no promise, timer or I/O, so it is tested by comparing its answers, with nothing
 * running. The three that ship are built on this contract, and so is one of your own: `builder.custom(strategy)`.
 *
 * The rules (a test that proves one begins with its number):
 *  D1  `dispatch` takes a prefix: the `taken` items from `from` on, none or more, and leaves the rest to the next call.
 *  D2  Every item taken is in at least one delivery, or nowhere on purpose: then it counts as done.
 *  D3  No outlet is given more items than its demand.
 *  D4  Within one delivery, items keep their order; an outlet may be given several deliveries, in order.
 *  D5  It changes neither the items nor the outlets, nor what it has delivered. A delivery may be the very array it was
 *      given.
 *  D6  It answers at once, and the same way for the same state; chance comes from the `random` it was given.
 *  D7  With no outlet, or no demand, it takes nothing but what fits nowhere.
 *  D8  With items that wait and demand at every outlet it takes at least one: nothing stalls.
 *  D9  Its `demand` is a whole number from 0 up, or Infinity.
 *  D10 Outlets come and go between two calls: an index means nothing in the next.
 *
 * The demand of an outlet is the room in its buffer, less what is in flight: GenStage's demand, except that nobody has
 * to ask, because the room itself is the question.
 */

/** One place to deliver to, as a strategy sees it. */
export interface OutletState<T> {
  readonly name: string;
  /** The partition it serves, if it serves one. */
  readonly partition: string | number | undefined;
  /** How many items it can take now. Infinity where its overflow policy never waits. */
  readonly demand: number;
  /** Which items it wants; all, if it does not say. */
  readonly selector: ((item: T) => boolean) | undefined;
}

/** Items for one outlet. */
export interface Delivery<T> {
  /** The index of the outlet in the list that was given, or {@link UNROUTED}. */
  readonly outlet: number;
  readonly items: readonly T[];
}

/** Instead of an outlet: these items fit nowhere, and the dispatcher's policy for such items decides. */
export const UNROUTED = -1;

export interface Dispatch<T> {
  /** How many items, from `from` on, are decided. */
  readonly taken: number;
  readonly deliveries: readonly Delivery<T>[];
}

export interface DispatchStrategy<T> {
  /** Shown in snapshots. */
  readonly name: string;
  /** Decides about `items` from index `from` on (rules D1 to D10). */
  dispatch(items: readonly T[], from: number, outlets: readonly OutletState<T>[]): Dispatch<T>;
  /** How many items could be taken now, at least: shown in snapshots, nothing depends on it. */
  demand(outlets: readonly OutletState<T>[]): number;
}

export const NOTHING_TAKEN: Dispatch<never> = { taken: 0, deliveries: [] };
