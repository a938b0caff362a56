/**
 * One look at a pipeline or a dispatcher, and at all that is behind it, as one graph.
 *
 *     pipeline.snapshot()          source ─► map ─► [dispatcher]
 *     dispatcher.snapshot()                              ├─► subscription
 *     dispatcher.snapshot()                              └─► [dispatcher] ─► subscription
 *
 * The sink through which items go to a dispatcher stands for it. Ids of what is behind a stage begin with the stage's own.
 */

import type {
  BreakerStatus,
  BufferSnapshot,
  DispatcherSnapshot,
  FailureCount,
  FailureSnapshot,
  PipelineSnapshot,
  PipelineState,
  SinkStatus,
  StageActivity,
  StageSnapshot,
  Watchable,
  WriteCounts,
} from '@streamweld/core';

export type StageKind = 'source' | 'operator' | 'sink' | 'dispatcher';
export type WatchedState = PipelineState | DispatcherSnapshot['state'];

/** A stage as it is at one moment. */
export interface StageLook {
  readonly id: string;
  readonly name: string;
  readonly kind: StageKind;
  /** Of a dispatcher: how it shares out. */
  readonly strategy?: string | undefined;
  readonly partition?: string | number | undefined;
  /** Of a subscription: its own state. */
  readonly state?: SinkStatus['state'] | undefined;
  /** Items it has handed on; of a sink: accepted. */
  readonly items: number;
  /** Items that came to it: of a source none. */
  readonly itemsIn: number;
  /** What is before it, where that is a buffer. */
  readonly buffer?: BufferSnapshot | undefined;
  readonly inFlight: number;
  readonly activity: StageActivity;
  /** Milliseconds that it waited for its neighbour: a source for room, a sink for items. */
  readonly waitedMs: number;
  readonly failures: readonly FailureCount[];
  readonly retried: number;
  readonly timedOut: number;
  readonly deadLettered: number;
  /** Items that its policies dropped, or that were lost with it by consent. */
  readonly dropped: number;
  readonly lost: number;
  readonly breaker?: BreakerStatus | undefined;
}

export interface EdgeLook {
  readonly from: string;
  readonly to: string;
  readonly buffer?: BufferSnapshot | undefined;
}

export interface Look {
  readonly name: string;
  readonly kind: 'pipeline' | 'dispatcher';
  readonly state: WatchedState;
  /** Since the run began; of a dispatcher alone 0. */
  readonly elapsedMs: number;
  /** Items that the sources handed out; unknown of a dispatcher alone. */
  readonly read?: number | undefined;
  /** Items that the sink accepted; of a dispatcher alone, all its sinks together. */
  readonly written: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly retried: number;
  readonly timedOut: number;
  readonly failure?: FailureSnapshot | undefined;
  readonly stages: readonly StageLook[];
  readonly edges: readonly EdgeLook[];
}

interface Graph {
  readonly stages: StageLook[];
  readonly edges: EdgeLook[];
}

/** Looks once. Costs as much as there are stages. */
export function lookAt(target: Watchable): Look {
  const graph: Graph = { stages: [], edges: [] };
  const snapshot = target.snapshot() as PipelineSnapshot | DispatcherSnapshot;
  if ('stages' in snapshot) return { ...lookAtPipeline(target, snapshot, graph), ...graph };
  return { ...lookAtDispatcher(target, snapshot, graph), ...graph };
}

function lookAtPipeline(
  target: Watchable,
  snapshot: PipelineSnapshot,
  graph: Graph,
): Omit<Look, keyof Graph> {
  const { name, state, elapsedMs, read, written, dropped, failure } = snapshot;
  const { deadLettered, retried, timedOut } = snapshot;
  const behind = target.behind();
  const came = cameTo(snapshot);
  // Its one buffer is before its sink.
  const buffer = snapshot.edges.at(-1)?.buffer;
  for (const stage of snapshot.stages) {
    const inner = behind.get(stage.id);
    const isSink = stage.kind === 'sink';
    const look = fromStage(
      stage,
      isSink ? snapshot : NO_WRITES,
      came.get(stage.id) ?? 0,
      isSink ? buffer : undefined,
    );
    if (inner === undefined) graph.stages.push(look);
    else addDispatcher(inner, look, graph);
  }
  // Before what was added behind: in the order of the flow.
  graph.edges.unshift(...snapshot.edges);
  return {
    name,
    kind: 'pipeline',
    state,
    elapsedMs,
    read,
    written,
    dropped,
    deadLettered,
    retried,
    timedOut,
    failure,
  };
}

function lookAtDispatcher(
  target: Watchable,
  snapshot: DispatcherSnapshot,
  graph: Graph,
): Omit<Look, keyof Graph> {
  const { name, state, sinks } = snapshot;
  const sum = (count: (sink: SinkStatus) => number): number =>
    sinks.reduce((total, sink) => total + count(sink), 0);
  const written = sum(({ delivered }) => delivered);
  const look = {
    id: name,
    name,
    kind: 'sink' as const,
    items: written,
    itemsIn: 0,
    buffer: undefined,
    inFlight: snapshot.waiting > 0 ? 1 : 0,
    activity: state === 'open' ? (snapshot.waiting > 0 ? 'busy' : 'waitingForInput') : 'idle',
    waitedMs: 0,
    failures: [],
    dropped: 0,
    lost: 0,
    ...NO_WRITES,
  } as const;
  addDispatcher(target, look, graph, snapshot);
  return {
    name,
    kind: 'dispatcher',
    state,
    elapsedMs: 0,
    read: undefined,
    written,
    dropped: snapshot.dropped + sum(({ dropped }) => dropped),
    deadLettered: sum(({ deadLettered }) => deadLettered),
    retried: sum(({ retried }) => retried),
    timedOut: sum(({ timedOut }) => timedOut),
    failure: undefined,
  };
}

/** @param at the sink that stands for it */
function addDispatcher(
  target: Watchable,
  at: StageLook,
  graph: Graph,
  snapshot: DispatcherSnapshot = target.snapshot() as DispatcherSnapshot,
): void {
  graph.stages.push({
    ...at,
    kind: 'dispatcher',
    strategy: snapshot.strategy,
    dropped: at.dropped + snapshot.dropped,
    // It only passes on: what it has in hand waits for room in some buffer.
    activity: at.activity === 'busy' ? 'waitingForRoom' : at.activity,
  });
  const behind = target.behind();
  for (const sink of snapshot.sinks) {
    const id = `${at.id}/${sink.id}`;
    const { bufferSize: capacity, buffered: queued, inFlight, demand } = sink;
    const buffer = { capacity, queued, inFlight, demand };
    graph.edges.push({ from: at.id, to: id, buffer });
    const look = fromSubscription(sink, id, buffer);
    const inner = behind.get(sink.id);
    if (inner === undefined) graph.stages.push(look);
    else addDispatcher(inner, look, graph);
  }
}

const NO_WRITES: WriteCounts = { retried: 0, timedOut: 0, deadLettered: 0 };

/** By the id of a stage. */
function cameTo({ stages, edges }: PipelineSnapshot): Map<string, number> {
  const items = new Map(stages.map((stage) => [stage.id, stage.items]));
  const came = new Map<string, number>();
  for (const { from, to } of edges) came.set(to, (came.get(to) ?? 0) + (items.get(from) ?? 0));
  return came;
}

function fromStage(
  stage: StageSnapshot,
  counts: WriteCounts,
  itemsIn: number,
  buffer: BufferSnapshot | undefined,
): StageLook {
  const { id, name, kind, items, inFlight, activity, waitedMs, failures } = stage;
  const { retried, timedOut, deadLettered, breaker } = counts;
  return {
    id,
    name,
    kind,
    items,
    itemsIn,
    buffer,
    inFlight,
    activity,
    waitedMs,
    failures,
    retried,
    timedOut,
    deadLettered,
    dropped: 0,
    lost: 0,
    breaker,
  };
}

function fromSubscription(sink: SinkStatus, id: string, buffer: BufferSnapshot): StageLook {
  const { name, partition, state, activity, waitedMs, failures, inFlight, dropped, breaker } = sink;
  const { retried, timedOut, deadLettered, delivered: items, failed: lost } = sink;
  return {
    id,
    name,
    kind: 'sink',
    partition,
    state,
    items,
    // Only the sink knows how many were its share.
    itemsIn: items + buffer.queued + inFlight + dropped + lost + deadLettered,
    buffer,
    inFlight,
    activity,
    waitedMs,
    failures,
    retried,
    timedOut,
    deadLettered,
    dropped,
    lost,
    breaker,
  };
}
