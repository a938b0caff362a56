/**
 * Globs: `**` any folders, `*` and `?` within a name, `[..]` and `{a,b}`.
 *
 * The pattern is walked name by name, so that only folders which can hold a match are read:
 *
 *     logs / ** / 2024-* / *.gz
 *     └ as it is   └ any depth      └ matched against the names of the folder
 *
 * Names that begin with a dot match only a pattern that begins with one, as in a shell. A `**` goes through folders,
 * not through links to folders, so that it always ends.
 */

import picomatch from 'picomatch';
import type { FileSystem, FolderEntry } from './client.ts';
import { errnoOf, toFileError } from './errors.ts';

type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'match'; readonly matches: (name: string) => boolean }
  | { readonly kind: 'globstar' };

/** Whether a path holds anything that a glob reads as more than itself. A backslash before it takes that away. */
export function isGlob(path: string): boolean {
  return /(?<!\\)[*?[{]/.test(path);
}

/** All that the pattern matches and that `accepts` wants, in no particular order, each once. */
export async function expandGlob(
  fs: FileSystem,
  pattern: string,
  stage: string,
  accepts: (path: string, entry: FolderEntry) => Promise<boolean>,
): Promise<string[]> {
  const found = new Set<string>();
  for (const one of spreadBraces(pattern)) {
    const root = /^([A-Za-z]:)?\/+/.exec(one)?.[0] ?? '';
    const steps = one.slice(root.length).split('/').filter(isStep).map(toStep);
    await walk(root, steps, 0);
  }
  return [...found];

  async function walk(folder: string, steps: readonly Step[], at: number): Promise<void> {
    const step = steps[at];
    if (step === undefined) return;
    const last = at === steps.length - 1;
    if (step.kind === 'name' && !last) return walk(place(folder, step.name), steps, at + 1);
    if (step.kind === 'globstar' && !last) await walk(folder, steps, at + 1);
    for (const entry of await list(folder)) {
      const path = place(folder, entry.name);
      if (step.kind === 'globstar') {
        if (entry.name.startsWith('.')) continue;
        if (entry.isDirectory()) await walk(path, steps, at);
        else if (last && (await accepts(path, entry))) found.add(path);
      } else if (step.kind === 'name' ? entry.name === step.name : step.matches(entry.name)) {
        if (!last) await walk(path, steps, at + 1);
        else if (await accepts(path, entry)) found.add(path);
      }
    }
  }

  async function list(folder: string): Promise<FolderEntry[]> {
    try {
      return await fs.readdir(folder === '' ? '.' : folder, { withFileTypes: true });
    } catch (error) {
      // What is no folder, or went away while we walked, holds no match. A folder we may not read is a failure:
      // leaving its files out in silence would be worse.
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return [];
      throw toFileError(error, 'list the folder', folder, stage, 'SW_FILE_READ_FAILED');
    }
  }
}

function place(folder: string, name: string): string {
  return folder === '' || folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

function isStep(segment: string): boolean {
  return segment !== '' && segment !== '.';
}

function toStep(segment: string): Step {
  if (segment === '**') return { kind: 'globstar' };
  if (!isGlob(segment)) return { kind: 'name', name: segment.replaceAll(/\\(.)/g, '$1') };
  // Parentheses are part of many a name ("report (1).csv"); we do not read them as patterns.
  const pattern = segment.replaceAll(/(?<!\\)[()|]/g, '\\$&');
  return { kind: 'match', matches: picomatch(pattern, { noextglob: true, nonegate: true, posix: true }) };
}

/** `a/{b,c/d}/e` as `a/b/e` and `a/c/d/e`: braces may hold slashes, and the walk goes from slash to slash. */
function spreadBraces(pattern: string): string[] {
  const open = /(?<!\\)\{/.exec(pattern)?.index;
  if (open === undefined) return [pattern];
  const choices: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < pattern.length; at += 1) {
    const char = pattern[at];
    if (char === '\\') at += 1;
    else if (char === '{') depth += 1;
    else if (char === ',' && depth === 1) {
      choices.push(pattern.slice(from, at));
      from = at + 1;
    } else if (char === '}') {
      depth -= 1;
      if (depth > 0) continue;
      if (choices.length === 0) return [pattern];
      choices.push(pattern.slice(from, at));
      const head = pattern.slice(0, open);
      const tail = pattern.slice(at + 1);
      return choices.flatMap((choice) => spreadBraces(`${head}${choice}${tail}`));
    }
  }
  return [pattern];
}
