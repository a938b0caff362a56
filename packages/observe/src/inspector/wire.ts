/**
 * What goes from the server to its page, as JSON in server-sent events. Texts may hold anything: the page shows them as
 * text. Times are milliseconds, shares go from 0 to 1, rates are items a second.
 *
 *     event: hello     once, at the beginning of a stream
 *     event: sample    of each pipeline, some times a second; a page that reads too slowly misses some
 *     event: moved     between two samples, many times a second: what has moved since, in columns
 *     event: gone      a pipeline that is no longer shown
 */

export interface WireHello {
  /** Whether there are buttons to pause, resume and drain; and whether items may be looked at. */
  readonly control: boolean;
  readonly items: boolean;
}

export interface WireGone {
  readonly id: string;
}

export interface WireSample {
  readonly id: string;
  readonly name: string;
  readonly kind: 'pipeline' | 'dispatcher';
  readonly state: string;
  readonly isOver: boolean;
  /** On a clock of the server that never jumps: only differences mean something. */
  readonly atMs: number;
  readonly elapsedMs: number;
  readonly read?: number | undefined;
  readonly written: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly retried: number;
  readonly timedOut: number;
  readonly rate: WireRate;
  readonly loop?: number | undefined;
  readonly bottleneck?: { readonly stage?: string | undefined; readonly text: string } | undefined;
  readonly failure?: WireFailure | undefined;
  readonly stages: readonly WireStage[];
  readonly edges: readonly WireEdge[];
  readonly lanes: readonly WireLane[];
}

/** What moves, of the stages and edges of the sample before: numbers in their order. */
export interface WireMoved {
  readonly id: string;
  /** `atMs` of the sample that it goes with: without that it means nothing. */
  readonly with: number;
  readonly elapsedMs: number;
  readonly read?: number | undefined;
  readonly written: number;
  readonly items: readonly number[];
  readonly itemsIn: readonly number[];
  readonly inFlight: readonly number[];
  /** A letter for each stage, see `ACTIVITIES`. */
  readonly activity: string;
  /** Of each edge that has a buffer: queued, in flight, demand. */
  readonly buffers: readonly number[];
}

/** An activity is written as its place in here. */
export const ACTIVITIES = ['busy', 'waitingForInput', 'waitingForRoom', 'idle'] as const;

export interface WireRate {
  readonly now: number;
  readonly average: number;
}

interface WireFailure {
  readonly code: string;
  readonly stage?: string | undefined;
  readonly message?: string | undefined;
}

export interface WireStage {
  readonly id: string;
  readonly name: string;
  readonly kind: 'source' | 'operator' | 'sink' | 'dispatcher';
  readonly strategy?: string | undefined;
  readonly partition?: string | undefined;
  readonly state?: string | undefined;
  readonly items: number;
  readonly itemsIn: number;
  readonly inFlight: number;
  readonly activity: 'busy' | 'waitingForInput' | 'waitingForRoom' | 'idle';
  readonly rate: WireRate;
  /** Busy, waiting for input, waiting for room: of the last ten seconds. */
  readonly shares: readonly [busy: number, input: number, room: number];
  readonly retried: number;
  readonly timedOut: number;
  readonly deadLettered: number;
  readonly dropped: number;
  readonly lost: number;
  readonly breaker?: string | undefined;
  readonly failures: readonly { readonly code: string; readonly count: number; readonly agoMs: number }[];
  readonly latency?: {
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
}

export interface WireEdge {
  readonly from: string;
  readonly to: string;
  readonly buffer?: {
    readonly capacity: number;
    readonly queued: number;
    readonly inFlight: number;
    readonly demand: number;
  };
}

export interface WireLane {
  readonly source: string;
  readonly lane: string;
  /** Texts; empty where there is none yet. */
  readonly position: string;
  readonly committed: string;
  readonly open: number;
  readonly lag?: number | undefined;
  readonly stuckMs: number;
}

/** Points of curves, in order of time; a value that was not known then is null. */
export interface WireHistory {
  readonly times: readonly number[];
  readonly series: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Items that a stage was just handed, or handed out. Nothing, where none came in time. */
export interface WireItems {
  /** How many there were in the batch. */
  readonly of: number;
  readonly items: readonly string[];
}

export type ControlAction = 'pause' | 'resume' | 'drain';

export interface WireRefused {
  readonly message: string;
}
