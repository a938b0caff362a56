/** Puts to the test what a run has left behind, and asks its doors as a user would. */

import type { SinkStatus } from '@streamweld/core';
import type { RunArguments } from './arguments.ts';
import { askMetrics, askSearch } from './ask.ts';
import {
  type Account,
  type Check,
  checkAccount,
  checkAlerts,
  checkFiles,
  checkLogs,
  checkMetrics,
  checkQuery,
  checkSearch,
  someWords,
} from './checks.ts';
import type { Door } from './door.ts';
import { expectedOf, type Line, linesOf } from './expected.ts';
import { findAlerts, findCounts, findFiles, findSetAside } from './found.ts';
import type { Folder } from './folder.ts';
import type { Logs } from './logs.ts';
import * as report from './report.ts';
import type { Read } from './run.ts';
import type { SearchIndex } from './search.ts';
import type { SinkName } from './sinks.ts';

/** Words that are looked for, of all that there are. */
const MOST_WORDS = 300;
/** A word that no log holds. */
const NOWHERE = 'thiswordstandsinnolog';

export interface Ran {
  readonly given: RunArguments;
  readonly folder: Folder;
  readonly logs: Logs;
  readonly read: Read;
  readonly sinks: readonly SinkStatus[];
  readonly index: SearchIndex;
  readonly door: Door;
  readonly print: (lines: readonly string[]) => void;
}

/** @returns whether all of it holds. */
export async function prove(ran: Ran): Promise<boolean> {
  const { given, folder, logs, read, sinks, index, door, print } = ran;
  const lines = expectedOf(logs.all);
  const accounts = new Map(sinks.map((status) => [status.name, accountOf(status, folder)]));
  const exposition = await askMetrics(door.url);
  const checks: Check[] = [
    checkLogs(read.isWhole ? countLines(logs) : undefined, read.result.read, lines.length),
    ...[...accounts.values()].map((account) => checkAccount(account, lines.length)),
  ];
  // Of a sink that was given up it is said above that it lacks something.
  const of = async (name: SinkName, check: (its: readonly Line[]) => Check[] | Promise<Check[]>) => {
    const account = accounts.get(name);
    if (account === undefined || account.isGivenUp) return;
    const left = new Set([...account.dropped, ...account.missed]);
    checks.push(...(await check(lines.filter(({ id }) => !left.has(id)))));
  };
  await of('files', (its) => checkFiles(findFiles(folder.files), its));
  await of('metrics', (its) => [checkMetrics(findCounts(exposition), its)]);
  await of('alerts', async (its) => [checkAlerts(await findAlerts(folder.mailbox), its)]);
  const query = given.query ?? (given.files.length === 0 ? 'workspaces' : longestWord(lines));
  const found = await askSearch(door.url, query, 20).catch((error: unknown) => (error as Error).message);
  const path = `${door.url}/search?q=${encodeURIComponent(query)}`;
  await of('search', async (its) => {
    const find = async (word: string) =>
      (await index.find([word], Number.POSITIVE_INFINITY)).hits.map(({ id }) => id);
    const total = typeof found === 'string' ? undefined : found.total;
    return [
      await checkSearch([...someWords(its, MOST_WORDS), NOWHERE], find, its),
      checkQuery(query, total, its),
    ];
  });
  print([
    ...report.checkLines(checks),
    '',
    ...report.metricLines(door.url, exposition),
    ...(typeof found === 'string' ? [`Asked · ${found}`] : report.foundLines(query, found, path)),
    '',
  ]);
  return checks.every(({ holds }) => holds);
}

function countLines(logs: Logs): number {
  return logs.all.reduce((sum, { path }) => sum + linesOf(path).length, 0);
}

function accountOf({ name, delivered, state }: SinkStatus, folder: Folder): Account {
  const sink = name as SinkName;
  return {
    sink,
    delivered,
    dropped: findSetAside(folder.droppedBy(sink)),
    missed: findSetAside(folder.missedBy(sink)),
    isGivenUp: state === 'detached',
  };
}

/** Of the last line: whoever looks for it finds something. */
function longestWord(lines: readonly Line[]): string {
  const words = [...(lines.at(-1)?.words ?? [])].filter((word) => /\p{L}/u.test(word));
  return words.sort((one, other) => other.length - one.length)[0] ?? NOWHERE;
}
