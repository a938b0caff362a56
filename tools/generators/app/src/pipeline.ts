/** The pipeline: words in, and how often each of them came out. */

import { ConcurrentPipeline, generate } from '@streamweld/core';

const WORDS = ['source', 'sink', 'batch', 'demand'] as const;

export interface Counting {
  readonly pipeline: ConcurrentPipeline<string>;
  /** By word; it grows while the pipeline runs. */
  readonly counts: ReadonlyMap<string, number>;
}

/** @param words how many come, the four in turn */
export function counting(words: number): Counting {
  const counts = new Map<string, number>();
  const source = generate((n) => WORDS[n % WORDS.length] as string, { count: words });
  const pipeline = new ConcurrentPipeline<string>(source, (batch) => {
    for (const word of batch) counts.set(word, (counts.get(word) ?? 0) + 1);
  });
  return { pipeline: pipeline.name('template-name').bufferSize(100), counts };
}
