/**
 * Time that stands still until a test moves it on: a Runtime with virtual timers, virtual turns and seeded chance.
 *
 *     run(promise):  [ microtasks ] ─► turns that were given up ─► the timer that is due next ─► again
 *
 * Whatever runs on it is deterministic: the same seed gives the same order, and a minute costs no time. A promise that
 * nothing on the clock can settle is a deadlock, and is told at once instead of by a timeout.
 */

import { installRuntime, type Runtime } from '@streamweld/core/connector';
import { Random } from './random.ts';

export interface VirtualClockOptions {
  /** For `random()`. Default 1. */
  readonly seed?: number;
  /** What each look at the clock costs, in milliseconds: above 0, loops that never wait come to give up their turn. */
  readonly msPerLook?: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Where the clock starts: far from 0, so that a duration is never mistaken for a time. */
const START = 1_000_000;

/** How often in a row nothing may be scheduled before a run counts as stuck: streams of Node hop over a few ticks. */
const PATIENCE = 50;

export class VirtualClock implements Runtime {
  /** Searched for the next each time: a heap would be faster, and there are few. */
  readonly #timers = new Set<Timer>();
  #turns: (() => void)[] = [];
  #now = START;
  #order = 0;
  readonly #random: Random;
  readonly #msPerLook: number;
  /** Timers that were ever set: proves that waiting took place. */
  timersSet = 0;
  /** Turns that were ever given up. */
  turnsYielded = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#random = new Random(options.seed ?? 1);
    this.#msPerLook = options.msPerLook ?? 0;
  }

  now(): number {
    this.#now += this.#msPerLook;
    return this.#now;
  }

  setTimer(callback: () => void, ms: number): unknown {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    this.timersSet += 1;
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  random(): number {
    return this.#random.next();
  }

  yield(callback: () => void): void {
    this.#turns.push(callback);
    this.turnsYielded += 1;
  }

  /** Timers that are set and have not gone off. */
  get activeTimers(): number {
    return this.#timers.size;
  }

  /** Milliseconds since the clock was made. */
  get elapsed(): number {
    return this.#now - START;
  }

  /** A wait for sources and sinks of tests. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(resolve, ms));
  }

  /** Moves time on, from timer to timer, until the promise has settled, and answers as it does. */
  async run<T>(promise: PromiseLike<T>): Promise<T> {
    let isSettled = false;
    const watched = Promise.resolve(promise).finally(() => {
      isSettled = true;
    });
    watched.catch(() => {});
    let idle = 0;
    for (;;) {
      await microtasks();
      if (isSettled) return watched;
      if (this.#giveTurns() || this.#fireNext(Number.POSITIVE_INFINITY)) idle = 0;
      else if (++idle > PATIENCE) {
        throw new Error(`Deadlock at ${this.elapsed} ms: it waits, and no timer or turn is left to wake it.`);
      }
    }
  }

  /** Moves time on by so much; whatever is due on the way happens in order. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    while (this.#fireNext(until)) await this.settle();
    this.#now = Math.max(this.#now, until);
  }

  /** Lets everything happen that takes no time. */
  async settle(): Promise<void> {
    do await microtasks();
    while (this.#giveTurns());
  }

  #giveTurns(): boolean {
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) turn();
    return turns.length > 0;
  }

  #fireNext(until: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) {
        next = timer;
      }
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.callback();
    return true;
  }
}

/** After a real turn of the event loop every microtask, and every `process.nextTick`, has run. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs a body on a clock of its own: for properties, where each example needs a fresh one. */
export async function withVirtualClock<T>(
  options: VirtualClockOptions,
  body: (clock: VirtualClock) => Promise<T>,
): Promise<T> {
  const clock = new VirtualClock(options);
  const uninstall = installRuntime(clock);
  try {
    return await body(clock);
  } finally {
    uninstall();
  }
}

/** The hooks of a test runner: Vitest's, Jest's and node:test's all fit. */
export interface TestHooks {
  beforeEach(hook: () => void | Promise<void>): unknown;
  afterEach(hook: () => void | Promise<void>): unknown;
}

/**
 * A fresh clock for each test of the file, in force while the test runs.
 *
 * @example
 * const time = useVirtualClock({ beforeEach, afterEach });
 * it('waits', async () => { await time().run(time().sleep(60_000)); });
 */
export function useVirtualClock(hooks: TestHooks, options?: VirtualClockOptions): () => VirtualClock {
  let clock: VirtualClock | undefined;
  let uninstall: (() => void) | undefined;
  hooks.beforeEach(() => {
    clock = new VirtualClock(options);
    uninstall = installRuntime(clock);
  });
  hooks.afterEach(() => {
    uninstall?.();
    clock = undefined;
  });
  return () => {
    if (clock === undefined) throw new Error('useVirtualClock: asked for the clock outside a test.');
    return clock;
  };
}
