/** The pipelines of the app: what flows where. They are built here and run elsewhere. */

import {
  ConcurrentPipeline,
  type DeadLetter,
  DispatchedPipelineBuilder,
  type Dispatcher,
  from,
  type RetryOptions,
} from '@streamweld/core';
import { FileSink, FileSource } from '@streamweld/file';
import { PostgresCheckpointStore } from '@streamweld/postgres';
import { Analytics } from './analytics.ts';
import { CardNetwork, MOST_SILENCES } from './cards.ts';
import type { Database } from './database.ts';
import { ordersOf } from './dead-letters.ts';
import { Inventory } from './inventory.ts';
import { Mailer } from './mailer.ts';
import type { Order, OrdersSource } from './orders.ts';
import { Payments } from './payments.ts';

/** Orders that wait for one sink at most: that far the quickest may be ahead of the slowest. */
const BUFFER_SIZE = 200;
/** Orders that the dispatcher is given at once. */
const BATCH_SIZE = 50;

/** Enough for the most stubborn card, also where it shares its batch with others. */
const CARDS: RetryOptions = { attempts: 2 * MOST_SILENCES, backoff: { firstMs: 20 } };
/** A mail server that is busy, or waits spam out; a database that is busy, or away for a moment. */
const OUTAGES: RetryOptions = { attempts: 6, backoff: { firstMs: 50 } };

export interface Plan {
  readonly source: OrdersSource;
  readonly database: Database;
  /** Of the mail server. */
  readonly port: number;
  /** The file of dead letters; what is in it stays. */
  readonly deadLetters: string;
}

export interface Broadcasting {
  readonly pipeline: ConcurrentPipeline<Order>;
  readonly dispatcher: Dispatcher<Order>;
  /** Where the pipeline goes on after a kill. */
  readonly store: PostgresCheckpointStore;
}

/**
 * Every order to all four. A position is kept when each of them has what lies before it, or it is in the dead letter: after a
 * kill some orders come again to all four, and each can tell.
 */
export async function broadcasting({ source, database, port, deadLetters }: Plan): Promise<Broadcasting> {
  const dispatcher = new DispatchedPipelineBuilder<Order>({
    name: 'orders',
    bufferSize: BUFFER_SIZE,
  }).broadcast();
  await dispatcher.subscribeSink(new Payments(database, new CardNetwork(false), 'run'), undefined, {
    maxConcurrency: 4,
    retry: CARDS,
    deadLetter: lettersInto(deadLetters),
  });
  await dispatcher.subscribeSink(new Inventory(database), undefined, { maxConcurrency: 4, retry: OUTAGES });
  await dispatcher.subscribeSink(new Mailer(port), undefined, { maxConcurrency: 4, retry: OUTAGES });
  await dispatcher.subscribeSink(new Analytics(database), undefined, { retry: OUTAGES });
  const store = new PostgresCheckpointStore({ connection: database.url });
  const pipeline = new ConcurrentPipeline(source, dispatcher.createSink(BATCH_SIZE))
    .name('orders')
    .bufferSize(2 * BATCH_SIZE)
    .commitEvery({ items: BUFFER_SIZE, ms: 250 })
    .checkpoint(store, 'orders');
  return { pipeline, dispatcher, store };
}

/** Dead letters to where their orders are paid; those that cannot be, to another file. */
export function replaying(file: string, payments: Payments, left: string): ConcurrentPipeline<Order> {
  // Line by line, as one that a kill has torn is no JSON.
  const orders = from(new FileSource(file)).flatMap(ordersOf);
  return new ConcurrentPipeline(orders, payments)
    .name('replay')
    .bufferSize(BUFFER_SIZE)
    .retry(CARDS)
    .deadLetter(lettersInto(left));
}

/** As a dead letter, a file is added to. */
function lettersInto(path: string): FileSink<DeadLetter> {
  return new FileSink<DeadLetter>(path, { format: 'ndjson', name: 'dead letters', mode: 0o600 });
}
