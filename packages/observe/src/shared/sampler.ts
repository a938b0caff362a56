/**
 * Takes samples while somebody watches, and at no other time.
 *
 *     look look look look look        every 50 ms or so, not evenly: what happens in a beat of its own is not missed
 *      │    │    │    │   └ sample    every fifth: derived once, given to all who watch
 *      └ moved                        what is counted and buffered now, to who wants to see it move
 *
 * All windows of a process share one: what two of them watch is looked at once. The timer holds no process alive. What a
 * listener throws is ignored, and nothing that is done here waits for anybody.
 */

import type { Watchable } from '@streamweld/core';
import { runtime } from '@streamweld/core/connector';
import type { Look } from './graph.ts';
import type { History } from './history.ts';
import type { Sample } from './sample.ts';
import { Tracker } from './tracker.ts';

export interface SamplerOptions {
  /** Between two looks on average, in milliseconds. Default 50. */
  readonly lookMs?: number;
  /** Looks to a sample. Default 5. */
  readonly looks?: number;
  /** How long the past is kept, in milliseconds. Default five minutes. */
  readonly historyMs?: number;
}

export interface WatchOptions {
  /** Is given each look between two samples. */
  readonly moved?: ((look: Look) => void) | undefined;
  /** How long pulls and writes take is measured too: two readings of the clock for each. Default false. */
  readonly latency?: boolean;
}

interface Watcher {
  readonly listener: (sample: Sample) => void;
  readonly moved: ((look: Look) => void) | undefined;
  readonly latency: boolean;
}

const GOLDEN = 0.618_033_988_749_895;

export class Sampler {
  readonly #lookMs: number;
  readonly #looks: number;
  readonly #points: number;
  readonly #trackers = new WeakMap<Watchable, Tracker>();
  readonly #watched = new Map<Tracker, Set<Watcher>>();
  #named = 0;
  #timer: unknown;
  #looked = 0;
  #loopBefore: EventLoopUtilization | undefined;

  constructor(options: SamplerOptions = {}) {
    this.#lookMs = options.lookMs ?? 50;
    this.#looks = options.looks ?? 5;
    this.#points = Math.ceil((options.historyMs ?? 300_000) / (this.#lookMs * this.#looks));
  }

  /**
   * Calls back with a sample of the target at once, then some times a second, and with a last one when it has ended.
   * @returns what ends it
   */
  watch(target: Watchable, listener: (sample: Sample) => void, options: WatchOptions = {}): () => void {
    const tracker = this.#trackerOf(target);
    const watcher: Watcher = { listener, moved: options.moved, latency: options.latency === true };
    const watchers = this.#watched.get(tracker) ?? new Set();
    watchers.add(watcher);
    if (!this.#watched.has(tracker)) this.#follow(tracker, watchers);
    if (watcher.latency) tracker.measure();
    tell(watcher.listener, tracker.sample(undefined));
    if (tracker.isOver) this.#leave(tracker);
    this.#arm();
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#leave(tracker);
      else if (![...watchers].some(({ latency }) => latency)) tracker.stopMeasuring();
    };
  }

  /** The last sample, where it was ever watched. */
  latest(target: Watchable): Sample | undefined {
    return this.#trackers.get(target)?.latest;
  }

  /** What was, as long as somebody watched. */
  history(target: Watchable): History | undefined {
    return this.#trackers.get(target)?.history;
  }

  #trackerOf(target: Watchable): Tracker {
    let tracker = this.#trackers.get(target);
    if (tracker === undefined) {
      this.#named += 1;
      tracker = new Tracker(target, String(this.#named), this.#points);
      this.#trackers.set(target, tracker);
    }
    return tracker;
  }

  #follow(tracker: Tracker, watchers: Set<Watcher>): void {
    this.#watched.set(tracker, watchers);
    void tracker.target.ended?.().then(() => {
      if (this.#watched.get(tracker) === watchers) this.#publish(tracker, undefined);
    });
  }

  #leave(tracker: Tracker): void {
    this.#watched.delete(tracker);
    tracker.stopMeasuring();
    if (this.#watched.size > 0 || this.#timer === undefined) return;
    runtime.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#loopBefore = undefined;
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#watched.size === 0) return;
    // Between 0.75 and 1.25, never in a rhythm.
    const uneven = 0.75 + ((this.#looked * GOLDEN) % 1) / 2;
    this.#timer = runtime.setTimer(this.#tick, this.#lookMs * uneven);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    this.#looked += 1;
    if (this.#looked % this.#looks === 0) {
      const loop = this.#readLoop();
      for (const tracker of [...this.#watched.keys()]) this.#publish(tracker, loop);
    } else {
      for (const [tracker, watchers] of this.#watched) this.#look(tracker, watchers);
    }
    this.#arm();
  };

  #publish(tracker: Tracker, loop: number | undefined): void {
    const sample = tracker.sample(loop);
    const watchers = [...(this.#watched.get(tracker) ?? [])];
    if (sample.isOver) this.#leave(tracker);
    for (const { listener } of watchers) tell(listener, sample);
  }

  #look(tracker: Tracker, watchers: ReadonlySet<Watcher>): void {
    const look = tracker.look();
    for (const { moved } of watchers) if (moved !== undefined) tell(moved, look);
  }

  /** Which part of the time the event loop was at work since it was last read. */
  #readLoop(): number | undefined {
    const read = (globalThis.performance as { eventLoopUtilization?: ReadLoop }).eventLoopUtilization;
    if (read === undefined) return undefined;
    const before = this.#loopBefore;
    this.#loopBefore = read();
    return before === undefined ? undefined : read(this.#loopBefore, before).utilization;
  }
}

interface EventLoopUtilization {
  readonly idle: number;
  readonly active: number;
  readonly utilization: number;
}
type ReadLoop = (now?: EventLoopUtilization, before?: EventLoopUtilization) => EventLoopUtilization;

function tell<T>(listener: (what: T) => void, what: T): void {
  try {
    listener(what);
  } catch {
    // Whoever watches must not end what is watched.
  }
}

/** The one that all windows of this process share. */
export const sampler: Sampler = new Sampler();
