/** What may be given, and what is said when it is something else. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { ArgumentError } from '@streamweld/app-kit';
import { TARGETS, type Target } from './file-kind.ts';

export interface Arguments {
  /** Files and folders. None: the show. */
  readonly paths: readonly string[];
  /** Missing for the show alone. */
  readonly to: Target | undefined;
  /** Where the outputs go: beside each input unless it is said. */
  readonly out: string | undefined;
  readonly threads: number;
  readonly types: boolean;
  readonly nullText: string | undefined;
  readonly force: boolean;
  /** Rows of the show. */
  readonly rows: number;
  readonly progress: ProgressChoice;
  readonly inspect: boolean;
}

const PROGRESS = ['auto', 'tty', 'plain', 'json', 'none'] as const;
export type ProgressChoice = (typeof PROGRESS)[number];

const MOST_THREADS = 64;
const MOST_ROWS = 3_000_000;

export const USAGE = `CSV, NDJSON and Parquet into one another, and images: each file a whole task on a worker thread.

  npx --yes pnpm@12 example file-converter [files or folders…] --to FORMAT [options]

  --to FORMAT       ${TARGETS.join(', ')}
                    tables become tables, PNG and JPEG become WebP or AVIF
  --out FOLDER      where the outputs go. Default: beside their inputs
  --threads N       files that are converted at once. Default: one for each processor
  --types           columns of a CSV become numbers, true and false, where each value would be written back as it is.
                    Default: what is in a CSV is text
  --null TEXT       the field of a CSV that stands for null, read or written; '' is the empty one. Default: none does
  --force           replace outputs that are there. Default: they are left as they are, and the file is refused
  --rows N          of the show that runs without arguments. Default: 480000
  --progress HOW    on stderr: ${PROGRESS.join(', ')}. Default: auto
  --inspect         a page on this machine shows it too: its address is told
  --help            this text

Of a folder, all files that can become the format are converted, those in folders within it too. An output appears when
it is whole, and no input is touched. A file that cannot be converted without a loss is refused, with the reason; the
others go on, and the exit code is 1. Ctrl-C finishes the files that are under way; a second one gives them up.`;

/** @throws ArgumentError */
export function readArguments(args: readonly string[]): Arguments {
  const { values, positionals: paths } = parse(args);
  const to = values.to === undefined ? undefined : oneOf('--to', values.to, TARGETS);
  const { types, force, inspect, out } = values;
  const nullText = values.null;
  if (paths.length > 0 && to === undefined)
    throw new ArgumentError(`--to: expected one of ${TARGETS.join(', ')}, got nothing.`);
  if (paths.length === 0) {
    const given = Object.entries({
      '--to': to,
      '--null': nullText,
      '--types': types || undefined,
      '--force': force || undefined,
    });
    const [option] = given.find(([, value]) => value !== undefined) ?? [];
    if (option !== undefined)
      throw new ArgumentError(`${option}: expected files or folders beside it, got none.`);
  }
  if (nullText !== undefined && /["\r\n,]/.test(nullText))
    throw new ArgumentError(
      '--null: expected a text without commas, quotes and line ends, got one with them.',
    );
  return {
    paths,
    to,
    out,
    threads:
      readCount('--threads', values.threads, MOST_THREADS) ?? Math.min(availableParallelism(), MOST_THREADS),
    types,
    nullText,
    force,
    rows: readCount('--rows', values.rows, MOST_ROWS) ?? 480_000,
    progress: oneOf('--progress', values.progress, PROGRESS),
    inspect,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        out: { type: 'string' },
        threads: { type: 'string' },
        types: { type: 'boolean', default: false },
        null: { type: 'string' },
        force: { type: 'boolean', default: false },
        rows: { type: 'string' },
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readCount(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new ArgumentError(`${option}: expected a whole number from 1 to ${most}, got '${text}'.`);
}

function oneOf<const V extends string>(option: string, text: string, values: readonly V[]): V {
  const value = values.find((each) => each === text);
  if (value !== undefined) return value;
  throw new ArgumentError(`${option}: expected one of ${values.join(', ')}, got '${text}'.`);
}
