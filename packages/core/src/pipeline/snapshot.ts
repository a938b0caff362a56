/** What a pipeline looks like at one moment: a plain object, built only when asked for. */

import type { FailureCount } from '../failure-log.ts';
import type { RunCounts } from './report.ts';

export interface PipelineSnapshot extends RunCounts {
  readonly name: string;
  readonly state: PipelineState;
  readonly elapsedMs: number;
  /** What ended the run, or is about to. */
  readonly failure?: FailureSnapshot | undefined;
  /** Sources first, then operators in the order of the flow, the sink last. */
  readonly stages: readonly StageSnapshot[];
  readonly edges: readonly EdgeSnapshot[];
}

/** An error as it may be shown: without its message, which may quote anything, where it is not one of ours. */
export interface FailureSnapshot {
  /** Its `code`, else its name. */
  readonly code: string;
  /** The name of the stage at fault, where that is known. */
  readonly stage?: string | undefined;
  readonly message?: string | undefined;
}

export interface StageSnapshot {
  readonly id: string;
  readonly name: string;
  readonly kind: 'source' | 'operator' | 'sink';
  /** Items it has handed on; of a sink: accepted. */
  readonly items: number;
  /** Its calls that are outstanding: a pull of the source, calls of an asynchronous operator, writes of the sink, those that wait to be repeated included. */
  readonly inFlight: number;
  readonly activity: StageActivity;
  /** How long it had to wait for its neighbour: a source for room, a sink for items. Milliseconds. */
  readonly waitedMs: number;
  /** What failed in it, by code, whether it was repeated, put aside or ended the run. */
  readonly failures: readonly FailureCount[];
}

/**
 * What a stage does at this moment. `'busy'`: calls of its own are outstanding, or it computes. `'waitingForInput'`,
 * `'waitingForRoom'`: it could go on, if those before it, or those behind it, did. `'idle'`: paused, or at its end.
 */
export type StageActivity = 'busy' | 'waitingForInput' | 'waitingForRoom' | 'idle';

/** An ordered part of a source, and how far it has come. */
export interface LaneSnapshot {
  /** The id of its source, as in the snapshot. */
  readonly source: string;
  /** As in the positions of the report. */
  readonly lane: string;
  /** Everything before is settled. Undefined: nothing is yet. */
  readonly position: unknown;
  /** What was committed last, by this run. Undefined: nothing was. */
  readonly committed: unknown;
  /** Items that were handed out and are not settled. */
  readonly open: number;
  /** Items that its source knows of and has not handed out, where it can tell. */
  readonly lag?: number | undefined;
}

export interface EdgeSnapshot {
  readonly from: string;
  readonly to: string;
  /** Only of the edge that is a buffer, before the sink. */
  readonly buffer?: BufferSnapshot;
}

export interface BufferSnapshot {
  readonly capacity: number;
  /** Items that wait. */
  readonly queued: number;
  /** Items that are being written, or wait to be written again. */
  readonly inFlight: number;
  /** Items it has room for. */
  readonly demand: number;
}

/** Only forwards, but for pause: `idle → opening → running ⇄ paused → draining → closing → done`, or `aborting → closing`. */
export type PipelineState =
  | 'idle'
  | 'opening'
  | 'running'
  | 'paused'
  | 'draining'
  | 'aborting'
  | 'closing'
  | 'done';
