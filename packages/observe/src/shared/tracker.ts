/** Follows one pipeline or dispatcher: from looks at it, several times a second, to a sample now and then. */

import type { ConcurrentPipeline, Watchable } from '@streamweld/core';
import { runtime } from '@streamweld/core/connector';
import { findBottleneck } from './bottleneck.ts';
import { type Look, lookAt, type StageLook } from './graph.ts';
import { History } from './history.ts';
import { LatencyWindow } from './latency.ts';
import type { LaneSample, Sample, StageSample } from './sample.ts';
import { type Spent, StageTrack } from './stage-track.ts';

/** States in which time counts for shares and averages. */
const MOVING: readonly string[] = ['running', 'draining', 'open'];
const LANES_MS = 1000;
/** Periods are no shorter, however often it is looked at; shares and rates go by windows of seconds. */
const PERIOD_MS = 100;
/** Nor are points of curves closer to each other: four a second are asked for, and come a little unevenly. */
const POINT_MS = 200;

export class Tracker {
  readonly target: Watchable;
  readonly id: string;
  readonly history: History;
  readonly #stages = new Map<string, StageTrack>();
  /** The same, in the order of the last look. */
  readonly #tracks: StageTrack[] = [];
  readonly #names = new Map<string, SeriesNames>();
  #latencies = new Map<string, LatencyWindow>();
  readonly #lanes = new Map<string, { position: unknown; at: number }>();
  #lanesSeen: readonly LaneSample[] = [];
  #lanesAt = Number.NEGATIVE_INFINITY;
  #look: Look | undefined;
  #at = 0;
  #turnedAt = Number.NEGATIVE_INFINITY;
  #pointAt = Number.NEGATIVE_INFINITY;
  #unobserve: (() => void)[] = [];
  latest: Sample | undefined;

  constructor(target: Watchable, id: string, points: number) {
    this.target = target;
    this.id = id;
    this.history = new History(points);
  }

  get isOver(): boolean {
    return this.#look?.state === 'done' || this.#look?.state === 'closed';
  }

  /** Looks once. What it costs is a snapshot. */
  look(): Look {
    const now = runtime.now();
    const before = this.#look;
    const look = lookAt(this.target);
    const isMoving = before !== undefined && (before.state !== look.state || MOVING.includes(look.state));
    // The run's own clock, where there is one: it begins and ends between two looks.
    const wall = before === undefined ? 0 : now - this.#at;
    const ms = look.kind === 'pipeline' ? look.elapsedMs - (before?.elapsedMs ?? 0) : wall;
    const task = sourceTaskOf(look);
    const fullMs = task.waitedMs - (before === undefined ? 0 : sourceTaskOf(before).waitedMs);
    const { isFull } = task;
    const circumstance = { now, ms, fullMs, isFull, isMoving };
    for (const [at, stage] of look.stages.entries()) this.#trackOf(stage, at).look(stage, circumstance);
    this.#look = look;
    this.#at = now;
    return look;
  }

  /** A last look, and what all of them come to. @param loop see Sample.loop */
  sample(loop: number | undefined): Sample {
    const look = this.look();
    const now = this.#at;
    if (now - this.#turnedAt >= PERIOD_MS || this.isOver) {
      this.#turnedAt = now;
      for (const [at, stage] of look.stages.entries()) this.#trackOf(stage, at).turn(now);
    }
    this.#lookAtLanes(look, now);
    const spent = (stage: StageLook): Spent => (this.#stages.get(stage.id) as StageTrack).lately;
    const stages = look.stages.map((stage, at) => this.#sampleStage(stage, at, now));
    const sink = stages.find(({ kind }) => kind === 'sink' || kind === 'dispatcher');
    const sample: Sample = {
      ...look,
      id: this.id,
      atMs: now,
      isOver: this.isOver,
      rate: sink?.rate ?? { now: 0, average: 0 },
      stages,
      lanes: this.#lanesSeen,
      loop,
      bottleneck: findBottleneck({ ...look, spent, loop }),
    };
    this.latest = sample;
    if (now - this.#pointAt >= POINT_MS || this.isOver) {
      this.#pointAt = now;
      this.history.add(now, this.#valuesOf(sample));
    }
    return sample;
  }

  /** Measures how long pulls and writes take, until it is told to stop. */
  measure(): void {
    if (this.#unobserve.length > 0) return;
    this.#latencies = new Map();
    // A dispatcher does not know its sinks by its own name, and their ids begin with it.
    const { kind, name } = lookAt(this.target);
    this.#observe(this.target, kind === 'dispatcher' ? `${name}/` : '');
  }

  stopMeasuring(): void {
    for (const unobserve of this.#unobserve) unobserve();
    this.#unobserve = [];
    // Calls that are outstanding still note their end in the one that is forgotten.
    this.#latencies = new Map();
  }

  #observe(target: Watchable, prefix: string): void {
    // By their own ids: to join two texts for each call would take as long as all the rest.
    const windows = new Map<string, LatencyWindow>();
    this.#unobserve.push(
      target.observe(({ id }) => {
        let latency = windows.get(id);
        if (latency === undefined) windows.set(id, (latency = this.#latencyOf(prefix + id)));
        if (!latency.isWanted) return undefined;
        const since = runtime.now();
        return () => {
          const now = runtime.now();
          latency.add(now - since, now);
        };
      }),
    );
    for (const [id, inner] of target.behind()) this.#observe(inner, `${prefix}${id}/`);
  }

  #latencyOf(id: string): LatencyWindow {
    let latency = this.#latencies.get(id);
    if (latency === undefined) this.#latencies.set(id, (latency = new LatencyWindow()));
    return latency;
  }

  /** @param at its place in the look, where it was the last time most often: to look for its id takes longer than all else. */
  #trackOf({ id }: StageLook, at: number): StageTrack {
    let track = this.#tracks[at];
    if (track?.id === id) return track;
    track = this.#stages.get(id);
    if (track === undefined) this.#stages.set(id, (track = new StageTrack(id)));
    this.#tracks[at] = track;
    return track;
  }

  /** Property by property: copied at once, fifty stages would take ten times as long. */
  #sampleStage(stage: StageLook, at: number, now: number): StageSample {
    const track = this.#trackOf(stage, at);
    return {
      id: stage.id,
      name: stage.name,
      kind: stage.kind,
      strategy: stage.strategy,
      partition: stage.partition,
      state: stage.state,
      items: stage.items,
      itemsIn: stage.itemsIn,
      buffer: stage.buffer,
      inFlight: stage.inFlight,
      activity: stage.activity,
      waitedMs: stage.waitedMs,
      retried: stage.retried,
      timedOut: stage.timedOut,
      deadLettered: stage.deadLettered,
      dropped: stage.dropped,
      lost: stage.lost,
      breaker: stage.breaker,
      rate: track.rate(now),
      shares: track.shares,
      overall: track.overall,
      failures: track.failures(now),
      latency: this.#latencies.get(stage.id)?.summary(now),
    };
  }

  /** What curves are drawn of: `<stage>:rate` in items a second, `<stage>:busy` from 0 to 1, `<stage>:queued` in items. */
  #valuesOf({ rate, stages, edges }: Sample): Map<string, number> {
    const values = new Map<string, number>([['rate', rate.now]]);
    for (const { id, rate: each, shares } of stages) {
      const names = this.#namesOf(id);
      values.set(names.rate, each.now);
      values.set(names.busy, shares.busy);
    }
    for (const { to, buffer } of edges)
      if (buffer !== undefined) values.set(this.#namesOf(to).queued, buffer.queued);
    return values;
  }

  #namesOf(id: string): SeriesNames {
    let names = this.#names.get(id);
    if (names === undefined) this.#names.set(id, (names = new SeriesNames(id)));
    return names;
  }

  #lookAtLanes(look: Look, now: number): void {
    if (look.kind !== 'pipeline' || look.state === 'idle') return;
    if (now - this.#lanesAt < LANES_MS && !this.isOver) return;
    this.#lanesAt = now;
    const lanes = (this.target as ConcurrentPipeline<unknown>).lanes();
    this.#lanesSeen = lanes.map((lane) => {
      const known = this.#lanes.get(lane.lane);
      const hasMoved = known === undefined || !Object.is(known.position, lane.position) || lane.open === 0;
      const at = hasMoved ? now : known.at;
      this.#lanes.set(lane.lane, { position: lane.position, at });
      return { ...lane, stuckMs: now - at };
    });
  }
}

/** What pulls from sources and through operators, and waits for room for all of them. */
function sourceTaskOf({ stages }: Look): { readonly waitedMs: number; readonly isFull: boolean } {
  const before = stages.filter(({ kind }) => kind === 'source' || kind === 'operator');
  return {
    waitedMs: before.find(({ kind }) => kind === 'source')?.waitedMs ?? 0,
    // With calls outstanding before it, the last would wait for input.
    isFull: before.at(-1)?.activity === 'waitingForRoom',
  };
}

/** Names of what curves are drawn of, made once: `<stage>:rate`, and so on. */
class SeriesNames {
  readonly rate: string;
  readonly busy: string;
  readonly queued: string;

  constructor(id: string) {
    this.rate = `${id}:rate`;
    this.busy = `${id}:busy`;
    this.queued = `${id}:queued`;
  }
}
