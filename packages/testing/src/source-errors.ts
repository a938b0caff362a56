/** What a source throws: it has a code, and nobody's data is in it (S19). */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

/** Shorter words may be in a message by chance. */
const LEAST_WORD = 8;

/** Codes of Node and of the system are nobody's own: ERR_SOMETHING, ENOENT. */
const OWN_CODE = /^(?!ERR_)[A-Z][A-Z0-9]*_[A-Z0-9_]+$/;

/** The code of a failure. @throws AssertionError where it has none. */
export function codeOf(error: unknown, when: string): string {
  assert(error instanceof Error, `${when}: what it throws is no Error: ${typeof error}.`);
  const { code } = error as { readonly code?: unknown };
  assert(
    typeof code === 'string' && OWN_CODE.test(code),
    `${when}: what it throws has no code of its own (${String(code)}): ${error.name}: ${error.message}`,
  );
  return code;
}

/** @throws AssertionError where it has no code, says nothing, or holds one of these words anywhere. */
export function assertTells(error: unknown, words: readonly string[], when: string): void {
  codeOf(error, when);
  const { message } = error as Error;
  assert(message.trim().includes(' '), `${when}: its message says nothing: '${message}'.`);
  for (const [where, text] of textsOf(error)) {
    const found = words.find((word) => text.includes(word));
    assert(found === undefined, `${when}: ${where} of what it throws has '${found}' in it.`);
  }
}

/** All that whoever logs an error may write of it, and of what it leads to. */
function* textsOf(
  error: unknown,
  name: string = 'the error',
  seen: Set<unknown> = new Set(),
): Generator<[string, string]> {
  if (seen.has(error)) return;
  seen.add(error);
  yield [`the text of ${name}`, String(error)];
  if (typeof error !== 'object' || error === null) return;
  yield [`the stack of ${name}`, String((error as Error).stack)];
  yield [`the JSON of ${name}`, jsonOf(error)];
  yield [
    `what util.inspect shows of ${name}`,
    inspect(error, { depth: 8, showHidden: true, maxStringLength: null }),
  ];
  const { cause, suppressed, errors } = error as {
    readonly cause?: unknown;
    readonly suppressed?: unknown;
    readonly errors?: unknown;
  };
  if (cause !== undefined) yield* textsOf(cause, `the cause of ${name}`, seen);
  for (const others of [suppressed, errors]) {
    if (!Array.isArray(others)) continue;
    for (const other of others) yield* textsOf(other, `what is suppressed in ${name}`, seen);
  }
}

function jsonOf(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? ''
    );
  } catch {
    return '';
  }
}

/** The words of items that are long enough to be known again. */
export function wordsOf(items: readonly unknown[]): string[] {
  const words = new Set<string>();
  const collect = (value: unknown, depth: number): void => {
    if (typeof value === 'string') {
      if (value.length >= LEAST_WORD) words.add(value);
    } else if (value instanceof Uint8Array) {
      collect(Buffer.from(value).toString(), depth);
    } else if (typeof value === 'object' && value !== null && depth < 8) {
      for (const part of Object.values(value)) collect(part, depth + 1);
    }
  };
  for (const item of items) collect(item, 0);
  return [...words];
}
