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
export const SCHEMA = 'streamweld_orders';

interface Common {
  readonly folder: string;
  /** A server of the user's, or one of the app's own. */
  readonly postgres: { readonly url: string } | 'own';
  readonly progress: ProgressMode;
  /** A page shows it too. */
  readonly inspect: boolean;
}

export interface RunArguments extends Common {
  readonly command: 'run';
  readonly orders: number;
  readonly seed: number;
  /** An earlier run that did not come to its end is given up. */
  readonly isNew: boolean;
}

export interface ReplayArguments extends Common {
  readonly command: 'replay';
  /** Of dead letters. */
  readonly file: string;
  readonly isMended: boolean;
}

export type Arguments = RunArguments | ReplayArguments;

const DEFAULT_ORDERS = 4_000;
const MOST_ORDERS = 100_000;
const MOST_SEED = 2_147_483_647;
const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;
const DEFAULT_FOLDER = join(tmpdir(), 'streamweld-orders');

export const USAGE = `Orders, broadcast to payment, inventory, e-mail and analytics; and dead letters that are put right.

  npx --yes pnpm@12 example order-processing [options]                processes orders, or goes on with them
  npx --yes pnpm@12 example order-processing replay FILE [options]    pays what is in a file of dead letters

  --orders N       how many, from 1 to ${MOST_ORDERS}. Default: ${DEFAULT_ORDERS}
  --seed N         which ones, from 0 to ${MOST_SEED}: the same seed makes the same orders. Default: 1
  --new            begins anew, also where a run did not come to its end
  --mended         of a replay: the issuers have lifted the blocks of their cards
  --out DIR        where mails, dead letters and the data of the brought-along server go.
                   Default: ${DEFAULT_FOLDER}
  --postgres URL   a Postgres of yours: the app has the schema ${SCHEMA} there, and leaves it.
                   Default: STREAMWELD_POSTGRES_URL, and if that is not set a server that the app brings along
  --progress HOW   ${PROGRESS_MODES.join(', ')}. Default: auto, which is tty in a terminal, else plain
  --inspect        a page on this machine shows it too: its address is told
  --help           this text

Ctrl-C finishes what is on its way and still reports; the same command goes on from there. A second one aborts.`;

/** @throws ArgumentError */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args);
  const common: Common = {
    folder: fromWhereItWasTyped(checkPath('--out', values.out ?? DEFAULT_FOLDER)),
    postgres: checkPostgres(values.postgres),
    progress: checkOneOf('--progress', values.progress, PROGRESS_MODES),
    inspect: values.inspect,
  };
  const [command = 'run', ...rest] = positionals;
  if (command === 'replay') return { ...common, ...checkReplay(values, rest) };
  if (command !== 'run') throw new ArgumentError(`expected no command, or replay, got '${command}'.`);
  if (rest.length > 0) throw new ArgumentError(`expected nothing behind run, got '${rest.join(' ')}'.`);
  if (values.mended) throw new ArgumentError('--mended: expected with replay, got it without.');
  return {
    ...common,
    command,
    orders: checkWhole('--orders', values.orders ?? String(DEFAULT_ORDERS), 1, MOST_ORDERS),
    seed: checkWhole('--seed', values.seed ?? '1', 0, MOST_SEED),
    isNew: values.new,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        orders: { type: 'string' },
        seed: { type: 'string' },
        new: { type: 'boolean', default: false },
        mended: { type: 'boolean', default: false },
        out: { type: 'string' },
        postgres: { type: 'string' },
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function checkReplay(
  { orders, seed, new: isNew, mended }: ReturnType<typeof parse>['values'],
  rest: readonly string[],
): Pick<ReplayArguments, 'command' | 'file' | 'isMended'> {
  for (const [option, isGiven] of [
    ['--orders', orders !== undefined],
    ['--seed', seed !== undefined],
    ['--new', isNew],
  ] as const) {
    if (isGiven) throw new ArgumentError(`${option}: expected without replay, got it with replay.`);
  }
  const [given] = rest;
  if (given === undefined || rest.length > 1) {
    throw new ArgumentError(`replay: expected one file of dead letters, got ${rest.length}.`);
  }
  const file = fromWhereItWasTyped(checkPath('replay', given));
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new ArgumentError(
      `replay: expected a file of dead letters, as a run names it at its end, got '${given}', which is none.`,
    );
  }
  return { command: 'replay', file, isMended: mended };
}
