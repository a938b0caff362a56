/** The examples that are there: each app of the repository is one, and its package.json says what it shows. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Example {
  /** Of its folder. */
  readonly name: string;
  /** What it shows, in a line. */
  readonly description: string;
  /** The group it is in, if it is in one: the keyword of its package.json that names it. */
  readonly group: Group | undefined;
  /** The module that runs it, when it is imported, with the arguments of `process.argv`. */
  readonly main: string;
}

export const GROUPS = {
  concurrent: 'concurrent pipelines: one source, one sink, at the same time',
  dispatcher: 'dispatchers: one source, many sinks',
} as const;
export type Group = keyof typeof GROUPS;

/** @param folder of the apps; the repository's own unless a test says otherwise */
export function findExamples(folder: string = join(import.meta.dirname, '../../apps')): Example[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const [about, main] = [join(folder, name, 'package.json'), join(folder, name, 'src/main.ts')];
      if (!existsSync(about) || !existsSync(main)) return [];
      const { description = '', keywords = [] } = JSON.parse(readFileSync(about, 'utf8')) as {
        description?: string;
        keywords?: string[];
      };
      const group = (Object.keys(GROUPS) as Group[]).find((each) => keywords.includes(each));
      return [{ name, description, group, main }];
    });
}

const LABEL = 28;

/**
 * What each is, those of a group below it.
 * @param columns where lines are broken
 */
export function listLines(examples: readonly Example[], columns: number): string[] {
  const line = (name: string, text: string) =>
    wrap(text, Math.max(20, columns - LABEL))
      .map((part, at) => (at === 0 ? `  ${name}` : '').padEnd(LABEL) + part)
      .join('\n');
  const groups = (Object.keys(GROUPS) as Group[]).flatMap((group) => {
    const inside = examples.filter((example) => example.group === group);
    if (inside.length === 0) return [];
    return [line(group, GROUPS[group]), ...inside.map((each) => line(`  ${each.name}`, each.description))];
  });
  const alone = examples.filter(({ group }) => group === undefined);
  const [first, ...rest] = alone.map(({ name, description }) => line(name, description));
  return [...(first === undefined ? [] : [first]), ...groups, ...rest];
}

/** Lines of at most `width` characters, broken between words. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
