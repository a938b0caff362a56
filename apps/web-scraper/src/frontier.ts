/**
 * A source that is fed by what is found: the addresses that a crawl knows and has not requested yet.
 *
 *          ┌────────────────── found(task, links) ◄───────────────┐
 *          ▼                                                      │
 *     [ waiting, by origin ] ── pull ──► fetch ──► parse ──► what became of it
 *                                                     each address once; under way until `found` is called
 *
 * It ends when nothing waits and nothing is under way: what is under way may still find something.
 *
 * A loop cannot have a bounded buffer that waits for room: the pages that would make room could not tell what they found.
 * So nothing waits here; the bound is how many addresses are admitted at all, and what comes beyond it is counted.
 */

import type { Awaitable, LaneLag, Source } from '@streamweld/core';
import { keyOf, originOf } from './address.ts';
import { HostQueue, type Politeness } from './host-queue.ts';

/** An address to request. */
export interface Task {
  readonly address: string;
  /** Links from the start. */
  readonly depth: number;
  /** Redirects that led here, one after the other. */
  readonly hops: number;
  /** The page that has the link; none for the start. */
  readonly from: string | undefined;
  /** 1 for the first. */
  readonly attempt: number;
}

export interface FrontierOptions extends Politeness {
  /** The most addresses that are requested. */
  readonly maxPages: number;
  readonly maxDepth: number;
  /** Whose addresses are requested, as `https://example.org`. */
  readonly origins: ReadonlySet<string>;
}

/** Why an address that was found is not requested. */
export type LeftOut = 'elsewhere' | 'depth' | 'pages' | 'nofollow';

export class Frontier implements Source<Task> {
  readonly name = 'frontier';
  readonly #options: FrontierOptions;
  readonly #hosts = new Map<string, HostQueue>();
  /** What was admitted, by its key. */
  readonly #known = new Set<string>();
  readonly #leftOut: Record<LeftOut, number> = { elsewhere: 0, depth: 0, pages: 0, nofollow: 0 };
  #underWay = 0;
  #asked: { readonly demand: number; readonly resolve: (tasks: Task[] | undefined) => void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(start: string, options: FrontierOptions) {
    this.#options = options;
    this.#admit({ address: start, depth: 0, hops: 0, from: undefined, attempt: 1 });
  }

  /** Addresses that wait. */
  get waiting(): number {
    let sum = 0;
    for (const host of this.#hosts.values()) sum += host.size;
    return sum;
  }

  /** Addresses that were admitted: never more than `maxPages`. */
  get admitted(): number {
    return this.#known.size;
  }

  /** Links to addresses that were not admitted, by the reason. */
  get leftOut(): Readonly<Record<LeftOut, number>> {
    return this.#leftOut;
  }

  pull(demand: number): Awaitable<Task[] | undefined> {
    const tasks = this.#take(demand);
    if (tasks.length > 0) return tasks;
    if (this.#isOver()) return undefined;
    return new Promise((resolve) => {
      this.#asked = { demand, resolve };
      this.#look();
    });
  }

  /** What waits is left; what is under way comes to its end. */
  stop(): void {
    this.#isStopped = true;
    this.#look();
  }

  close(): void {
    this.stop();
  }

  lag(): readonly LaneLag[] {
    return [{ lane: '', lag: this.waiting }];
  }

  /** The server has answered: it may be asked for something else, while the page is looked at. */
  answered({ address }: Task): void {
    this.#hostOf(address).answered();
    this.#look();
  }

  /**
   * The request is to be made again, not before `waitMs` have passed.
   * @param isServer whether the server wants no other request before that either
   */
  again(task: Task, waitMs: number, isServer: boolean): void {
    const at = performance.now() + waitMs;
    const host = this.#hostOf(task.address);
    host.again({ ...task, attempt: task.attempt + 1 }, at);
    if (isServer) host.holdOff(at);
    this.#underWay -= 1;
    this.#look();
  }

  /** The origin of the address wants to be asked more slowly. */
  slowDown(address: string, delayMs: number): void {
    this.#hostOf(address).slowDown(delayMs, performance.now());
  }

  /**
   * All that was to be done for the task is done: it is called once for each that was handed out, after `answered`.
   * @param isNofollow whether the page asks robots not to follow its links
   */
  found(task: Task, links: readonly string[], isNofollow = false): void {
    if (isNofollow) this.#leftOut.nofollow += links.length;
    else
      for (const address of links)
        this.#admit({ address, depth: task.depth + 1, hops: 0, from: task.address, attempt: 1 });
    this.#end();
  }

  /** The task led to another address, which is as far from the start. */
  redirected(task: Task, address: string): void {
    this.#admit({ ...task, address, hops: task.hops + 1, attempt: 1 });
    this.#end();
  }

  #end(): void {
    this.#underWay -= 1;
    this.#look();
  }

  #admit(task: Task): void {
    const { origins, maxDepth, maxPages } = this.#options;
    const origin = originOf(task.address);
    if (!origins.has(origin)) {
      this.#leftOut.elsewhere += 1;
      return;
    }
    const key = keyOf(task.address);
    if (this.#known.has(key)) return;
    if (task.depth > maxDepth) this.#leftOut.depth += 1;
    else if (this.#known.size >= maxPages) this.#leftOut.pages += 1;
    else {
      this.#known.add(key);
      this.#hostOf(task.address).add(task);
    }
  }

  #hostOf(address: string): HostQueue {
    const origin = originOf(address);
    const known = this.#hosts.get(origin);
    if (known !== undefined) return known;
    const host = new HostQueue(this.#options);
    this.#hosts.set(origin, host);
    return host;
  }

  /** One of each origin by turns: none keeps the others waiting. */
  #take(demand: number): Task[] {
    const tasks: Task[] = [];
    if (this.#isStopped) return tasks;
    const now = performance.now();
    for (let before = -1; before < tasks.length && tasks.length < demand; ) {
      before = tasks.length;
      for (const host of this.#hosts.values()) {
        const task = tasks.length < demand ? host.take(now) : undefined;
        if (task !== undefined) tasks.push(task);
      }
    }
    this.#underWay += tasks.length;
    return tasks;
  }

  #isOver(): boolean {
    return this.#isStopped || (this.#underWay === 0 && this.waiting === 0);
  }

  /** Answers whoever asked, if there is an answer by now, or looks again when time has brought one. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.#asked === undefined) return;
    const { demand, resolve } = this.#asked;
    const tasks = this.#take(demand);
    if (tasks.length > 0 || this.#isOver()) {
      this.#asked = undefined;
      resolve(tasks.length > 0 ? tasks : undefined);
      return;
    }
    const now = performance.now();
    const dueIn = Math.min(...[...this.#hosts.values()].map((host) => host.dueIn(now)));
    if (dueIn !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(dueIn)));
  }
}
