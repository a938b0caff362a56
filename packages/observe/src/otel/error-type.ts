/** What a failure is called: by its code, never by its message, which may quote an item or a secret. */

/** Codes and names of classes look so; whatever does not may be anything. */
const NAME = /^[\w.:-]{1,64}$/u;

/** Its `code`, else its name, else `_OTHER`, as the conventions say. */
export function errorTypeOf(error: unknown): string {
  try {
    const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
    for (const each of [code, name]) if (typeof each === 'string' && NAME.test(each)) return each;
  } catch {
    // It throws when it is read.
  }
  return '_OTHER';
}
