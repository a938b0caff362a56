/** What the author of a sink writes for its suite: how to create it, what its items are, how to read them back. */

import type { Awaitable, SinkLike } from '@streamweld/core';

/**
 * Methods that are left out say what a sink has not: there are no flags beside them. What a sink says of itself
 * (`concurrency`, `atomic`, `keepsPositions`, `flush`, `ahead`) it is held to.
 *
 * A place is where items go: a file, a topic, a table. It is whatever the harness makes of it, and is only handed back.
 */
export interface SinkHarness<T, Place = unknown> {
  /** A fresh place, at each call another. */
  prepare(): Awaitable<Place>;
  /**
   * A sink of this place, each time a new one, not opened yet. One that begins anew by its options, and would replace what
   * an earlier one wrote, is given a part of the place of its own.
   */
  create(place: Place): Awaitable<SinkLike<T>>;
  /**
   * The item of this number, each time the same, and no two alike. The number should be found in it, so that it is known
   * again where it must not be.
   */
  item(index: number): T;
  /** What a reader finds in the place now, in order. It may be asked while a sink is open, and after one was killed. */
  read(place: Place): Awaitable<readonly unknown[]>;
  /** Called when the check is over. */
  cleanUp?(place: Place): Awaitable<void>;

  /** For a sink that `keepsPositions`: one to be opened with a checkpoint. It may be the same as `create` makes. */
  createKeeping?(place: Place): Awaitable<SinkLike<T>>;
  /** A sink that is refused by the place, for a password, key or token that is `secret` and is wrong. */
  createDenied?(place: Place, secret: string): Awaitable<SinkLike<T>>;
  /** An item that can never be written, with the secret in it. */
  badItem?(secret: string): T;
  /** The next thing that a sink asks of the place fails, once, for a reason that passes. */
  interrupt?(place: Place): Awaitable<void>;
  /** From now on the place answers no sink, until what is answered here is called. */
  stall?(place: Place): Awaitable<() => Awaitable<void>>;
  /**
   * What the end of its process does to the sinks of the place that are open: connections and handles are gone, locks are
   * free, nothing more arrives. Without it a sink that is to be killed is left to itself, when what it is doing is done.
   */
  kill?(place: Place): Awaitable<void>;
  /** Throws away what was written: for a place in the memory of this process, which cannot be measured beside it. */
  forget?(place: Place): Awaitable<void>;

  /** What of an item is read back. Default: all of it. */
  essenceOf?(item: T): unknown;
  /** How long "soon" is, in milliseconds of real time. Default 5000. */
  readonly deadlineMs?: number | undefined;
  /** How many items the checks of memory write; more than a sink may hold. Default 100,000. */
  readonly largeCount?: number | undefined;
}

/** Any: what a check is given. */
export type AnySinkHarness = SinkHarness<unknown, unknown>;
