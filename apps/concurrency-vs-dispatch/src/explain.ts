/** What one sees, in a sentence: told from who waited for whom, and how much each sink took. */

import { cost, listed, percent } from './numbers.ts';
import type { Change, Reading, SinkReading } from './reading.ts';

/** Less waiting than this is not worth a word. */
const SOME = 0.1;

/** @param change what is explained: a whole run, or its last seconds */
export function explain(now: Reading, change: Change): string {
  if (now.state === 'paused')
    return 'Paused: nothing is read. What is in the buffers of sinks is still written.';
  if (change.source.items === 0) return 'Nothing has moved yet.';
  if (now.source.ms === 0 && now.sinks.every(({ ms }) => ms === 0))
    return 'Nobody takes time for an item: how fast it goes is up to this machine.';
  switch (now.mode) {
    case 'sequential':
      return `They take turns: an item takes ${cost(now.source.ms)} and ${cost(first(now).ms)}, one after the other, and one of the two always waits.`;
    case 'concurrent':
      return concurrent(change);
    case 'broadcast':
      return broadcast(now, change);
    case 'demand':
      return demand(now, change);
    case 'partition':
      return partition(now, change);
  }
}

function concurrent({ source, sinks }: Change): string {
  const waited = sinks[0]?.waited ?? 0;
  if (source.waited < SOME && waited < SOME)
    return 'Both work at once, and are about as fast: hardly anybody waits.';
  if (source.waited >= waited)
    return `Both work at once. The sink is slower and sets the pace: the buffer is full, and the source waits ${percent(source.waited)} of its time.`;
  return `Both work at once. The source is slower and sets the pace: the buffer is empty, and the sink waits ${percent(waited)} of its time.`;
}

function broadcast(now: Reading, change: Change): string {
  if (isSourceSlowest(change))
    return 'Every sink gets every item. The source is the slowest here, so all of them wait for it.';
  const slowest = now.sinks[busiest(change)] as SinkReading;
  if (!isHeldUp(change)) return `Every sink gets every item. ${notHeldUp(slowest)}`;
  const idle = mostIdle(now, change);
  if (idle === undefined) return 'Every sink gets every item, and all are about as fast: they keep step.';
  return `Every sink gets every item, so the slowest sets the pace: ${idle} for ${slowest.name}.`;
}

function demand(now: Reading, change: Change): string {
  const taken = now.sinks.map((sink, at) => ({ ...sink, share: change.sinks[at]?.share ?? 0 }));
  const by = taken.toSorted((a, b) => b.share - a.share);
  const [most, least] = [by[0], by.at(-1)];
  if (most === undefined || least === undefined || by.length === 1)
    return 'One sink alone takes every item, as in a pipeline.';
  const isEven = most.share - least.share < 0.05;
  const shares = isEven
    ? 'Each sink takes about as many items'
    : `${most.name} takes ${percent(most.share)} of the items, ${least.name} only ${percent(least.share)}`;
  if (isSourceSlowest(change))
    return `${shares}. The source is the slowest here: whoever is free is given the next item.`;
  return `${shares}: demand follows speed, and every sink is busy.`;
}

function partition(now: Reading, change: Change): string {
  if (isSourceSlowest(change))
    return 'Keys decide, not speed: each key stays at its sink, in order. The source is the slowest here.';
  const at = busiest(change);
  const slowest = now.sinks[at] as SinkReading;
  if (!isHeldUp(change)) return `Keys decide, not speed. ${notHeldUp(slowest)}`;
  const { name, keys } = slowest;
  const idle = mostIdle(now, change);
  if (idle === undefined) return 'Keys decide, not speed. Here they fit the speeds: every sink is busy.';
  const home = `${keys.length === 1 ? 'key' : 'keys'} ${listed(keys.toSorted())}`;
  return `Keys decide, not speed: ${name} has ${home}, which no other may take, so ${idle}.`;
}

/** Every sink has to wait for it. */
function isSourceSlowest(change: Change): boolean {
  return !isHeldUp(change) && change.sinks.every(({ waited }) => waited >= SOME);
}

/** The source has to wait for room. */
function isHeldUp({ source }: Change): boolean {
  return source.waited >= SOME;
}

/** As long as buffers fill. */
function notHeldUp({ name }: SinkReading): string {
  return `So far nobody is held up: what ${name} has not done yet waits in its buffer.`;
}

function busiest({ sinks }: Change): number {
  return sinks.reduce((best, sink, at) => (sink.waited < (sinks[best]?.waited ?? 1) ? at : best), 0);
}

/** The sink that waits most, if any does. */
function mostIdle(now: Reading, { sinks }: Change): string | undefined {
  const at = sinks.reduce(
    (best, sink, index) => (sink.waited > (sinks[best]?.waited ?? 0) ? index : best),
    0,
  );
  const waited = sinks[at]?.waited ?? 0;
  return waited < SOME ? undefined : `${now.sinks[at]?.name} waits ${percent(waited)} of its time`;
}

function first(now: Reading): SinkReading {
  return now.sinks[0] as SinkReading;
}
