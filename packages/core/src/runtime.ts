/**
 * The only door through which time and chance enter core. Nothing else reads a clock, sets a timer, draws a random
 * number or gives up its turn, so a test that installs a runtime of its own replays a run from its seed.
 */

/** What core needs of the world. All times are milliseconds on a clock that never jumps. */
export interface Runtime {
  now(): number;
  /** Calls back once, after `ms`. The answer is for `clearTimer`. */
  setTimer(callback: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /** Calls back after the event loop had its turn: timers, signals and I/O come first. */
  yield(callback: () => void): void;
}

/** Node has it, the web has not; by far the cheapest way to give up a turn where it exists. */
const setImmediate = (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate;

let channel: { port1: MessagePort; port2: MessagePort } | undefined;
const turns: (() => void)[] = [];

function yieldByMessage(callback: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => turns.shift()?.();
  }
  turns.push(callback);
  channel.port2.postMessage(null);
}

const real: Runtime = {
  now: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (timer) => clearTimeout(timer as number),
  random: () => Math.random(),
  yield: setImmediate === undefined ? yieldByMessage : (callback) => setImmediate(callback),
};

let current = real;

/** The runtime in force, always asked anew, so that one installed later counts at once. */
export const runtime: Runtime = {
  now: () => current.now(),
  setTimer: (callback, ms) => current.setTimer(callback, ms),
  clearTimer: (timer) => current.clearTimer(timer),
  random: () => current.random(),
  yield: (callback) => current.yield(callback),
};

/** Puts another runtime in force for the whole process; the answer takes it back. For tests. */
export function installRuntime(replacement: Runtime): () => void {
  const before = current;
  current = replacement;
  return () => {
    current = before;
  };
}

/** How long work may go on synchronously before the event loop gets its turn, in milliseconds. */
const TURN_MS = 4;

/**
 * Says when a loop that never waits has to give up its turn. One serves all tasks of a run, so the turn is shared.
 * Usage: `if (turn.isOver()) turn.yield(again)`.
 */
export class Turn {
  #since = runtime.now();
  #waiting: (() => void)[] | undefined;

  isOver(): boolean {
    return this.#waiting !== undefined || runtime.now() - this.#since > TURN_MS;
  }

  yield(callback: () => void): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(callback);
      return;
    }
    this.#waiting = [callback];
    runtime.yield(() => {
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      this.#since = runtime.now();
      for (const call of waiting) call();
    });
  }
}
