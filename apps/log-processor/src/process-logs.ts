/** One run: from the first line that is not stored yet to the proof. */

import { join } from 'node:path';
import type { ConcurrentPipeline, RunReport } from '@streamweld/core';
import type { FilePosition } from '@streamweld/file';
import type { RequestRow } from './access-line.ts';
import type { Arguments } from './arguments.ts';
import { AskedSite, DAMAGED, SITE_LOG } from './asked-site.ts';
import { type Check, checkAnswers, checkLines, checkSums, type Counted } from './checks.ts';
import { compare } from './compare.ts';
import { DAMAGED_LINES, type Damaged, readDamaged } from './damaged-lines.ts';
import { findAnswered, findFigures, findStored } from './found.ts';
import { countFile } from './independent-count.ts';
import { LogSource } from './log-source.ts';
import { findLogs, type ReadLog } from './logs.ts';
import { countOf, seconds } from './numbers.ts';
import { processing } from './pipeline.ts';
import * as report from './report.ts';
import type { Stage } from './stage.ts';
import { watching } from './watching.ts';

/** @returns whether what must hold does. */
export async function processLogs(given: Arguments, stage: Stage): Promise<boolean> {
  const { database, shutdown, print } = stage;
  const [{ rows } = { rows: 0 }] = await database.query<{ rows: number }>(
    'select count(*)::float8 as rows from requests',
  );
  if (rows > 0) print([`Goes on with ${countOf(rows, 'request')} that are stored`]);
  const damaged = join(given.folder, DAMAGED_LINES);
  const { run, isWhole, checks: ofInput } = await read(given, stage, damaged);
  print(['', ...report.runLines(run), '']);

  const letters = await readDamaged(damaged);
  const positions = run.positions as ReadonlyMap<string, FilePosition>;
  const logs = await findLogs(database, letters, positions);
  const counted = await count(logs, letters, isWhole);
  const stored = await findStored(
    database,
    logs.filter(({ path }) => path !== undefined),
  );
  const checks = [...checkLines(counted, stored), ...checkSums(counted, stored), ...(await ofInput())];
  const figures = await findFigures(database);
  if (figures !== undefined) print([...report.figureLines(figures), '']);
  if (given.isCompared && !shutdown.isWanted) {
    const { lines, check } = await compare(logs, stage);
    print([...lines, '']);
    if (check !== undefined) checks.push(check);
  }
  print([
    ...report.checkLines(checks),
    ...report.goneLines(logs),
    '',
    ...report.damagedLines(letters, damaged),
    `${shutdown.isWanted ? 'Stopped' : 'Done'} after ${seconds(performance.now())}`,
  ]);
  return checks.every(({ holds }) => holds);
}

interface Read {
  readonly run: RunReport;
  /** Whether a file was read to its end, and nobody has written to it since. */
  readonly isWhole: (log: ReadLog) => boolean;
  /** What only this input can be asked. */
  readonly checks: () => Promise<readonly Check[]>;
}

async function read(given: Arguments, stage: Stage, damaged: string): Promise<Read> {
  const { database, shutdown } = stage;
  const notice = (told: Error) => process.stderr.write(`${told.message}\n`);
  const { input } = given;
  if ('requests' in input) return readSite(input.requests, given, stage, damaged);
  const source = new LogSource(input.paths, input.isFollowed, notice);
  const pipeline = processing({ source, database: database.url, damaged });
  await using _page = await watching(pipeline, given, undefined);
  const begunAt = Date.now();
  const run = await shutdown.run(pipeline);
  const isWhole = ({ file, mtimeMs }: ReadLog) =>
    run.outcome === 'completed' && mtimeMs < begunAt && (input.paths.includes(file) || source.seen.has(file));
  return { run, isWhole, checks: () => Promise.resolve([]) };
}

/** The log is followed while the requests that make it are answered; at their end, or at a Ctrl-C, it is read to its end. */
async function readSite(requests: number, given: Arguments, stage: Stage, damaged: string): Promise<Read> {
  const { database, shutdown, print } = stage;
  const log = join(given.folder, SITE_LOG);
  await using site = await AskedSite.start(log, requests);
  print([`The site is npm's manual, at ${site.url}; its log is ${log}`]);
  const source = new LogSource([log], true, (told) => process.stderr.write(`${told.message}\n`));
  const pipeline = processing({ source, database: database.url, damaged });
  await using _page = await watching(pipeline, given, requests + DAMAGED);
  const begunAt = performance.now();
  const { askedMs, run } = await shutdown.while({ drain: () => site.visitors.stop() }, () =>
    together(pipeline, site, source, shutdown.signal),
  );
  const behindMs = performance.now() - begunAt - askedMs;
  print(['', ...report.siteLines(site.visitors, askedMs, behindMs)]);
  const checks = async () => {
    const answered = await findAnswered(database, log, site.linesBefore);
    return [checkAnswers(site.visitors.byStatus, answered)];
  };
  return { run, isWhole: ({ file }) => file === log, checks };
}

async function together(
  pipeline: ConcurrentPipeline<RequestRow>,
  site: AskedSite,
  source: LogSource,
  signal: AbortSignal,
): Promise<{ readonly askedMs: number; readonly run: RunReport }> {
  const running = pipeline.run({ signal });
  // Nobody is asked any more where nothing is stored any more.
  running.catch(() => site.visitors.stop());
  const asking = site.askAndRead(source).then(
    async (asked) => {
      await pipeline.drain().catch(() => {});
      return asked;
    },
    async (error: unknown) => {
      await pipeline.abort(error);
      throw error;
    },
  );
  const [run, { askedMs }] = await Promise.all([running, asking]);
  return { run, askedMs };
}

async function count(
  logs: readonly ReadLog[],
  letters: readonly Damaged[],
  isWhole: Read['isWhole'],
): Promise<Counted[]> {
  const counted: Counted[] = [];
  for (const log of logs) {
    const { file, incarnation, path, limit } = log;
    if (path === undefined) continue;
    const { behind, ...found } = await countFile(path, limit);
    counted.push({
      file,
      count: found,
      missed: isWhole(log) ? behind : 0,
      damaged: letters.filter((each) => each.file === file && each.incarnation === incarnation),
    });
  }
  return counted;
}
