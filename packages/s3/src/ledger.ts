/** What a ledger says: which objects of a sink count, and how far the source had come with them. */

import { positionFromJson, positionToJson } from '@streamweld/core/connector';

/** Objects that may be there, whole or in parts, and do not count yet. */
export interface PendingObjects {
  readonly sequence: number;
  readonly epoch: string;
  readonly keys: readonly string[];
}

/** The content of a ledger. Numbers that are `void` count for nothing: from each first to each last, in order. */
export interface LedgerContent {
  readonly version: 1;
  readonly revision: number;
  readonly epoch: string;
  /** What tells the sink from others: its `key`, or where that is a function its `name`, or the checkpoint of its run. */
  readonly sink: string;
  /** Whose positions it keeps; null where it keeps none. */
  readonly checkpoint: string | null;
  /** The number of the next object. None below it is given again. */
  readonly next: number;
  /** Objects up to this number count, but for the void. 0 before the first. */
  readonly committed: number;
  readonly void: readonly (readonly [first: number, last: number])[];
  readonly positions: readonly (readonly [lane: string, position: unknown])[];
  readonly pending: readonly PendingObjects[];
}

/**
 * Whether an object of a sink that delivers exactly once counts: it is whole, and will never be taken back. Objects of which
 * it says no are not committed yet, or never will be.
 *
 * @param ledger read before the objects are listed
 * @param sequence of the object: as in its key, or `streamweld-sequence` of its metadata
 */
export function isCommitted(ledger: Pick<LedgerContent, 'committed' | 'void'>, sequence: number): boolean {
  return sequence <= ledger.committed && !isVoid(ledger, sequence);
}

/** It will never count. */
export function isVoid({ void: ranges }: Pick<LedgerContent, 'void'>, sequence: number): boolean {
  return ranges.some(([first, last]) => sequence >= first && sequence <= last);
}

/** So many gaps are remembered: each is a run that was ended between the two changes of a write. */
const MOST_VOID = 1000;

/** Whatever was pending counts for nothing from now on. */
export function voided({ void: ranges, pending }: LedgerContent): LedgerContent['void'] {
  return pending.reduce((all, { sequence }) => withVoid(all, sequence), ranges);
}

/** With one more number that counts for nothing; beyond the most, the oldest are forgotten. */
function withVoid(ranges: LedgerContent['void'], sequence: number): LedgerContent['void'] {
  const last = ranges.at(-1);
  if (last !== undefined && sequence <= last[1]) return ranges;
  if (last !== undefined && sequence === last[1] + 1) return [...ranges.slice(0, -1), [last[0], sequence]];
  return [...ranges, [sequence, sequence] as const].slice(-MOST_VOID);
}

export type KeptPositions = LedgerContent['positions'];

/** @throws StreamWeldError SW_POSITION_UNSTORABLE */
export function toKept(positions: ReadonlyMap<string, unknown> | undefined): KeptPositions {
  return [...(positions ?? [])].map(
    ([lane, position]) => [lane, positionToJson(position, `[${lane}]`)] as const,
  );
}

/** By lane. */
export function fromKept(kept: KeptPositions): ReadonlyMap<string, unknown> {
  return new Map(kept.map(([lane, position]) => [lane, positionFromJson(position)]));
}

export function merge(kept: KeptPositions, moved: KeptPositions): KeptPositions {
  return [...new Map([...kept, ...moved])];
}

/** Of a sink that has never written. */
export const EMPTY: LedgerContent = {
  version: 1,
  revision: 0,
  epoch: '',
  sink: '',
  checkpoint: null,
  next: 1,
  committed: 0,
  void: [],
  positions: [],
  pending: [],
};

/** What stands in its object, or in words why that is no ledger. */
export function parseLedger(bytes: Buffer): LedgerContent | string {
  let content: LedgerContent;
  try {
    content = JSON.parse(String(bytes)) as LedgerContent;
  } catch {
    return 'it is not JSON';
  }
  const { version, sink, next, committed, void: gaps, positions, pending, revision } = content ?? {};
  if (version !== 1) return 'it is not of version 1, which is all that is known here';
  const isWhole =
    typeof sink === 'string' &&
    [next, committed, revision].every(Number.isSafeInteger) &&
    areAll(gaps, (gap) => Array.isArray(gap) && gap.length === 2 && gap.every(Number.isSafeInteger)) &&
    areAll(positions, (kept) => Array.isArray(kept) && kept.length === 2 && typeof kept[0] === 'string') &&
    areAll(pending, (each) => {
      const { sequence, epoch, keys } = (each ?? {}) as Partial<PendingObjects>;
      const isNamed = Number.isSafeInteger(sequence) && typeof epoch === 'string';
      return isNamed && areAll(keys, (key) => typeof key === 'string');
    });
  return isWhole ? content : 'something is missing in it';
}

function areAll(values: unknown, isGood: (value: unknown) => boolean): boolean {
  return Array.isArray(values) && values.every(isGood);
}
