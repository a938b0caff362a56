/** What of a sample is told in words, whichever way it is shown. */

import type { Sample } from '../shared/sample.ts';

export interface Outlook {
  /** Items that count as done towards the total. */
  readonly done: number;
  readonly total: number | undefined;
  /** From 0 to 1, where the total is known. */
  readonly share: number | undefined;
  /** Milliseconds to go, where that can be told. */
  readonly leftMs: number | undefined;
  /** Items that the sources know of and have not handed out, where they can tell. */
  readonly lag: number | undefined;
}

/** @param total items that the sources will have handed out in the end, if that is known. */
export function outlookOf(sample: Sample, total: number | undefined): Outlook {
  const { read, written, isOver, state } = sample;
  const done = read ?? written;
  const lag = isOver ? undefined : lagOf(sample);
  if (total === undefined) return { done, total, share: undefined, leftMs: undefined, lag };
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const source = sample.stages.filter(({ kind }) => kind === 'source');
  const average = source.reduce((sum, { rate }) => sum + rate.average, 0) || sample.rate.average;
  const isKnown = average > 0 && !isOver && (state === 'running' || state === 'open') && done <= total;
  return { done, total, share, leftMs: isKnown ? ((total - done) * 1000) / average : undefined, lag };
}

function lagOf({ lanes }: Sample): number | undefined {
  let sum: number | undefined;
  for (const { lag } of lanes) if (lag !== undefined) sum = (sum ?? 0) + lag;
  return sum;
}

/** What went wrong, in words: nothing, where nothing did. */
export function troublesOf(counts: {
  readonly retried: number;
  readonly timedOut: number;
  readonly deadLettered: number;
  readonly dropped: number;
  readonly lost?: number;
}): string[] {
  const { retried, timedOut, deadLettered, dropped, lost = 0 } = counts;
  const told = (count: number, what: string): string[] => (count === 0 ? [] : [`${count} ${what}`]);
  return [
    ...told(retried, 'retried'),
    ...told(timedOut, 'timed out'),
    ...told(deadLettered, 'dead-lettered'),
    ...told(dropped, 'dropped'),
    ...told(lost, 'lost'),
  ];
}
