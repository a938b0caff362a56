/** Items as they are compared: those that were given with those that were read back. */

import assert from 'node:assert/strict';

function countEach(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Each of these is there, as often as it was written at least. */
export function assertHolds(read: readonly string[], due: readonly string[], what: string): void {
  const counts = countEach(read);
  const missing = [...countEach(due)].filter(([key, count]) => (counts.get(key) ?? 0) < count);
  assert(
    missing.length === 0,
    `${what}: of ${due.length} items ${missing.length} cannot be read back, the first is ${missing[0]?.[0]}.`,
  );
}

/** Nothing else is there, and nothing torn; without `often` nothing twice. */
export function assertOnly(
  read: readonly string[],
  known: readonly string[],
  what: string,
  often = false,
): void {
  const counts = countEach(known);
  for (const [key, count] of countEach(read)) {
    const most = counts.get(key);
    assert(most !== undefined, `${what}: it reads what was not written: ${key}.`);
    assert(
      often || count <= most,
      `${what}: it reads ${count} times what was written ${most} times: ${key}.`,
    );
  }
}

/** The same items, each once; in any order. */
export function assertSame(read: readonly string[], due: readonly string[], what: string): void {
  assertHolds(read, due, what);
  assertOnly(read, due, what);
}

/** The same items, in order. */
export function assertInOrder(read: readonly string[], due: readonly string[], what: string): void {
  assertSame(read, due, what);
  const at = due.findIndex((key, index) => read[index] !== key);
  assert(at === -1, `${what}: it reads another order: ${read[at]} is where ${due[at]} should be, at ${at}.`);
}

/** Of an atomic sink: of each write all or nothing. */
export function assertWhole(
  read: readonly string[],
  writes: readonly (readonly string[])[],
  what: string,
): void {
  const found = new Set(read);
  for (const keys of writes) {
    const count = keys.filter((key) => found.has(key)).length;
    assert(
      count === 0 || count === keys.length,
      `${what}: of a write of ${keys.length} items it reads ${count}.`,
    );
  }
}
