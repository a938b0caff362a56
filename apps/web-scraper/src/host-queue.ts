/**
 * What waits to be requested of one origin, and when it may be: a few requests at once, a pause between them, and none while
 * the server has asked to be left alone.
 */

import type { Task } from './frontier.ts';

export interface Politeness {
  /** Requests of one origin at once. */
  readonly perHost: number;
  /** From the beginning of a request to that of the next, in milliseconds. */
  readonly delayMs: number;
}

export class HostQueue {
  readonly #politeness: Politeness;
  readonly #waiting: Task[] = [];
  /** To be tried again, each not before its time. */
  #later: { readonly task: Task; readonly at: number }[] = [];
  #active = 0;
  #notBefore = 0;
  #delayMs: number;
  /** Until the first answer nobody knows what its robots.txt asks for: one request at a time. */
  #isKnown = false;

  constructor(politeness: Politeness) {
    this.#politeness = politeness;
    this.#delayMs = politeness.delayMs;
  }

  get size(): number {
    return this.#waiting.length + this.#later.length;
  }

  add(task: Task): void {
    this.#waiting.push(task);
  }

  /** @param now of `performance.now` */
  take(now: number): Task | undefined {
    if (!this.#hasRoom() || now < this.#notBefore) return undefined;
    const due = this.#later.findIndex(({ at }) => at <= now);
    const task = due >= 0 ? this.#later.splice(due, 1)[0]?.task : this.#waiting.shift();
    if (task === undefined) return undefined;
    this.#active += 1;
    this.#notBefore = now + this.#delayMs;
    return task;
  }

  /** How long until time alone lets something be taken; Infinity where time is not what it waits for. */
  dueIn(now: number): number {
    if (this.size === 0 || !this.#hasRoom()) return Number.POSITIVE_INFINITY;
    const first = this.#waiting.length > 0 ? 0 : Math.min(...this.#later.map(({ at }) => at));
    return Math.max(this.#notBefore, first) - now;
  }

  /** A request is answered, or was given up. */
  answered(): void {
    this.#active -= 1;
    this.#isKnown = true;
  }

  /** A request is answered, and is to be made again. */
  again(task: Task, at: number): void {
    this.#active -= 1;
    this.#later.push({ task, at });
  }

  /** No request before this time. */
  holdOff(at: number): void {
    this.#notBefore = Math.max(this.#notBefore, at);
  }

  /** What robots.txt asks for; a longer pause of ours stays. */
  slowDown(delayMs: number, now: number): void {
    if (delayMs <= this.#delayMs) return;
    this.#notBefore += delayMs - this.#delayMs;
    this.#delayMs = delayMs;
    this.holdOff(now + delayMs);
  }

  #hasRoom(): boolean {
    return this.#active < (this.#isKnown ? this.#politeness.perHost : 1);
  }
}
