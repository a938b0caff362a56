/** Sources that need nothing but themselves. */

import { ignoreRejection, isThenable } from '../deferred.ts';
import { describe, OptionError, StreamWeldError } from '../errors.ts';
import { checkCount, checkFunction, checkOptions } from '../options.ts';
import type { Awaitable, Positioned, Source, SourceContext } from '../source.ts';

/** A source of numbers that can be resumed: its position is the next number. */
export interface RangeSource extends Source<number, number> {
  pull(demand: number): Positioned<number, number> | undefined;
}

/**
 * Whole numbers from `start` up to, not including, `end`. It has positions, so a run of it can be resumed.
 *
 * @example range(0, 1_000_000)
 */
export function range(start: number, end: number): RangeSource {
  if (!Number.isSafeInteger(start)) throw new OptionError('range start', 'a whole number', start);
  if (!Number.isSafeInteger(end) && end !== Number.POSITIVE_INFINITY) {
    throw new OptionError('range end', 'a whole number or Infinity', end);
  }
  let next = start;
  return {
    name: 'range',
    open: (context: SourceContext<number>) => {
      next = start;
      for (const [lane, position] of context.positions) next = checkPosition(lane, position, start, end);
    },
    pull: (demand) => {
      const count = Math.min(demand, end - next);
      if (count <= 0) return undefined;
      const items = new Array<number>(count);
      const from = next;
      for (let i = 0; i < count; i++) items[i] = from + i;
      next += count;
      return { items, position: next };
    },
    comparePositions: (a, b) => a - b,
  };
}

/** @throws StreamWeldError SW_POSITION_INVALID for what this range cannot have given. */
function checkPosition(lane: string, position: unknown, start: number, end: number): number {
  if (lane === '' && Number.isSafeInteger(position)) {
    const next = position as number;
    if (next >= start && next <= Math.max(start, end)) return next;
  }
  throw new StreamWeldError(
    'SW_POSITION_INVALID',
    `range cannot resume at ${describe(position)}: a position of it is a whole number from ${start} to ${end}, in one lane without a name. Give each pipeline a checkpoint name of its own, or remove what is kept under this one.`,
    { stage: 'range' },
  );
}

/** The same item again and again, `times` times or without end. */
export function repeat<T>(item: T, times: number = Number.POSITIVE_INFINITY): Source<T> {
  if (times !== Number.POSITIVE_INFINITY) checkCount('repeat times', times, 0);
  let left = times;
  return {
    name: 'repeat',
    pull: (demand) => {
      const count = Math.min(demand, left);
      left -= count;
      return count === 0 ? undefined : new Array<T>(count).fill(item);
    },
  };
}

/**
 * What a function makes of 0, 1, 2 …, until it answers `undefined` or `count` items were made. Good for trying things
 * out without any file or server.
 *
 * @example generate((n) => ({ id: n, at: Date.now() }), { count: 1000 })
 */
export function generate<T>(
  make: (index: number) => Awaitable<T | undefined>,
  options?: { readonly count?: number | undefined },
): Source<T> {
  checkFunction('generate', make);
  const { count } = checkOptions('generate', options, ['count']);
  if (count !== undefined) checkCount('generate.count', count, 0);
  const end = count ?? Number.POSITIVE_INFINITY;
  let index = 0;
  let pending: PromiseLike<T | undefined> | undefined;
  const pull = (demand: number): Awaitable<readonly T[] | undefined> => {
    const items: T[] = [];
    while (items.length < demand && index < end) {
      const made = pending ?? make(index);
      pending = undefined;
      if (isThenable(made)) {
        // What is there goes first; the promise is the next pull's.
        if (items.length > 0) {
          // It may fail before that comes.
          ignoreRejection(made);
          pending = made;
          return items;
        }
        return made.then((item) => {
          if (item === undefined) {
            index = end;
            return undefined;
          }
          index += 1;
          return [item];
        });
      }
      if (made === undefined) {
        index = end;
        break;
      }
      items.push(made);
      index += 1;
    }
    return items.length === 0 ? undefined : items;
  };
  return { name: 'generate', pull };
}
