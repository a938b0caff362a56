/** What an abandoned run leaves behind in memory: nothing. */

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ConcurrentPipeline, from } from '../../src/index.ts';

declare const gc: () => void;

/** A run that is aborted while its source, or its processor, has yet to answer; its source, weakly held. */
async function abandoned(waitsFor: 'source' | 'processor'): Promise<WeakRef<object>> {
  const late = async <T>(is: boolean, answer: T): Promise<T> => {
    if (is) await turn();
    return answer;
  };
  const source = { pull: () => late(waitsFor === 'source', [1, 2, 3]) };
  const flow = from(source)
    .through({ process: (batch: readonly number[]) => late(waitsFor === 'processor', batch) })
    .batch(2)
    .flatMap((batch) => batch);
  const pipeline = new ConcurrentPipeline(flow, () => turn());
  const run = pipeline.run();
  run.catch(() => {});
  await turn();
  await pipeline.abort();
  await turn();
  return new WeakRef(source);
}

it.each(['source', 'processor'] as const)(
  'An abandoned run is forgotten with its late %s',
  async (waitsFor) => {
    const sources: WeakRef<object>[] = [];
    for (let run = 0; run < 40; run += 1) sources.push(await abandoned(waitsFor));
    await turn();
    gc();
    await turn();
    gc();
    // The last few may still be held by the machine's own frames.
    expect(sources.filter((source) => source.deref() !== undefined).length).toBeLessThan(5);
  },
);
