/** Sinks that fail as sinks do, keep a record of what is durable in them, and see that they are used as their contract says. */

import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import { WriteError } from '../../src/errors.ts';
import type { Accepted, DeferredReceipt, Sink, SinkContext, WriteContext } from '../../src/sink.ts';
import type { Awaitable } from '../../src/source.ts';
import type { FeedState, LeafState, LetterState, Model } from './model.ts';
import type { LetterPlan } from './plan.ts';
import type { Process } from './process.ts';
import { never } from './simulated-source.ts';
import { nameOf, type Token } from './token.ts';
import { someError, type World } from './world.ts';

export interface SinkHost {
  readonly process: Process;
  /** The most writes at once, and the most items of one. */
  readonly concurrency: number;
  readonly mostItems: number;
  readonly maxUncommitted: number | undefined;
  readonly hasTimeout: boolean;
  /** No write may begin. */
  isPaused(): boolean;
  /** The run that it came from was aborted: nobody waits for it any more. */
  isAbandoned(token: Token): boolean;
  readonly edgeRate: number;
  readonly hangRate: number;
  /** Of exactly once: whose positions it keeps. */
  readonly feed: FeedState | undefined;
}

/** How long a sink without a flush takes to make durable what it accepted: less than any run of a plan waits (K7). */
const SOON_MS = 3;

interface Pending {
  /** A write that was given up is waited for by nobody. */
  readonly isOwed: boolean;
  readonly batch: readonly Token[];
  readonly finish: () => void;
}

export class SimulatedSink implements Sink<Token> {
  readonly name: string;
  readonly concurrency: number | undefined;
  readonly atomic: boolean;
  readonly keepsPositions: boolean;
  readonly batching: { readonly maxItems: number | undefined; readonly lingerMs: number };
  flush?: () => Promise<void>;
  readonly #model: Model;
  readonly #world: World;
  readonly leaf: LeafState;
  readonly #host: SinkHost;
  readonly #outstanding: Set<WriteContext> = new Set();
  /** Accepted and not yet durable. */
  readonly #pending: Set<Pending> = new Set();
  context: SinkContext | undefined;
  opened = 0;
  closed = 0;
  /** Items that were accepted. */
  accepted = 0;
  #isFlushing = false;
  #hasFlushFailed = false;
  hasNamed = false;
  /** What it was given, once or several times. */
  readonly given: Map<number, Token> = new Map();

  constructor(model: Model, leaf: LeafState, host: SinkHost, name: string) {
    const { plan } = leaf;
    this.#model = model;
    this.#world = model.world;
    this.leaf = leaf;
    this.#host = host;
    this.name = name;
    this.concurrency = plan.concurrency;
    this.atomic = plan.isAtomic;
    this.keepsPositions = plan.mode === 'keeps';
    this.batching = { maxItems: plan.maxItems, lingerMs: plan.lingerMs };
    if (plan.hasFlush) this.flush = () => this.#flush();
  }

  /** Writes that are outstanding, and that somebody waits for. */
  get outstanding(): number {
    if (!this.#host.hasTimeout) return this.#outstanding.size;
    return [...this.#outstanding].filter(({ signal }) => !signal.aborted).length;
  }

  async open(context: SinkContext): Promise<void> {
    const world = this.#world;
    await this.#host.process.alive();
    world.note(() => `${this.name} open`);
    world.check(++this.opened === 1, 'K1 open twice');
    this.context = context;
    if (world.strikes('sink open', this.#host.edgeRate / 2)) throw someError(world, 'unset');
    if (world.random.chance(0.3)) await world.sleep(1);
  }

  positions(): ReadonlyMap<string, unknown> {
    return new Map(this.leaf.positions);
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const world = this.#world;
    await world.sleep(1);
    await this.#host.process.alive();
    world.note(() => `${this.name} keep ${JSON.stringify([...positions])}`);
    world.count('kept positions without items');
    this.#keep(positions);
  }

  write(batch: readonly Token[], context: WriteContext): Awaitable<void | Accepted> {
    const world = this.#world;
    const { plan } = this.leaf;
    const host = this.#host;
    if (host.process.isDead) return never();
    const isFirst = context.attempt === 1;
    world.note(() => `${this.name} write ${namesOf(batch)} attempt ${context.attempt}`);
    world.check(this.opened === 1 && this.closed === 0, 'K8 write after close');
    world.check(batch.length > 0, 'K3 an empty batch');
    world.check(!host.isPaused(), 'write while paused');
    world.check(!this.#isFlushing || plan.mode === 'keeps', 'K7 write while it flushes');
    world.check(this.outstanding < host.concurrency, () => `K2 more than ${host.concurrency} writes at once`);
    world.check(
      batch.length <= host.mostItems,
      () => `a write of ${batch.length} items, above ${host.mostItems}`,
    );
    if (!isFirst) world.count('written again');
    this.#begin(batch);
    if (world.strikes('write throws', plan.failRate / 2)) {
      this.leaf.hasFailed = true;
      throw this.#refusal(batch);
    }
    if (plan.mode === 'sync' && !world.random.chance(0.2)) {
      const poison = this.#poison(batch);
      if (poison !== undefined) throw poison;
      this.#land(batch, context);
      this.accepted += batch.length;
      return undefined;
    }
    this.#outstanding.add(context);
    return this.#writeLate(batch, context);
  }

  async #writeLate(batch: readonly Token[], context: WriteContext): Promise<void | Accepted> {
    const world = this.#world;
    const { plan } = this.leaf;
    // Given up: it may have landed, and may still land, beside another of the same.
    const givenUp = (): void => this.#repeat(batch);
    if (this.#host.hasTimeout) context.signal.addEventListener('abort', givenUp, { once: true });
    try {
      if (world.strikes('write hangs', this.#host.hangRate)) await this.#hang(batch, context);
      const rejects = world.strikes('write rejects', plan.failRate);
      // In calm nothing takes longer than it may.
      const most = world.isCalm && this.#host.hasTimeout ? Math.min(1, plan.writeMs) : plan.writeMs;
      await world.sleep(world.random.integer(0, most));
      await this.#host.process.alive();
      if (rejects) {
        this.leaf.hasFailed = true;
        throw this.#refusal(batch);
      }
      const poison = this.#poison(batch);
      if (poison !== undefined) throw poison;
      if (plan.mode === 'durable') return this.#later(batch, context);
      if (plan.mode === 'defer') {
        this.#defer(batch, context);
        return undefined;
      }
      this.#land(batch, context);
      if (world.random.chance(0.3)) {
        await world.sleep(1);
        await this.#host.process.alive();
      }
      this.#accept(batch, context);
      return undefined;
    } finally {
      context.signal.removeEventListener('abort', givenUp);
      this.#outstanding.delete(context);
    }
  }

  /** What was given up is answered to nobody. */
  #accept(batch: readonly Token[], { signal }: WriteContext): void {
    if (!this.#host.hasTimeout || !signal.aborted) this.accepted += batch.length;
  }

  async #hang(batch: readonly Token[], context: WriteContext): Promise<void> {
    const world = this.#world;
    const heeds = world.random.chance(0.6);
    world.count(heeds ? 'write hangs until it is aborted' : 'write hangs, deaf to its signal');
    this.leaf.hasFailed = true;
    await new Promise<void>((resolve, reject) => {
      this.#host.process.onCalm(resolve);
      if (heeds) {
        context.signal.addEventListener('abort', () => reject(someError(world, 'outage')), { once: true });
      }
    });
    await this.#host.process.alive();
    // It may land or not.
    if (context.signal.aborted) {
      world.count('a write that was left behind');
      if (world.random.chance(0.5)) throw someError(world, 'outage');
      this.#repeat(batch);
    }
  }

  /** Its items may be written again by this process. */
  #repeat(batch: readonly Token[]): void {
    for (const { id } of batch) this.#model.mayRepeat.add(id);
  }

  /** An error, and what of the batch is written in spite of it. */
  #refusal(batch: readonly Token[]): unknown {
    const world = this.#world;
    const { plan, letters } = this.leaf;
    const { random } = world;
    const isData = random.chance(letters === undefined ? 0.05 : 0.25);
    if (
      plan.mode !== 'keeps' &&
      plan.mode !== 'durable' &&
      plan.mode !== 'defer' &&
      plan.names &&
      random.chance(0.6)
    ) {
      const failed = batch.flatMap((_, at) => (random.chance(0.4) ? [at] : []));
      if (failed.length > 0) {
        this.hasNamed = true;
        world.count('write names what failed');
        if (isData) {
          for (const at of failed) letters?.blamed.add((batch[at] as Token).id);
        } else if (!plan.isAtomic) {
          // What it does not name is written; where order is kept, all from the first that failed comes again.
          const written = batch.filter((_, at) => !failed.includes(at));
          this.#land(written, undefined);
          this.#repeat(written);
        }
        return new WriteError('named', { failed, retryable: !isData });
      }
    }
    if (isData && batch.length === 1) letters?.blamed.add((batch[0] as Token).id);
    if (!plan.isAtomic && plan.mode !== 'durable' && plan.mode !== 'defer' && random.chance(0.4)) {
      const part = batch.slice(0, random.integer(1, batch.length));
      world.count('write lands in part and fails');
      this.#land(part, undefined);
      this.#repeat(part);
    }
    return someError(world, isData ? 'data' : random.pick(['outage', 'unset'] as const));
  }

  /** The error that bad items deserve. */
  #poison(batch: readonly Token[]): unknown {
    const { leaf } = this;
    if (leaf.plan.poisonOneIn === 0) return undefined;
    const failed = batch.flatMap((token, at) => (leaf.isPoison(token) ? [at] : []));
    if (failed.length === 0) return undefined;
    this.#world.faults += 1;
    this.#world.count('fault: bad items');
    for (const at of failed) leaf.letters?.blamed.add((batch[at] as Token).id);
    if (leaf.plan.names) return new WriteError('bad', { failed, retryable: false });
    return someError(this.#world, 'data');
  }

  #begin(batch: readonly Token[]): void {
    for (const token of batch) {
      this.leaf.given.add(token.id);
      this.given.set(token.id, token);
    }
    const { domain } = this.leaf;
    if (domain === undefined) return;
    for (const token of batch) {
      const key = domain.of(token);
      const last = domain.begun.get(key) ?? -1;
      if (token.id > last) domain.begun.set(key, token.id);
      else if (!this.#model.begun.has(this.leaf, token.id)) {
        this.#world.break(`${this.name} is given ${nameOf(token)} after a later one`);
      }
      this.#model.begun.add(this.leaf, token.id);
    }
  }

  #land(batch: readonly Token[], context: WriteContext | undefined): void {
    const world = this.#world;
    const { leaf } = this;
    const { domain } = leaf;
    const isLate = context !== undefined && this.#host.hasTimeout && context.signal.aborted;
    if (isLate) this.#repeat(batch);
    for (const token of batch) {
      const before = leaf.landed.get(token.id);
      const isRepeated = before === world.incarnation && !this.#model.mayRepeat.has(token.id);
      world.check(!isRepeated, () => `${this.name} has ${nameOf(token)} twice without a reason`);
      world.check(
        before === undefined || !this.#model.isExact,
        () => `${this.name} has ${nameOf(token)} twice, and keeps positions`,
      );
      world.check(leaf.wants(token), () => `${this.name} has ${nameOf(token)}, which is not for it`);
      for (const other of leaf.exclusive) {
        const has = other.landed.get(token.id) === world.incarnation && !this.#model.mayRepeat.has(token.id);
        world.check(!has, () => `${this.name} and sink ${other.plan.index} both have ${nameOf(token)}`);
      }
      leaf.landed.set(token.id, world.incarnation);
      if (
        domain === undefined ||
        context === undefined ||
        isLate ||
        before === world.incarnation ||
        leaf.plan.mode === 'durable'
      )
        continue;
      if (leaf.plan.mode === 'defer') continue;
      // What landed of a write that failed comes again, with all that was before it.
      const key = domain.of(token);
      const last = domain.landed.get(key) ?? -1;
      world.check(token.id > last, () => `${this.name} wrote ${nameOf(token)} after a later one`);
      domain.landed.set(key, Math.max(last, token.id));
    }
    if (context?.positions !== undefined) this.#keep(context.positions);
  }

  #keep(positions: ReadonlyMap<string, unknown>): void {
    const { leaf } = this;
    const { feed } = this.#host;
    for (const [label, position] of positions) {
      const found = feed === undefined ? undefined : this.#model.find(feed, label);
      if (found === undefined) continue;
      const before = leaf.positions.get(label) ?? 0;
      this.#world.check(
        (position as number) >= before,
        () => `${this.name} keeps ${label} back from ${before}`,
      );
      this.#model.checkKept(leaf, found.source, found.lane, label, position as number);
      leaf.positions.set(label, position as number);
    }
  }

  /** Accepted now, durable some time later, in any order. */
  #later(batch: readonly Token[], context: WriteContext): Accepted {
    const world = this.#world;
    const rejects = world.strikes('durable rejects', this.leaf.plan.failRate / 8);
    if (rejects) this.leaf.hasFailed = true;
    this.#accept(batch, context);
    const durable = new Promise<void>((resolve, reject) => {
      this.#pend(batch, context, () => {
        if (rejects) {
          reject(someError(world, 'unset'));
          return;
        }
        this.#land(batch, context);
        resolve();
      });
    });
    durable.catch(() => {});
    world.count('durable later than accepted');
    return { durable };
  }

  #defer(batch: readonly Token[], context: WriteContext): void {
    const world = this.#world;
    const isLate = this.#host.hasTimeout && context.signal.aborted;
    const receipt: DeferredReceipt = context.defer();
    const fails = !isLate && world.strikes('receipt fails', this.leaf.plan.failRate / 8);
    if (fails) this.leaf.hasFailed = true;
    this.#accept(batch, context);
    const half = batch.length > 1 && world.random.chance(0.5) ? Math.ceil(batch.length / 2) : batch.length;
    if (half < batch.length) receipt.retain(1);
    const parts = half < batch.length ? [batch.slice(0, half), batch.slice(half)] : [batch];
    for (const part of parts) {
      this.#pend(part, context, () => {
        if (fails) {
          receipt.fail(someError(world, 'unset'));
          return;
        }
        this.#land(part, context);
        receipt.settle();
      });
    }
    world.count('settled by the sink itself');
  }

  #pend(batch: readonly Token[], context: WriteContext, finish: () => void): void {
    const world = this.#world;
    const { maxUncommitted, concurrency, mostItems, process } = this.#host;
    const { durableMs, hasFlush } = this.leaf.plan;
    const pending: Pending = {
      isOwed: !this.#host.hasTimeout || !context.signal.aborted,
      batch,
      finish: () => {
        if (process.isDead || !this.#pending.delete(pending)) return;
        finish();
      },
    };
    this.#pending.add(pending);
    // After a flush that failed nothing more comes than what is buffered, and it need not wait.
    if (maxUncommitted !== undefined && this.leaf.plan.mode === 'durable' && !this.#hasFlushFailed) {
      const items = [...this.#pending].reduce((sum, { batch: { length } }) => sum + length, 0);
      const most = maxUncommitted + concurrency * mostItems;
      world.check(items <= most, () => `${items} items accepted and not durable, above ${most}`);
    }
    // Without a flush it has to be soon: at the end nobody waits longer than an abort would.
    world.after(world.random.integer(1, hasFlush ? durableMs : SOON_MS), pending.finish);
  }

  async #flush(): Promise<void> {
    const world = this.#world;
    await this.#host.process.alive();
    world.note(() => `${this.name} flush`);
    world.check(this.opened === 1 && this.closed === 0, 'K8 flush after close');
    world.check(this.outstanding === 0, 'K7 flush while a write is outstanding');
    this.#isFlushing = true;
    try {
      if (world.strikes('flush rejects', this.#host.edgeRate)) {
        this.#hasFlushFailed = true;
        this.leaf.hasFailed = true;
        throw someError(world, 'unset');
      }
      await world.sleep(world.random.integer(0, 2));
      await this.#host.process.alive();
      for (const pending of [...this.#pending]) pending.finish();
    } finally {
      this.#isFlushing = false;
    }
  }

  async close(reason?: unknown): Promise<void> {
    const world = this.#world;
    const host = this.#host;
    await host.process.alive();
    world.note(() => `${this.name} close ${reason === undefined ? 'well' : 'with a reason'}`);
    world.check(++this.closed === 1, 'K8 close twice');
    world.check(this.opened === 1, 'K8 close of a sink that was not opened');
    // What is closed with a reason leaves nothing half-visible: what was not durable never will be.
    if (reason !== undefined) this.#pending.clear();
    else {
      const isOwed = [...this.#pending].some(
        ({ batch, isOwed: owed }) => owed && batch.some((token) => !host.isAbandoned(token)),
      );
      world.check(!isOwed, 'K7 closed well with items pending');
    }
    if (world.strikes('sink close', this.#host.edgeRate)) {
      this.leaf.hasFailed = true;
      throw someError(world, 'unset');
    }
  }
}

/** A dead letter that outlives crashes: it sees that nothing good comes to it, and nothing twice. */
export class SimulatedLetters implements Sink<DeadLetter> {
  readonly name: string;
  flush?: () => Promise<void>;
  readonly #model: Model;
  readonly #state: LetterState;
  readonly #plan: LetterPlan;
  readonly #process: Process;
  readonly #isAbandoned: (token: Token) => boolean;
  /** Accepted and not yet durable. */
  readonly #pending: Map<() => void, readonly Token[]> = new Map();
  #isWriting = false;
  #isFlushing = false;
  opened = 0;
  closed = 0;

  /** @param isAbandoned whether the run that an item came from was aborted: nobody waits for it any more. */
  constructor(
    model: Model,
    state: LetterState,
    plan: LetterPlan,
    process: Process,
    name: string,
    isAbandoned: (token: Token) => boolean,
  ) {
    this.#isAbandoned = isAbandoned;
    this.name = name;
    this.#model = model;
    this.#state = state;
    this.#plan = plan;
    this.#process = process;
    if (plan.hasFlush) this.flush = () => this.#flush();
  }

  async open({ isDeadLetter }: SinkContext): Promise<void> {
    const { world } = this.#model;
    await this.#process.alive();
    world.check(++this.opened === 1, 'K1 a dead letter is opened twice');
    world.check(isDeadLetter === true, 'a dead letter is not told what it is');
    if (world.strikes('dead letter open', this.#plan.failRate / 2)) throw someError(world, 'unset');
  }

  async write(batch: readonly DeadLetter[]): Promise<void | Accepted> {
    const { world } = this.#model;
    const { delayMs, durableMs, failRate, hasFlush } = this.#plan;
    if (this.#process.isDead) return never();
    const tokens = batch.map(({ item }) => item as Token);
    world.note(() => `${this.name} letters ${namesOf(tokens)}`);
    world.check(this.opened === 1 && this.closed === 0, 'K8 letters after close');
    world.check(!this.#isWriting, 'two writes of letters at once');
    world.check(!this.#isFlushing, 'K7 letters while it flushes');
    for (const { item, error } of batch) {
      const { id } = item as Token;
      const token = item as Token;
      world.check(
        this.#state.blamed.has(id) || this.#state.consents,
        () => `${nameOf(token)} is dead-lettered for '${error.message}', and nobody blamed it`,
      );
      const again = this.#state.given.has(id) && !this.#model.mayRepeat.has(id);
      world.check(!again, () => `${nameOf(token)} is dead-lettered twice`);
      this.#state.given.add(id);
    }
    this.#state.put += batch.length;
    this.#isWriting = true;
    try {
      await world.sleep(world.random.integer(0, delayMs));
      await this.#process.alive();
      if (world.strikes('dead letter rejects', failRate)) throw someError(world, 'unset');
      if (durableMs === 0) {
        this.#land(tokens);
        return undefined;
      }
      world.count('a letter durable later');
      const durable = new Promise<void>((resolve) => {
        const finish = (): void => {
          if (this.#process.isDead || !this.#pending.delete(finish)) return;
          this.#land(tokens);
          resolve();
        };
        this.#pending.set(finish, tokens);
        // Without a flush it has to be soon: at the end nobody waits longer than an abort would.
        world.after(world.random.integer(1, hasFlush ? durableMs : Math.min(durableMs, SOON_MS)), finish);
      });
      return { durable };
    } finally {
      this.#isWriting = false;
    }
  }

  async #flush(): Promise<void> {
    const { world } = this.#model;
    await this.#process.alive();
    world.note(() => `${this.name} flush`);
    world.check(this.opened === 1 && this.closed === 0, 'K8 a dead letter is flushed after close');
    world.check(!this.#isWriting, 'K7 a dead letter is flushed while it writes');
    world.count('letters flushed');
    this.#isFlushing = true;
    try {
      if (world.strikes('dead letter flush', this.#plan.failRate)) throw someError(world, 'unset');
      await world.sleep(world.random.integer(0, 2));
      await this.#process.alive();
      for (const finish of [...this.#pending.keys()]) finish();
    } finally {
      this.#isFlushing = false;
    }
  }

  async close(reason?: unknown): Promise<void> {
    const { world } = this.#model;
    await this.#process.alive();
    world.note(() => `${this.name} close ${reason === undefined ? 'well' : 'with a reason'}`);
    world.check(++this.closed === 1, 'K8 a dead letter is closed twice');
    if (reason !== undefined) this.#pending.clear();
    const isOwed = [...this.#pending.values()].flat().some((token) => !this.#isAbandoned(token));
    world.check(!isOwed, 'K7 a dead letter is closed well with letters pending');
    if (world.strikes('dead letter close', this.#plan.failRate / 2)) throw someError(world, 'unset');
  }

  #land(tokens: readonly Token[]): void {
    for (const { id } of tokens) this.#state.durable.add(id);
  }
}

function namesOf(batch: readonly Token[]): string {
  if (batch.length <= 4) return batch.map(nameOf).join(' ');
  return `${nameOf(batch[0] as Token)} … ${nameOf(batch.at(-1) as Token)} (${batch.length})`;
}
