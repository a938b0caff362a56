/** Progress in the terminal, or in a log: one line of code. */

import type { Watchable } from '@streamweld/core';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkOneOf,
  checkOptions,
} from '@streamweld/core/connector';
import { checkWatchable } from '../shared/check.ts';
import type { Sample } from '../shared/sample.ts';
import { sampler } from '../shared/sampler.ts';
import { boardOf, type Entry } from './board.ts';
import { chooseMode, hasColor, type ProgressMode, type ProgressStream } from './mode.ts';

export type { ProgressMode, ProgressStream } from './mode.ts';

export interface ProgressOptions {
  /**
   * `'tty'`: rows that are redrawn in place. `'plain'`: a line every ten seconds, for logs. `'json'`: an object a line,
   * every second, for programs. `'none'`: nothing. Default `'auto'`: `'tty'` where the stream is a terminal and neither CI
   * nor TERM=dumb is set, else `'plain'`.
   */
  readonly mode?: ProgressMode | undefined;
  /** How many items the sources will hand out in all, if that is known: then the time that is left is told. */
  readonly total?: number | undefined;
  /** Where it is written. Default `process.stderr`: stdout stays clean for data. */
  readonly stream?: ProgressStream | undefined;
  /** Between two lines of `'plain'` and `'json'`, in milliseconds. Default 10,000 and 1000. */
  readonly everyMs?: number | undefined;
  /** Whether a table follows at the end of what took half a second or longer; in `'plain'` and `'tty'`. Default true. */
  readonly report?: boolean | undefined;
}

export interface Progress {
  /** What `'auto'` came to. */
  readonly mode: Exclude<ProgressMode, 'auto'>;
  /** Ends it before the run does: what is told is how far it came. After the end it does nothing. */
  stop(): void;
  [Symbol.dispose](): void;
}

const MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;

/**
 * Shows how a pipeline or a dispatcher gets on, from before it runs until it has ended: rates, buffers, what holds it up,
 * and how it came out. It never holds it up itself, nor lets it fail; where nothing can be written, nothing is shown.
 * Several at once share the stream. Whatever is written to the terminal meanwhile goes above the rows.
 * @throws OptionError for what is neither a pipeline nor a dispatcher, and for options
 *
 * @example
 * progress(pipeline, { total: 1_000_000 });
 * await pipeline.run();
 */
export function progress(target: Watchable, options?: ProgressOptions): Progress {
  checkWatchable('progress', target);
  const {
    total,
    stream = process.stderr,
    ...given
  } = checkOptions('progress', options, ['mode', 'total', 'stream', 'everyMs', 'report']);
  checkOneOf('progress.mode', given.mode ?? 'auto', MODES);
  if (total !== undefined) checkCount('progress.total', total, 0);
  if (given.everyMs !== undefined) checkDuration('progress.everyMs', given.everyMs);
  if (given.report !== undefined) checkBoolean('progress.report', given.report);
  const mode = chooseMode(given.mode ?? 'auto', stream, process.env);
  if (mode === 'none') return { mode, stop: () => {}, [Symbol.dispose]: () => {} };

  const board = boardOf(stream, hasColor(stream, process.env));
  const everyMs = given.everyMs ?? (mode === 'json' ? 1000 : 10_000);
  const entry: Entry = {
    mode,
    total,
    everyMs,
    report: given.report ?? true,
    outcome: () => outcomeOf(target),
    sample: undefined,
    elapsedMs: 0,
    toldMs: 0,
  };
  board.add(entry);
  let first: number | undefined;
  let unwatch = (): void => {};
  const stop = (): void => {
    unwatch();
    board.close(entry);
  };
  unwatch = sampler.watch(target, (sample: Sample) => {
    first ??= sample.atMs;
    entry.sample = sample;
    entry.elapsedMs = sample.kind === 'pipeline' ? sample.elapsedMs : sample.atMs - first;
    if (sample.isOver) stop();
    else board.show(entry);
  });
  return { mode, stop, [Symbol.dispose]: stop };
}

function outcomeOf(target: Watchable): string {
  return (target as { readonly report?: { readonly outcome?: string } }).report?.outcome ?? 'completed';
}
