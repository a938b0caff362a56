/** A source with lanes that fails as sources do, and sees that it is asked as its contract says. */

import type { Positioned, Source, SourceContext } from '../../src/source.ts';
import { laneName, type Model, type SourceState } from './model.ts';
import type { Process } from './process.ts';
import { createToken, type Token } from './token.ts';
import { someError, type World } from './world.ts';

type Answer = readonly Token[] | Positioned<Token, number> | undefined;

export interface SourceHost {
  readonly process: Process;
  /** What it may be asked for at most: the buffer, times what its operators gather in one item. */
  readonly mostDemand: number;
  /** No pull may begin. */
  isPaused(): boolean;
  readonly sourceRate: number;
  readonly edgeRate: number;
  readonly hangRate: number;
  /** Called at each pull. */
  watch(): void;
}

export class SimulatedSource implements Source<Token, number> {
  readonly name: string;
  readonly #model: Model;
  readonly #world: World;
  readonly #state: SourceState;
  readonly #host: SourceHost;
  context: SourceContext<number> | undefined;
  /** By lane: what comes next, where it began, and whether it was given up. */
  readonly next: number[];
  readonly began: number[];
  readonly ended: boolean[];
  /** By lane: what was committed last, by this process. */
  readonly committed: (number | undefined)[] = [];
  emitted = 0;
  #isPulling = false;
  #isCommitting = false;
  #isStopped = false;
  #hasEnded = false;
  opened = 0;
  closed = 0;
  /** Ends an outstanding pull that hangs. */
  #release: (() => void) | undefined;

  constructor(model: Model, state: SourceState, host: SourceHost) {
    this.#model = model;
    this.#world = model.world;
    this.#state = state;
    this.#host = host;
    this.name = `s${state.plan.index}`;
    this.next = Array<number>(state.plan.lanes).fill(0);
    this.began = [...this.next];
    this.ended = this.next.map(() => false);
  }

  get isAborted(): boolean {
    return this.context?.signal.aborted === true;
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }

  async open(context: SourceContext<number>): Promise<void> {
    const world = this.#world;
    await this.#host.process.alive();
    world.check(++this.opened === 1, 'S1 open');
    this.context = context;
    world.note(() => `${this.name} open ${JSON.stringify([...context.positions])}`);
    if (world.strikes('source open', this.#host.edgeRate)) {
      await world.sleep(1);
      throw someError(world, 'unset');
    }
    const { plan, feed, committed, handedOut } = this.#state;
    for (let lane = 0; lane < plan.lanes; lane++) {
      const given = context.positions.get(laneName(plan, lane));
      if (given !== undefined) this.#model.checkPosition(this.#state, lane, given, 'resume');
      if (feed.plan.hasStore && !this.#model.isExact && plan.hasPositions) {
        const label =
          feed.sources.length === 1 ? laneName(plan, lane) : `${this.name}/${laneName(plan, lane)}`;
        world.check(
          given === feed.saved.get(label),
          `resumes at ${given}, saved was ${feed.saved.get(label)}`,
        );
      }
      let at = given ?? (feed.plan.hasStore ? 0 : (committed[lane] as number));
      // What has no positions is a queue: what it gave is gone.
      if (!plan.hasPositions) at = handedOut[lane] as number;
      this.next[lane] = at;
      this.began[lane] = at;
    }
  }

  pull(demand: number): Answer | Promise<Answer> {
    const world = this.#world;
    const host = this.#host;
    const { plan } = this.#state;
    if (host.process.isDead) return never();
    world.note(() => `${this.name} pull ${demand}`);
    world.check(this.opened === 1 && this.closed === 0, 'S10 pull after close');
    world.check(!this.#isPulling, 'S2 pull while a pull is outstanding');
    world.check(!this.#hasEnded, 'S5 pull after the end');
    world.check(!this.#isStopped, 'S9 pull after stop');
    world.check(!host.isPaused(), 'pull while paused');
    world.check(
      Number.isInteger(demand) && demand >= 1 && demand <= host.mostDemand,
      () => `S3 demand ${demand}`,
    );
    host.watch();
    if (world.strikes('pull throws', host.sourceRate / 2)) throw someError(world, 'unset');
    const hangs = world.strikes('pull hangs', host.hangRate / 2);
    const rejects = !hangs && world.strikes('pull rejects', host.sourceRate);
    if (plan.isSync && !hangs && !rejects && !world.random.chance(0.1)) return this.#answer(demand);
    this.#isPulling = true;
    return this.#answerLate(demand, hangs, rejects);
  }

  async #answerLate(demand: number, hangs: boolean, rejects: boolean): Promise<Answer> {
    const world = this.#world;
    const { process } = this.#host;
    try {
      if (hangs) {
        await new Promise<void>((resolve) => {
          this.#release = resolve;
          process.onCalm(resolve);
          this.context?.signal.addEventListener('abort', () => resolve(), { once: true });
        });
      } else {
        await world.sleep(world.random.integer(0, this.#state.plan.delayMs));
      }
      if (process.isDead) return await never();
      if (rejects) throw someError(world, 'unset');
      return this.#answer(demand);
    } finally {
      this.#isPulling = false;
      this.#release = undefined;
    }
  }

  #answer(demand: number): Answer {
    const world = this.#world;
    const { plan, handedOut } = this.#state;
    // What it answers after an abort is discarded: a source that gave it away for good would lose it.
    if (this.context?.signal.aborted === true) return undefined;
    const open = this.next.flatMap((next, lane) => (next < plan.length && !this.ended[lane] ? [lane] : []));
    if (open.length === 0 || (this.#isStopped && world.random.chance(0.5))) {
      this.#hasEnded = true;
      world.note(() => `${this.name} ends`);
      return undefined;
    }
    const lane = world.random.pick(open);
    const from = this.next[lane] as number;
    if (plan.hasPositions && world.random.chance(plan.emptyRate)) {
      world.count('answered nothing but a position');
      return { items: [], position: from, lane: laneName(plan, lane) };
    }
    const count = Math.min(demand, plan.length - from, world.random.integer(1, plan.answers));
    const to = from + count;
    this.next[lane] = to;
    this.emitted += count;
    handedOut[lane] = Math.max(handedOut[lane] as number, to);
    world.note(() => `${this.name}/${lane} answers ${from}..${to}`);
    const items = Array.from({ length: count }, (_, at) => createToken(plan.index, lane, from + at));
    if (plan.hasPositions) return { items, position: to, lane: laneName(plan, lane) };
    return items;
  }

  /** Gives a lane up, once what was handed out of it is done, or at once. */
  async giveUp(): Promise<void> {
    const { context } = this;
    const world = this.#world;
    const { plan } = this.#state;
    if (context === undefined || this.closed > 0 || !plan.hasPositions) return;
    const lane = world.random.integer(0, plan.lanes - 1);
    if (this.ended[lane]) return;
    world.strike('lane ends');
    this.ended[lane] = true;
    const name = laneName(plan, lane);
    if (world.random.chance(0.5)) {
      await context.settled(name);
      if (this.#host.process.isDead || this.closed > 0) return;
      if (!context.signal.aborted && !this.#isPulling)
        this.#model.checkPosition(this.#state, lane, this.next[lane] as number, 'settled');
      world.count('lane settled before it ended');
    }
    context.endLane(name);
  }

  stop(): void {
    if (this.#host.process.isDead) return;
    this.#world.note(() => `${this.name} stop`);
    this.#isStopped = true;
    this.#release?.();
  }

  commit(positions: ReadonlyMap<string, number>): Promise<void> | void {
    const world = this.#world;
    const host = this.#host;
    if (host.process.isDead) return never();
    world.note(() => `${this.name} commit ${JSON.stringify([...positions])}`);
    world.check(this.closed === 0, 'S10 commit after close');
    world.check(!this.#isCommitting, 'S8 two commits at once');
    world.check(positions.size > 0, 'S8 an empty commit');
    if (world.strikes('commit throws', host.edgeRate / 2)) throw someError(world, 'unset');
    if (world.random.chance(0.5)) {
      this.#commit(positions);
      return;
    }
    this.#isCommitting = true;
    return this.#commitLate(positions);
  }

  async #commitLate(positions: ReadonlyMap<string, number>): Promise<void> {
    const world = this.#world;
    const { process, edgeRate } = this.#host;
    try {
      await world.sleep(world.random.integer(0, 2));
      if (process.isDead) return await never();
      if (world.strikes('commit rejects', edgeRate)) throw someError(world, 'unset');
      this.#commit(positions);
      await world.sleep(world.random.integer(0, 2));
      if (process.isDead) return await never();
    } finally {
      this.#isCommitting = false;
    }
  }

  #commit(positions: ReadonlyMap<string, number>): void {
    const { plan, committed } = this.#state;
    for (const [name, position] of positions) {
      const lane = name === '' ? 0 : Number(name.slice(1));
      const before = committed[lane] as number;
      this.#world.check(
        position >= before || this.#state.feed.plan.hasStore,
        `commit of s${plan.index}/${lane} goes back from ${before} to ${position}`,
      );
      this.#model.checkPosition(this.#state, lane, position, 'commit');
      committed[lane] = Math.max(before, position);
      this.committed[lane] = position;
    }
    this.#world.count('committed');
  }

  async close(reason?: unknown): Promise<void> {
    const world = this.#world;
    await this.#host.process.alive();
    world.note(() => `${this.name} close ${reason === undefined ? 'well' : 'with a reason'}`);
    world.check(++this.closed === 1, 'S10 close twice');
    if (world.strikes('source close', this.#host.edgeRate)) throw someError(world, 'unset');
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}
