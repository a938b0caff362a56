/** A run or a replay, with what it needs. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OwnPostgres } from '@streamweld/app-kit';
import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { Database } from './database.ts';
import { seconds, whole } from './numbers.ts';
import { processOrders } from './process-orders.ts';
import { postgresUnavailable, refusal } from './refusals.ts';
import { replay } from './replay.ts';
import type { Stage } from './stage.ts';

/** When it is over, well or not, no server of ours is left. @returns whether what must hold does. */
export async function work(given: Arguments, shutdown: GracefulShutdown): Promise<boolean> {
  const { folder, postgres } = given;
  if (given.command === 'run') {
    print([`StreamWeld · ${whole(given.orders)} orders from seed ${given.seed}, files in ${folder}`]);
  }
  await makeFolder(folder);
  const begunAt = performance.now();
  await using server =
    postgres === 'own' ? await startOwn(join(folder, 'postgres'), shutdown.signal) : undefined;
  const startMs = performance.now() - begunAt;
  await using database = await Database.open(
    postgres === 'own' ? (server as OwnPostgres).url : postgres.url,
    shutdown.signal,
  );
  const whose =
    server === undefined
      ? 'yours'
      : `brought along: started in ${seconds(startMs)}, its data stays in that folder`;
  print([`Postgres ${database.version}, ${whose}`]);
  const stage: Stage = { database, shutdown, print };
  return given.command === 'run' ? await processOrders(given, stage) : await replay(given, stage);
}

function startOwn(folder: string, signal: AbortSignal): Promise<OwnPostgres> {
  return OwnPostgres.start({
    folder,
    // That of data which earlier runs have left.
    user: 'orders',
    signal,
    refuse: (reason) => postgresUnavailable('The Postgres that the app brings along did not start', reason),
  });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refusal(
      'ORDERS_FOLDER_UNUSABLE',
      `${folder} cannot be made, or is no folder (${code}). Give another one by --out.`,
      { cause: error },
    );
  }
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
