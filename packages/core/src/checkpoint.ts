/** The contract of a checkpoint store: where a run keeps its positions, beside its source. */

import type { Awaitable } from './source.ts';

/**
 * Keeps, for each pipeline by its name, where its source is to resume: a position for each lane.
 *
 * The rules (a test that proves one begins with its number):
 *  C1  `load` answers what the last `save` that resolved was given; nothing, or an empty map, before the first.
 *  C2  `save` replaces all positions of the pipeline, and has made them durable when it resolves. After a crash in the
 *      middle, `load` answers the positions before it or those after it, whole.
 *  C3  Names do not share anything.
 *  C4  `acquire` takes a name over: what it answers serves one run, and from then on every save through an earlier one
 *      rejects with SW_CHECKPOINT_FENCED. A store that cannot tell has no `acquire`, and its runs are not fenced.
 */
export interface CheckpointStore {
  load(pipeline: string): Awaitable<ReadonlyMap<string, unknown> | undefined>;
  save(pipeline: string, positions: ReadonlyMap<string, unknown>): Awaitable<void>;
  /** The store for one run alone (C4). */
  acquire?(pipeline: string): Awaitable<CheckpointStore>;
}
