/** What an error of a store has to be (C8). */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

/** Throws where an error has no code, says nothing, or holds a secret, itself or along its `cause`. */
export function checkTold(error: unknown, secrets: readonly string[] = []): void {
  assert.ok(error instanceof Error, `It threw ${inspect(error)}, which is no error.`);
  const { code } = error as { code?: unknown };
  // Codes of Node and of the system are not the store's own: ERR_SOMETHING, ENOENT.
  const isOwn = typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.test(code);
  assert.ok(isOwn, `Its error has no code of its own (${inspect(code)}): ${error.message}`);
  assert.ok(error.message.length >= 20, `Its error says too little: ${inspect(error.message)}`);
  let link: unknown = error;
  for (let depth = 0; link !== undefined && depth < 20; depth += 1) {
    const said = link instanceof Error ? link.message : '';
    const text = `${said}\n${inspect(link, { depth: 10, showHidden: true, maxStringLength: null })}`;
    for (const secret of secrets) {
      assert.ok(!text.includes(secret), `A secret is in its error, ${depth} causes deep.`);
    }
    link = typeof link === 'object' && link !== null ? (link as { cause?: unknown }).cause : undefined;
  }
}
