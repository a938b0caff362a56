import type { WriteCounts } from '../policy/write-policies.ts';

/** What a run counts while it goes on. */
export interface RunCounts extends WriteCounts {
  /** Items that the sources handed out. */
  readonly read: number;
  /** Items that the sink accepted: all of them durable by the end of a good run. */
  readonly written: number;
  /** Items dropped on purpose, by a policy. */
  readonly dropped: number;
  /** Writes to the sink. */
  readonly batches: number;
  /** The most items that were ever between source and settled write; never more than `bufferSize`. */
  readonly highWaterMark: number;
}

/** What a run came to. */
export interface RunReport extends RunCounts {
  /** `'completed'`: the source came to its end. `'drained'`: it was stopped before, and what it had handed out was delivered. */
  readonly outcome: 'completed' | 'drained';
  readonly durationMs: number;
  /** Where each lane of the source stands: everything before is settled. Of several sources, lanes are `name/lane`, or `name#index/lane` among namesakes. */
  readonly positions: ReadonlyMap<string, unknown>;
}
