/** One of the services, in a process of its own: it is told what to be, and goes on until it is told to end. */

import { once } from 'node:events';
import { Board } from './board.ts';
import { type CacheAddress, openCache } from './cache.ts';
import { cacheSink } from './cache-sink.ts';
import { readAirports } from './departures.ts';
import { enricher } from './enrich.ts';
import type { Hub } from './hub.ts';
import {
  departuresDispatcher,
  type Did,
  enrichedDispatcher,
  enriching,
  OUTAGES,
  projecting,
} from './pipeline.ts';
import type { Role } from './roles.ts';

/** The first message to it. It holds secrets, and so is no argument. */
export interface Order {
  readonly role: Role;
  /** From 1 on, of its role. */
  readonly number: number;
  readonly hub: Hub;
  readonly postgres: string;
  readonly cache: CacheAddress;
  /** A page shows its pipeline. */
  readonly inspect: boolean;
}

/** What it tells. */
export type Word =
  | { readonly kind: 'ready' }
  | { readonly kind: 'page'; readonly what: 'board' | 'inspector'; readonly url: string }
  | {
      readonly kind: 'did';
      readonly ids: readonly number[];
      /** Milliseconds, by a clock that all processes of the machine share. */
      readonly at: number;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** A service that runs. */
interface Running {
  /** Settles when it has ended. */
  readonly ended: Promise<unknown>;
  /** What is on its way is finished. */
  stop(): Promise<void>;
}

function tell(word: Word): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(word, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

const did: Did = (departures) =>
  tell({
    kind: 'did',
    ids: departures.map(({ id }) => id),
    at: Number(process.hrtime.bigint()) / 1e6,
  });

async function enrich({ hub }: Order): Promise<Running> {
  const dispatcher = departuresDispatcher(hub);
  const sink = enriching(hub, enricher(readAirports()), did);
  const { ended } = await dispatcher.subscribeSink(sink, undefined, { retry: OUTAGES });
  return { ended, stop: () => dispatcher.close() };
}

async function project({ hub, postgres, inspect }: Order): Promise<Running> {
  const pipeline = projecting(hub, postgres, did);
  if (inspect) {
    const { inspector } = await import('@streamweld/observe/inspector');
    const { url } = await inspector(pipeline, { items: true });
    await tell({ kind: 'page', what: 'inspector', url });
  }
  const ended = pipeline.run();
  return { ended, stop: async () => void (await pipeline.drain()) };
}

async function keepLatest({ hub, cache: address }: Order): Promise<Running> {
  const cache = await openCache(address);
  const dispatcher = enrichedDispatcher(hub);
  const { ended } = await dispatcher.subscribeSink(cacheSink(cache, did), undefined, {
    name: 'cache',
    retry: OUTAGES,
  });
  return { ended: andThen(ended, () => cache.close()), stop: () => dispatcher.close() };
}

async function show({ hub, number }: Order): Promise<Running> {
  const board = await Board.open();
  const dispatcher = enrichedDispatcher(hub);
  // It keeps nothing: one that begins anew is given everything anew, under a name of its own.
  const { ended } = await dispatcher.subscribeSink(board.sink(did), undefined, { name: `board-${number}` });
  await tell({ kind: 'page', what: 'board', url: board.url });
  return { ended: andThen(ended, () => board[Symbol.asyncDispose]()), stop: () => dispatcher.close() };
}

/** Closes what it used when a service has ended, well or not. */
async function andThen(ended: Promise<unknown>, close: () => void | Promise<void>): Promise<void> {
  try {
    await ended;
  } finally {
    await close();
  }
}

/** What it comes from, where that is the app's own; else all that is said of it. */
function failureOf(error: Error & { readonly code?: string }): { code: string; message: string } {
  const { code = 'EVENTS_SERVICE_FAILED', message, cause } = error;
  if (!(cause instanceof Error)) return { code, message };
  const inner = failureOf(cause);
  return inner.code.startsWith('EVENTS_') && inner.code !== 'EVENTS_SERVICE_FAILED'
    ? inner
    : { code, message: `${message} Because: ${inner.message}` };
}

const STARTS: Readonly<Record<Role, (order: Order) => Promise<Running>>> = {
  enricher: enrich,
  projection: project,
  cache: keepLatest,
  board: show,
};

const [order] = (await once(process, 'message')) as [Order];
try {
  const service = await STARTS[order.role](order);
  // It ends with the run, however that ends.
  const stop = (): void => void service.stop().catch(() => {});
  process.once('message', stop);
  process.once('disconnect', stop);
  await tell({ kind: 'ready' });
  await service.ended;
} catch (error) {
  await tell({ kind: 'failed', ...failureOf(error as Error) }).catch(() => {});
  process.exitCode = 1;
} finally {
  if (process.connected) process.disconnect();
}
