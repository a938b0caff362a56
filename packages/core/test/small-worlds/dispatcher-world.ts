/**
 * Every schedule of a small world of a dispatcher: which feed or sink does what next, and whether promises told
 * anything in between.
 *
 *     keyed: f0.write(3) | s0.accept ~ f1.write(2) | s0.leave | cancel f0 || drain
 *                        │           └ in the same turn
 *                        └ promises have told what they were answered
 *
 *     write(n)  a feed that is free writes n items           join   one more sink is subscribed (`join b`: to partition b)
 *     end       it is flushed, then closed                   leave  a sink is unsubscribed
 *     flush     it is flushed, and goes on                   abort  the dispatcher is aborted
 *     accept    a sink's write ends; accept(1): its second   later  it ends, and will be durable later
 *     fail      a sink's write fails                         durable, lost: what was to be durable later is, or is lost
 *     cancel    the run of a feed is aborted
 *
 * There is no model here that says what comes next: what each rule promises is looked at after every step (see
 * `#check`), and at the end, when every write was answered, that nothing waits, is missing or is left.
 *
 * Feeds that are free are alike, so the first of them acts. Where promises have nothing to tell, a turn more is the same
 * world, and is not tried twice.
 */

import { VirtualClock } from '@streamweld/testing';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import { hashKey } from '../../src/dispatch/hash.ts';
import { type DispatchStrategy, NOTHING_TAKEN } from '../../src/dispatch/strategy.ts';
import type { Subscription } from '../../src/dispatch/subscription.ts';
import { installRuntime } from '../../src/runtime.ts';
import type { Accepted, DeferredReceipt, Sink, SinkContext } from '../../src/sink.ts';
import type { Awaitable } from '../../src/source.ts';
import { LightSignal } from './channel-world.ts';
import { type Chooser, ScheduleError, tryAll } from './schedules.ts';

export type Rule = 'broadcast' | 'demand' | 'names' | 'keyed' | 'custom';

export interface DispatcherWorld {
  /** The first word of its schedules. */
  readonly name: string;
  readonly rule: Rule;
  readonly feeds: number;
  /** Sinks that are there from the start, and how many there ever are. */
  readonly sinks: number;
  readonly mostSinks: number;
  /** Writes at once, of each sink. */
  readonly concurrency: number;
  readonly bufferSize: number;
  /** The most items of one write to a sink. */
  readonly batchSize: number;
  readonly onError: 'fail' | 'detach';
  /** Whether sinks have a flush, which makes durable what they accepted; else it becomes so by hand. */
  readonly hasFlush: boolean;
  /** Operations of one schedule, cancellations apart. */
  readonly operations: number;
  readonly cancellations: number;
  /** Such as `write`, `write(3)`, `accept`, `join`. */
  readonly offers: readonly string[];
  /** How the rest is brought to its end: all is written and feeds end, or all feeds are cancelled. */
  readonly endings: readonly ('drain' | 'cancel')[];
  /** Operations may follow each other in one turn. */
  readonly sharesTurns?: boolean;
  /** Another dispatcher than its rule asks for: to see that a broken one is found. */
  readonly create?: (builder: DispatchedPipelineBuilder<number>) => Dispatcher<number>;
  /** Is told of each schedule. */
  readonly onSchedule?: (text: string) => void;
}

/** Of an item, which is a number. */
const PARTITIONS = ['a', 'b'] as const;
const routeOf = (item: number): string => PARTITIONS[item % 2] as string;
const keyOf = (item: number): number => item % 3;
const slotOf = (item: number): number => hashKey(keyOf(item)) >>> 27;

/** Leaves every fourth item out, gives even ones to the first that has demand, odd ones to the last. */
const parity: DispatchStrategy<number> = {
  name: 'parity',
  demand: (outlets) => outlets.reduce((sum, { demand }) => sum + demand, 0),
  dispatch: (items, from, outlets) => {
    const item = items[from] as number;
    const withDemand = outlets.flatMap(({ demand }, at) => (demand > 0 ? [at] : []));
    const outlet = withDemand.at(item % 2 === 0 ? 0 : -1);
    if (outlet === undefined) return NOTHING_TAKEN;
    return { taken: 1, deliveries: item % 4 === 3 ? [] : [{ outlet, items: [item] }] };
  },
};
const isLeftOut = (rule: Rule, item: number): boolean => rule === 'custom' && item % 4 === 3;

const CANCELLED = new Error('cancelled');
const FAILED = new Error('failed');
const ABORTED = new Error('aborted');

/** Runs all schedules of a world; answers how many. @throws ScheduleError for the first that goes wrong. */
export function exploreDispatcher(world: DispatcherWorld): Promise<number> {
  return tryAll((chooser) => perform(world, chooser));
}

/** Runs one schedule from its text, in that of the worlds which it names. @throws ScheduleError */
export async function replayDispatcher(worlds: readonly DispatcherWorld[], text: string): Promise<void> {
  const match = /^([\w-]+): (.*) \|\| (drain|cancel)$/.exec(text);
  const world = worlds.find(({ name }) => name === match?.[1]);
  if (match === null || world === undefined) throw new Error(`Not a schedule: ${text}`);
  const words = (match[2] as string).split(' ');
  const steps: string[] = ['|'];
  for (const word of words) {
    if (word === '|' || word === '~') steps.push(word);
    else if (steps.at(-1) === '|' || steps.at(-1) === '~') steps.push(word);
    else steps[steps.length - 1] += ` ${word}`;
  }
  await perform(world, undefined, { steps, ending: match[3] as 'drain' | 'cancel' });
}

interface Script {
  readonly steps: readonly string[];
  readonly ending: 'drain' | 'cancel';
}

async function perform(world: DispatcherWorld, chooser: Chooser | undefined, script?: Script): Promise<void> {
  const clock = new VirtualClock();
  const restore = installRuntime(clock);
  const { stackTraceLimit } = Error;
  const { AbortController } = globalThis;
  // A dispatcher makes one, which costs as much as all the rest.
  globalThis.AbortController = LightSignal as never;
  // Each schedule has its errors, and nobody looks where they were made.
  Error.stackTraceLimit = 0;
  try {
    await new Performance(world, clock).run(chooser, script);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    globalThis.AbortController = AbortController;
    restore();
  }
}

/** Everything that promises have to tell is told: ticks come when there is no microtask left. */
function told(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

interface Call {
  isPending: boolean;
  error: unknown;
}

interface FeedWrite extends Call {
  readonly items: readonly number[];
  readonly order: number;
  /** A flush that was under way when it came: nothing of it moves before that is over. */
  readonly barrier: Flush | undefined;
  /** Sinks that were there when it came. */
  readonly members: readonly WorldSink[];
  settled: number;
  failed: number;
}

interface Flush extends Call {
  /** It was asked for in an earlier turn. */
  isEstablished: boolean;
  /** Accepted before it. */
  readonly before: readonly FeedWrite[];
}

interface SinkWrite {
  readonly items: readonly number[];
  accept(answer?: Accepted): void;
  fail(error: unknown): void;
}

interface Durable {
  readonly items: readonly number[];
  resolve(): void;
  reject(error: unknown): void;
}

class WorldSink {
  readonly name: string;
  readonly partition: string | undefined;
  subscription: Subscription | undefined;
  readonly writes: SinkWrite[] = [];
  readonly durables: Durable[] = [];
  /** Items of the writes it was given, in order; and those that are durable there, or were lost with a write. */
  readonly begun: number[] = [];
  readonly durable = new Set<number>();
  readonly lost = new Set<number>();
  isOpen = false;
  isClosed = false;
  isLeaving = false;
  hasFailed = false;
  /** Items it has to have been given when it has left. */
  owed = 0;

  constructor(name: string, partition: string | undefined) {
    this.name = name;
    this.partition = partition;
  }

  get isMember(): boolean {
    return this.subscription !== undefined && !this.isLeaving && !this.hasFailed && !this.isClosed;
  }
}

class WorldFeed {
  readonly name: string;
  readonly sink: Sink<number>;
  readonly signal = new LightSignal();
  state: 'free' | 'busy' | 'cancelled' | 'closed' = 'free';
  isClosing = false;
  failures = 0;

  constructor(name: string, sink: Sink<number>) {
    this.name = name;
    this.sink = sink;
  }
}

/** One schedule, with a dispatcher of its own. */
class Performance {
  readonly #world: DispatcherWorld;
  readonly #clock: VirtualClock;
  readonly #dispatcher: Dispatcher<number>;
  readonly #feeds: readonly WorldFeed[];
  readonly #sinks: WorldSink[] = [];
  readonly #writes: FeedWrite[] = [];
  readonly #flushes: Flush[] = [];
  /** Of everything else that was asked for. */
  readonly #calls: Call[] = [];
  /** What was written though it came after a flush. */
  readonly #passed: { readonly flush: Flush; readonly what: string }[] = [];
  readonly #writeOf = new Map<number, FeedWrite>();
  /** Of each item how many writes of sinks had it. */
  readonly #given = new Map<number, number>();
  #text = '';
  #nextItem = 0;
  /** How often something was told: a turn in which nothing is need not be tried. */
  #news = 0;
  #breach: string | undefined;
  #hasDetached = false;
  /** A flush whose run was cancelled holds offers back for a while, and nobody learns how long. */
  #mayBeBarred = false;
  #isAborted = false;
  /** If it was cancelled, nobody is owed what it had written. */
  #lastClosed: WorldFeed | undefined;
  #operations = 0;
  #cancellations = 0;

  constructor(world: DispatcherWorld, clock: VirtualClock) {
    this.#world = world;
    this.#clock = clock;
    const { rule, bufferSize, batchSize } = world;
    const builder = new DispatchedPipelineBuilder<number>({ logger: null, bufferSize });
    this.#dispatcher = world.create?.(builder) ?? build(builder, rule);
    this.#feeds = Array.from({ length: world.feeds }, (_, at) => {
      const feed = new WorldFeed(`f${at}`, this.#dispatcher.createSink(batchSize));
      void feed.sink.open?.({ signal: feed.signal.signal, fail: (error) => this.#feedFailed(feed, error) });
      return feed;
    });
  }

  async run(chooser: Chooser | undefined, script: Script | undefined): Promise<void> {
    const { sinks, sharesTurns, endings } = this.#world;
    for (let at = 0; at < sinks; at++) this.#join(this.#partitions?.[at % this.#partitions.length]);
    await told();
    for (let at = 0; ; at++) {
      let isLater = true;
      if (script !== undefined) isLater = script.steps[2 * at] === '|';
      else if (at > 0 && sharesTurns === true) isLater = chooser?.choose(2) === 0;
      if (isLater && at > 0) {
        const news = this.#news;
        await told();
        this.#checkBarriers();
        this.#check();
        // What waits behind a promise of the dispatcher's own may move without a word.
        const isQuiet = news === this.#news && ![...this.#flushes, ...this.#calls].some(isPending);
        if (isQuiet && sharesTurns === true) chooser?.skipRest();
      }
      const acts = this.#listActs();
      if (script === undefined && acts.length === 0) {
        // Then it makes no difference in which turn nothing is done.
        if (isLater && at > 0 && sharesTurns === true) chooser?.skipRest();
        break;
      }
      const act = script === undefined ? acts[chooser?.choose(acts.length) ?? 0] : script.steps[2 * at + 1];
      if (act === undefined) break;
      if (script !== undefined && !acts.includes(act)) this.#fail(`'${act}' cannot be done there.`);
      this.#text += `${at === 0 ? '' : isLater ? ' | ' : ' ~ '}${act}`;
      this.#act(act);
      this.#check();
    }
    await told();
    this.#check();
    const ending = script?.ending ?? (endings[chooser?.choose(endings.length) ?? 0] as 'drain' | 'cancel');
    this.#text += ` || ${ending}`;
    this.#world.onSchedule?.(`${this.#world.name}: ${this.#text}`);
    await this.#end(ending);
  }

  #fail(what: string): never {
    throw new ScheduleError(`${this.#world.name}: ${this.#text}`, what);
  }

  get #partitions(): readonly string[] | undefined {
    const { rule } = this.#world;
    return rule === 'names' ? PARTITIONS : rule === 'keyed' ? ['a'] : undefined;
  }

  /** As far as feeds have learnt. */
  get #isOpen(): boolean {
    return (
      !this.#isAborted &&
      this.#feeds.some(({ isClosing }) => !isClosing) &&
      this.#feeds.every(({ failures }) => failures === 0)
    );
  }

  // ── what can be done, and doing it ─────────────────────────────────────────────────────────────────────────────

  #listActs(): string[] {
    const { offers, operations, cancellations, mostSinks } = this.#world;
    const acts: string[] = [];
    const free = this.#feeds.find(({ state }) => state === 'free');
    const isOpen = this.#isOpen;
    if (this.#operations < operations) {
      for (const offer of offers) {
        if (/^(write|flush|end)/.test(offer)) {
          if (free !== undefined && isOpen) acts.push(`${free.name}.${offer}`);
        } else if (offer === 'join') {
          if (isOpen && this.#sinks.length < mostSinks)
            for (const partition of this.#vacant) acts.push(`join${partition === '' ? '' : ` ${partition}`}`);
        } else if (offer === 'abort') {
          if (isOpen) acts.push('abort');
        } else {
          for (const sink of this.#sinks) acts.push(...actsOf(sink, offer, isOpen));
        }
      }
    }
    if (this.#cancellations < cancellations) {
      for (const feed of this.#feeds) {
        if (feed === free || feed.state === 'busy') acts.push(`cancel ${feed.name}`);
      }
    }
    return acts;
  }

  /** Where another sink may be subscribed. */
  get #vacant(): readonly string[] {
    const { rule } = this.#world;
    if (rule === 'keyed') return ['a'];
    if (rule !== 'names') return [''];
    return PARTITIONS.filter((name) =>
      this.#sinks.every(
        ({ partition, isLeaving, hasFailed }) => partition !== name || isLeaving || hasFailed,
      ),
    );
  }

  #act(act: string): void {
    const { groups } = /^(?:(?<who>[fs]\d)\.)?(?<verb>\w+)(?:\((?<count>\d)\)| (?<what>\w+))?$/.exec(
      act,
    ) as RegExpExecArray & { groups: { who?: string; verb: string; count?: string; what?: string } };
    const { who, verb, what } = groups;
    if (verb === 'cancel') {
      this.#cancellations += 1;
      this.#cancel(this.#feeds.find(({ name }) => name === what) as WorldFeed);
      return;
    }
    this.#operations += 1;
    if (verb === 'join') this.#join(what);
    else if (verb === 'abort') {
      this.#isAborted = true;
      this.#watch(this.#dispatcher.abort(ABORTED));
    } else if (who?.startsWith('f') === true) {
      const feed = this.#feeds.find(({ name }) => name === who) as WorldFeed;
      if (verb === 'write') this.#write(feed, Number(groups.count ?? 1));
      else this.#flush(feed, verb === 'end');
    } else {
      const sink = this.#sinks.find(({ name }) => name === who) as WorldSink;
      this.#actOfSink(sink, verb, Number(groups.count ?? 0));
    }
  }

  #actOfSink(sink: WorldSink, verb: string, at: number): void {
    switch (verb) {
      case 'leave':
        this.#leave(sink);
        break;
      case 'accept':
      case 'later':
      case 'fail': {
        const [write] = sink.writes.splice(at, 1) as [SinkWrite];
        if (verb === 'accept') this.#accept(sink, write);
        else if (verb === 'later') this.#acceptForLater(sink, write);
        else {
          this.#lose(sink, write.items);
          write.fail(FAILED);
        }
        break;
      }
      case 'durable':
      case 'lost': {
        const [durable] = sink.durables.splice(at, 1) as [Durable];
        if (verb === 'durable') {
          for (const item of durable.items) sink.durable.add(item);
          durable.resolve();
        } else {
          this.#lose(sink, durable.items);
          durable.reject(FAILED);
        }
        break;
      }
    }
  }

  #accept(sink: WorldSink, write: SinkWrite): void {
    for (const item of write.items) sink.durable.add(item);
    write.accept();
  }

  #acceptForLater(sink: WorldSink, { items, accept }: SinkWrite): void {
    const durable = new Promise<void>((resolve, reject) => sink.durables.push({ items, resolve, reject }));
    accept({ durable });
  }

  #lose(sink: WorldSink, items: readonly number[]): void {
    for (const item of items) sink.lost.add(item);
    sink.hasFailed = true;
    this.#hasDetached = true;
  }

  #watch(promise: Promise<unknown>): Call {
    const call: Call = { isPending: true, error: undefined };
    this.#calls.push(call);
    this.#follow(call, promise);
    return call;
  }

  #follow(call: Call, answer: Awaitable<unknown>, then: () => void = () => {}): void {
    Promise.resolve(answer).then(
      () => {
        this.#news += 1;
        if (!call.isPending) this.#breach ??= 'Something was answered twice.';
        call.isPending = false;
        then();
      },
      (error: unknown) => {
        this.#news += 1;
        call.isPending = false;
        call.error = error;
        then();
      },
    );
  }

  #write(feed: WorldFeed, count: number): void {
    const items = Array.from({ length: count }, () => this.#nextItem++);
    const barriers = this.#flushes.filter(isPending);
    const write: FeedWrite = {
      items,
      order: this.#writes.length,
      // Of two flushes that wait, something may pass between.
      barrier: barriers.length === 1 && barriers[0]?.isEstablished === true ? barriers[0] : undefined,
      members: this.#sinks.filter(({ isMember }) => isMember),
      settled: 0,
      failed: 0,
      isPending: true,
      error: undefined,
    };
    this.#writes.push(write);
    for (const item of items) this.#writeOf.set(item, write);
    const receipt: DeferredReceipt = {
      retain: () => {
        this.#breach ??= 'The receipt of a feed was taken apart.';
      },
      settle: () => {
        write.settled += 1;
        this.#news += 1;
        this.#checkSettled(write);
      },
      fail: () => {
        write.failed += 1;
        this.#news += 1;
      },
    };
    feed.state = 'busy';
    let answer: Awaitable<unknown>;
    try {
      answer = feed.sink.write(items, { signal: feed.signal.signal, attempt: 1, defer: () => receipt });
    } catch (error) {
      answer = Promise.reject(error);
    }
    if (answer === undefined) {
      write.isPending = false;
      feed.state = 'free';
      return;
    }
    this.#follow(write, answer, () => this.#ended(feed));
  }

  /** What a feed waited for is over; if it was cancelled meanwhile, it is closed now, as a run does. */
  #ended(feed: WorldFeed): void {
    if (feed.state === 'busy') feed.state = 'free';
    else if (feed.state === 'cancelled') this.#close(feed, CANCELLED);
  }

  #flush(feed: WorldFeed, isEnd: boolean): void {
    const flush: Flush = {
      isPending: true,
      isEstablished: false,
      error: undefined,
      before: this.#writes.filter((write) => !write.isPending && write.error === undefined),
    };
    this.#flushes.push(flush);
    feed.state = 'busy';
    this.#follow(flush, feed.sink.flush?.(), () => {
      if (flush.error === undefined) {
        const late = flush.before.find(({ settled }) => settled !== 1);
        if (late !== undefined)
          this.#breach ??= `A flush ended, and what was accepted before it is not durable: ${late.items.join()}.`;
      }
      if (isEnd && feed.state === 'busy') this.#close(feed, flush.error);
      else this.#ended(feed);
    });
  }

  #close(feed: WorldFeed, reason: unknown): void {
    if (feed.isClosing) return;
    feed.isClosing = true;
    feed.state = 'closed';
    this.#lastClosed = feed;
    this.#watch(Promise.resolve(feed.sink.close?.(reason)));
  }

  #cancel(feed: WorldFeed): void {
    const wasFree = feed.state === 'free';
    if (this.#flushes.some(isPending)) this.#mayBeBarred = true;
    feed.state = 'cancelled';
    feed.signal.abort(CANCELLED);
    if (wasFree) this.#close(feed, CANCELLED);
  }

  #feedFailed(feed: WorldFeed, _error: unknown): void {
    feed.failures += 1;
    if (feed.failures > 1) this.#breach ??= `${feed.name} was told twice that the dispatcher failed.`;
    // As a run does, a little later.
    void Promise.resolve().then(() => {
      if (feed.state === 'free' || feed.state === 'busy') this.#cancel(feed);
    });
  }

  #join(partition: string | undefined): void {
    const { bufferSize, concurrency, onError } = this.#world;
    const sink = new WorldSink(`s${this.#sinks.length}`, partition);
    this.#sinks.push(sink);
    const subscribe = this.#dispatcher.subscribeSink.bind(this.#dispatcher) as (
      sink: Sink<number>,
      partition: string | undefined,
      options: object,
    ) => Promise<Subscription>;
    const options = { bufferSize, maxConcurrency: concurrency, onError };
    this.#watch(
      subscribe(this.#createSink(sink), partition, options).then(
        (subscription) => {
          sink.subscription = subscription;
        },
        (error: unknown) => {
          sink.hasFailed = true;
          throw error;
        },
      ),
    );
  }

  #leave(sink: WorldSink): void {
    const { subscription } = sink;
    if (subscription === undefined) return;
    sink.isLeaving = true;
    // Of a partition what waits is left to the next: it may take that or leave it.
    const { buffered } = subscription.status;
    sink.owed = sink.begun.length + (sink.partition === undefined ? buffered : 0);
    this.#watch(subscription.unsubscribe());
  }

  // ── a sink ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #createSink(sink: WorldSink): Sink<number> {
    const { hasFlush } = this.#world;
    return {
      name: sink.name,
      open: (_context: SinkContext) => {
        if (sink.isOpen) this.#breach ??= `${sink.name} was opened twice (K1).`;
        sink.isOpen = true;
        this.#news += 1;
      },
      write: (items) => this.#sinkWrite(sink, items),
      ...(hasFlush
        ? {
            flush: () => {
              this.#news += 1;
              if (sink.writes.length > 0)
                this.#breach ??= `${sink.name} was flushed in the midst of a write (K7).`;
              for (const { items, resolve } of sink.durables.splice(0)) {
                for (const item of items) sink.durable.add(item);
                resolve();
              }
            },
          }
        : {}),
      close: (reason) => {
        this.#news += 1;
        if (reason === undefined && sink.durables.length > 0 && this.#lastClosed?.signal.aborted !== true)
          this.#breach ??= `${sink.name} was closed for good, and not all it has is durable (K7).`;
        for (const { items, reject } of sink.durables.splice(0)) {
          for (const item of items) sink.lost.add(item);
          reject(reason);
        }
        if (sink.isClosed) this.#breach ??= `${sink.name} was closed twice (K8).`;
        if (sink.writes.length > 0) this.#breach ??= `${sink.name} was closed in the midst of a write (K8).`;
        sink.isClosed = true;
      },
    };
  }

  #sinkWrite(sink: WorldSink, items: readonly number[]): Promise<void | Accepted> {
    this.#news += 1;
    this.#breach ??= this.#findBreach(sink, items);
    for (const item of items) {
      sink.begun.push(item);
      this.#given.set(item, (this.#given.get(item) ?? 0) + 1);
    }
    return new Promise((resolve, reject) => {
      sink.writes.push({ items, accept: resolve, fail: reject });
    });
  }

  /** What is wrong with this write, if something is. */
  #findBreach(sink: WorldSink, items: readonly number[]): string | undefined {
    const { rule, batchSize, concurrency } = this.#world;
    const what = `${sink.name} was given ${items.join()}`;
    if (!sink.isOpen || sink.isClosed) return `${what} before its open or after its close (K1, K8).`;
    if (items.length === 0 || items.length > batchSize) return `${what}: more or fewer than it may be.`;
    if (sink.writes.length >= concurrency)
      return `${what} with ${sink.writes.length} writes outstanding (K2).`;
    let last = sink.begun.at(-1) ?? -1;
    for (const item of items) {
      const write = this.#writeOf.get(item);
      if (write === undefined) return `${what}, and nobody wrote ${item}.`;
      // It may have ended in this very turn: that is told only later.
      if (write.barrier?.isPending === true) this.#passed.push({ flush: write.barrier, what });
      if (isLeftOut(rule, item)) return `${what}, and ${item} was to be left out.`;
      if (rule === 'broadcast' ? sink.begun.includes(item) : this.#given.has(item)) return `${what} twice.`;
      if (rule === 'names' && routeOf(item) !== sink.partition) return `${what} of another partition.`;
      // What a sink that failed left is the next one's, before what came later; the slots are in no order.
      const isOrdered = rule === 'broadcast' || (!this.#hasDetached && rule !== 'keyed');
      if (isOrdered && item < last) return `${what} after ${last}.`;
      last = item;
    }
    return this.#partitions === undefined ? undefined : this.#findDisorder(sink, items, what);
  }

  /** Of a partition, or a key of one, no two writes are in flight, and items come in order. */
  #findDisorder(sink: WorldSink, items: readonly number[], what: string): string | undefined {
    const isKeyed = this.#world.rule === 'keyed';
    const laneOf = (item: number): number => (isKeyed ? slotOf(item) : 0);
    const lanes = new Set(items.map(laneOf));
    const lastOf = new Map<number, number>();
    const orderOf = (item: number): number => (isKeyed ? keyOf(item) : 0);
    for (const other of this.#sinks) {
      if (other.partition !== sink.partition) continue;
      for (const write of other.writes)
        for (const item of write.items)
          if (lanes.has(laneOf(item))) return `${what} while ${other.name} writes ${write.items.join()}.`;
      for (const item of other.begun)
        lastOf.set(orderOf(item), Math.max(item, lastOf.get(orderOf(item)) ?? -1));
    }
    for (const item of items) {
      const last = lastOf.get(orderOf(item)) ?? -1;
      if (item < last) return `${what}, and ${last} had come before ${item}.`;
      lastOf.set(orderOf(item), item);
    }
    return undefined;
  }

  // ── what is promised ───────────────────────────────────────────────────────────────────────────────────────────

  /** It was settled: everything of it has to be durable wherever it went, or lost by consent. */
  #checkSettled(write: FeedWrite): void {
    const what = `The receipt of ${write.items.join()} was settled`;
    if (write.settled + write.failed > 1) this.#breach ??= `${what} or failed more than once.`;
    if (
      this.#world.onError === 'fail' &&
      this.#sinks.some(({ lost }) => write.items.some((item) => lost.has(item)))
    )
      this.#breach ??= `${what}, and a sink had failed to write it.`;
    for (const item of write.items) {
      if (!this.#isDone(item, write)) this.#breach ??= `${what}, and ${item} is not durable.`;
    }
  }

  #isDone(item: number, { members }: FeedWrite): boolean {
    const { rule } = this.#world;
    if (isLeftOut(rule, item)) return true;
    const isAt = (sink: WorldSink): boolean => sink.durable.has(item) || sink.lost.has(item);
    if (rule !== 'broadcast') return this.#sinks.some(isAt);
    return this.#sinks.every((sink) => {
      const isOwed = sink.isMember && members.includes(sink);
      return isOwed || sink.begun.includes(item) ? isAt(sink) : true;
    });
  }

  #check(): void {
    if (this.#breach !== undefined) this.#fail(this.#breach);
    const { bufferSize } = this.#world;
    const levels = new Map<string, number>();
    for (const sink of this.#sinks) {
      if (sink.subscription === undefined) continue;
      const { inFlight, buffered, highWaterMark, state } = sink.subscription.status;
      if (state === 'detached' || state === 'closed') continue;
      if (highWaterMark > bufferSize)
        this.#fail(`${sink.name} had ${highWaterMark} items, more than it may.`);
      const place = sink.partition ?? sink.name;
      const level = Math.max((levels.get(place) ?? buffered) + inFlight);
      levels.set(place, level);
      if (level > bufferSize) this.#fail(`${sink.name} has ${level} items, more than it may.`);
    }
  }

  /** After all was told: nothing has passed a flush that is not over. */
  #checkBarriers(): void {
    const passed = this.#passed.splice(0).find(({ flush }) => flush.isPending);
    if (passed !== undefined) this.#fail(`${passed.what}: it came after a flush that is not over.`);
    for (const flush of this.#flushes) flush.isEstablished = true;
  }

  /** After all was told: whoever can go on has gone on. */
  #checkProgress(): void {
    this.#check();
    const { rule } = this.#world;
    this.#checkBarriers();
    const { state, waiting } = this.#dispatcher.snapshot();
    if (state !== 'open') return;
    const members = this.#sinks.filter(({ isMember }) => isMember);
    const isIdle = (sink: WorldSink): boolean => sink.writes.length === 0;
    for (const { subscription, name, partition } of members) {
      const seats = members.filter((other) => other.partition === partition);
      const owners =
        partition === undefined ? members.filter((other) => other.name === name) : this.#seatsOf(partition);
      if (seats.length > 0 && owners.every(isIdle) && (subscription?.status.buffered ?? 0) > 0)
        this.#fail(`${name} has items, and is given none.`);
    }
    if (rule === 'names' || rule === 'keyed') this.#checkSeats(members);
    if (waiting === 0 || members.length === 0 || this.#mayBeBarred || this.#flushes.some(isPending)) return;
    const demands = members.map(({ subscription }) => subscription?.demand ?? 0);
    const isOneEnough = rule === 'demand' || rule === 'custom';
    const isServed =
      this.#partitions?.every((name) => members.some(({ partition }) => partition === name)) ?? true;
    const isWanted = isOneEnough
      ? demands.some((demand) => demand > 0)
      : isServed && demands.every((demand) => demand > 0);
    if (isWanted) this.#fail(`${waiting} items wait, and there is demand for them.`);
  }

  #seatsOf(partition: string): readonly WorldSink[] {
    return this.#sinks.filter((sink) => sink.partition === partition);
  }

  /** No seat is idle while a slot that nobody has holds items. */
  #checkSeats(members: readonly WorldSink[]): void {
    const { rule, concurrency } = this.#world;
    for (const { partition, writes, name } of members) {
      if (writes.length >= concurrency) continue;
      const outstanding = this.#seatsOf(partition as string).flatMap((sink) =>
        sink.writes.flatMap(({ items }) => items),
      );
      if (rule === 'names' && outstanding.length > 0) continue;
      const taken = new Set(outstanding.map(slotOf));
      for (const write of this.#writes) {
        if (write.isPending || write.error !== undefined) continue;
        for (const item of write.items) {
          if ((rule === 'names' && routeOf(item) !== partition) || this.#given.has(item)) continue;
          if (!taken.has(slotOf(item)) || rule === 'names')
            this.#fail(`${item} waits in partition ${partition}, and ${name} could take it.`);
        }
      }
    }
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers everything that is outstanding until nothing is. */
  async #answerAll(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      await told();
      this.#checkProgress();
      let isQuiet = true;
      for (const sink of this.#sinks) {
        for (const write of sink.writes.splice(0)) {
          this.#accept(sink, write);
          isQuiet = false;
        }
        for (const { items, resolve } of sink.durables.splice(0)) {
          for (const item of items) sink.durable.add(item);
          resolve();
          isQuiet = false;
        }
      }
      if (isQuiet) return;
    }
    this.#fail('It never comes to rest.');
  }

  async #end(ending: 'drain' | 'cancel'): Promise<void> {
    await told();
    this.#checkProgress();
    if (ending === 'cancel') {
      for (const feed of this.#feeds) if (feed.state === 'free' || feed.state === 'busy') this.#cancel(feed);
    } else {
      // Somebody has to be there for what waits.
      if (this.#isOpen) {
        const vacant = this.#partitions === undefined || this.#world.rule === 'keyed' ? this.#vacant : [];
        for (const partition of this.#world.rule === 'names' ? this.#vacant : vacant) {
          if (this.#world.rule === 'names' || !this.#sinks.some(({ isMember }) => isMember))
            this.#join(partition === '' ? undefined : partition);
        }
      }
      await this.#answerAll();
      for (const feed of this.#feeds) if (feed.state === 'free') this.#flush(feed, true);
    }
    await this.#answerAll();
    this.#checkEnd(ending);
  }

  #checkEnd(ending: 'drain' | 'cancel'): void {
    for (const feed of this.#feeds) {
      if (!feed.isClosing) this.#fail(`${feed.name} waits at the end.`);
      if (feed.signal.listeners.size > 0) this.#fail(`Somebody listens still to the signal of ${feed.name}.`);
    }
    const waits = [...this.#calls, ...this.#flushes, ...this.#writes].filter(isPending);
    if (waits.length > 0) this.#fail(`${waits.length} promises wait at the end.`);
    const { state } = this.#dispatcher.snapshot();
    if (state !== 'closed') this.#fail(`It is ${state} at the end.`);
    if (this.#clock.activeTimers > 0) this.#fail('A timer is left.');
    for (const sink of this.#sinks)
      if (sink.isOpen && !sink.isClosed) this.#fail(`${sink.name} was never closed.`);
    // Its sinks were abandoned: what they had not made durable may be lost.
    const hasFailed =
      this.#isAborted ||
      this.#feeds.some(({ failures }) => failures > 0) ||
      this.#lastClosed?.signal.aborted === true;
    for (const { items, settled, failed, error } of this.#writes) {
      const what = `The receipt of ${items.join()}`;
      if (settled + failed > 1) this.#fail(`${what} was settled or failed more than once.`);
      if (error !== undefined && settled > 0) this.#fail(`${what} was settled, and its write rejected.`);
      if (
        error === undefined &&
        settled === 0 &&
        ending === 'drain' &&
        !hasFailed &&
        !this.#text.includes('cancel')
      )
        this.#fail(`${what} was never settled.`);
      if (failed > 0 && !hasFailed) this.#fail(`${what} failed, and nobody is told.`);
    }
    this.#checkSinks(hasFailed);
  }

  #checkSinks(hasFailed: boolean): void {
    for (const sink of this.#sinks) {
      if (sink.isLeaving && !sink.hasFailed && !hasFailed && sink.begun.length < sink.owed)
        this.#fail(`${sink.name} left with ${sink.begun.length} items, and ${sink.owed} were its.`);
    }
    if (this.#world.rule !== 'broadcast') return;
    // What anybody got between the first and the last item of a sink, that sink got.
    const all = [...this.#given.keys()].sort((a, b) => a - b);
    for (const { begun, name } of this.#sinks) {
      const first = begun[0];
      if (first === undefined) continue;
      const expected = all.filter((item) => item >= first && item <= (begun.at(-1) as number));
      if (expected.join() !== begun.join())
        this.#fail(`${name} got ${begun.join()}, and should have ${expected.join()}.`);
    }
  }
}

const isPending = (call: Call): boolean => call.isPending;

function actsOf(sink: WorldSink, offer: string, isOpen: boolean): string[] {
  const { name, writes, durables } = sink;
  switch (offer) {
    case 'accept':
      return writes.map((_, at) => `${name}.accept${at === 0 ? '' : `(${at})`}`);
    case 'later':
    case 'fail':
      return writes.length > 0 ? [`${name}.${offer}`] : [];
    case 'durable':
      return durables.map((_, at) => `${name}.durable${at === 0 ? '' : `(${at})`}`);
    case 'lost':
      return durables.length > 0 ? [`${name}.lost`] : [];
    case 'leave':
      return isOpen && sink.isMember ? [`${name}.leave`] : [];
    default:
      throw new Error(`Not an operation: ${offer}`);
  }
}

function build(builder: DispatchedPipelineBuilder<number>, rule: Rule): Dispatcher<number> {
  switch (rule) {
    case 'broadcast':
    case 'demand':
      return builder[rule]();
    case 'names':
      return builder.partition(PARTITIONS, routeOf as never) as unknown as Dispatcher<number>;
    case 'keyed':
      return builder.partition(['a'], () => 'a', { key: keyOf }) as unknown as Dispatcher<number>;
    case 'custom':
      return builder.custom(parity);
  }
}
