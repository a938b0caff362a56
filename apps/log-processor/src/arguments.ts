/** The arguments of the app: what may be given, and what is said when it is something else. */

import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ArgumentError,
  checkOneOf,
  checkPath,
  checkPostgres,
  checkWhole,
  fromWhereItWasTyped,
} from '@streamweld/app-kit';
import type { ProgressMode } from '@streamweld/observe/progress';

/** Where the tables are. In a database of yours it is the only thing that is touched. */
export const SCHEMA = 'streamweld_logs';

export interface Arguments {
  /** What is read: logs of the user's, or that of a site that is started and asked. */
  readonly input: Files | Site;
  readonly folder: string;
  /** A server of the user's, or one of the app's own. */
  readonly postgres: { readonly url: string } | 'own';
  /** What earlier runs have stored is given up. */
  readonly isNew: boolean;
  /** Whether reading and writing at once is measured against one after the other. */
  readonly isCompared: boolean;
  readonly progress: ProgressMode;
  /** A page shows it too. */
  readonly inspect: boolean;
}

interface Files {
  /** Absolute paths, or globs. */
  readonly paths: readonly string[];
  readonly isFollowed: boolean;
}

interface Site {
  readonly requests: number;
}

const DEFAULT_REQUESTS = 20_000;
const MOST_REQUESTS = 1_000_000;
const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;
const DEFAULT_FOLDER = join(tmpdir(), 'streamweld-logs');

export const USAGE = `Access logs into Postgres, each line once, and a report by SQL.

  npx --yes pnpm@12 example log-processor [options]                   starts a site, asks for its pages, follows its log
  npx --yes pnpm@12 example log-processor --file access.log [options]     reads your logs, in the combined format

  --requests N     how many the site is asked, from 1 to ${MOST_REQUESTS}. Default: ${DEFAULT_REQUESTS}
  --file PATH      a log of yours, or a glob as 'logs/*.log*'; .gz is unzipped. May be given again
  --follow         goes on with what is written to them, also when they are rotated, until Ctrl-C
  --new            gives up what earlier runs have stored: they are gone on with otherwise
  --no-compare     does not measure what is gained over reading and writing one after the other
  --out DIR        where the log of the site, damaged lines and the data of the brought-along server go.
                   Default: ${DEFAULT_FOLDER}
  --postgres URL   a Postgres of yours: the app has the schema ${SCHEMA} there, and leaves it.
                   Default: STREAMWELD_POSTGRES_URL, and if that is not set a server that the app brings along
  --progress HOW   ${PROGRESS_MODES.join(', ')}. Default: auto, which is tty in a terminal, else plain
  --inspect        a page on this machine shows it too: its address is told
  --help           this text

Ctrl-C finishes what is on its way and still reports; the same command goes on from there. A second one aborts.`;

/** @throws ArgumentError */
export function parseArguments(args: readonly string[]): Arguments {
  const values = parse(args);
  return {
    input: checkInput(values),
    folder: fromWhereItWasTyped(checkPath('--out', values.out ?? DEFAULT_FOLDER)),
    postgres: checkPostgres(values.postgres),
    isNew: values.new,
    isCompared: !values['no-compare'],
    progress: checkOneOf('--progress', values.progress, PROGRESS_MODES),
    inspect: values.inspect,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        requests: { type: 'string' },
        file: { type: 'string', multiple: true },
        follow: { type: 'boolean', default: false },
        new: { type: 'boolean', default: false },
        'no-compare': { type: 'boolean', default: false },
        out: { type: 'string' },
        postgres: { type: 'string' },
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function checkInput({ file, follow, requests }: ReturnType<typeof parse>): Files | Site {
  if (file === undefined) {
    if (follow)
      throw new ArgumentError(
        '--follow: expected with --file, got it without: the log of the site is always followed.',
      );
    return { requests: checkWhole('--requests', requests ?? String(DEFAULT_REQUESTS), 1, MOST_REQUESTS) };
  }
  if (requests !== undefined)
    throw new ArgumentError('--requests: expected without --file, got it with --file.');
  return { paths: file.map((given) => checkFile(given, follow)), isFollowed: follow };
}

/** A file that is followed may be still to come, and a glob may match it later. */
function checkFile(given: string, isFollowed: boolean): string {
  const path = fromWhereItWasTyped(checkPath('--file', given));
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true || (found === undefined && (isFollowed || /[*?[\]{}]/.test(given))))
    return path;
  throw new ArgumentError(
    `--file: expected a log, got '${given}', which is ${found === undefined ? 'not there' : 'no file'}.`,
  );
}
