/** One run: from the first line to the proof, and, where it is asked for, as long as it is wanted after that. */

import { appendFileSync, mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Refusal } from '@streamweld/app-kit';
import { type GracefulShutdown, isStreamWeldError } from '@streamweld/core';
import { Alerts } from './alerts.ts';
import type { RunArguments } from './arguments.ts';
import { addressFile, isServed } from './ask.ts';
import { Door } from './door.ts';
import type { Entry } from './entry.ts';
import { Folder } from './folder.ts';
import { findSetAside } from './found.ts';
import { Logs } from './logs.ts';
import { MailServer } from './mail-server.ts';
import { Metrics } from './metrics.ts';
import { seconds } from '@streamweld/app-kit/numbers';
import { aggregating } from './pipeline.ts';
import { Producers } from './producers.ts';
import { prove } from './prove.ts';
import * as report from './report.ts';
import { run } from './run.ts';
import { MemoryIndex } from './search-memory.ts';
import { PostgresIndex } from './search-postgres.ts';
import type { SinkName } from './sinks.ts';
import { watching } from './watching.ts';

/** By which `--slow` slows a sink down, for each entry. */
const SLOW_MS = 5;

/** @returns whether what must hold does. */
export async function aggregate(given: RunArguments, shutdown: GracefulShutdown): Promise<boolean> {
  if (await isServed(given.folder)) throw inUse(given.folder);
  const folder = await Folder.begin(given.folder);
  const isOwn = given.files.length === 0;
  print([
    `StreamWeld · ${isOwn ? 'the logs of a site and of two clients that ask it' : `${given.files.length} of your files`}, everything in ${folder.path}`,
  ]);
  await using server = given.postgres === undefined ? undefined : await PostgresIndex.open(given.postgres);
  const index = server ?? new MemoryIndex();
  const metrics = new Metrics();
  await using mails = await MailServer.start(folder.mailbox);
  await using door = await Door.open(given.port ?? 0, metrics, index);
  await writeFile(addressFile(folder.path), `${door.url}\n`);
  print([
    `Counters at ${door.url}/metrics, entries at ${door.url}/search?q=words`,
    `The index is ${index.whereabouts}`,
    `Alerts go by SMTP to 127.0.0.1:${mails.port}, and are kept in ${folder.mailbox}`,
  ]);

  await using producers = isOwn ? await Producers.start(folder.logs, given.rounds) : undefined;
  const logs = new Logs(producers?.paths ?? given.files, isOwn || given.isFollowed);
  const built = await aggregating({
    logs: logs.all,
    folder: folder.files,
    sinks: { metrics, alerts: new Alerts(mails.port, say), search: index },
    troubles: troublesOf(given),
    missed: (sink) => folder.missedBy(sink),
    dropping: droppingOf(given, folder),
  });
  metrics.watch(() => built.dispatcher.sinks());
  await using _page = await watching(built.pipeline, given);
  const read = await run(built.pipeline, logs, producers, given.isFollowed, shutdown).catch(
    (error: unknown) => {
      throw withoutRecord(error) ?? error;
    },
  );
  const setAside = (sink: string) => findSetAside(folder.missedBy(sink as SinkName)).length;
  print(['', ...report.broadcastLines(read.result, built.dispatcher.sinks(), setAside), '']);
  const holds = await prove({
    given,
    folder,
    logs,
    read,
    sinks: built.dispatcher.sinks(),
    index,
    door,
    print,
  });
  print([`Done after ${seconds(performance.now())}`]);
  if (given.isServed && !shutdown.isWanted) await serve(door, shutdown);
  return holds;
}

/** What it has would be taken away from it. */
function inUse(folder: string): Refusal {
  return new Refusal(
    'LOGS_FOLDER_IN_USE',
    `An app that runs has its files in ${folder}. End it by Ctrl-C, or give another folder by --out.`,
  );
}

/** Of all sinks only the files make a run fail. */
function withoutRecord(error: unknown): Refusal | undefined {
  if (!isStreamWeldError(error) || error.code !== 'SW_SINK_FAILED') return undefined;
  const { cause } = error;
  return new Refusal(
    'LOGS_FILES_FAILED',
    `The rolling files cannot be written (${cause instanceof Error ? cause.message : String(cause)}), and without them nothing else is worth doing. Parts that were full are there. Make room, or give another --out, and start again.`,
    { cause: error },
  );
}

function troublesOf({ slow, failing }: RunArguments) {
  const names = [slow, failing?.sink].filter((name) => name !== undefined);
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        slowMs: name === slow ? SLOW_MS : 0,
        failures: name === failing?.sink ? failing.failures : 0,
      },
    ]),
  );
}

/** What is dropped is not lost without a trace. */
function droppingOf(
  { dropping }: RunArguments,
  folder: Folder,
): ReadonlyMap<SinkName, (entries: readonly Entry[]) => void> {
  if (dropping === undefined) return new Map();
  const path = folder.droppedBy(dropping);
  mkdirSync(dirname(path), { recursive: true });
  const keep = (entries: readonly Entry[]) =>
    appendFileSync(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  return new Map([[dropping, keep]]);
}

async function serve({ url }: Door, shutdown: GracefulShutdown): Promise<void> {
  print([`Serving at ${url} until Ctrl-C`]);
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  await shutdown.while({ drain: end }, () => ended);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
