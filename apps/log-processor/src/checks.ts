/** What must hold at the end, put to the test: plain functions of what was counted and what was found. */

import type { Damaged } from './damaged-lines.ts';
import type { Stored } from './found.ts';
import type { Count, Sum } from './independent-count.ts';
import { countOf, size, whole } from './numbers.ts';

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** What it is about. */
  readonly of: string;
  readonly text: string;
}

/** What an independent count found in one file, and what is in the file of damaged lines of it. */
export interface Counted {
  readonly file: string;
  readonly count: Count;
  /** Lines behind those that were read, although nobody has written to the file since. */
  readonly missed: number;
  readonly damaged: readonly Damaged[];
}

export function checkLines(counted: readonly Counted[], stored: Stored): Check[] {
  const lines = sum(counted, ({ count }) => count.lines);
  const good = sum(counted, ({ count }) => count.total.requests);
  const missed = sum(counted, (each) => each.missed);
  const found = sum(counted, ({ damaged }) => damaged.length);
  const lost = lines - stored.lines - found;
  const doubled = stored.rows - stored.lines;
  return [
    {
      of: 'lines',
      holds: lost === 0 && doubled === 0 && missed === 0,
      text: `${whole(lines)} in the logs: ${whole(stored.lines)} in Postgres, ${whole(found)} damaged, ${whole(lost)} lost, ${whole(doubled)} doubled, ${whole(missed)} not read`,
    },
    {
      of: 'requests',
      holds: stored.total.requests === good,
      text: `${whole(stored.total.requests)} stored, ${whole(good)} counted`,
    },
    checkDamaged(counted),
  ];
}

function checkDamaged(counted: readonly Counted[]): Check {
  const expected = sum(counted, ({ count }) => count.damaged.size);
  const found = sum(counted, ({ damaged }) => damaged.length);
  const same = sum(
    counted,
    ({ count, damaged }) =>
      damaged.filter(({ line, text, reason }) => count.damaged.get(line) === text && reason !== '').length,
  );
  return {
    of: 'damaged',
    holds: same === expected && found === expected,
    text: `${whole(same)} of ${countOf(expected, 'damaged line')} in their file, under their number, with the reason; ${whole(found - same)} others`,
  };
}

export function checkSums(counted: readonly Counted[], stored: Stored): Check[] {
  const bytes = sum(counted, ({ count }) => count.total.bytes);
  const equalBy = (of: 'byStatus' | 'byPath' | 'byMinute', what: string): Check => {
    const expected = merge(counted.map(({ count }) => count[of]));
    const same = equal(stored[of], expected);
    return {
      of: what,
      holds: same === expected.size && same === stored[of].size,
      text: `requests and bytes equal for ${whole(same)} of ${whole(expected.size)}`,
    };
  };
  return [
    {
      of: 'bytes',
      holds: stored.total.bytes === bytes,
      text: `${size(stored.total.bytes)} stored, ${size(bytes)} counted, to the byte`,
    },
    equalBy('byStatus', 'statuses'),
    equalBy('byPath', 'paths'),
    equalBy('byMinute', 'minutes'),
  ];
}

/** @param answered what those who asked were answered. @param stored what the table has of it. */
export function checkAnswers(answered: ReadonlyMap<number, Sum>, stored: ReadonlyMap<number, Sum>): Check {
  const requests = sum([...answered.values()], (each) => each.requests);
  const bytes = sum([...answered.values()], (each) => each.bytes);
  const same = equal(stored, answered);
  return {
    of: 'visitors',
    holds: same === answered.size && same === stored.size,
    text: `were answered ${whole(requests)} times, with ${size(bytes)}: equal in Postgres for ${whole(same)} of ${whole(answered.size)} statuses`,
  };
}

function merge(all: readonly ReadonlyMap<string, Sum>[]): Map<string, Sum> {
  const merged = new Map<string, Sum>();
  for (const [key, { requests, bytes }] of all.flatMap((each) => [...each])) {
    const before = merged.get(key) ?? { requests: 0, bytes: 0 };
    merged.set(key, { requests: before.requests + requests, bytes: before.bytes + bytes });
  }
  return merged;
}

/** How many sums are in both, and the same. */
function equal<K>(one: ReadonlyMap<K, Sum>, other: ReadonlyMap<K, Sum>): number {
  return [...one].filter(([key, { requests, bytes }]) => {
    const found = other.get(key);
    return found?.requests === requests && found.bytes === bytes;
  }).length;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
