/** How a run looks: built only when somebody asks. */

import type { BatchChannel } from '../channel/batch-channel.ts';
import type { Parcel } from '../delivery/parcel.ts';
import type { Stage } from '../flow/stage.ts';
import type { SinkTask } from '../task/sink-task.ts';
import type { SourceTask } from '../task/source-task.ts';
import type { RunReport } from './report.ts';
import type { EdgeSnapshot, PipelineSnapshot, PipelineState, StageSnapshot } from './snapshot.ts';

export interface RunView<T> {
  readonly name: string;
  readonly state: PipelineState;
  readonly report: RunReport;
  readonly stages: readonly Stage<unknown>[];
  /** The one that the source task pulls from. */
  readonly last: Stage<T>;
  readonly source: SourceTask<T>;
  readonly channel: BatchChannel<Parcel<T>>;
  readonly writer: SinkTask<T>;
}

export function snapshotOf<T>({
  name,
  state,
  report,
  stages,
  last,
  source,
  channel,
  writer,
}: RunView<T>): PipelineSnapshot {
  const { outcome: _, positions: __, durationMs: elapsedMs, ...counts } = report;
  const ids = new Map(stages.map((stage, index) => [stage, `${stage.name}#${index}`]));
  const idOf = (stage: Stage<unknown>): string => ids.get(stage) as string;
  const sinkId = `${writer.name}#${stages.length}`;
  const before: StageSnapshot[] = stages.map((stage) => ({
    id: idOf(stage),
    name: stage.name,
    kind: stage.inputs.length === 0 ? 'source' : 'operator',
    items: stage.emitted,
    inFlight: stage === last && source.isPulling ? 1 : 0,
    waitedMs: stage.inputs.length === 0 ? source.waitedMs : 0,
  }));
  const sink: StageSnapshot = {
    id: sinkId,
    name: writer.name,
    kind: 'sink',
    items: writer.written,
    inFlight: writer.inFlight,
    waitedMs: writer.waitedMs,
  };
  const between: EdgeSnapshot[] = stages.flatMap((stage) =>
    stage.inputs.map((input) => ({ from: idOf(input), to: idOf(stage) })),
  );
  const buffered: EdgeSnapshot = {
    from: idOf(last as Stage<unknown>),
    to: sinkId,
    buffer: {
      capacity: channel.capacity,
      queued: channel.queued,
      inFlight: writer.inFlightItems,
      demand: channel.room,
    },
  };
  return { name, state, elapsedMs, ...counts, stages: [...before, sink], edges: [...between, buffered] };
}
