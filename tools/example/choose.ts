/** Which example is meant by what was typed. */

import { type Example, GROUPS, type Group } from './examples.ts';

export type Choice =
  | { readonly kind: 'run'; readonly example: Example; readonly args: readonly string[] }
  /** It is for whoever typed it to say which. */
  | {
      readonly kind: 'ask';
      readonly group: Group;
      readonly among: readonly Example[];
      readonly args: readonly string[];
    }
  | { readonly kind: 'list' }
  | { readonly kind: 'unknown'; readonly message: string };

/** @param typed what came after `example` */
export function choose(typed: readonly string[], examples: readonly Example[]): Choice {
  const [name, ...args] = withoutDashes(typed);
  if (name === undefined || name === '--help' || name === '-h') return { kind: 'list' };
  const example = examples.find((each) => each.name === name);
  if (example !== undefined) return { kind: 'run', example, args: withoutDashes(args) };
  if (!isGroup(name)) return { kind: 'unknown', message: `There is no example '${name}'.` };
  const among = examples.filter((each) => each.group === name);
  if (among.length === 0) return { kind: 'unknown', message: `There is no example of '${name}' here.` };
  // `example concurrent web-scraper`, too.
  const [inside, ...rest] = args;
  const named = among.find((each) => each.name === inside);
  if (named !== undefined) return { kind: 'run', example: named, args: withoutDashes(rest) };
  if (inside !== undefined && !inside.startsWith('-'))
    return { kind: 'unknown', message: `There is no example '${inside}' of '${name}'.` };
  return { kind: 'ask', group: name, among, args: withoutDashes(args) };
}

/** `pnpm example -- …` passes the two dashes on, and whoever is used to npm types them behind the name too. */
function withoutDashes(args: readonly string[]): readonly string[] {
  return args[0] === '--' ? args.slice(1) : args;
}

function isGroup(name: string): name is Group {
  return Object.hasOwn(GROUPS, name);
}
