/** One JSON object a line: for programs. Counts and names, never items or positions. */

import type { Sample, StageSample } from '../shared/sample.ts';
import { outlookOf } from './outlook.ts';

export function jsonLine(
  sample: Sample,
  total: number | undefined,
  elapsedMs: number,
  outcome: string | undefined,
): string {
  const { name, state, read, written, dropped, deadLettered, retried, timedOut } = sample;
  const { rate, bottleneck, failure, stages, edges } = sample;
  const { leftMs, lag } = outlookOf(sample, total);
  const buffers = new Map(edges.map(({ to, buffer }) => [to, buffer]));
  return JSON.stringify({
    type: outcome === undefined ? 'progress' : 'end',
    name,
    state,
    outcome,
    elapsedMs: rounded(elapsedMs),
    read,
    written,
    total,
    leftMs: leftMs === undefined ? undefined : rounded(leftMs),
    lag,
    rate: { now: rounded(rate.now), average: rounded(rate.average) },
    dropped,
    deadLettered,
    retried,
    timedOut,
    bottleneck,
    failure: failure === undefined ? undefined : { code: failure.code, stage: failure.stage },
    stages: stages.map((stage) => ({ ...stageOf(stage), buffer: buffers.get(stage.id) })),
  });
}

function stageOf(stage: StageSample): object {
  const { id, name, kind, strategy, partition, items, rate, shares, inFlight, failures } = stage;
  const { retried, timedOut, deadLettered, dropped, lost } = stage;
  return {
    id,
    name,
    kind,
    strategy,
    partition,
    items,
    inFlight,
    rate: { now: rounded(rate.now), average: rounded(rate.average) },
    shares: {
      busy: rounded(shares.busy),
      waitingForInput: rounded(shares.waitingForInput),
      waitingForRoom: rounded(shares.waitingForRoom),
    },
    retried,
    timedOut,
    deadLettered,
    dropped,
    lost,
    failures: failures.map(({ code, count }) => ({ code, count })),
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
