/** What is done with an address of the frontier: it is requested, if it may be, and what is no page ends here. */

import { keyOf, normalise } from './address.ts';
import type { Failed, Fetcher } from './fetcher.ts';
import type { Frontier, Task } from './frontier.ts';
import type { LinkGraph } from './link-graph.ts';
import type { Fetched } from './parse.ts';
import { backoffMs } from './passing.ts';
import { Robots } from './robots.ts';

/** Redirects one after the other, as in browsers. */
const MOST_HOPS = 20;
/** A server that wants to be left alone for longer is. */
const LONGEST_WAIT_MS = 60_000;

const HTML = /^\s*(text\/html|application\/xhtml\+xml)\b/i;

export interface VisitorOptions {
  readonly frontier: Frontier;
  readonly fetcher: Fetcher;
  readonly graph: LinkGraph;
  /** How often an address is requested, the first time included. */
  readonly attempts: number;
}

export class Visitor {
  readonly #options: VisitorOptions;
  readonly #robots: Robots;
  #retried = 0;

  constructor(options: VisitorOptions) {
    this.#options = options;
    this.#robots = new Robots(options.fetcher);
  }

  /** Requests that were put off and made again. */
  get retried(): number {
    return this.#retried;
  }

  /** @returns a page; undefined for what is none, which the frontier and the graph have been told */
  async visit(task: Task): Promise<Fetched | undefined> {
    const { frontier, fetcher, graph } = this.#options;
    const { address, from } = task;
    const rules = await this.#robots.rulesFor(address);
    if ('kind' in rules) return this.#failed(task, rules);
    frontier.slowDown(address, rules.delayMs);
    if (!rules.allows(address)) {
      frontier.answered(task);
      graph.note({ task, kind: 'disallowed' });
      frontier.found(task, []);
      return undefined;
    }
    const answer = await fetcher.get(address, { from, isWanted: (type) => HTML.test(type) });
    if (answer.kind === 'failed') return this.#failed(task, answer);
    frontier.answered(task);
    const { status } = answer;
    switch (answer.kind) {
      case 'document':
        return { ...answer, task };
      case 'unwanted':
        graph.note({ task, kind: 'file', status });
        frontier.found(task, []);
        return undefined;
      case 'redirect':
        this.#redirected(task, status, answer.location);
        return undefined;
    }
  }

  #redirected(task: Task, status: number, location: string | undefined): void {
    const { frontier, graph } = this.#options;
    const to = location === undefined ? undefined : normalise(location, task.address);
    const broken =
      to === undefined
        ? 'it redirects to nowhere'
        : keyOf(to) === keyOf(task.address)
          ? 'it redirects to itself'
          : task.hops >= MOST_HOPS
            ? `it is reached by more than ${MOST_HOPS} redirects`
            : undefined;
    if (to === undefined || broken !== undefined) {
      graph.note({ task, kind: 'broken', status, reason: broken });
      frontier.found(task, []);
      return;
    }
    graph.note({ task, kind: 'redirect', status, to });
    frontier.redirected(task, to);
  }

  #failed(task: Task, { status, reason, mayPass, retryAfterMs }: Failed): undefined {
    const { frontier, graph, attempts } = this.#options;
    const waitMs = retryAfterMs ?? backoffMs(task.attempt);
    if (mayPass && task.attempt < attempts && waitMs <= LONGEST_WAIT_MS) {
      this.#retried += 1;
      // Of a server that is too busy, or is not there, no other page is asked for meanwhile.
      frontier.again(task, waitMs, status === 429 || status === 503 || status === undefined);
      return;
    }
    frontier.answered(task);
    const tries = mayPass && task.attempt > 1 ? `, ${task.attempt} times` : '';
    const later =
      waitMs > LONGEST_WAIT_MS
        ? `, and to be asked again in ${Math.ceil(waitMs / 1000)} s at the earliest`
        : '';
    graph.note({ task, kind: 'broken', status, reason: `${reason}${tries}${later}` });
    frontier.found(task, []);
  }
}
