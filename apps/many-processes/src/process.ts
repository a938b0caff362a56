/** One of the processes: it subscribes a sink, and goes on until it is told to end. Started by main.ts. */

import type { Rule } from './arguments.ts';
import { buildDispatcher, type Hub, type Job, worker } from './pipeline.ts';

/** What it is started with. */
export interface Order extends Hub {
  readonly rule: Rule;
  readonly rounds: number;
  /** The number of the process. */
  readonly number: number;
}

/** What it tells. */
export type Word =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly ids: readonly number[];
      /** Milliseconds, by a clock that all processes of the machine share. */
      readonly at: number;
    }
  | { readonly kind: 'failed'; readonly message: string };

function tell(word: Word): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(word, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

const order = JSON.parse(process.argv[2] as string) as Order;
const dispatcher = buildDispatcher(order, order.rule);
const sink = worker(order.rounds, (jobs: readonly Job[]) =>
  tell({ kind: 'done', ids: jobs.map(({ id }) => id), at: Number(process.hrtime.bigint()) / 1e6 }),
);
// Of a broadcast each process wants all there is, so each has a name of its own.
const name = order.rule === 'broadcast' ? `worker-${order.number}` : 'worker';
try {
  const subscription = await dispatcher.subscribeSink(sink, undefined, { name });
  await tell({ kind: 'ready' });
  process.once('disconnect', () => void dispatcher.close());
  process.once('message', () => void dispatcher.close());
  await subscription.ended;
} catch (error) {
  await tell({ kind: 'failed', message: (error as Error).message });
  process.exitCode = 1;
} finally {
  process.disconnect?.();
}
