/**
 * Which items of a batch are written again, and which are bad. It decides and moves nothing.
 *
 *     retryable, none named      [a b c d]  ──► a b c d                again, whole
 *     retryable, c named         [a b c d]  ──► c                      again; order kept: c d; atomic sink: a b c d
 *     data, c named              [a b c d]  ──► c bad, a b d           again
 *     data, none named           [a b c d]  ──► a b, then c d          halved; where that is not allowed: all lost
 *     data, one item             [c]        ──► c bad
 */

/** Items of one batch that are written together, with their indexes in it. */
export interface Segment<T> {
  readonly items: readonly T[];
  readonly at: readonly number[];
  /** The how-manieth time it is that they are written. */
  readonly attempt: number;
}

export interface SegmentRules {
  /** The sink has written nothing when it fails. */
  readonly isAtomic: boolean;
  /** Nothing may be written after what comes later in the batch. */
  readonly keepsOrder: boolean;
  /** The batch may be halved. */
  readonly halves: boolean;
}

/** A whole batch, before its first write. */
export function wholeSegment<T>(items: readonly T[], attempt: number): Segment<T> {
  return { items, at: items.map((_, index) => index), attempt };
}

/** What is to be written again after a failure that may pass: the rest has been written. */
export function leftToWrite<T>(
  segment: Segment<T>,
  failed: readonly number[] | undefined,
  rules: SegmentRules,
): Segment<T> {
  if (failed === undefined || rules.isAtomic) return { ...segment, attempt: segment.attempt + 1 };
  if (rules.keepsOrder) return slice(segment, failed[0] as number, segment.items.length);
  const isFailed = new Set(failed);
  return pick(segment, (index) => isFailed.has(index));
}

export interface Isolation<T> {
  readonly bad: Segment<T> | undefined;
  /** In the order to write them. */
  readonly again: readonly Segment<T>[];
}

/** Takes the bad items out, or comes closer to them; nothing, if there is no way to. */
export function isolate<T>(
  segment: Segment<T>,
  failed: readonly number[] | undefined,
  rules: SegmentRules,
): Isolation<T> | undefined {
  const { length } = segment.items;
  if (length === 1) return { bad: segment, again: [] };
  if (failed !== undefined) {
    const isFailed = new Set(failed);
    const good = pick(segment, (index) => !isFailed.has(index));
    const bad = { ...pick(segment, (index) => isFailed.has(index)), attempt: segment.attempt };
    return { bad, again: good.items.length === 0 ? [] : [good] };
  }
  if (!rules.halves) return undefined;
  const middle = Math.ceil(length / 2);
  return { bad: undefined, again: [slice(segment, 0, middle), slice(segment, middle, length)] };
}

function slice<T>({ items, at, attempt }: Segment<T>, from: number, to: number): Segment<T> {
  return { items: items.slice(from, to), at: at.slice(from, to), attempt: attempt + 1 };
}

function pick<T>({ items, at, attempt }: Segment<T>, isWanted: (index: number) => boolean): Segment<T> {
  return {
    items: items.filter((_, index) => isWanted(index)),
    at: at.filter((_, index) => isWanted(index)),
    attempt: attempt + 1,
  };
}
