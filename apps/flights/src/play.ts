/** The demo, from its first line to the proof. */

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GracefulShutdown } from '@streamweld/core';
import { compare } from './act-one.ts';
import { survive } from './act-three.ts';
import { broadcast, demand, partition } from './act-two.ts';
import type { AlertsTopic } from './alerts-topic.ts';
import type { Arguments } from './arguments.ts';
import type { Check } from './checks.ts';
import { Database, type Hour } from './database.ts';
import type { FlightsArchive } from './flights-archive.ts';
import { megabytes, seconds, whole } from './numbers.ts';
import { startOwn } from './postgres.ts';
import type { Progress } from './progress.ts';
import { type Done, prove } from './proof.ts';
import * as report from './report.ts';
import type { Stage } from './stage.ts';

/** @returns whether what must hold does */
export async function play(
  given: Arguments,
  progress: Progress,
  shutdown: GracefulShutdown,
): Promise<boolean> {
  const checks = await playAll(given, progress, shutdown);
  shutdown.signal.throwIfAborted();
  print([
    `${shutdown.isWanted ? 'Stopped' : 'Done'} after ${seconds(performance.now())}, at most ${megabytes(process.resourceUsage().maxRSS * 1024)} of memory`,
  ]);
  return checks.every(({ holds }) => holds);
}

/** When it is over, well or not, no server of ours is left. */
async function playAll(given: Arguments, progress: Progress, shutdown: GracefulShutdown): Promise<Check[]> {
  const { limit, folder, postgres } = given;
  await prepare(folder);
  process.stdout.write(`StreamWeld · ${whole(limit)} flights, files in ${folder}\n`);
  const alerts = await findAlerts(given, progress, shutdown.signal);
  const archive = await findArchive(given, progress, shutdown.signal);
  const begunAt = performance.now();
  await using server =
    postgres === 'own'
      ? await progress.meanwhile('Postgres starts', () => startOwn(shutdown.signal))
      : undefined;
  const url = postgres === 'own' ? server?.url : postgres === 'none' ? undefined : postgres.url;
  await using database = url === undefined ? undefined : await Database.open(url, shutdown.signal);
  print([
    report.databaseLine(database, server && performance.now() - begunAt),
    ...report.kafkaLines(alerts !== undefined),
    ...report.s3Lines(archive),
  ]);
  return await perform({ ...given, database, alerts, archive, progress, shutdown }, given.act);
}

/** Where the alerts of act 2 go to, if somewhere: it is known before anything is begun. Without it no Kafka is loaded. */
async function findAlerts(
  { brokers, act }: Arguments,
  progress: Progress,
  signal: AbortSignal,
): Promise<AlertsTopic | undefined> {
  if (brokers === undefined || (act !== 'all' && act !== '2')) return undefined;
  return progress.meanwhile('Kafka is looked for', async () => {
    const { AlertsTopic } = await import('./alerts-topic.ts');
    return AlertsTopic.open(brokers, signal);
  });
}

/** Where all flights of act 2 go to, likewise. */
async function findArchive(
  { s3, act }: Arguments,
  progress: Progress,
  signal: AbortSignal,
): Promise<FlightsArchive | undefined> {
  if (s3 === undefined || (act !== 'all' && act !== '2')) return undefined;
  // What the SDK has to say of Node 20 is nothing that whoever watches a demo can do something about.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  return progress.meanwhile('S3 is looked for', async () => {
    const { FlightsArchive } = await import('./flights-archive.ts');
    return FlightsArchive.open(s3, signal);
  });
}

/** The acts, one after the other, each with its report. A Ctrl-C leaves out what has not begun, but not the proof. */
async function perform(stage: Stage, act: Arguments['act']): Promise<Check[]> {
  const { database, shutdown } = stage;
  const done: Done = {};
  const isOn = (which: '1' | '2' | '3') => (act === 'all' || act === which) && !shutdown.isWanted;
  if (isOn('1') && database !== undefined) {
    print(report.comparisonLines((done.comparison = await compare(stage, database))));
  }
  if (isOn('2')) print(report.broadcastLines((done.broadcast = await broadcast(stage))));
  if (isOn('2')) print(report.demandLines((done.demand = await demand(stage))));
  if (isOn('2')) print(report.partitionLines((done.partition = await partition(stage))));
  if (isOn('3')) print(report.survivalLines((done.survival = await survive(stage))));
  const checks = await prove(stage, done);
  // Where a Ctrl-C came before anything was begun, there is nothing to prove.
  if (checks.length > 0) print(report.checkLines(checks));
  print([
    ...report.answerLines(done.broadcast, done.partition),
    ...report.hourLines(await hours(database, done)),
  ]);
  return checks;
}

/** An answer that the database gives by itself, of a table that has the flights. */
async function hours(database: Database | undefined, { broadcast, survival }: Done): Promise<Hour[]> {
  if (database === undefined || (broadcast ?? survival) === undefined) return [];
  return database.hours(broadcast === undefined ? 'survived' : 'broadcast');
}

/** Files of airports that an earlier run has left would be taken for ours. */
async function prepare(folder: string): Promise<void> {
  const airports = join(folder, 'airports');
  await mkdir(airports, { recursive: true });
  for (const name of await readdir(airports)) {
    if (/^[A-Z]{3}\.ndjson\.gz$/.test(name)) await rm(join(airports, name));
  }
}

function print(lines: readonly string[]): void {
  if (lines.length === 0) return;
  process.stdout.write(`${lines.join('\n')}\n\n`);
}
