import { type Declaration, declarationsOf } from './declarations.ts';

/** What became of a door, in lines that a reviewer reads. */
export interface Changes {
  /** What code that compiled may now stumble over. */
  readonly breaking: readonly string[];
  /** What is there now and was not. */
  readonly added: readonly string[];
}

/**
 * Compares two states of an api file, by name and line; order does not matter.
 *
 * It does not judge types: a line that changed counts as breaking, whether it became wider or narrower. A changeset may
 * say that it is not. A member that a new interface demands counts as breaking too: somebody may make such objects.
 *
 * @param before `undefined` for a door that was not there; `after` likewise for one that is gone.
 */
export function compare(before: string | undefined, after: string | undefined): Changes {
  const breaking: string[] = [];
  const added: string[] = [];
  const old = declarationsOf(before ?? '');
  const now = declarationsOf(after ?? '');
  for (const [name, was] of old) {
    const is = now.get(name);
    if (is === undefined || (was.isExported && !is.isExported)) {
      // What was never exported is missed by nobody; the signatures that named it have changed too.
      if (was.isExported) breaking.push(`${name} is exported no more`);
      continue;
    }
    const gone = without(was.lines, is.lines);
    const come = without(is.lines, was.lines);
    for (const line of gone) {
      if (line.trim() !== '// @deprecated') breaking.push(`${name}: was  ${line.trim()}`);
    }
    for (const line of come) {
      const told = `${name}: now  ${line.trim()}`;
      (gone.length > 0 || demands(is, line) ? breaking : added).push(told);
    }
    if (!was.isExported && is.isExported) added.push(`${name} is exported now`);
  }
  for (const [name, { isExported }] of now) {
    if (isExported && !old.has(name)) added.push(`${name} is new`);
  }
  return { breaking, added };
}

/** Lines of `all` that `others` lacks, each as often as it does. */
function without(all: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** Whether the line is a member that every object of this interface must have. */
function demands({ kind }: Declaration, line: string): boolean {
  return kind === 'interface' && /^ {4}(?:readonly )?[^\s?:(<]+[:(<]/u.test(line);
}
