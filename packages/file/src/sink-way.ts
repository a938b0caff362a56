/** The ways in which a sink writes, by one contract: what a sink is told, it tells its way. */

import { type Accepted, type Awaitable, runtime, type WriteContext } from '@streamweld/core/connector';
import type { Format } from '@streamweld/formats';
import { InPlace } from './sink-in-place.ts';
import type { Part, Roll } from './sink-part.ts';
import { numbered, shownPath } from './sink-path.ts';
import { nextName } from './sink-place.ts';
import type { Target, Targets } from './sink-target.ts';
import { Temporary } from './sink-temporary.ts';
import type { Body, Workshop } from './sink-workshop.ts';

export type Fsync = 'batch' | 'close' | 'never';

export interface WayOfWriting<T> {
  open(): Promise<void>;
  write(batch: readonly T[], context: WriteContext | undefined): Awaitable<void | Accepted>;
  /** Keeps positions that moved without items, where there is a ledger. */
  keep?(positions: ReadonlyMap<string, unknown>): Promise<void>;
  flush(): Promise<void>;
  /** The good end. */
  close(): Promise<void>;
  /** Any other. */
  abandon(reason: unknown): Promise<void>;
}

export interface WayOptions<T> {
  readonly targets: Targets<T>;
  readonly shop: Workshop;
  readonly format: Format<unknown, T>;
  readonly roll: Roll | undefined;
  /** Files are written under their own names, at their end, instead of as temporaries. */
  readonly isInPlace: boolean;
  /** A flush gives parts their names: nobody who comes later would look into a temporary. */
  readonly publishesOnFlush: boolean;
  readonly fsync: Fsync;
  readonly level: number;
  readonly maxOpen: number;
  readonly bufferBytes: number;
  readonly maxBufferedBytes: number;
}

/** The body of a file that begins, or of the part with this number. */
export function newBody<T>(
  { shop, roll, isInPlace }: WayOptions<T>,
  target: Target<T>,
  sequence: number,
): Body {
  if (isInPlace)
    return new InPlace(roll === undefined ? target.path : numbered(target.path, sequence), shop, undefined);
  if (roll === undefined) return new Temporary(target.path, shop);
  return new Temporary(shownPath(target.path), shop, () => nextName(shop, target));
}

/** Calls back when the time of a part is over. It counts from its first item, on a clock that never jumps. */
export function startPartTimer<T>(part: Part<T>, roll: Roll | undefined, over: () => void): void {
  if (roll === undefined || roll.everyMs === Number.POSITIVE_INFINITY || part.timer !== undefined) return;
  part.timer = runtime.setTimer(() => {
    part.isDue = true;
    over();
  }, roll.everyMs);
}

export function stopPartTimer<T>(part: Part<T>): void {
  if (part.timer !== undefined) runtime.clearTimer(part.timer);
  part.timer = undefined;
}
