/** A sink that is slower than it need be, so that one can watch what waits for it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Sink } from '@streamweld/core';

const WAIT_MS = 25;

/** The same sink, with a pause before each write. */
export function slowed<T>(sink: Sink<T>): Sink<T> {
  return {
    ...(sink.name === undefined ? {} : { name: `${sink.name}, slowed` }),
    concurrency: 1,
    open: (context) => sink.open?.(context),
    write: async (batch, context) => {
      await sleep(WAIT_MS, undefined, { signal: context.signal });
      return sink.write(batch, context);
    },
    flush: () => sink.flush?.(),
    close: (reason) => sink.close?.(reason),
  };
}
