/** A replay: what is in a file of dead letters is paid, or goes into the next file. */

import { rm } from 'node:fs/promises';
import type { ReplayArguments } from './arguments.ts';
import { CardNetwork } from './cards.ts';
import type { Check } from './checks.ts';
import { nextFile, ordersIn } from './dead-letters.ts';
import { expect } from './expected.ts';
import { findPaid, type Paid } from './found.ts';
import { money, countOf, seconds, whole } from './numbers.ts';
import { orderAt } from './orders.ts';
import { Payments } from './payments.ts';
import { replaying } from './pipeline.ts';
import { refusal } from './refusals.ts';
import * as report from './report.ts';
import type { Stage } from './stage.ts';
import { watching } from './watching.ts';

/** @returns whether what must hold does. */
export async function replay(given: ReplayArguments, { database, shutdown, print }: Stage): Promise<boolean> {
  const run = await database.run();
  if (run?.isFinished !== true) {
    throw refusal(
      'ORDERS_RUN_MISSING',
      run === undefined
        ? 'The database holds no run. Start one without replay, and give replay the same --out or --postgres.'
        : `The run did not come to its end yet. Go on with it first: --orders ${run.orders} --seed ${run.seed} --out ${run.folder}`,
    );
  }
  const left = nextFile(given.file);
  // What an earlier replay of this file has left is replayed now.
  await rm(left, { force: true });
  const ids = await ordersIn(given.file);
  const before = await findPaid(database);
  const payments = new Payments(database, new CardNetwork(given.isMended), 'replay');
  const pipeline = replaying(given.file, payments, left);
  await using _page = await watching(pipeline, given, ids.size);
  const { outcome } = await shutdown.run(pipeline);
  const after = await findPaid(database);
  const still = await ordersIn(left);

  print([
    '',
    `${outcome === 'drained' ? 'Stopped: ' : ''}${countOf(ids.size)} in ${given.file}`,
    `  ${whole(payments.paid)} paid now, ${whole([...ids].filter((id) => before.ids.has(id)).length)} had been before, ${whole(still.size)} left`,
    '',
  ]);
  const checks = prove(run, ids, before, after, still, outcome === 'drained');
  print([
    ...report.checkLines(checks),
    '',
    ...(still.size > 0
      ? [
          `Dead letters       ${countOf(still.size)}, in ${left}`,
          `  Once the issuers have lifted their blocks: replay ${left} --mended`,
          '',
        ]
      : []),
    `Done after ${seconds(performance.now())}`,
  ]);
  return checks.every(({ holds }) => holds);
}

/** @param isStopped some were not come to. */
function prove(
  { seed, orders }: { readonly seed: number; readonly orders: number },
  ids: ReadonlySet<number>,
  before: Paid,
  after: Paid,
  still: ReadonlySet<number>,
  isStopped: boolean,
): Check[] {
  const of = 'replay';
  const neither = [...ids].filter((id) => !after.ids.has(id) && !still.has(id)).length;
  const now = [...after.ids].filter((id) => !before.ids.has(id));
  const cents = now.reduce((sum, id) => sum + orderAt(seed, id).cents, 0);
  const unpaid = orders - after.ids.size;
  const { blocked } = expect(seed, orders);
  const unpaidUnblocked = unpaidOf(orders, after).filter((id) => !blocked.has(id)).length;
  return [
    {
      of,
      holds: isStopped || neither === 0,
      text: `${countOf(ids.size)} in the file: ${whole(neither)} neither paid nor in the next file`,
    },
    {
      of,
      holds: now.every((id) => ids.has(id)) && after.cents - before.cents === cents,
      text: `${money(after.cents - before.cents)} taken now, of ${money(cents)} for ${countOf(now.length)}: nothing twice`,
    },
    {
      of,
      holds: unpaidUnblocked === 0,
      text: `${whole(after.ids.size)} of ${countOf(orders)} of the run are paid, ${whole(unpaid)} not yet, with a blocked card`,
    },
  ];
}

function unpaidOf(orders: number, { ids }: Paid): number[] {
  return Array.from({ length: orders }, (_, index) => index + 1).filter((id) => !ids.has(id));
}
