/** A run with what it needs, from the first line to the proof. */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OwnPostgres, Refusal } from '@streamweld/app-kit';
import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { SITE_LOG } from './asked-site.ts';
import { DAMAGED_LINES } from './damaged-lines.ts';
import { Database } from './database.ts';
import { countOf, seconds } from './numbers.ts';
import { processLogs } from './process-logs.ts';

/** When it is over, well or not, no server of ours is left. @returns whether what must hold does. */
export async function work(given: Arguments, shutdown: GracefulShutdown): Promise<boolean> {
  const { folder, postgres, input, isNew } = given;
  const what =
    'requests' in input
      ? `a site is asked ${countOf(input.requests, 'time')}, and its log is followed`
      : `${input.paths.join(', ')}${input.isFollowed ? ', followed until Ctrl-C' : ''}`;
  print([`StreamWeld · ${what}`]);
  await makeFolder(folder);
  const begunAt = performance.now();
  await using server =
    postgres === 'own'
      ? await OwnPostgres.start({ folder: join(folder, 'postgres'), signal: shutdown.signal, refuse })
      : undefined;
  const startMs = performance.now() - begunAt;
  const url = postgres === 'own' ? (server as OwnPostgres).url : postgres.url;
  await using database = await Database.open(url, folder, isNew, shutdown.signal);
  if (isNew) {
    await rm(join(folder, SITE_LOG), { force: true });
    await rm(join(folder, DAMAGED_LINES), { force: true });
  }
  const whose =
    server === undefined
      ? 'yours'
      : `brought along: started in ${seconds(startMs)}, its data stays in ${folder}`;
  print([`Postgres ${database.version}, ${whose}`]);
  return await processLogs(given, { database, shutdown, print });
}

function refuse(reason: string): Refusal {
  return new Refusal(
    'LOGS_POSTGRES_UNAVAILABLE',
    `The Postgres that the app brings along did not start: ${reason}
Give the app a server of yours by --postgres URL or STREAMWELD_POSTGRES_URL, or another folder by --out.`,
  );
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Refusal(
      'LOGS_FOLDER_UNUSABLE',
      `${folder} cannot be made, or is no folder (${code}). Give another one by --out.`,
      { cause: error },
    );
  }
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
