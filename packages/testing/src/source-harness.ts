/** What the author of a source writes for its suite: how to create, seed and read back. */

import type { Awaitable, Source } from '@streamweld/core';

/** A place that items lie in: a file, a topic, a table. Each check gets one of its own. */
export interface SeededPlace<T, P = unknown> {
  /**
   * What has to come, each once, as `essenceOf` answers it. The items of one lane stand here in the order in which they
   * have to come; how the lanes are mixed does not matter.
   */
  readonly items: readonly unknown[];
  /** A source of this place, each time a new one. Nothing may be opened yet. */
  create(): Source<T, P>;
  /** Called when the check is over. */
  cleanUp?(): Awaitable<void>;
}

/**
 * Methods that are left out say what a source has not: there are no flags beside them.
 *
 * Write items that are worth comparing: no two alike, and with a word in them of eight letters or more, which must then
 * be in no error.
 */
export interface SourceHarness<T, P = unknown> {
  /** A fresh place with so many items, in several lanes if the source has lanes. It may be none, and 100,000. */
  seed(count: number): Awaitable<SeededPlace<T, P>>;
  /**
   * For a source with positions: some that it cannot have given in this lane, although they look like its own, such as
   * one beyond the end or of another place. What looks otherwise the suite makes itself. Without this method the source is
   * held to have no positions at all.
   */
  absurdPositions?(lane: string, place: SeededPlace<T, P>): Awaitable<readonly unknown[]>;
  /** For a source that never ends: adds so many items to the place, and answers what has to come in addition. */
  grow?(place: SeededPlace<T, P>, count: number): Awaitable<readonly unknown[]>;
  /** A source that is refused by the place, for a password, key or token that is `secret` and is wrong. */
  createDenied?(place: SeededPlace<T, P>, secret: string): Awaitable<Source<T, P>>;
  /**
   * A place that cannot be read to its end, such as one with a damaged item or one that breaks off. Put the secret into
   * what is damaged, and into the options of the source.
   */
  seedDamaged?(secret: string): Awaitable<SeededPlace<T, P>>;
  /** How many items were taken out of the place so far, for a place that can count them. */
  countTaken?(place: SeededPlace<T, P>): number;
  /** What of an item is compared. Default: all of it. */
  essenceOf?(item: T): unknown;
  /** How long "soon" is, in milliseconds of real time. Default 5000. */
  readonly deadlineMs?: number | undefined;
  /** How many items most checks seed. Default 30: each is the end of a run that is resumed. */
  readonly count?: number | undefined;
  /**
   * How many items the checks of memory seed. Default 100,000. They see what takes more than 2 MiB, and more than half of
   * what the items take.
   */
  readonly largeCount?: number | undefined;
}

/** Any: what a check is given. */
export type AnySourceHarness = SourceHarness<unknown, unknown>;
export type AnySeededPlace = SeededPlace<unknown, unknown>;
