/** Makes a sink slow or fail, as asked for: so that one can see what becomes of the others. */

import { setTimeout as wait } from 'node:timers/promises';
import type { Sink } from '@streamweld/core';

export interface Trouble {
  /** A write takes so much longer for each entry, in milliseconds. */
  readonly slowMs?: number | undefined;
  /** From its fifth write on, so many writes fail; `Infinity`: all. */
  readonly failures?: number | undefined;
}

const WELL_AT_FIRST = 4;

/** The same sink, where there is no trouble. A write that fails has written nothing. */
export function troubled<T>(sink: Sink<T>, { slowMs = 0, failures = 0 }: Trouble): Sink<T> {
  if (slowMs === 0 && failures === 0) return sink;
  let writes = 0;
  return {
    ...(sink.name === undefined ? {} : { name: sink.name }),
    ...(sink.concurrency === undefined ? {} : { concurrency: sink.concurrency }),
    ...(sink.atomic === undefined ? {} : { atomic: sink.atomic }),
    ...(sink.batching === undefined ? {} : { batching: sink.batching }),
    open: (context) => sink.open?.(context),
    async write(batch, context) {
      writes += 1;
      if (writes > WELL_AT_FIRST && writes <= WELL_AT_FIRST + failures)
        throw new Error('It fails, as --fail asks for.');
      if (slowMs > 0) await wait(slowMs * batch.length, undefined, { signal: context.signal });
      return sink.write(batch, context);
    },
    ...(sink.flush === undefined ? {} : { flush: () => sink.flush?.() }),
    close: (reason) => sink.close?.(reason),
  };
}
