/** What a pipeline looks like at one moment: a plain object, built only when asked for. */

import type { WriteCounts } from '../policy/write-policies.ts';

export interface PipelineSnapshot extends WriteCounts {
  readonly name: string;
  readonly state: PipelineState;
  readonly elapsedMs: number;
  readonly read: number;
  readonly written: number;
  readonly dropped: number;
  readonly batches: number;
  readonly highWaterMark: number;
  /** Sources first, then operators in the order of the flow, the sink last. */
  readonly stages: readonly StageSnapshot[];
  readonly edges: readonly EdgeSnapshot[];
}

export interface StageSnapshot {
  readonly id: string;
  readonly name: string;
  readonly kind: 'source' | 'operator' | 'sink';
  /** Items it has handed on; of a sink: accepted. */
  readonly items: number;
  /** Operations that are outstanding: a pull of the source's side, writes of the sink, those that wait to be repeated included. */
  readonly inFlight: number;
  /** How long it had to wait for its neighbour: a source for room, a sink for items. Milliseconds. */
  readonly waitedMs: number;
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
