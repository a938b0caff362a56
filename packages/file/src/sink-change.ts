/** What one write does to one target, and what a ledger says of it: before it happens, and when it has. */

import type { FileState } from './sink-ledger.ts';
import type { Part, Roll } from './sink-part.ts';
import type { Planned, Target } from './sink-target.ts';

export interface Change<T> extends Planned<T> {
  /** The part it finds, if any, and how long that is. */
  readonly before: Part<T> | undefined;
  readonly lengthBefore: number;
  /** The parts it begins. */
  readonly begun: Part<T>[];
}

export function changeOf<T>(planned: Planned<T>): Change<T> {
  const { part } = planned.target;
  return { ...planned, before: part, lengthBefore: part?.body.length ?? 0, begun: [] };
}

/** Up to which number parts may exist once the change has begun; 0 where files are not rolled. */
export function begunBy<T>({ target, pieces }: Planned<T>, roll: Roll | undefined): number {
  if (roll === undefined) return 0;
  return (target.sequence ?? 0) + pieces.filter(({ isNew }) => isNew).length;
}

/** A target as it is, while parts up to `begun` may exist. */
export function standing<T>(
  target: Target<T>,
  part: Part<T> | undefined,
  begun: number,
  roll: Roll | undefined,
): FileState {
  return {
    length: part?.body.length ?? (roll === undefined ? 0 : undefined),
    items: roll === undefined ? 0 : (part?.items ?? 0),
    sequence: target.sequence ?? 0,
    begun,
    header: part?.encoder?.header,
    isOpen: part?.opening !== undefined,
  };
}

/** A target as the change leaves it. A part that is full is no longer of interest: it may be taken away. */
export function outcome<T>(
  { target, pieces, encoder, before, begun }: Change<T>,
  roll: Roll | undefined,
): FileState {
  const part = begun.at(-1) ?? (before as Part<T>);
  const { length } = part.body;
  const { header } = encoder;
  if (roll === undefined) return { length, items: 0, sequence: 0, begun: 0, header, isOpen: false };
  const own = begun.length === 0 ? pieces : pieces.slice(pieces.findLastIndex(({ isNew }) => isNew));
  const items = own.reduce((sum, piece) => sum + piece.items, part.items);
  const sequence = (target.sequence ?? 0) + begun.length;
  const isFull = items >= roll.maxItems || length >= roll.maxBytes;
  return {
    length: isFull ? undefined : length,
    items,
    sequence,
    begun: sequence,
    header,
    isOpen: false,
  };
}
