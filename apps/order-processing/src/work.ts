/** A run or a replay, with what it needs. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReplayArguments, RunArguments } from './arguments.ts';
import { Database } from './database.ts';
import { seconds, whole } from './numbers.ts';
import { processOrders } from './process-orders.ts';
import { Refusal } from './refusals.ts';
import { replay } from './replay.ts';
import { OwnServer } from './server.ts';
import type { Stage } from './stage.ts';
import type { Stop } from './stop.ts';

/** When it is over, well or not, no server of ours is left. @returns whether what must hold does. */
export async function work(given: RunArguments | ReplayArguments, stop: Stop): Promise<boolean> {
  const { folder, postgres } = given;
  if (given.command === 'run') {
    print([`StreamWeld · ${whole(given.orders)} orders from seed ${given.seed}, files in ${folder}`]);
  }
  await makeFolder(folder);
  const begunAt = performance.now();
  await using server =
    postgres === 'own' ? await OwnServer.start(join(folder, 'postgres'), stop.signal) : undefined;
  const startMs = performance.now() - begunAt;
  await using database = await Database.open(
    postgres === 'own' ? (server as OwnServer).url : postgres.url,
    stop.signal,
  );
  const whose =
    server === undefined
      ? 'yours'
      : `brought along: started in ${seconds(startMs)}, its data stays in that folder`;
  print([`Postgres ${database.version}, ${whose}`]);
  const stage: Stage = { database, stop, print };
  return given.command === 'run' ? await processOrders(given, stage) : await replay(given, stage);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Refusal(
      'ORDERS_FOLDER_UNUSABLE',
      `${folder} cannot be made, or is no folder (${code}). Give another one by --out.`,
      { cause: error },
    );
  }
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
