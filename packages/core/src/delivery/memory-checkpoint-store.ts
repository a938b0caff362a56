/** A checkpoint store that lives as long as the process. */

import type { CheckpointStore } from '../checkpoint.ts';
import { StreamWeldError } from '../errors.ts';

/**
 * Keeps positions in memory: for tests, and for runs that follow each other in one process.
 *
 * @example
 * const store = new MemoryCheckpointStore();
 * await new ConcurrentPipeline(source, sink).checkpoint(store, 'hits').run();
 */
export class MemoryCheckpointStore implements CheckpointStore {
  readonly #saved = new Map<string, ReadonlyMap<string, unknown>>();
  readonly #epochs = new Map<string, number>();

  load(pipeline: string): ReadonlyMap<string, unknown> {
    return new Map(this.#saved.get(pipeline));
  }

  save(pipeline: string, positions: ReadonlyMap<string, unknown>): void {
    this.#saved.set(pipeline, new Map(positions));
  }

  /** From now on, what was acquired before under this name cannot save. */
  acquire(pipeline: string): CheckpointStore {
    const epoch = (this.#epochs.get(pipeline) ?? 0) + 1;
    this.#epochs.set(pipeline, epoch);
    return {
      load: (name) => this.load(name),
      save: (name, positions) => {
        if (this.#epochs.get(pipeline) !== epoch) throw fencedError(pipeline);
        this.save(name, positions);
      },
    };
  }
}

function fencedError(pipeline: string): StreamWeldError {
  return new StreamWeldError(
    'SW_CHECKPOINT_FENCED',
    `Another run has taken over the checkpoint '${pipeline}': this one may not save under it any more. Run a pipeline once at a time, or give each run its own name.`,
    { stage: pipeline },
  );
}
