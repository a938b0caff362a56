/** What whoever watches is given, a few times a second: the same for the terminal, the page and telemetry. */

import type { FailureCount, LaneSnapshot } from '@streamweld/core';
import type { Bottleneck } from './bottleneck.ts';
import type { EdgeLook, Look, StageLook } from './graph.ts';
import type { Latency } from './latency.ts';

/** Items a second. */
export interface Rate {
  /** Over the last two seconds. */
  readonly now: number;
  /** Since it is watched, without the time it was paused. */
  readonly average: number;
}

/** What its time went on, from 0 to 1; together 1, or all 0 where nothing is known. Time that it is idle is not counted. */
export interface Shares {
  readonly busy: number;
  readonly waitingForInput: number;
  readonly waitingForRoom: number;
}

export interface FailureSample extends FailureCount {
  /** How long ago the last of them was seen, in milliseconds. */
  readonly agoMs: number;
}

export interface StageSample extends Omit<StageLook, 'failures'> {
  readonly rate: Rate;
  /** Of the last ten seconds. */
  readonly shares: Shares;
  /** Since it is watched, up to when it is asked. */
  readonly overall: () => Shares;
  readonly failures: readonly FailureSample[];
  /** Of its pulls or writes, where somebody wants to know. */
  readonly latency?: Latency | undefined;
}

export interface LaneSample extends LaneSnapshot {
  /** How long its position has not moved while items of it were open, in milliseconds; else 0. */
  readonly stuckMs: number;
}

export interface Sample extends Omit<Look, 'stages'> {
  /** Unlike that of any other that this process watches. */
  readonly id: string;
  /** When it was taken, in milliseconds on the runtime's clock, which never jumps. */
  readonly atMs: number;
  /** It has ended: no other follows. */
  readonly isOver: boolean;
  /** Of what its sink accepted. */
  readonly rate: Rate;
  readonly stages: readonly StageSample[];
  readonly edges: readonly EdgeLook[];
  /** Of a pipeline that runs; at most 100 of each source. */
  readonly lanes: readonly LaneSample[];
  /** Which part of its time the event loop of this process was at work lately, from 0 to 1, where that can be told. */
  readonly loop?: number | undefined;
  /** What holds it up, if anything does. */
  readonly bottleneck?: Bottleneck | undefined;
}
