/**
 * Comparing what came with what had to come: in order within each lane, and the whole as a multiset. How a source mixes
 * its lanes is its own affair.
 */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

/** What a pull answered. Items are kept as texts, which do not change with them. */
export interface Answer {
  readonly keys: readonly string[];
  readonly items: readonly unknown[];
  readonly lane: string;
  readonly position: unknown;
  readonly hasPosition: boolean;
}

/** Items by lane, in order. */
export type Lanes = ReadonlyMap<string, readonly string[]>;

const FULL = {
  depth: Number.POSITIVE_INFINITY,
  maxArrayLength: null,
  maxStringLength: null,
  sorted: true,
  breakLength: Number.POSITIVE_INFINITY,
} as const;

/** A value as a text: the same for equal ones alone. */
export function keyOf(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, FULL);
}

export function byLane(answers: readonly Answer[]): Map<string, string[]> {
  const lanes = new Map<string, string[]>();
  for (const { keys, lane } of answers) {
    const before = lanes.get(lane);
    if (before === undefined) lanes.set(lane, [...keys]);
    else before.push(...keys);
  }
  return lanes;
}

/** @throws AssertionError that says what is missing, what is too much, and what is out of order. */
export function assertItems(answers: readonly Answer[], expected: readonly string[], when: string): void {
  const found = answers.flatMap(({ keys }) => keys);
  assertSame(found, expected, when);
  for (const [lane, keys] of byLane(answers)) {
    let at = 0;
    for (const [index, key] of keys.entries()) {
      at = expected.indexOf(key, at) + 1;
      if (at > 0) continue;
      assert.fail(
        `${when}: ${shortly(key)} came in ${laneName(lane)} behind ${shortly(keys[index - 1])}, and has to come before it.`,
      );
    }
  }
}

/** @throws AssertionError that names the lane, and the first item in which it differs. */
export function assertLanes(found: Lanes, expected: Lanes, when: string): void {
  for (const lane of new Set([...found.keys(), ...expected.keys()])) {
    const came = found.get(lane) ?? [];
    const due = expected.get(lane) ?? [];
    const at = due.findIndex((key, index) => key !== came[index]);
    if (at === -1 && came.length === due.length) continue;
    const where = at === -1 ? due.length : at;
    assert.fail(
      `${when}: in ${laneName(lane)} ${shortly(came[where])} came, and ${shortly(due[where])} was due ` +
        `(item ${where + 1}; ${came.length} came, ${due.length} were due).`,
    );
  }
}

function assertSame(found: readonly string[], expected: readonly string[], when: string): void {
  const counts = new Map<string, number>();
  for (const key of expected) counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const key of found) counts.set(key, (counts.get(key) ?? 0) - 1);
  const missing = [...counts].filter(([, count]) => count > 0);
  const extra = [...counts].filter(([, count]) => count < 0);
  if (missing.length === 0 && extra.length === 0) return;
  assert.fail(
    `${when}: ${found.length} items came, and ${expected.length} were due. ` +
      `Lost: ${listOf(missing)}. Too many: ${listOf(extra)}.`,
  );
}

function listOf(counts: readonly (readonly [string, number])[]): string {
  if (counts.length === 0) return 'none';
  const named = counts.slice(0, 3).map(([key]) => shortly(key));
  return counts.length > 3 ? `${named.join(', ')} and ${counts.length - 3} more` : named.join(', ');
}

function laneName(lane: string): string {
  return lane === '' ? 'its one lane' : `lane '${lane}'`;
}

function shortly(key: string | undefined): string {
  if (key === undefined) return 'nothing';
  return key.length > 60 ? `${key.slice(0, 60)}…` : `'${key}'`;
}
