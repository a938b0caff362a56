/** What may be given, and what is said when it is something else. */

import { parseArgs } from 'node:util';
import { ArgumentError, checkWhole } from '@streamweld/app-kit';

export interface Arguments {
  /** How many words are counted. */
  readonly words: number;
}

export const USAGE = `Counts words.

  npx --yes pnpm@12 example template-name [options]

  --words N  how many. Default: 10,000
  --help     this text`;

/** @throws ArgumentError */
export function readArguments(args: readonly string[]): Arguments {
  return { words: checkWhole('--words', parse(args).words, 1, 10_000_000) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { words: { type: 'string', default: '10000' } } }).values;
  } catch (error) {
    throw new ArgumentError((error as Error).message);
  }
}
