/**
 * How a pipeline looks: built only when somebody asks.
 *
 *     source ─► map ─► filter ─► [buffer] ─► sink        while a pull is outstanding, the one with calls of its own is busy:
 *     waits     busy    waits                waits       those before it wait for room, those after it for input
 */

import type { BatchChannel } from '../channel/batch-channel.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { isStreamWeldError } from '../errors.ts';
import { FailureLog } from '../failure-log.ts';
import type { Flow } from '../flow/flow.ts';
import type { SourceStage } from '../flow/source-stage.ts';
import type { FlowRun, Stage } from '../flow/stage.ts';
import { NO_COUNTS } from '../policy/write-policies.ts';
import type { SinkTask } from '../task/sink-task.ts';
import type { SourceTask } from '../task/source-task.ts';
import type { RunCounts } from './report.ts';
import type {
  EdgeSnapshot,
  FailureSnapshot,
  LaneSnapshot,
  PipelineSnapshot,
  PipelineState,
  StageActivity,
  StageSnapshot,
} from './snapshot.ts';

export interface RunView<T> {
  readonly name: string;
  readonly state: PipelineState;
  readonly elapsedMs: number;
  readonly counts: RunCounts;
  readonly failure: { readonly error: unknown } | undefined;
  readonly stages: readonly Stage<unknown>[];
  /** The one that the source task pulls from. */
  readonly last: Stage<T>;
  readonly source: SourceTask<T>;
  readonly channel: BatchChannel<Parcel<T>>;
  readonly writer: SinkTask<T>;
}

type Stages = readonly Stage<unknown>[];

interface Shape {
  readonly ids: ReadonlyMap<Stage<unknown>, string>;
  /** Without the one into the buffer. */
  readonly edges: readonly EdgeSnapshot[];
}

/** Of each run, worked out once: a snapshot may be taken a hundred times a second. */
const shapes = new WeakMap<Stages, Shape>();

/** @param stages all of a run, which has been built */
function shapeOf(stages: Stages): Shape {
  let shape = shapes.get(stages);
  if (shape === undefined) {
    // Stages may have the same name: their place tells them apart.
    const ids = new Map(stages.map((stage, index) => [stage, `${stage.name}#${index}`]));
    const edges = stages.flatMap((stage) =>
      stage.inputs.map((input) => ({ from: ids.get(input) as string, to: ids.get(stage) as string })),
    );
    shapes.set(stages, (shape = { ids, edges }));
  }
  return shape;
}

export function idsOf(stages: Stages): ReadonlyMap<Stage<unknown>, string> {
  return shapeOf(stages).ids;
}

export function sinkIdOf(name: string, stages: Stages): string {
  return `${name}#${stages.length}`;
}

export function snapshotOf<T>(view: RunView<T>): PipelineSnapshot {
  const { name, state, elapsedMs, counts, failure, stages, last, source, channel, writer } = view;
  const { ids, edges } = shapeOf(stages);
  const activityOf = activitiesOf(view);
  const before: StageSnapshot[] = stages.map((stage) => ({
    id: ids.get(stage) as string,
    name: stage.name,
    kind: stage.inputs.length === 0 ? 'source' : 'operator',
    items: stage.emitted,
    inFlight: stage.calls,
    activity: activityOf(stage),
    waitedMs: stage.inputs.length === 0 ? source.waitedMs : 0,
    failures: stage.failures?.counts ?? [],
  }));
  const sink: StageSnapshot = {
    id: sinkIdOf(writer.name, stages),
    name: writer.name,
    kind: 'sink',
    items: writer.written,
    inFlight: writer.inFlight,
    activity: state === 'done' ? 'idle' : writer.activity,
    waitedMs: writer.waitedMs,
    failures: writer.failures,
  };
  const { capacity, queued, room: demand } = channel;
  const buffer = { capacity, queued, inFlight: writer.inFlightItems, demand };
  return {
    name,
    state,
    elapsedMs,
    ...counts,
    ...(failure === undefined ? {} : { failure: describeFailure(failure.error) }),
    stages: [...before, sink],
    edges: [...edges, { from: ids.get(last as Stage<unknown>) as string, to: sink.id, buffer }],
  };
}

/** Seen from the calls that are outstanding: nothing is noted while items move. */
function activitiesOf<T>({ source, stages }: RunView<T>): (stage: Stage<unknown>) => StageActivity {
  const working = new Set<Stage<unknown>>();
  // A stage is built after its inputs, so that each is asked once.
  for (const stage of stages)
    if (stage.calls > 0 || stage.inputs.some((input) => working.has(input))) working.add(stage);
  return (stage) => {
    if (stage.calls > 0) return 'busy';
    if (source.isYielding) return 'busy';
    if (source.isPulling) return working.has(stage) ? 'waitingForInput' : 'waitingForRoom';
    if (!source.isRunning) return 'idle';
    return source.isFull ? 'waitingForRoom' : 'busy';
  };
}

function describeFailure(error: unknown): FailureSnapshot {
  if (isStreamWeldError(error)) {
    const { code, stage, message } = error;
    return { code, ...(stage === undefined ? {} : { stage }), message };
  }
  const log = new FailureLog();
  log.note(error);
  return { code: log.counts[0]?.code as string };
}

export interface LanesView {
  readonly stages: Stages;
  readonly sources: readonly SourceStage<unknown>[];
  /** The most of each source. */
  readonly max: number;
  /** Where the sink stands, where it keeps the positions itself. */
  readonly keptAt: ((label: string) => unknown) | undefined;
  /** Sources may be asked how far they are behind. */
  readonly isOpen: boolean;
}

export function lanesOf({ stages, sources, max, keptAt, isOpen }: LanesView): LaneSnapshot[] {
  const ids = idsOf(stages);
  return sources.flatMap((source) => {
    const lags = isOpen ? lagsOf(source) : new Map<string, number>();
    const lanes = source.lanes.list(max).map(({ name, label, position, committed, open }) => {
      const lag = lags.get(name);
      lags.delete(name);
      return {
        source: ids.get(source as Stage<unknown>) as string,
        lane: label,
        position,
        committed: keptAt === undefined ? committed : keptAt(label),
        open,
        ...(lag === undefined ? {} : { lag }),
      };
    });
    // Those of which nothing was handed out yet.
    const unread = [...lags].map(([name, lag]) => ({
      source: ids.get(source as Stage<unknown>) as string,
      lane: source.lanes.prefix + name,
      position: undefined,
      committed: undefined,
      open: 0,
      lag,
    }));
    return [...lanes, ...unread].slice(0, max);
  });
}

function lagsOf({ source }: SourceStage<unknown>): Map<string, number> {
  try {
    return new Map((source.lag?.() ?? []).map(({ lane, lag }) => [lane, lag]));
  } catch {
    // Whoever watches must not fail the run, nor be failed by a source that cannot tell.
    return new Map();
  }
}

/** What a pipeline consists of before it runs: its flow is built, and thrown away. */
export function idleSnapshot<T>(
  flow: Flow<T>,
  name: string,
  sinkName: string,
  capacity: number,
): PipelineSnapshot {
  const run: FlowRun = {
    isSketch: true,
    concurrency: 1,
    sources: [],
    stages: [],
    dropped: () => {},
    deadLetter: { room: () => undefined, put: () => {} },
  };
  const last = flow.build(run);
  const { ids, edges } = shapeOf(run.stages);
  const at = { items: 0, inFlight: 0, activity: 'idle', waitedMs: 0, failures: [] } as const;
  const sinkId = sinkIdOf(sinkName, run.stages);
  return {
    name,
    state: 'idle',
    elapsedMs: 0,
    read: 0,
    written: 0,
    dropped: 0,
    ...NO_COUNTS,
    batches: 0,
    highWaterMark: 0,
    stages: [
      ...run.stages.map((stage) => ({
        id: ids.get(stage) as string,
        name: stage.name,
        kind: stage.inputs.length === 0 ? ('source' as const) : ('operator' as const),
        ...at,
      })),
      { id: sinkId, name: sinkName, kind: 'sink', ...at },
    ],
    edges: [
      ...edges,
      {
        from: ids.get(last as Stage<unknown>) as string,
        to: sinkId,
        buffer: { capacity, queued: 0, inFlight: 0, demand: capacity },
      },
    ],
  };
}
