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
 *  C5  A position comes back as it was given, whatever plain data it is (S15). What the store cannot keep it refuses, with
 *      an error that has a code and names the lane, and then it has saved nothing.
 *  C6  The map that `load` answers belongs to who asked: changing it changes nothing that is saved.
 *  C7  Between two calls it holds nothing open that keeps the process alive, unless it has a `close` of its own.
 *  C8  What it throws has a code and says what to do. No secret of its options is in it, nor along its `cause`.
 */
export interface CheckpointStore {
  load(pipeline: string): Awaitable<ReadonlyMap<string, unknown> | undefined>;
  save(pipeline: string, positions: ReadonlyMap<string, unknown>): Awaitable<void>;
  /** The store for one run alone (C4). */
  acquire?(pipeline: string): Awaitable<CheckpointStore>;
}
