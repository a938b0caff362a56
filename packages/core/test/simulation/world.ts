/** What outlives a crash, and what everything in a simulated world shares: time, chance, the trace and the counts. */

import { Random, VirtualClock } from '@streamweld/testing';

export class World {
  readonly random: Random;
  readonly trace: string[] = [];
  /** How often what was reached: faults, branches of policies, ways to end. */
  readonly counts: Map<string, number> = new Map();
  faults = 0;
  /** No more faults: from here on everything must drain. */
  isCalm = false;
  /** The process that lives. What an earlier one still does counts for nothing. */
  incarnation = 0;
  clock: VirtualClock;
  /** The first rule that was broken. */
  breach: string | undefined;
  /** Called at the first breach. */
  onBreach: () => void = () => {};
  /** How long processes have lived in the storm, without the time that was waited after each. */
  stormedMs = 0;
  /** Timers of the world's own that have not gone off. */
  pending = 0;
  #offset = 0;
  readonly #seed: number;
  readonly #isTraced: boolean;

  constructor(seed: number, isTraced: boolean) {
    this.#seed = seed;
    this.#isTraced = isTraced;
    this.random = new Random(seed ^ 0x51ed_270b);
    this.clock = new VirtualClock({ seed });
  }

  /** A process dies, and everything that it waited for with it. */
  restart(): VirtualClock {
    this.#offset += this.clock.elapsed;
    this.incarnation += 1;
    this.pending = 0;
    this.clock = new VirtualClock({ seed: this.#seed + this.incarnation });
    return this.clock;
  }

  get now(): number {
    return this.#offset + this.clock.elapsed;
  }

  note(text: () => string): void {
    if (this.#isTraced) this.trace.push(`${this.now.toFixed(2)} ${text()}`);
  }

  count(name: string, times: number = 1): void {
    if (times > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  /** Whether this fault happens here and now. */
  strikes(kind: string, probability: number): boolean {
    if (this.isCalm || probability === 0 || !this.random.chance(probability)) return false;
    this.strike(kind);
    return true;
  }

  strike(kind: string): void {
    this.faults += 1;
    this.count(`fault: ${kind}`);
    this.note(() => `fault: ${kind}`);
  }

  /** @param rule as a function where it is asked for each item, or often: what holds is not to cost a text. */
  check(holds: boolean, rule: string | (() => string)): void {
    if (!holds) this.break(typeof rule === 'string' ? rule : rule());
  }

  break(rule: string): void {
    this.note(() => `BREACH ${rule}`);
    if (this.breach !== undefined) return;
    this.breach = rule;
    this.onBreach();
  }

  after(ms: number, callback: () => void): void {
    this.pending += 1;
    this.clock.setTimer(() => {
      this.pending -= 1;
      callback();
    }, ms);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}

/** Whatever is thrown at somebody: an error of some kind, and stranger things. */
export function someError(world: World, kind: 'outage' | 'data' | 'unset'): unknown {
  const error = new Error(kind);
  switch (kind) {
    case 'data':
      return Object.assign(error, { retryable: false });
    case 'outage':
      return Object.assign(error, { retryable: true });
    case 'unset':
      switch (world.random.integer(0, 5)) {
        case 0:
          world.count('threw: undefined');
          return undefined;
        case 1:
          world.count('threw: frozen');
          return Object.freeze(error);
        case 2:
          world.count('threw: a string');
          return 'broken';
        default:
          return error;
      }
  }
}
