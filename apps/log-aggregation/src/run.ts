/** Runs the pipeline to the end of its logs. */

import type { ConcurrentPipeline, GracefulShutdown, RunReport } from '@streamweld/core';
import type { Entry } from './entry.ts';
import { linesOf } from './expected.ts';
import type { Logs } from './logs.ts';
import type { Producers } from './producers.ts';

/** When nothing comes for so long that is still to come, the proof says what is missing. */
const PATIENCE_MS = 20_000;

export interface Read {
  readonly result: RunReport;
  /** The logs were read to their end. Otherwise somebody stopped it, or what never ends was followed. */
  readonly isWhole: boolean;
}

/** Files end, unless they are followed. The logs of producers do when those have ended, by themselves or by a Ctrl-C. */
export async function run(
  pipeline: ConcurrentPipeline<Entry>,
  logs: Logs,
  producers: Producers | undefined,
  isFollowed: boolean,
  shutdown: GracefulShutdown,
): Promise<Read> {
  if (producers === undefined) {
    const result = await shutdown.run(pipeline);
    return { result, isWhole: !isFollowed && result.outcome === 'completed' };
  }
  return await shutdown.while({ drain: () => producers.stop() }, async () => {
    const running = pipeline.run({ signal: shutdown.signal });
    // Whoever waits below hears of it.
    running.catch(() => {});
    let isWhole = false;
    const isOver = producers.ended.then(async () => {
      const written = new Map(producers.paths.map((path) => [path, linesOf(path).length]));
      await logs.until(written, PATIENCE_MS, () => pipeline.snapshot().state === 'paused');
      // Unless the page has drained it meanwhile.
      isWhole = ['running', 'paused'].includes(pipeline.snapshot().state);
    });
    // It may fail, or be drained from the page, before they are done; and they may fail.
    const failure = await Promise.race([running, isOver]).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // What fails in it, the run tells.
    await pipeline.drain().catch(() => {});
    const result = await running;
    if (failure !== undefined) throw failure.error;
    // Where it was drained from the page, they still write.
    await producers.stop();
    return { result, isWhole };
  });
}
