/** The pipeline: jobs in, what became of them out, and between them the threads. */

import { ConcurrentPipeline, type DeadLetter, from, type Source } from '@streamweld/core';
import { inWorkers } from '@streamweld/workers';
import type convert from './convert.ts';
import type { Job, Outcome, Settings } from './convert.ts';

/** Of the heap of each thread. What needs more is refused, and the others go on. */
const HEAP_MB = 512;

export interface Converting {
  readonly pipeline: ConcurrentPipeline<Outcome>;
  /** By the path of the input; it grows while the pipeline runs. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** Files are handed out one at a time: a drain finishes those that threads have, and begins no other. */
export function converting(jobs: readonly Job[], settings: Settings, threads: number): Converting {
  const outcomes = new Map<string, Outcome>();
  const note = (batch: readonly Outcome[]) => {
    for (const outcome of batch) outcomes.set(outcome.input, outcome);
  };
  const converted = from(oneByOne(jobs)).through(
    inWorkers<typeof convert>(new URL('./convert.js', import.meta.url), {
      name: 'convert',
      threads,
      batchSize: 1,
      data: settings,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    }),
    // A thread that died of its file has answered nothing.
    { ordered: false, onError: 'deadLetter' },
  );
  const pipeline = new ConcurrentPipeline<Outcome>(converted, note)
    .name('file-converter')
    .bufferSize(1)
    .deadLetter((letters: readonly DeadLetter[]) => note(letters.map(refused)));
  return { pipeline, outcomes };
}

function oneByOne(jobs: readonly Job[]): Source<Job> {
  let at = 0;
  return {
    name: 'files',
    pull: () => {
      const job = jobs[at++];
      return job === undefined ? undefined : [job];
    },
  };
}

function refused({ item, error }: DeadLetter): Outcome {
  return { input: (item as Job).input, reason: `${error.message} (${error.code ?? error.name})` };
}
