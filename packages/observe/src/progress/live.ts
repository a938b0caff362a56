/**
 * The rows that are redrawn while it runs.
 *
 *     ⠹ orders running  0:27  48.2k/s (45.0k/s on average)  3 retried
 *       ━━━━━━━━━━━━━━━━━━╸───────────  60 %  1,204,830 of 2,000,000  0:12 left
 *       kafka           1,204,830  50.1k/s                   waits for room 62 %
 *       map             1,204,830  50.1k/s                   busy 4 %
 *       postgres        1,204,330  48.2k/s  ████████░░ 81 %  busy 99 %  3 retried
 *       waiting for postgres 62 %
 */

import type { Sample, StageSample } from '../shared/sample.ts';
import { harmless } from '../shared/text.ts';
import { asClock, asCount, asDuration, asPercent, asRate } from './format.ts';
import { type Line, lineWidth, type Piece, type Style } from './line.ts';
import { outlookOf, troublesOf } from './outlook.ts';
import { fitTo, widthOf } from './text-width.ts';

export interface LiveView {
  readonly sample: Sample;
  readonly total: number | undefined;
  readonly elapsedMs: number;
}

const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
/** From here on a buffer is shown as getting full, and as full. */
const FILLING = 0.6;
const FULL = 0.85;
const BAR = 10;

/**
 * @param width columns of the terminal. @param height the most lines; what does not fit is counted.
 * @param frame counts the times it is drawn.
 */
export function liveLines(views: readonly LiveView[], width: number, height: number, frame: number): Line[] {
  const blocks = views.map((view) => blockOf(view, width, frame));
  const lines = blocks.flat();
  if (lines.length <= height) return lines;
  // Operators say least: without them, and at last without the end.
  const short = views.flatMap((view) => blockOf(withoutOperators(view), width, frame));
  if (short.length <= height) return short;
  const kept = short.slice(0, Math.max(0, height - 1));
  return [...kept, [{ text: `  … ${short.length - kept.length} more`, style: 'dim' }]];
}

function withoutOperators({ sample, ...rest }: LiveView): LiveView {
  return { ...rest, sample: { ...sample, stages: sample.stages.filter(({ kind }) => kind !== 'operator') } };
}

function blockOf({ sample, total, elapsedMs }: LiveView, width: number, frame: number): Line[] {
  const { name, state, rate, bottleneck } = sample;
  const isPaused = state === 'paused';
  const { lag } = outlookOf(sample, total);
  const spinner = isPaused ? '⏸' : (SPINNER[frame % SPINNER.length] as string);
  const head: Piece[] = [
    { text: `${spinner} `, style: isPaused ? 'yellow' : 'cyan' },
    { text: harmless(name), style: 'bold' },
    { text: ` ${state}`, style: isPaused || state === 'aborting' ? 'yellow' : undefined },
    { text: `  ${asDuration(elapsedMs)}  ${asRate(rate.now)}` },
    { text: ` (${asRate(rate.average)} on average)`, style: 'dim' },
    ...(lag === undefined ? [] : [{ text: `  ${asCount(lag)} behind` }]),
    ...warnings(troublesOf(sample)),
  ];
  return [
    head,
    ...totalLine(sample, total, width),
    ...stageLines(sample, width),
    ...(bottleneck === undefined ? [] : [[{ text: `  ${bottleneck.text}`, style: 'yellow' as const }]]),
  ];
}

function warnings(troubles: readonly string[]): Piece[] {
  return troubles.length === 0 ? [] : [{ text: `  ${troubles.join(', ')}`, style: 'yellow' }];
}

function totalLine(sample: Sample, total: number | undefined, width: number): Line[] {
  const { done, share, leftMs } = outlookOf(sample, total);
  if (share === undefined || total === undefined) return [];
  const told = [
    asPercent(share),
    `${asCount(done)} of ${asCount(total)}`,
    ...(leftMs === undefined ? [] : [`${asClock(leftMs)} left`]),
  ].join('  ');
  const cells = Math.min(40, width - widthOf(told) - 5);
  if (cells < 5) return [[{ text: `  ${told}` }]];
  const full = share * cells;
  const whole = Math.floor(full);
  const half = whole < cells && full - whole >= 0.5 ? '╸' : '';
  return [
    [
      { text: '  ' },
      { text: '━'.repeat(whole) + half, style: 'green' },
      { text: '─'.repeat(cells - whole - half.length), style: 'dim' },
      { text: `  ${told}` },
    ],
  ];
}

function stageLines(sample: Sample, width: number): Line[] {
  const lines = stageLinesOf(sample, width, true);
  // Rather shorter words than the end of a line cut off.
  return lines.every((line) => lineWidth(line) <= width) ? lines : stageLinesOf(sample, width, false);
}

function stageLinesOf(sample: Sample, width: number, inWords: boolean): Line[] {
  const { stages } = sample;
  const labels = stages.map((stage) => labelOf(stage));
  const counts = stages.map(({ items }) => asCount(items));
  const rates = stages.map(({ rate }) => asRate(rate.now));
  const levels = new Map(
    sample.edges.map(({ to, buffer }) => [
      to,
      buffer === undefined ? undefined : (buffer.capacity - buffer.demand) / buffer.capacity,
    ]),
  );
  const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map(widthOf));
  const names = Math.min(widest(labels), Math.max(8, Math.floor(width / 3)));
  const has = { rate: width >= 36, bar: width >= 56 };
  return stages.map((stage, at) => [
    { text: `  ${fitTo(labels[at] as string, names)}  ` },
    { text: fitTo(counts[at] as string, widest(counts), 'right') },
    ...(has.rate ? [{ text: `  ${fitTo(rates[at] as string, widest(rates), 'right')}` }] : []),
    ...(has.bar ? barOf(levels.get(stage.id)) : []),
    ...stateOf(stage, inWords),
    ...warnings(stage.kind === 'sink' ? troublesOf(stage) : []),
  ]);
}

function labelOf({ id, name, partition, kind, strategy }: StageSample): string {
  const depth = id.split('/').length - 1;
  const more =
    partition !== undefined
      ? ` (${partition})`
      : kind === 'dispatcher' && strategy !== name
        ? ` (${strategy})`
        : '';
  return harmless('  '.repeat(depth) + name + more);
}

function barOf(level: number | undefined): Piece[] {
  if (level === undefined) return [{ text: ' '.repeat(BAR + 8) }];
  const share = Math.max(0, Math.min(1, level));
  const cells = Math.round(share * BAR);
  const style: Style = share > FULL ? 'red' : share > FILLING ? 'yellow' : 'green';
  return [
    { text: '  ' },
    { text: '█'.repeat(cells), style },
    { text: '░'.repeat(BAR - cells), style: 'dim' },
    { text: ` ${fitTo(asPercent(share), 5, 'right')}` },
  ];
}

/** What most of its time goes on. */
function stateOf({ shares, state, kind, failures }: StageSample, inWords: boolean): Piece[] {
  if (state === 'detached') return [{ text: `  detached${codeOf(failures)}`, style: 'red' }];
  const { busy, waitingForInput, waitingForRoom } = shares;
  const most = Math.max(busy, waitingForInput, waitingForRoom);
  if (most === 0) return [];
  if (most === busy) return [{ text: `  busy ${asPercent(busy)}`, style: busy > FULL ? 'bold' : undefined }];
  const what = most === waitingForInput ? 'items' : 'room';
  // What a dispatcher has in hand waits for room in the buffers of its sinks.
  const words = kind === 'dispatcher' && what === 'room' ? 'waits for its sinks' : `waits for ${what}`;
  return [{ text: `  ${inWords ? words : `no ${what}`} ${asPercent(most)}`, style: 'dim' }];
}

function codeOf(failures: StageSample['failures']): string {
  const last = failures.at(-1);
  return last === undefined ? '' : `: ${harmless(last.code)}`;
}
