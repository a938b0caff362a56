/** A run or a replay, with what it needs. */

import { join } from 'node:path';
import type { ReplayArguments, RunArguments } from './arguments.ts';
import { Database } from './database.ts';
import { seconds, whole } from './numbers.ts';
import { processOrders } from './process-orders.ts';
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

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
