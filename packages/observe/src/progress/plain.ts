/** One line without colours or cursor: for logs. */

import type { Sample } from '../shared/sample.ts';
import { harmless } from '../shared/text.ts';
import { asClock, asCount, asDuration, asPercent, asRate } from './format.ts';
import { outlookOf, troublesOf } from './outlook.ts';

export function plainLine(sample: Sample, total: number | undefined, elapsedMs: number): string {
  const { name, state, rate, bottleneck } = sample;
  const outlook = outlookOf(sample, total);
  const parts = [
    outlook.share === undefined
      ? `${asCount(outlook.done)} items`
      : `${asCount(outlook.done)} of ${asCount(outlook.total ?? 0)} items (${asPercent(outlook.share)})`,
    `${asRate(rate.now)} now`,
    `${asRate(rate.average)} on average`,
    `${asDuration(elapsedMs)} so far`,
    ...(outlook.leftMs === undefined ? [] : [`${asClock(outlook.leftMs)} left`]),
    ...(outlook.lag === undefined ? [] : [`${asCount(outlook.lag)} behind`]),
    ...(bottleneck === undefined ? [] : [bottleneck.text]),
    ...troublesOf(sample),
  ];
  return `${harmless(name)} ${state}: ${parts.join(', ')}`;
}

/** How it came out, without what went wrong on the way. @param outcome `'completed'` or `'drained'`, of a run that ended well. */
export function closingLine(sample: Sample, outcome: string, elapsedMs: number): string {
  const { name, read, written, failure, isOver } = sample;
  const stage = failure?.stage === undefined ? '' : ` in ${harmless(failure.stage)}`;
  const how = !isOver
    ? 'not finished after'
    : failure === undefined
      ? `${outcome} in`
      : `failed (${harmless(failure.code)}${stage}) after`;
  const average = elapsedMs === 0 ? 0 : (written * 1000) / elapsedMs;
  const items =
    read === undefined || read === written
      ? `${asCount(written)} items`
      : `${asCount(read)} items read, ${asCount(written)} written`;
  return `${harmless(name)} ${how} ${asDuration(elapsedMs)}: ${items}, ${asRate(average)}`;
}
