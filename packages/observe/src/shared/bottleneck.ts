/**
 * Who holds a pipeline up, in words.
 *
 * There is one buffer, and two sides of it. Where the source waits for room, the sink is too slow; where the sink waits for
 * items, the source is, or an operator before the buffer: the one with calls outstanding. Where neither waits for long and
 * the processor is busy, it is the processor. Of a dispatcher the sink is meant whose buffer is full.
 */

import type { EdgeLook, StageLook, WatchedState } from './graph.ts';
import type { Spent } from './stage-track.ts';
import { harmless } from './text.ts';

export interface Bottleneck {
  /** The id of the stage that is waited for; nothing, where it is none. */
  readonly stage?: string | undefined;
  /** Which part of the time was spent waiting for it, from 0 to 1. */
  readonly share: number;
  /** As in `waiting for postgres 62 %`. */
  readonly text: string;
}

export interface Circumstances {
  readonly state: WatchedState;
  readonly stages: readonly StageLook[];
  readonly edges: readonly EdgeLook[];
  readonly spent: (stage: StageLook) => Spent;
  readonly loop: number | undefined;
}

/** Waiting of less than this is not worth a word. */
const WORTH = 0.1;
/** The event loop is full. */
const FULL = 0.85;

export function findBottleneck(circumstances: Circumstances): Bottleneck | undefined {
  const { state, stages, spent, loop } = circumstances;
  if (state !== 'running' && state !== 'draining' && state !== 'open') return undefined;
  const before = stages.filter(({ kind }) => kind === 'source' || kind === 'operator');
  const sink = stages[before.length];
  if (sink === undefined) return undefined;
  const { waitingForInput, busy, waitingForRoom } = spent(sink);
  const sinkMs = waitingForInput + busy + waitingForRoom;
  const source = before.find(({ kind }) => kind === 'source');
  const forSource = sinkMs === 0 ? 0 : waitingForInput / sinkMs;
  const forSink = source === undefined ? forBuffers(sinkMs, waitingForRoom) : fullShare(spent(source));
  if (Math.max(forSource, forSink) >= WORTH) {
    return forSink >= forSource
      ? behind(circumstances, sink, forSink)
      : ahead(circumstances, before, sink, forSource);
  }
  if (loop === undefined || loop < FULL) return undefined;
  return { share: loop, text: `the processor is busy ${percent(loop)}` };
}

function forBuffers(sinkMs: number, waitingForRoom: number): number {
  return sinkMs === 0 ? 0 : waitingForRoom / sinkMs;
}

function fullShare({ full, active }: Spent): number {
  return active === 0 ? 0 : Math.min(1, full / active);
}

function waitingFor(stage: StageLook, share: number): Bottleneck {
  const breaker = stage.breaker?.state;
  const why = breaker === undefined || breaker === 'closed' ? '' : `, its circuit breaker is ${breaker}`;
  return { stage: stage.id, share, text: `waiting for ${labelOf(stage)} ${percent(share)}${why}` };
}

/** The sink is waited for, or one behind it. */
function behind({ stages, edges, spent }: Circumstances, sink: StageLook, share: number): Bottleneck {
  if (sink.kind !== 'dispatcher') return waitingFor(sink, share);
  const byId = new Map(stages.map((stage) => [stage.id, stage]));
  const sinks = leaves(sink, byId, edges).filter(({ activity }) => activity !== 'idle');
  const [first] = sinks;
  if (first === undefined) return { stage: sink.id, share, text: `no sink takes from ${labelOf(sink)}` };
  // Each item may go to any of them: it waits for all.
  if (sink.strategy === 'demand' && sinks.length > 1)
    return { stage: sink.id, share, text: `waiting for all ${sinks.length} sinks ${percent(share)}` };
  const slowest = sinks.reduce((worst, each) => (spent(each).full > spent(worst).full ? each : worst), first);
  return waitingFor(slowest, share);
}

function leaves(
  at: StageLook,
  byId: ReadonlyMap<string, StageLook>,
  edges: readonly EdgeLook[],
): StageLook[] {
  const found: StageLook[] = [];
  for (const { from, to } of edges) {
    const stage = from === at.id ? byId.get(to) : undefined;
    if (stage?.kind === 'dispatcher') found.push(...leaves(stage, byId, edges));
    else if (stage !== undefined) found.push(stage);
  }
  return found;
}

/** The source is waited for, or an operator. */
function ahead(
  { spent }: Circumstances,
  before: readonly StageLook[],
  sink: StageLook,
  share: number,
): Bottleneck | undefined {
  const [first] = before;
  if (first === undefined) return undefined;
  const slowest = before.reduce(
    (worst, each) => (spent(each).calling > spent(worst).calling ? each : worst),
    first,
  );
  const { active, calling } = spent(slowest);
  if (before.length === 1 || (calling > 0 && calling >= WORTH * active)) return waitingFor(slowest, share);
  return { share, text: `computing before ${labelOf(sink)} ${percent(share)}` };
}

function labelOf({ name, partition }: StageLook): string {
  return harmless(partition === undefined ? name : `${name} (${partition})`);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
