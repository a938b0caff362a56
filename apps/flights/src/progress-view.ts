/** What is shown of a run while it goes on, made from the snapshots of pipeline and dispatcher. */

import { styleText } from 'node:util';
import type { DispatcherSnapshot, PipelineSnapshot } from '@streamweld/core';
import { percent, rate, seconds, whole } from './numbers.ts';

/** A run at one moment. */
export interface Reading {
  readonly title: string;
  /** Items that there will be. */
  readonly total: number;
  readonly items: number;
  readonly elapsedMs: number;
  readonly pipeline?: PipelineSnapshot | undefined;
  readonly dispatcher?: DispatcherSnapshot | undefined;
}

/** From where on a buffer is shown as full. */
const FULL = 0.85;
/** Less waiting than this is not worth a word. */
const SOME = 0.1;

/** One line, for a log. */
export function plainLine(now: Reading, before: Reading | undefined): string {
  const wait = waiting(now, before);
  return `${now.title}: ${howFar(now)}, ${howFast(now, before)}${wait === '' ? '' : `, ${wait}`}`;
}

/** The lines of a terminal: how far and how fast, the buffer and who waits for whom, then a line for each sink. */
export function liveLines(
  now: Reading,
  before: Reading | undefined,
  columns: number,
  hasColors: boolean,
): string[] {
  const paint = (format: 'bold' | 'green' | 'red' | 'dim', text: string) =>
    hasColors ? styleText(format, text) : text;
  const bar = (share: number, width: number, isBuffer: boolean) => {
    const filled = Math.min(width, Math.round(share * width));
    const color = isBuffer && share >= FULL ? 'red' : 'green';
    return paint(color, '█'.repeat(filled)) + paint('dim', '░'.repeat(width - filled));
  };
  const fit = (text: string, width = columns) =>
    text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
  // Bars take the room that the texts leave: a narrow terminal loses them first.
  const barWidth = Math.min(24, columns - LABEL - TEXT - 4);
  const line = (label: string, share: number, isBuffer: boolean, text: string) => {
    const start = `  ${label.padEnd(LABEL)} `;
    if (barWidth < 4) return fit(start + text);
    return `${start}${bar(share, barWidth, isBuffer)} ${fit(text, columns - start.length - barWidth - 1)}`;
  };

  const share = now.total === 0 ? 0 : now.items / now.total;
  const lines = [
    paint('bold', fit(now.title)),
    line('', share, false, howFar(now)),
    fit(`  ${''.padEnd(LABEL)} ${[howFast(now, before), timeLeft(now)].filter(Boolean).join(', ')}`),
  ];
  const buffer = bufferOf(now.pipeline);
  if (buffer !== undefined) {
    const { capacity, demand } = buffer;
    const level = capacity - demand;
    const text = [`${whole(level)} of ${whole(capacity)}`, waiting(now, before)].filter(Boolean).join(', ');
    lines.push(line('buffer', level / capacity, true, text));
  }
  for (const [index, sink] of (now.dispatcher?.sinks ?? []).entries()) {
    const level = sink.buffered + sink.inFlight;
    const busy = 1 - waitedShare(sink.waitedMs, before?.dispatcher?.sinks[index]?.waitedMs, now, before);
    const text = `demand ${whole(sink.demand).padStart(6)}  ${whole(sink.delivered).padStart(9)} delivered  ${percent(busy).padStart(5)} busy`;
    lines.push(line(sink.name, level / sink.bufferSize, true, text));
  }
  return lines;
}

/** The room for the name of a line, and for what it says. */
const LABEL = 16;
const TEXT = 46;

function howFar({ items, total }: Reading): string {
  return `${whole(items)} of ${whole(total)} flights, ${percent(total === 0 ? 0 : items / total)}`;
}

function howFast(now: Reading, before: Reading | undefined): string {
  const average = rate(now.items, now.elapsedMs);
  if (before === undefined) return `${average}/s`;
  return `${rate(now.items - before.items, now.elapsedMs - before.elapsedMs)}/s now, ${average}/s on average`;
}

function timeLeft({ items, total, elapsedMs }: Reading): string {
  // The first second tells little about the rest.
  if (items === 0 || elapsedMs < 1000) return '';
  return `${seconds(((total - items) / items) * elapsedMs)} to go`;
}

/** Who waits for whom, and what share of the time since `before`. */
function waiting(now: Reading, before: Reading | undefined): string {
  const { pipeline, dispatcher } = now;
  const source = pipeline?.stages.at(0);
  const sink = pipeline?.stages.at(-1);
  if (source === undefined || sink === undefined || before === undefined) return '';
  if (pipeline?.state === 'closing' || (pipeline?.state === 'draining' && now.items === source.items)) {
    return 'finishing';
  }
  const forRoom = waitedShare(source.waitedMs, before.pipeline?.stages.at(0)?.waitedMs, now, before);
  const forItems = waitedShare(sink.waitedMs, before.pipeline?.stages.at(-1)?.waitedMs, now, before);
  if (forRoom >= forItems && forRoom >= SOME) {
    const limit = dispatcher === undefined ? sink.name : (fullest(dispatcher) ?? THREAD);
    return `waiting for ${limit} ${percent(forRoom)}`;
  }
  return forItems >= SOME ? `waiting for ${source.name} ${percent(forItems)}` : 'nobody waits';
}

/** What is waited for when each sink has room: they all run here, and so does what brings them their items. */
const THREAD = 'this thread';

/** The sink whose buffer is fullest is the one that the others wait for. */
function fullest({ sinks }: DispatcherSnapshot): string | undefined {
  let name: string | undefined;
  let most = 0;
  let full = 0;
  for (const { name: each, buffered, inFlight, bufferSize } of sinks) {
    const level = (buffered + inFlight) / bufferSize;
    if (level >= FULL) full += 1;
    if (level <= most) continue;
    most = level;
    name = each;
  }
  return full > 1 && full === sinks.length ? 'all of them' : name;
}

function waitedShare(
  waitedMs: number,
  waitedBeforeMs: number | undefined,
  now: Reading,
  before: Reading | undefined,
): number {
  const ms = now.elapsedMs - (before?.elapsedMs ?? 0);
  if (ms <= 0) return 0;
  return Math.min(1, Math.max(0, (waitedMs - (waitedBeforeMs ?? 0)) / ms));
}

function bufferOf(pipeline: PipelineSnapshot | undefined): { capacity: number; demand: number } | undefined {
  return pipeline?.edges.find(({ buffer }) => buffer !== undefined)?.buffer;
}
