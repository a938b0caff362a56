/** What may be given, and what is said when it is something else. */

import { parseArgs } from 'node:util';
import { ArgumentError } from '@streamweld/app-kit';
import { MODES, type Mode, RULES } from './modes.ts';
import type { Settings } from './pipeline.ts';

export interface Arguments {
  /** Nothing was said: in a terminal it is asked for, elsewhere it is all of them. */
  readonly modes: readonly Mode[] | undefined;
  /** Without `items`, which depends on whether somebody watches, where they were not given. */
  readonly settings: Omit<Settings, 'items'>;
  readonly items: number | undefined;
  /** The table, also where somebody could watch. */
  readonly table: boolean;
  readonly progress: ProgressChoice;
  /** Whether a page shows it too. */
  readonly inspect: boolean;
}

const PROGRESS = ['auto', 'tty', 'plain', 'json', 'none'] as const;
type ProgressChoice = (typeof PROGRESS)[number];

export const TABLE_ITEMS = 250;
const MOST_ITEMS = 10_000_000;
/** Longer, and a change of speed would seem to do nothing. */
const MOST_MS = 1000;
const MOST_SINKS = 8;

export const USAGE = `One source and some sinks, joined in five ways: watched in the terminal, or compared in a table.

  npx --yes pnpm@12 example concurrency-vs-dispatch [options]

  --mode NAMES      one or several, or all:
${MODES.map((mode) => `                      ${mode.padEnd(12)}${RULES[mode]}`).join('\n')}
                    Default: in a terminal it is asked for, elsewhere all
  --source TIME     what an item takes the source, as 2ms or 0.5ms. Default: 2ms
  --sinks TIMES     what an item takes each sink, of 1 to ${MOST_SINKS}. Default: 5ms,10ms,20ms
                    sequential and concurrent have the first alone
  --items N         how many. Default: ${TABLE_ITEMS} for the table; who watches ends it
  --buffer N        the most items in a buffer. Default: 10; sequential has 1, and demand 2 for each sink
  --seed N          which keys come in which order, for partition. Default: 1
  --table           the table also in a terminal
  --progress HOW    beside the table, on stderr: ${PROGRESS.join(', ')}. Default: auto
  --inspect         a page on this machine shows it too: its address is told
  --help            this text

The work of source and sinks is timed waiting; pipelines and dispatchers are real. Every run is proved from what
the sinks noted; the exit code is 1 where a proof fails.
In a terminal, one mode is watched, and keys change the speeds. Ctrl-C delivers what is on its way; a second one ends it.`;

/** @throws ArgumentError */
export function readArguments(args: readonly string[]): Arguments {
  const given = parse(args);
  return {
    modes: given.mode === undefined ? undefined : readModes(given.mode),
    settings: {
      sourceMs: readTime('--source', given.source),
      sinksMs: readSinks(given.sinks),
      bufferSize: readCount('--buffer', given.buffer, 1, 1000),
      seed: readCount('--seed', given.seed, 0, 2 ** 31 - 1),
    },
    items: given.items === undefined ? undefined : readCount('--items', given.items, 1, MOST_ITEMS),
    table: given.table,
    inspect: given.inspect,
    progress: oneOf('--progress', given.progress, PROGRESS),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        mode: { type: 'string' },
        source: { type: 'string', default: '2ms' },
        sinks: { type: 'string', default: '5ms,10ms,20ms' },
        items: { type: 'string' },
        buffer: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        table: { type: 'boolean', default: false },
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readModes(text: string): readonly Mode[] {
  if (text === 'all') return MODES;
  return [...new Set(text.split(',').map((name) => oneOf('--mode', name.trim(), [...MODES, 'all'])))].flatMap(
    (mode) => (mode === 'all' ? MODES : [mode]),
  );
}

/** `'2ms'`, `'0.5 ms'`, `'1s'` or a number of milliseconds. */
export function readTime(option: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?(ms|s)?$/.exec(text.trim()) ?? [];
  const ms = Number(number) * (unit === 's' ? 1000 : 1);
  if (number !== undefined && ms <= MOST_MS) return ms;
  throw new ArgumentError(`${option}: expected a time from 0ms to 1s, as 2ms or 0.5ms, got '${text}'.`);
}

export function readSinks(text: string): readonly number[] {
  const times = text.split(',');
  if (times.length <= MOST_SINKS) return times.map((time) => readTime('--sinks', time));
  throw new ArgumentError(`--sinks: expected 1 to ${MOST_SINKS} times, as 5ms,20ms, got ${times.length}.`);
}

function readCount(option: string, text: string, least: number, most: number): number {
  const value = /^\d[\d,_]*$/.test(text) ? Number(text.replaceAll(/[,_]/g, '')) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ArgumentError(
    `${option}: expected a whole number from ${least} to ${most.toLocaleString('en-US')}, got '${text}'.`,
  );
}

function oneOf<const V extends string>(option: string, text: string, values: readonly V[]): V {
  const value = values.find((each) => each === text);
  if (value !== undefined) return value;
  throw new ArgumentError(`${option}: expected one of ${values.join(', ')}, got '${text}'.`);
}
