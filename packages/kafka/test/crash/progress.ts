/** How far a program is that others kill: it tells, and they kill it while something is in flight. */

import type { Run } from '../../../../tools/services/program.ts';
import type { KafkaSource } from '../../src/source.ts';

const EVERY_MS = 5;

export interface Progress {
  /** Records that this run has handed out, and those of them that its sink has. */
  readonly read: number;
  readonly written: number;
  /** Records that are still to be handed out. */
  readonly left: number;
}

/** Records are in its hands, more are to come, and it has done some. */
export function isInFlight({ read, written, left }: Progress): boolean {
  return written > 0 && read > written && left > 0;
}

/** For the program: a line for each change, once it has partitions. */
export function tellProgress(
  source: KafkaSource,
  pipeline: { snapshot(): { readonly read: number; readonly written: number } },
): void {
  let told = '';
  const timer = setInterval(() => {
    const lags = source.lag();
    if (lags.length === 0) return;
    const { read, written } = pipeline.snapshot();
    const line = `read ${read}, written ${written}, left ${lags.reduce((sum, { lag }) => sum + lag, 0)}`;
    if (line !== told) process.stdout.write(`${line}\n`);
    told = line;
  }, EVERY_MS);
  timer.unref();
}

/** What a run told last. */
export function progressOf(run: Run): Progress | undefined {
  const last = run
    .output()
    .match(/read \d+, written \d+, left \d+\n/g)
    ?.at(-1);
  const [read, written, left] = last?.match(/\d+/g)?.map(Number) ?? [];
  if (read === undefined || written === undefined || left === undefined) return undefined;
  return { read, written, left };
}

/**
 * Waits until a run is that far.
 * @returns undefined where it has ended before. @throws Error where it stands still.
 */
export async function until(
  run: Run,
  isThere: (progress: Progress) => boolean,
  withinMs = 60_000,
): Promise<Progress | undefined> {
  return new Promise((resolve, reject) => {
    const over = (): void => {
      clearTimeout(timer);
      run.child.stdout?.off('data', look);
    };
    const look = (): void => {
      const progress = progressOf(run);
      if (progress === undefined || !isThere(progress)) return;
      over();
      resolve(progress);
    };
    const timer = setTimeout(() => {
      over();
      reject(new Error(`It stands still: ${run.output().slice(-2000)}`));
    }, withinMs);
    run.child.stdout?.on('data', look);
    void run.exited.then(() => {
      over();
      resolve(undefined);
    });
    look();
  });
}
