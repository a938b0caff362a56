/** One run: from the first order, or from where an earlier start of it was killed, to the proof. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Refusal } from '@streamweld/app-kit';
import type { RunArguments } from './arguments.ts';
import { type Check, checkAnalytics, checkInventory, checkMails, checkPayments } from './checks.ts';
import type { Database, RunRecord } from './database.ts';
import { DEAD_LETTERS, ordersIn } from './dead-letters.ts';
import { expect } from './expected.ts';
import { findMails, findPaid, findReserved, findSold } from './found.ts';
import { MailServer } from './mail-server.ts';
import { readMailbox } from './mailbox.ts';
import { countOf, seconds, whole } from './numbers.ts';
import { OrdersSource } from './orders.ts';
import { broadcasting } from './pipeline.ts';
import { refusal } from './refusals.ts';
import * as report from './report.ts';
import type { Stage } from './stage.ts';
import { watching } from './watching.ts';

/** @returns whether what must hold does. */
export async function processOrders(given: RunArguments, stage: Stage): Promise<boolean> {
  const { database, shutdown, print } = stage;
  const mailbox = join(given.folder, 'mails.ndjson');
  const deadLetters = join(given.folder, DEAD_LETTERS);
  const starts = await begin(given, database, mailbox);
  await using mails = await MailServer.start(mailbox);
  print([`Mails go by SMTP to 127.0.0.1:${mails.port}, and are kept in ${mailbox}`]);

  const source = new OrdersSource(given.seed, given.orders);
  const { pipeline, dispatcher, store } = await broadcasting({
    source,
    database,
    port: mails.port,
    deadLetters,
  });
  await using _store = store;
  const first = Number((await store.load('orders')).get('') ?? 0);
  if (starts > 1) print([`Goes on behind order ${whole(first)}: it is start ${starts} of this run`]);
  await using _page = await watching(pipeline, given, given.orders - first);
  const result = await shutdown.run(pipeline);
  const isFinished = source.last === given.orders;
  if (isFinished) await database.finish();
  print(['', ...report.broadcastLines(result, dispatcher.sinks()), '']);
  const checks = await prove(given, stage, { done: source.last, starts, mailbox, deadLetters });
  print([
    ...(isFinished ? [] : [`The same command goes on behind order ${whole(source.last)}.`]),
    ...(await deadLetterLines(deadLetters)),
    `${isFinished ? 'Done' : 'Stopped'} after ${seconds(performance.now())}`,
  ]);
  return checks.every(({ holds }) => holds);
}

/** Goes on with the run that is there, or makes everything anew. @returns how often this run was started. */
async function begin(given: RunArguments, database: Database, mailbox: string): Promise<number> {
  const found = await database.run();
  const isSame = found?.seed === given.seed && found.orders === given.orders && found.folder === given.folder;
  if (found !== undefined && !found.isFinished && !given.isNew) {
    if (!isSame) throw unfinished(found);
    await database.goOn();
    return found.starts + 1;
  }
  // In this order: killed in between, it begins anew, and neither takes old files for its own nor misses them.
  await database.forget();
  await rm(mailbox, { force: true });
  await rm(join(given.folder, DEAD_LETTERS), { force: true });
  await database.begin(given);
  return 1;
}

/** There is a run that this one would destroy. */
function unfinished({ orders, seed, folder }: RunRecord): Refusal {
  return refusal(
    'ORDERS_RUN_UNFINISHED',
    `The database holds a run that did not come to its end. Go on with it by
--orders ${orders} --seed ${seed} --out ${folder}
or give it up by --new.`,
  );
}

interface Ran {
  /** The last order that it is done with. */
  readonly done: number;
  readonly starts: number;
  readonly mailbox: string;
  readonly deadLetters: string;
}

async function prove(
  { seed }: RunArguments,
  { database, print }: Stage,
  { done, starts, mailbox, deadLetters }: Ran,
): Promise<Check[]> {
  const expected = expect(seed, done);
  const [paid, dead] = [await findPaid(database), await ordersIn(deadLetters)];
  const [reserved, sold] = [await findReserved(database), await findSold(database)];
  const mails = await findMails(readMailbox(mailbox));
  const checks = [
    ...checkPayments(paid, dead, expected),
    ...checkInventory(reserved, expected),
    ...checkMails(mails, starts, expected),
    ...checkAnalytics(sold, expected),
  ];
  print([...report.checkLines(checks), '', ...report.answerLines(reserved.stock, sold.byProduct), '']);
  return checks;
}

async function deadLetterLines(file: string): Promise<string[]> {
  const { size } = await ordersIn(file);
  if (size === 0) return [];
  return [
    `Dead letters       ${countOf(size)}, in ${file}`,
    `  Once the issuers have lifted their blocks: replay ${file} --mended`,
    '',
  ];
}
