/** A sample as it goes to the page: only what is shown, numbers as short as they are exact, positions as text. */

import type { Look } from '../shared/graph.ts';
import type { LaneSample, Rate, Sample, StageSample } from '../shared/sample.ts';
import { harmless, shortened } from '../shared/text.ts';
import { previewOf } from './preview.ts';
import {
  ACTIVITIES,
  type WireLane,
  type WireMoved,
  type WireRate,
  type WireSample,
  type WireStage,
} from './wire.ts';

const NAME_LETTERS = 200;
const MESSAGE_LETTERS = 1000;

export function encodeSample(sample: Sample): WireSample {
  const { id, kind, state, isOver, read, written, dropped, deadLettered, retried, timedOut } = sample;
  const { bottleneck, failure, loop } = sample;
  return {
    id,
    name: nameOf(sample.name),
    kind,
    state,
    isOver,
    atMs: rounded(sample.atMs, 1),
    elapsedMs: rounded(sample.elapsedMs, 1),
    read,
    written,
    dropped,
    deadLettered,
    retried,
    timedOut,
    rate: encodeRate(sample.rate),
    loop: loop === undefined ? undefined : rounded(loop, 100),
    bottleneck: bottleneck && { stage: bottleneck.stage, text: bottleneck.text },
    failure: failure && {
      code: nameOf(failure.code),
      stage: failure.stage === undefined ? undefined : nameOf(failure.stage),
      message: failure.message === undefined ? undefined : shortened(failure.message, MESSAGE_LETTERS),
    },
    stages: sample.stages.map(encodeStage),
    edges: sample.edges as WireSample['edges'],
    lanes: sample.lanes.map(encodeLane),
  };
}

/** @returns nothing, where it is not of the same stages and edges as the sample: then the next sample tells. */
export function encodeMoved(look: Look, sample: Sample): WireMoved | undefined {
  const { stages, edges } = look;
  if (look.state !== sample.state || stages.length !== sample.stages.length) return undefined;
  if (edges.length !== sample.edges.length) return undefined;
  const [items, itemsIn, inFlight]: [number[], number[], number[]] = [[], [], []];
  let activity = '';
  for (const [at, stage] of stages.entries()) {
    if (stage.id !== sample.stages[at]?.id) return undefined;
    items.push(stage.items);
    itemsIn.push(stage.itemsIn);
    inFlight.push(stage.inFlight);
    activity += ACTIVITIES.indexOf(stage.activity);
  }
  const buffers: number[] = [];
  for (const { buffer } of edges) if (buffer) buffers.push(buffer.queued, buffer.inFlight, buffer.demand);
  return {
    id: sample.id,
    with: rounded(sample.atMs, 1),
    elapsedMs: rounded(look.elapsedMs, 1),
    read: look.read,
    written: look.written,
    items,
    itemsIn,
    inFlight,
    activity,
    buffers,
  };
}

/** Property by property, as it is where samples are made: fifty stages, some times a second. */
function encodeStage(stage: StageSample): WireStage {
  const { shares, latency, partition, breaker } = stage;
  return {
    id: stage.id,
    name: nameOf(stage.name),
    kind: stage.kind,
    strategy: stage.strategy,
    partition: partition === undefined ? undefined : nameOf(String(partition)),
    state: stage.state,
    items: stage.items,
    itemsIn: stage.itemsIn,
    inFlight: stage.inFlight,
    activity: stage.activity,
    rate: encodeRate(stage.rate),
    shares: [
      rounded(shares.busy, 100),
      rounded(shares.waitingForInput, 100),
      rounded(shares.waitingForRoom, 100),
    ],
    retried: stage.retried,
    timedOut: stage.timedOut,
    deadLettered: stage.deadLettered,
    dropped: stage.dropped,
    lost: stage.lost,
    breaker: breaker?.state,
    failures: stage.failures.map(({ code, count, agoMs }) => ({
      code: nameOf(code),
      count,
      agoMs: rounded(agoMs, 1),
    })),
    ...(latency && {
      latency: {
        p50: rounded(latency.p50Ms, 1000),
        p95: rounded(latency.p95Ms, 1000),
        p99: rounded(latency.p99Ms, 1000),
        max: rounded(latency.maxMs, 1000),
      },
    }),
  };
}

function encodeLane({ source, lane, position, committed, open, lag, stuckMs }: LaneSample): WireLane {
  return {
    source,
    lane: nameOf(lane),
    position: positionText(position),
    committed: positionText(committed),
    open,
    lag,
    stuckMs: rounded(stuckMs, 1),
  };
}

function positionText(position: unknown): string {
  return position === undefined ? '' : previewOf(position, { letters: 120, text: 80, entries: 8 });
}

function encodeRate({ now, average }: Rate): WireRate {
  return { now: rounded(now, 10), average: rounded(average, 10) };
}

/** Most names are plain, and come again with each sample. */
function nameOf(text: string): string {
  if (text.length <= NAME_LETTERS && /^[\x20-\x7e]*$/u.test(text)) return text;
  return shortened(harmless(text), NAME_LETTERS);
}

function rounded(value: number, per: number): number {
  return Math.round(value * per) / per;
}
