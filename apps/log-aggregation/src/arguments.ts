/** The arguments of the app: what may be given, and what is said when it is something else. */

import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ArgumentError, checkOneOf, checkWhole, fromWhereItWasTyped } from '@streamweld/app-kit';
import type { ProgressMode } from '@streamweld/observe/progress';
import { SINKS, type SinkName } from './sinks.ts';
import { wordsIn } from './words.ts';

interface Common {
  readonly folder: string;
  /** Of the door, on 127.0.0.1. Nothing: one that is free, and where to ask is told by the folder. */
  readonly port: number | undefined;
}

export interface RunArguments extends Common {
  readonly command: 'run';
  /** Files of the user. None: the app starts producers of its own. */
  readonly files: readonly string[];
  readonly isFollowed: boolean;
  /** What the producers do, so often. */
  readonly rounds: number;
  readonly isServed: boolean;
  /** What is looked for at the end. Nothing: a word of the logs. */
  readonly query: string | undefined;
  readonly slow: SinkName | undefined;
  readonly dropping: SinkName | undefined;
  /** How many writes of a sink fail. */
  readonly failing: { readonly sink: SinkName; readonly failures: number } | undefined;
  /** With a password in it, perhaps: not to be shown. Nothing: the index is in memory. */
  readonly postgres: string | undefined;
  readonly progress: ProgressMode;
  /** A page shows it too. */
  readonly inspect: boolean;
}

export interface QueryArguments extends Common {
  readonly command: 'query';
  readonly text: string;
}

export type Arguments = RunArguments | QueryArguments;

const DEFAULT_ROUNDS = 4;
const MOST_ROUNDS = 1_000;
const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;
const DEFAULT_FOLDER = join(tmpdir(), 'streamweld-logs');

export const USAGE = `Logs, broadcast to rolling files, metrics for Prometheus, alerts by mail, and a search index.

  npx --yes pnpm@12 example log-aggregation [options]               aggregates logs, and asks what came of it
  npx --yes pnpm@12 example log-aggregation query TEXT [options]    asks an app that serves

  --file PATH      a log of yours, plain or .gz; may be given again. Default: a site and two clients on this
                   machine, which the app starts, and which write an access log and two of JSON
  --follow         with --file: reads what is written later too, until Ctrl-C
  --rounds N       without --file: how often the clients go through the site, from 1 to ${MOST_ROUNDS}. Default: ${DEFAULT_ROUNDS}
  --serve          stays up after the report, until Ctrl-C: /metrics and /search can be asked
  --query TEXT     what is looked for at the end. Default: a word of the logs
  --port N         of 127.0.0.1, for /metrics and /search. Default: one that is free, which is told
  --slow SINK      one of ${SINKS.join(', ')} takes 5 ms longer for each entry
  --drop SINK      it holds nobody back: what it has no room for is dropped, and counted
  --fail SINK:N    its writes fail N times, and are tried again; --fail SINK: they fail for good
  --out DIR        where everything goes. Default: ${DEFAULT_FOLDER}
  --postgres URL   a Postgres of yours for the index. Default: STREAMWELD_POSTGRES_URL, and if that is not set,
                   an index in memory
  --progress HOW   ${PROGRESS_MODES.join(', ')}. Default: auto, which is tty in a terminal, else plain
  --inspect        a page on this machine shows it too: its address is told
  --help           this text

Ctrl-C stops the clients, or the reading of your files; what was read by then comes to its end and is reported. A second one
aborts.`;

/** @throws ArgumentError */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args);
  const folder = fromWhereItWasTyped(checkText('--out', values.out ?? DEFAULT_FOLDER));
  const port = values.port === undefined ? undefined : checkWhole('--port', values.port, 0, 65_535);
  const [command = 'run', ...rest] = positionals;
  if (command === 'query') {
    const given = Object.keys(values).find(
      (name) => !['out', 'port', 'progress'].includes(name) && isGiven(values, name),
    );
    if (given !== undefined)
      throw new ArgumentError(`--${given}: expected without query, got it with query.`);
    return { command, folder, port, text: checkWords('query', rest.join(' ')) };
  }
  if (command !== 'run') throw new ArgumentError(`expected no command, or query, got '${command}'.`);
  if (rest.length > 0) throw new ArgumentError(`expected nothing behind run, got '${rest.join(' ')}'.`);
  const files = values.file.map((path) => checkFile(path, folder));
  if (values.follow && files.length === 0)
    throw new ArgumentError('--follow: expected with --file, got it without.');
  if (values.rounds !== undefined && files.length > 0)
    throw new ArgumentError('--rounds: expected without --file, got it with --file.');
  return {
    command,
    folder,
    port,
    files,
    isFollowed: values.follow,
    rounds: checkWhole('--rounds', values.rounds ?? String(DEFAULT_ROUNDS), 1, MOST_ROUNDS),
    isServed: values.serve,
    query: values.query === undefined ? undefined : checkWords('--query', values.query),
    slow: values.slow === undefined ? undefined : checkOneOf('--slow', values.slow, SINKS),
    dropping: values.drop === undefined ? undefined : checkOneOf('--drop', values.drop, SINKS),
    failing: values.fail === undefined ? undefined : checkFailing(values.fail),
    postgres: checkPostgres(values.postgres),
    progress: checkOneOf('--progress', values.progress, PROGRESS_MODES),
    inspect: values.inspect,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: 'string', multiple: true, default: [] },
        follow: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        serve: { type: 'boolean', default: false },
        query: { type: 'string' },
        port: { type: 'string' },
        slow: { type: 'string' },
        drop: { type: 'string' },
        fail: { type: 'string' },
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

function isGiven(values: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = values[name];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}

/** The folder of the app begins anew with each run: what is in it cannot be read by one. */
function checkFile(given: string, folder: string): string {
  const path = fromWhereItWasTyped(checkText('--file', given));
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    throw new ArgumentError(`--file: expected a file, got '${given}', which is none.`);
  const inside = relative(folder, path);
  if (!inside.startsWith('..') && inside !== path)
    throw new ArgumentError(
      `--file: expected a file outside of ${folder}, which a run makes anew, got '${given}'. Give another --out.`,
    );
  return path;
}

function checkFailing(text: string): { readonly sink: SinkName; readonly failures: number } {
  const [name = '', count, ...rest] = text.split(':');
  const sink = checkOneOf('--fail', rest.length > 0 ? text : name, SINKS);
  return {
    sink,
    failures: count === undefined ? Number.POSITIVE_INFINITY : checkWhole('--fail', count, 1, 1000),
  };
}

function checkText(option: string, text: string): string {
  if (text.trim() !== '') return text;
  throw new ArgumentError(`${option}: expected something, got nothing.`);
}

function checkWords(option: string, text: string): string {
  if (wordsIn(text).length > 0) return text;
  throw new ArgumentError(`${option}: expected words, of letters and digits, got '${text}'.`);
}

/** It is not shown: it may hold a password. */
function checkPostgres(given: string | undefined): string | undefined {
  const [option, url] =
    given === undefined
      ? ['STREAMWELD_POSTGRES_URL', process.env['STREAMWELD_POSTGRES_URL'] || undefined]
      : ['--postgres', given];
  if (url === undefined || (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url))) return url;
  throw new ArgumentError(
    `${option}: expected a URL, postgres://user:password@host/database, got something else.`,
  );
}
