/** A sink that takes its time for each item, and notes what it was given. */

import type { Sink } from '@streamweld/core';
import type { Item } from './item.ts';
import { Notes } from './notes.ts';
import { Pace } from './pace.ts';

export class TimedSink implements Sink<Item> {
  readonly name: string;
  readonly pace: Pace;
  readonly notes = new Notes();
  /** One write at a time, of one item: order is what the proofs are about. */
  readonly concurrency = 1;
  readonly batching = { maxItems: 1 };

  constructor(name: string, costMs: number) {
    this.name = name;
    this.pace = new Pace(costMs);
  }

  write(batch: readonly Item[], { signal }: { readonly signal: AbortSignal }): Promise<void> | void {
    const waiting = this.pace.wait(signal);
    if (waiting === undefined) return this.notes.add(batch);
    return waiting.then(() => {
      // Aborted in the middle of its work: it is not done.
      signal.throwIfAborted();
      this.notes.add(batch);
    });
  }
}
