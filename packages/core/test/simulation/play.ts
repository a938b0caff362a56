/** Plays one seed: a topology, a storm of faults over several processes, and a calm in which everything must drain. */

import { getEventListeners } from 'node:events';
import type { VirtualClock } from '@streamweld/testing';
import { installRuntime } from '../../src/runtime.ts';
import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  type Dispatcher,
  type Flow,
  from,
  isStreamWeldError,
  RateLimit,
  type RunReport,
  type Sink,
  type StandardSchema,
  type SubscribeOptions,
  type Subscription,
} from '../../src/index.ts';
import {
  type BranchState,
  type DispatcherState,
  type FeedState,
  isSelected,
  keyOf,
  LeafState,
  Model,
  partsOf,
  routeOf,
} from './model.ts';
import {
  type ChildPlan,
  type DispatcherPlan,
  type FeedPlan,
  type Plan,
  planOf,
  type PolicyPlan,
} from './plan.ts';
import { Process } from './process.ts';
import { SimulatedLetters, SimulatedSink } from './simulated-sink.ts';
import { SimulatedSource } from './simulated-source.ts';
import { SimulatedStore } from './simulated-store.ts';
import { createToken, hashOf, nameOf, type Token } from './token.ts';
import { someError, World } from './world.ts';

export interface Played {
  readonly seed: number;
  readonly plan: Plan;
  readonly breach: string | undefined;
  /** Empty, unless it was asked for. */
  readonly trace: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly faults: number;
}

type AnyDispatcher = Dispatcher<Token, string | number>;

/** How long the calm may take, in virtual milliseconds: so much, and so much for each item and sink. */
const CALM_MS = 4000;
const CALM_MS_PER_ITEM = 60;

/** A process that is begun more often than this before the calm is not worth another. */
const MOST_PROCESSES = 14;

/** Errors that say that the run itself is at fault. */
const OWN_FAULTS = [
  'SW_RECEIPT_SETTLED',
  'SW_DELIVERY_UNSETTLED',
  'SW_SOURCE_OVERANSWERED',
  'SW_SOURCE_UNDERANSWERED',
  'SW_STRATEGY_INVALID',
  'SW_BATCH_TOO_LARGE',
];

/** @param isTraced whether it keeps a trace. Nothing else depends on it: who needs the trace of a breach plays the seed again. */
export async function play(seed: number, isTraced: boolean = false): Promise<Played> {
  const plan = planOf(seed);
  const world = new World(seed, isTraced);
  const model = new Model(world, plan);
  const onUnhandled = (error: unknown): void => {
    world.break(`a rejection that nobody handled: ${String(error)}`);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    for (;;) {
      if (!world.isCalm && (world.stormedMs >= plan.stormMs || world.incarnation >= MOST_PROCESSES)) {
        world.isCalm = true;
      }
      const wasCalm = world.isCalm;
      model.settleDoubts();
      const life = new Life(world, model, plan);
      await life.live();
      if (world.breach !== undefined) break;
      if (model.feeds.every(({ isFinished }) => isFinished)) break;
      if (wasCalm) {
        world.break('a run without faults did not finish');
        break;
      }
    }
    // A rejection is known to be unhandled after a turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    model.settleDoubts();
    if (world.breach === undefined) checkLosses(model);
  } catch (error) {
    world.break(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
  return {
    seed,
    plan,
    breach: world.breach,
    trace: world.trace,
    counts: world.counts,
    faults: world.faults,
  };
}

/** What was lost with consent is what the reports told of. */
function checkLosses(model: Model): void {
  for (const leaf of model.leaves) {
    model.world.check(
      leaf.excused.size <= leaf.reportedLost,
      `sink ${leaf.plan.index} lost ${leaf.excused.size} items, and ${leaf.reportedLost} were reported`,
    );
  }
}

class FeedRun {
  readonly state: FeedState;
  readonly pipeline: ConcurrentPipeline<Token>;
  readonly sources: readonly SimulatedSource[];
  readonly controller: AbortController = new AbortController();
  isPaused = false;
  report: RunReport | undefined;
  error: unknown;
  isOver = false;

  constructor(state: FeedState, pipeline: ConcurrentPipeline<Token>, sources: readonly SimulatedSource[]) {
    this.state = state;
    this.pipeline = pipeline;
    this.sources = sources;
  }
}

/** A drain overrides it, also one that a failure began. */
function isPaused(feed: FeedRun | undefined): boolean {
  if (feed?.isPaused !== true) return false;
  return !['draining', 'aborting', 'closing', 'done'].includes(feed.pipeline.state);
}

interface Seat {
  readonly dispatcher: AnyDispatcher;
  readonly branch: BranchState;
  readonly plan: DispatcherPlan;
  readonly leaf: LeafState;
  sink: SimulatedSink | undefined;
  subscription: Subscription | undefined;
  /** Of each sink that sat there in this process, the subscription that is there now last. */
  readonly sat: { readonly subscription: Subscription; readonly sink: SimulatedSink; hasLeft: boolean }[];
  isBusy: boolean;
}

class Life {
  readonly #world: World;
  readonly #model: Model;
  readonly #plan: Plan;
  readonly #process: Process;
  readonly #clock: VirtualClock;
  readonly #feeds: FeedRun[] = [];
  readonly #dispatchers: { readonly dispatcher: AnyDispatcher; readonly plan: DispatcherPlan }[] = [];
  readonly #seats: Seat[] = [];
  /** By partition: how many items may be in its buffer and in flight now, and may ever have been. */
  readonly #bounds = new Map<DispatcherPlan, Map<string | number, { now: number; ever: number }>>();
  readonly #sinks: SimulatedSink[] = [];
  /** Everything that was promised, and by what. */
  readonly #promises = new Map<string, { isSettled: boolean }>();
  #promised = 0;
  #looks = 0;
  #limit: RateLimit | undefined;
  #end: (how: 'crashed' | 'over') => void = () => {};
  #isCalmTold = false;
  /** Its runs have ended: what is left behind is waited for. */
  #isOver = false;

  constructor(world: World, model: Model, plan: Plan) {
    this.#world = world;
    this.#model = model;
    this.#plan = plan;
    this.#clock = world.restart();
    model.restart();
    this.#process = new Process(world);
  }

  async live(): Promise<void> {
    const world = this.#world;
    const uninstall = installRuntime(this.#clock);
    world.note(() => `── process ${world.incarnation}${world.isCalm ? ', calm' : ''}`);
    try {
      const ended = new Promise<'crashed' | 'over'>((resolve) => {
        this.#end = resolve;
      });
      world.onBreach = () => this.#end('over');
      if (world.isCalm) this.#becomeCalm();
      else {
        const leftMs = this.#plan.stormMs - world.stormedMs;
        world.after(leftMs, () => {
          if (!this.#isOver) this.#becomeCalm();
        });
      }
      const begunAt = world.now;
      const work = this.#work().then(() => 'over' as const);
      const how = await this.#clock.run(Promise.race([work, ended]));
      this.#isOver = true;
      world.stormedMs += Math.max(1, world.now - begunAt);
      if (world.breach !== undefined) return;
      if (how === 'crashed') {
        for (const seat of this.#seats) this.#countSubscriptions(seat);
        return;
      }
      await this.#settleUp();
    } finally {
      uninstall();
    }
  }

  #becomeCalm(): void {
    const world = this.#world;
    if (this.#isCalmTold) return;
    this.#isCalmTold = true;
    world.isCalm = true;
    world.note(() => 'calm');
    for (const feed of this.#feeds) this.#resume(feed);
    this.#process.calm();
    const items = this.#plan.feeds
      .flatMap(({ sources }) => sources)
      .reduce((sum, { lanes, length }) => sum + lanes * length, 0);
    const most = CALM_MS + items * CALM_MS_PER_ITEM * this.#model.leaves.length;
    world.after(most, () => world.break(`it did not drain within ${most} ms of calm`));
  }

  // ── building ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #work(): Promise<void> {
    const world = this.#world;
    try {
      const sinks = await this.#createTargets();
      for (const [at, state] of this.#model.feeds.entries()) {
        this.#feeds.push(this.#createFeed(state, sinks[at] as Sink<Token>));
      }
    } catch (error) {
      if (this.#process.isDead) return;
      world.note(() => `could not begin: ${describe(error)}`);
      world.count('ended before it began');
      world.check(!world.isCalm, `could not begin in calm: ${describe(error)}`);
      for (const { dispatcher } of this.#dispatchers) await dispatcher.abort(error);
      return;
    }
    if (!world.isCalm) this.#scheduleControl();
    await Promise.all(this.#feeds.map((feed) => this.#run(feed)));
  }

  async #run(feed: FeedRun): Promise<void> {
    const world = this.#world;
    const { pipeline, controller, state } = feed;
    try {
      feed.report = await pipeline.run({ signal: controller.signal });
      const { outcome } = feed.report;
      world.note(() => `pipeline ${state.index} ${outcome}`);
      world.count(`run ${feed.report.outcome}`);
    } catch (error) {
      feed.error = error;
      world.note(() => `pipeline ${state.index} failed: ${describe(error)}`);
      world.count('run failed');
      if (isStreamWeldError(error)) {
        if (error.code === 'SW_DRAIN_TIMEOUT') world.count('drain deadline missed');
        const isLate = this.#model.leaves.some(({ hasFailed }) => hasFailed);
        const isOwn = OWN_FAULTS.includes(error.code) && !(error.code === 'SW_DELIVERY_UNSETTLED' && isLate);
        world.check(!isOwn, `the run failed with ${describe(error)}`);
        if ((error.suppressed ?? []).some((each) => String(each).includes('did not heed')))
          world.count('abort left somebody behind');
      }
    }
    feed.isOver = true;
    world.check(pipeline.state === 'done', 'a run that is over is done');
  }

  async #createTargets(): Promise<Sink<Token>[]> {
    const { target } = this.#model;
    if (target instanceof LeafState) {
      const sink = this.#createSink(target, undefined, this.#plan.feeds[0]?.maxConcurrency ?? 1);
      return [sink];
    }
    const dispatcher = await this.#createDispatcher(target);
    return this.#plan.feeds.map(({ batchSize }) => dispatcher.createSink(batchSize));
  }

  #createSink(leaf: LeafState, seat: DispatcherPlan | undefined, concurrency: number): SimulatedSink {
    const { plan, child } = leaf;
    const feed = this.#plan.feeds[0];
    const isDirect = seat === undefined;
    const policies = isDirect ? feed?.policies : child?.policies;
    const most = isDirect ? (feed?.bufferSize ?? 1) : Number.MAX_SAFE_INTEGER;
    const maxUncommitted = isDirect ? feed?.maxUncommitted : child?.maxUncommitted;
    const sink = new SimulatedSink(
      this.#model,
      leaf,
      {
        process: this.#process,
        concurrency: plan.mode === 'keeps' ? 1 : Math.min(concurrency, plan.concurrency ?? concurrency),
        mostItems: plan.mode === 'keeps' ? most : Math.min(plan.maxItems ?? most, most),
        maxUncommitted: seat?.kind === 'keyed' ? undefined : maxUncommitted,
        hasTimeout: policies?.timeoutMs !== undefined,
        isPaused: () => isDirect && isPaused(this.#feeds[0]),
        isAbandoned: (token) => this.#isAbandoned(token),
        edgeRate: this.#plan.edgeRate,
        hangRate: this.#plan.hangRate,
        feed: this.#model.feeds[0],
      },
      `sink ${plan.index}`,
    );
    this.#sinks.push(sink);
    return sink;
  }

  #isAbandoned({ source }: Token): boolean {
    const feed = this.#feeds.find(({ state }) => state.sources.some(({ plan }) => plan.index === source));
    return feed === undefined || feed.error !== undefined || feed.sources.some(({ isAborted }) => isAborted);
  }

  async #createDispatcher(state: DispatcherState): Promise<AnyDispatcher> {
    const { plan, branches, unknown } = state;
    const dispatcher = this.#buildDispatcher(plan, unknown);
    this.#dispatchers.push({ dispatcher, plan });
    for (const branch of branches) {
      if (branch.node instanceof LeafState) {
        const seat: Seat = {
          dispatcher,
          branch,
          plan,
          leaf: branch.node,
          sink: undefined,
          subscription: undefined,
          sat: [],
          isBusy: false,
        };
        const { sat } = seat;
        branch.node.mayHaveLost = () =>
          sat.some(
            ({ subscription: { status }, hasLeft }) =>
              status.state === 'detached' || (hasLeft && status.failed > 0),
          );
        this.#seats.push(seat);
        if (!branch.plan.isVisitor) await this.#join(seat);
      } else {
        const below = await this.#createDispatcher(branch.node);
        const sink = below.createSink(branch.node.plan.batchSize);
        await dispatcher.subscribeSink(
          sink,
          branch.plan.partition as never,
          optionsOf(branch.plan, undefined),
        );
      }
    }
    return dispatcher;
  }

  #buildDispatcher(plan: DispatcherPlan, unknown: LeafState | undefined): AnyDispatcher {
    const builder = new DispatchedPipelineBuilder<Token>({
      logger: null,
      bufferSize: plan.bufferSize,
      ...(this.#plan.isExact ? { checkpoint: 'feed' } : {}),
    });
    if (plan.kind === 'broadcast') return builder.broadcast() as unknown as AnyDispatcher;
    if (plan.kind === 'demand') return builder.demand({ shuffle: plan.shuffle }) as unknown as AnyDispatcher;
    const onUnknown = unknown === undefined ? ('drop' as const) : this.#createSink(unknown, plan, 1);
    const options = { onUnknown, ...(plan.kind === 'keyed' ? { key: keyOf } : {}) };
    const dispatcher: unknown = plan.byHash
      ? builder.partition(plan.names.length, keyOf, options)
      : builder.partition(
          plan.names as readonly string[],
          (token) => routeOf(plan, token) as string,
          options,
        );
    return dispatcher as AnyDispatcher;
  }

  async #join(seat: Seat): Promise<void> {
    const { leaf, branch, dispatcher, plan } = seat;
    const { plan: child } = branch;
    const sink = this.#createSink(leaf, plan, child.maxConcurrency);
    const letters =
      leaf.letters === undefined || child.policies.deadLetter === undefined
        ? undefined
        : new SimulatedLetters(
            this.#model,
            leaf.letters,
            child.policies.deadLetter,
            this.#process,
            `letters of ${sink.name}`,
            (token) => this.#isAbandoned(token),
          );
    const options = optionsOf(child, letters);
    seat.sink = sink;
    this.#widen(plan, child);
    try {
      seat.subscription = await dispatcher.subscribeSink(sink, child.partition as never, {
        ...options,
        ...(child.overflow === 'wait'
          ? {}
          : {
              onDrop: (items: readonly Token[]) => {
                this.#world.count(`overflow: ${child.overflow}`);
                for (const { id } of items) leaf.dropped.add(id);
              },
            }),
      });
      seat.sat.push({ subscription: seat.subscription, sink, hasLeft: false });
    } catch (error) {
      seat.sink = undefined;
      throw error;
    } finally {
      this.#widen(plan, child);
    }
  }

  /** The buffer of a partition is from now on as large as this child wants it, or still as it was. */
  #widen(plan: DispatcherPlan, { partition, bufferSize = plan.bufferSize }: ChildPlan): void {
    if (partition === undefined) return;
    const bounds = this.#boundsOf(plan);
    const before = bounds.get(partition) ?? { now: plan.bufferSize, ever: plan.bufferSize };
    bounds.set(partition, { now: Math.max(before.now, bufferSize), ever: Math.max(before.ever, bufferSize) });
  }

  #boundsOf(plan: DispatcherPlan): Map<string | number, { now: number; ever: number }> {
    let bounds = this.#bounds.get(plan);
    if (bounds === undefined) {
      bounds = new Map();
      this.#bounds.set(plan, bounds);
    }
    return bounds;
  }

  #createFeed(state: FeedState, sink: Sink<Token>): FeedRun {
    const { plan } = state;
    const world = this.#world;
    const made: { run?: FeedRun } = {};
    const sources = state.sources.map(
      (source) =>
        new SimulatedSource(this.#model, source, {
          process: this.#process,
          mostDemand: mostDemandOf(plan),
          isPaused: () => isPaused(made.run),
          sourceRate: this.#plan.sourceRate,
          edgeRate: this.#plan.edgeRate,
          hangRate: this.#plan.hangRate,
          watch: () => this.#watch(),
        }),
    );
    const [first, ...others] = sources;
    let flow: Flow<Token> = from(first as SimulatedSource);
    if (others.length > 0) flow = flow.merge(...others);
    for (const operator of plan.operators) flow = this.#operate(flow, operator, state);
    const pipeline = new ConcurrentPipeline<Token>(flow, sink)
      .name(`feed ${state.index}`)
      .bufferSize(plan.bufferSize)
      .maxConcurrency(plan.maxConcurrency)
      .failFast(plan.failFast)
      .closeMs(plan.closeMs)
      .commitEvery({ items: plan.commitItems, ms: plan.commitMs });
    if (plan.maxUncommitted !== undefined) pipeline.maxUncommitted(plan.maxUncommitted);
    if (plan.hasStore) {
      const store = new SimulatedStore(this.#model, state, this.#process, this.#plan.edgeRate);
      pipeline.checkpoint(store, 'feed');
    }
    const { policies } = plan;
    const { retry, circuitBreaker, rateLimit, writeTimeout } = policiesOf(policies);
    if (retry !== undefined) pipeline.retry(retry);
    if (circuitBreaker !== undefined) pipeline.circuitBreaker(circuitBreaker);
    if (rateLimit !== undefined) {
      this.#limit = rateLimit;
      pipeline.rateLimit(rateLimit);
    }
    if (writeTimeout !== undefined) pipeline.writeTimeout(writeTimeout);
    if (state.letters !== undefined && policies.deadLetter !== undefined) {
      pipeline.deadLetter(
        new SimulatedLetters(
          this.#model,
          state.letters,
          policies.deadLetter,
          this.#process,
          `letters ${state.index}`,
          (token) => this.#isAbandoned(token),
        ),
      );
    }
    const run = new FeedRun(state, pipeline, sources);
    made.run = run;
    world.check(pipeline.state === 'idle', 'a pipeline begins idle');
    return run;
  }

  #operate(
    flow: Flow<Token>,
    operator: Plan['feeds'][number]['operators'][number],
    state: FeedState,
  ): Flow<Token> {
    const world = this.#world;
    const { operatorRate } = this.#plan;
    const process = this.#process;
    const late = <R>(delayMs: number, value: R): R | Promise<R> =>
      delayMs === 0 || world.random.chance(0.3)
        ? value
        : world.sleep(world.random.integer(0, delayMs)).then(() => process.alive().then(() => value));
    switch (operator.kind) {
      case 'map': {
        const { concurrency, ordered, onError, delayMs } = operator;
        return flow.map(
          (token) => {
            if (world.strikes(`map throws, ${onError}`, operatorRate)) {
              if (onError === 'drop') state.excused.add(token.id);
              if (onError === 'deadLetter') state.letters?.blamed.add(token.id);
              const error = someError(world, 'unset');
              if (delayMs === 0) throw error;
              return world.sleep(1).then(() => Promise.reject(error));
            }
            return late(delayMs, createToken(token.source, token.lane, token.n, token.part)) as Token;
          },
          { ordered, onError, ...(concurrency === undefined ? {} : { concurrency }) },
        );
      }
      case 'filter':
        return flow.filter((token) =>
          late(operator.delayMs, hashOf(token, operator.salt) % operator.oneIn !== 0),
        );
      case 'flatMap':
        return flow.flatMap((token) => {
          if (world.strikes('flatMap throws', operatorRate / 2)) throw someError(world, 'unset');
          return late(1, partsOf(token, operator.salt, operator.most));
        });
      case 'batch':
        return flow
          .batch(operator.size, operator.withinMs === undefined ? {} : { withinMs: operator.withinMs })
          .flatMap((batch) => {
            world.check(batch.length > 0 && batch.length <= operator.size, 'the size of a batch');
            return batch;
          });
      case 'through':
        return flow.through(() => {
          let held: Token[] = [];
          return {
            process: (batch: readonly Token[]) => {
              if (world.strikes('processor throws', operatorRate / 2)) throw someError(world, 'unset');
              const all = [...held, ...batch];
              const keeps = Math.min(all.length, operator.holds);
              held = all.slice(all.length - keeps);
              return all.slice(0, all.length - keeps);
            },
            flush: () => held.splice(0),
            holdsBack: () => held.length > 0,
          };
        });
      case 'validate': {
        const schema: StandardSchema<Token> = {
          '~standard': {
            version: 1,
            vendor: 'simulation',
            validate: (value) => {
              const token = value as Token;
              if (hashOf(token, operator.salt) % operator.oneIn !== 0) return { value: token };
              if (operator.onInvalid === 'deadLetter') state.letters?.blamed.add(token.id);
              world.count(`invalid: ${operator.onInvalid}`);
              return { issues: [{ message: 'invalid' }] };
            },
          },
        };
        return flow.validate(schema, { onInvalid: operator.onInvalid });
      }
      case 'drop': {
        let seen = 0;
        return flow
          .tap((token) => {
            if (seen++ >= operator.items) return;
            world.count('dropped by drop');
            state.excused.add(token.id);
          })
          .drop(operator.items);
      }
      case 'take': {
        const take = state.beginTake(operator.items);
        return flow.take(operator.items).tap(({ id }) => {
          take.passed.add(id);
        });
      }
      case 'throttle':
        return flow.throttle(operator.items, { perMs: operator.perMs });
      case 'tap':
        return flow.tap(() => late(operator.delayMs, undefined));
    }
  }

  // ── watching ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** No buffer ever holds more than it may. */
  #watch(): void {
    if (this.#looks++ % 4 !== 0) return;
    const world = this.#world;
    for (const { pipeline } of this.#feeds) {
      if (pipeline.state === 'idle') continue;
      for (const { buffer } of pipeline.snapshot().edges) {
        if (buffer === undefined) continue;
        const { capacity, queued, inFlight } = buffer;
        world.check(
          queued + inFlight <= capacity,
          () => `a buffer of ${capacity} holds ${queued} + ${inFlight}`,
        );
      }
    }
    for (const { dispatcher, plan } of this.#dispatchers) {
      for (const {
        name,
        state,
        buffered,
        inFlight,
        highWaterMark,
        bufferSize,
        demand,
        partition,
      } of dispatcher.sinks()) {
        world.check(demand >= 0, () => `${name}: a demand of ${demand}`);
        if (state !== 'open' || partition !== undefined) continue;
        const isIn = buffered + inFlight <= bufferSize && highWaterMark <= bufferSize;
        world.check(
          isIn,
          () => `${name}: ${buffered} + ${inFlight}, at most ${highWaterMark}, of ${bufferSize}`,
        );
      }
      for (const partition of plan.names) this.#watchPartition(dispatcher, plan, partition);
    }
  }

  /**
   * The buffer of a partition is its sinks' together, and was another's before, which may have wanted a larger one: what is
   * in it then goes, and nothing comes until it is below what it may hold now.
   */
  #watchPartition(dispatcher: AnyDispatcher, plan: DispatcherPlan, partition: string | number): void {
    const statuses = dispatcher
      .sinks()
      .filter(({ partition: of, state }) => of === partition && (state === 'open' || state === 'draining'));
    const [first] = statuses;
    const bound = this.#boundsOf(plan).get(partition);
    if (first === undefined || bound === undefined) return;
    const { buffered, bufferSize, highWaterMark } = first;
    const held = buffered + statuses.reduce((sum, { inFlight }) => sum + inFlight, 0);
    this.#world.check(
      held <= bound.now && highWaterMark <= bound.ever,
      () =>
        `partition ${partition}: ${held} items of ${bound.now}, at most ${highWaterMark} of ${bound.ever}`,
    );
    bound.now = Math.max(bufferSize, held);
  }

  #promise(what: string, promise: Promise<unknown>): void {
    const state = { isSettled: false };
    this.#promises.set(`${what} ${++this.#promised}`, state);
    const settle = (): void => {
      state.isSettled = true;
    };
    promise.then(settle, settle);
  }

  // ── what comes from outside ────────────────────────────────────────────────────────────────────────────────────

  #scheduleControl(): void {
    const world = this.#world;
    world.after(world.random.integer(1, 2 * this.#plan.controlMs), () => {
      if (world.isCalm || this.#process.isDead || world.breach !== undefined) return;
      this.#control();
      this.#scheduleControl();
    });
  }

  #control(): void {
    const world = this.#world;
    const { random } = world;
    const feed = random.pick(this.#feeds);
    if (feed.isOver || feed.pipeline.state === 'idle') return;
    const { pipeline } = feed;
    switch (random.integer(0, 19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        this.#pause(feed);
        break;
      case 5:
        world.strike('drain');
        feed.isPaused = false;
        this.#promise('drain', pipeline.drain());
        break;
      case 6:
        world.strike('drain with a deadline');
        feed.isPaused = false;
        this.#promise('drain', pipeline.drain({ deadlineMs: random.integer(0, 15) }));
        break;
      case 7:
        world.strike('abort');
        this.#promise('abort', pipeline.abort(random.chance(0.5) ? new Error('abort') : undefined));
        break;
      case 8:
        world.strike('signal');
        feed.controller.abort(random.chance(0.5) ? new Error('signal') : undefined);
        break;
      case 9:
      case 10:
        world.strike('crash');
        // Whatever it was doing, it does no more.
        this.#end('crashed');
        break;
      case 11: {
        const [source] = feed.sources;
        if (random.chance(0.7) || source?.context === undefined || source.closed > 0) break;
        world.strike('source fails between two pulls');
        source.context.fail(someError(world, 'unset'));
        break;
      }
      case 12: {
        const source = random.pick(feed.sources);
        if (!this.#plan.isExact) void source.giveUp();
        break;
      }
      case 13: {
        const sink = random.pick(this.#sinks);
        if (random.chance(0.6) || sink.context === undefined || sink.closed > 0) break;
        world.strike('sink fails between two writes');
        sink.leaf.hasFailed = true;
        sink.context.fail(someError(world, 'unset'));
        break;
      }
      case 14: {
        const [first] = this.#dispatchers;
        if (first === undefined || random.chance(0.7)) break;
        world.strike('dispatcher aborted');
        this.#promise('dispatcher abort', first.dispatcher.abort(new Error('abort')));
        break;
      }
      default:
        this.#changeMembership();
    }
    if (this.#limit !== undefined && random.chance(0.3)) {
      this.#limit.perSecond = random.pick([400, 1000, 5000]);
      world.count('rate changed');
    }
  }

  #pause(feed: FeedRun): void {
    const world = this.#world;
    const { pipeline } = feed;
    if (pipeline.state !== 'running') return;
    world.strike('pause');
    const paused = pipeline.pause();
    feed.isPaused = (pipeline.state as string) === 'paused';
    this.#promise('pause', paused);
    const [sink] = this.#sinks;
    void paused.then(() => {
      const { state } = pipeline;
      if (!feed.isPaused || (state as string) !== 'paused' || this.#process.isDead) return;
      if (this.#dispatchers.length === 0)
        world.check(sink?.outstanding === 0, 'paused, and a write is outstanding');
    });
    world.after(world.random.integer(1, 15), () => this.#resume(feed));
  }

  #resume(feed: FeedRun): void {
    if (!feed.isPaused) return;
    feed.isPaused = false;
    this.#world.note(() => `resume ${feed.state.index}`);
    feed.pipeline.resume();
  }

  #changeMembership(): void {
    const world = this.#world;
    const able = this.#seats.filter(
      ({ isBusy, branch: { plan }, subscription }) =>
        !isBusy && (plan.isVisitor || (plan.canLeave && subscription?.status.state === 'open')),
    );
    if (able.length === 0) return;
    const seat = world.random.pick(able);
    const isIn = seat.subscription?.status.state === 'open';
    seat.isBusy = true;
    const change = isIn ? this.#leave(seat) : this.#enter(seat);
    this.#promise(isIn ? 'leave' : 'join', change);
    void change.finally(() => {
      seat.isBusy = false;
    });
  }

  async #enter(seat: Seat): Promise<void> {
    this.#world.strike('join');
    try {
      await this.#join(seat);
    } catch (error) {
      this.#world.note(() => `could not join: ${describe(error)}`);
    }
  }

  async #leave(seat: Seat): Promise<void> {
    const world = this.#world;
    const { subscription, sink, branch, plan, dispatcher } = seat;
    if (subscription === undefined || sink === undefined) return;
    world.strike('leave');
    const before = subscription.status;
    const waiting = plan.kind === 'broadcast' ? before.buffered : 0;
    try {
      await subscription.unsubscribe();
      if (this.#process.isDead) return;
      const after = subscription.status;
      const got = after.delivered + after.deadLettered + after.failed + after.dropped;
      const had = before.delivered + before.deadLettered + before.failed + before.dropped + waiting;
      if (after.state === 'closed') {
        const last = seat.sat.at(-1);
        if (last !== undefined) last.hasLeft = true;
        world.check(got >= had, `sink ${seat.leaf.plan.index} left with ${got} items, and owed ${had}`);
        // What was in the sink's hands may be lost in this moment: of that the dispatcher hears first.
        world.after(0, () => {
          if (dispatcher.snapshot().state === 'open') this.#checkGiven(sink, subscription);
        });
      }
    } catch (error) {
      world.note(() => `left badly: ${describe(error)}`);
    }
    if (branch.plan.isVisitor || this.#feeds.every(({ isOver }) => isOver)) return;
    // Its place must not stay empty, or nothing would drain.
    try {
      await world.sleep(world.random.integer(0, 4));
      if (this.#process.isDead) return;
      await this.#join(seat);
      world.count('another sink adopted what one left');
    } catch (error) {
      world.note(() => `nobody came instead: ${describe(error)}`);
      if (this.#feeds.some(({ isOver }) => !isOver)) {
        for (const feed of this.#feeds) void feed.pipeline.abort(error).catch(() => {});
      }
    }
  }

  /** What left well has got all that it was given, whatever became of its writes on the way, or said what it lost. */
  #checkGiven({ leaf, name, given }: SimulatedSink, { status }: Subscription): void {
    const missing = [...given.values()].filter(
      (token) => !leaf.has(token) && leaf.letters?.given.has(token.id) !== true,
    );
    this.#world.check(
      missing.length <= status.failed,
      () =>
        `${name} left without ${missing.map(nameOf).join(' ')}, which it was given; lost: ${status.failed}`,
    );
  }

  /** Counts what the sinks of a seat came to: at the end, because what was in a sink's hands is lost only when that is closed. */
  #countSubscriptions({ sat, leaf, branch }: Seat): void {
    const world = this.#world;
    for (const { subscription, sink } of sat) {
      const { failed, retried, timedOut, deadLettered, breaker, state, highWaterMark } = subscription.status;
      leaf.reportedLost += failed;
      const most = sink.given.size + (branch.plan.partition === undefined ? highWaterMark : 0);
      world.check(failed <= most, `${sink.name} lost ${failed} items, and was given ${most} at most`);
      this.#countPolicies({ retried, timedOut, deadLettered, openings: breaker?.openings ?? 0 });
      if (state === 'detached') world.count('detached');
    }
  }

  #countPolicies(counts: {
    readonly retried: number;
    readonly timedOut: number;
    readonly deadLettered: number;
    readonly openings: number;
  }): void {
    const world = this.#world;
    world.count('retried', counts.retried);
    world.count('timed out', counts.timedOut);
    world.count('dead-lettered', counts.deadLettered);
    world.count('breaker opened', counts.openings);
  }

  // ── the end of a process that did not crash ────────────────────────────────────────────────────────────────────

  async #settleUp(): Promise<void> {
    const world = this.#world;
    for (const feed of this.#feeds) this.#checkRun(feed);
    if (world.breach !== undefined) return;
    // Late writes land, and whoever was left behind comes to its end.
    this.#process.calm();
    await this.#clock.advance(3000);
    for (const [what, { isSettled }] of this.#promises) world.check(isSettled, `${what} is not settled`);
    for (const { dispatcher } of this.#dispatchers) {
      const { state, waiting, skipped } = dispatcher.snapshot();
      world.check(state === 'closed', `a dispatcher whose feeds have ended is ${state}`);
      world.count('exactly once: skipped', skipped ?? 0);
      if (this.#feeds.every(({ report }) => report !== undefined))
        world.check(waiting === 0, `${waiting} items wait in a dispatcher that has ended`);
    }
    for (const sink of this.#sinks) {
      world.check(sink.closed === sink.opened, `${sink.name}: opened ${sink.opened}, closed ${sink.closed}`);
    }
    for (const { sources, controller, pipeline } of this.#feeds) {
      for (const source of sources) {
        world.check(
          source.closed === source.opened,
          `${source.name}: opened ${source.opened}, closed ${source.closed}`,
        );
      }
      const listeners = getEventListeners(controller.signal, 'abort').length;
      world.check(listeners === 0, `${listeners} listeners are left on the signal`);
      const { retried, timedOut, deadLettered, breaker } = pipeline.snapshot();
      this.#countPolicies({ retried, timedOut, deadLettered, openings: breaker?.openings ?? 0 });
    }
    for (const seat of this.#seats) this.#countSubscriptions(seat);
    const left = this.#clock.activeTimers - world.pending;
    world.check(left === 0, `${left} timers are left`);
  }

  #checkRun({ state, report, sources, error }: FeedRun): void {
    const world = this.#world;
    if (report === undefined) {
      if (this.#feeds.length > 0 && this.#isCalmTold && error !== undefined && world.incarnation === 0)
        world.note(() => 'failed');
      return;
    }
    const { plan } = state;
    world.check(
      report.highWaterMark <= plan.bufferSize,
      `high water ${report.highWaterMark} of ${plan.bufferSize}`,
    );
    const read = sources.reduce((sum, { emitted }) => sum + emitted, 0);
    world.check(report.read === read, `read ${report.read}, handed out ${read}`);
    for (const [at, source] of sources.entries()) {
      const of = state.sources[at];
      if (of === undefined) continue;
      for (let lane = 0; lane < of.plan.lanes; lane++) this.#checkLane(state, of, source, lane);
    }
    const [sink] = this.#sinks;
    if (
      this.#dispatchers.length === 0 &&
      sink !== undefined &&
      !sink.hasNamed &&
      sink.leaf.plan.mode !== 'keeps'
    ) {
      world.check(report.written === sink.accepted, `written ${report.written}, accepted ${sink.accepted}`);
    }
    state.isFinished = this.#isFinished(state, sources, report);
  }

  #checkLane(
    state: FeedState,
    of: FeedState['sources'][number],
    source: SimulatedSource,
    lane: number,
  ): void {
    const world = this.#world;
    if (state.takes || source.ended[lane] === true) return;
    const from = source.began[lane] as number;
    const to = source.next[lane] as number;
    if (to === from) return;
    if (of.plan.hasPositions) {
      const committed = source.committed[lane];
      world.check(
        committed === to,
        `s${of.plan.index}/${lane} came to ${to}, and ${committed} was committed`,
      );
      return;
    }
    for (let n = from; n < to; n++) {
      const missing = this.#model.missing(state, createToken(of.plan.index, lane, n));
      if (missing !== undefined)
        world.break(`${missing} was handed out by a run that ended well, and is nowhere`);
    }
  }

  #isFinished(state: FeedState, sources: readonly SimulatedSource[], report: RunReport): boolean {
    if (report.outcome !== 'completed') return false;
    if (state.takes) return this.#isCalmTold;
    // What was committed is checked lane by lane; what it resumed after was committed before.
    return sources.every(({ next, ended }, at) =>
      next.every((to, lane) => to >= (state.sources[at]?.plan.length ?? 0) && ended[lane] !== true),
    );
  }
}

/** The buffer, times what is gathered in one item; calls at once may want more than there is room for. */
function mostDemandOf({ operators, bufferSize, maxConcurrency }: FeedPlan): number {
  return operators.reduceRight((most, operator) => {
    switch (operator.kind) {
      case 'batch':
        return operator.size;
      case 'map':
        return Math.max(most, operator.concurrency ?? maxConcurrency);
      case 'filter':
      case 'tap':
        return operator.delayMs === 0 ? most : Math.max(most, maxConcurrency);
      default:
        return most;
    }
  }, bufferSize);
}

function describe(error: unknown): string {
  if (isStreamWeldError(error)) return `${error.code} ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function policiesOf(policies: PolicyPlan): {
  retry: SubscribeOptions<Token>['retry'];
  circuitBreaker: SubscribeOptions<Token>['circuitBreaker'];
  rateLimit: RateLimit | undefined;
  writeTimeout: number | undefined;
} {
  const { attempts, backoffMs, halve, breaker, perSecond, timeoutMs } = policies;
  return {
    retry:
      attempts === undefined
        ? undefined
        : { attempts, backoff: { firstMs: backoffMs, maxMs: 4 * backoffMs }, halve },
    circuitBreaker: breaker,
    rateLimit: perSecond === undefined ? undefined : new RateLimit({ perSecond, burst: 20 }),
    writeTimeout: timeoutMs,
  };
}

function optionsOf(child: ChildPlan, letters: SimulatedLetters | undefined): SubscribeOptions<Token> {
  const { bufferSize, maxConcurrency, maxUncommitted, overflow, onError, selectorSalt } = child;
  const { retry, circuitBreaker, rateLimit, writeTimeout } = policiesOf(child.policies);
  return {
    bufferSize,
    maxConcurrency,
    maxUncommitted,
    onError,
    ...(overflow === 'wait' ? {} : { overflow }),
    ...(selectorSalt === 0 ? {} : { selector: (token: Token) => isSelected(child, token) }),
    ...(retry === undefined ? {} : { retry }),
    ...(circuitBreaker === undefined ? {} : { circuitBreaker }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(writeTimeout === undefined ? {} : { writeTimeout }),
    ...(letters === undefined ? {} : { deadLetter: letters }),
  };
}
