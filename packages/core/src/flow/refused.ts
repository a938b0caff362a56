/** What becomes of items that a stage gives up, where the run goes on without them. */

import { claimAt } from '../delivery/place.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { StreamWeldError } from '../errors.ts';
import { FailureLog } from '../failure-log.ts';
import type { FlowRun, Stage } from './stage.ts';

/** What becomes of an item that an operator cannot use. */
export type OnRefused = 'fail' | 'drop' | 'deadLetter';

/** @throws StreamWeldError SW_DEAD_LETTER_MISSING where items are to go to a dead letter that the run has not. */
export function checkLetters(stage: string, onRefused: OnRefused, run: FlowRun): void {
  if (onRefused !== 'deadLetter' || run.deadLetter !== undefined) return;
  throw new StreamWeldError(
    'SW_DEAD_LETTER_MISSING',
    `'${stage}' sends items to the dead letter, and there is none. Give the pipeline one with deadLetter(sink), or choose 'fail' or 'drop'.`,
    { stage },
  );
}

/** The item at `at` of the parcel is counted as dropped, or a letter of it takes a share of its claim. */
export function giveUp<T>(
  stage: Stage<T>,
  onRefused: OnRefused,
  run: FlowRun,
  parcel: Parcel<unknown>,
  at: number,
  error: unknown,
): void {
  if (error !== undefined) {
    stage.failures ??= new FailureLog();
    stage.failures.note(error);
  }
  if (onRefused === 'drop') run.dropped(1);
  else run.deadLetter?.put(parcel.items[at], error, stage.name, claimAt(parcel.listParts(), at));
}
