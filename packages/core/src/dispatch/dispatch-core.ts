/**
 * A dispatcher: from its feeds to its outlets, as its strategy decides.
 *
 *     feed ─ offer ─┐              ┌─► outlet ─► task ─► sink
 *     feed ─ offer ─┼─► [ inbox ] ─┼─► outlet ─► task ─► sink
 *                   │    strategy  └─► outlet ─► task ─► sink
 *                   └ accepted when all of it is in some outlet
 *
 * It is moved whenever something came: an offer, room in an outlet, a sink. So what did not fit at the last write still
 * moves when there is room. A flush is a barrier: until every outlet is empty and every sink flushed, no feed's offer
 * moves.
 *
 *     open ─► closed                 the last feed ended: its sinks are closed
 *       └──► failed ─► closed        a sink failed whose loss nobody consented to
 */

import { Deferred } from '../deferred.ts';
import { Parcel } from '../delivery/parcel.ts';
import { receiptsOf } from '../delivery/place.ts';
import { StreamWeldError, suppress } from '../errors.ts';
import { toSink } from '../flow/to-sink.ts';
import { Observers, type Watchable } from '../observe.ts';
import { checkCount } from '../options.ts';
import { Turn } from '../runtime.ts';
import type { DeferredReceipt, Sink, SinkContext, SinkLike } from '../sink.ts';
import type { Awaitable } from '../source.ts';
import { Write } from '../task/write.ts';
import { CloseGuard } from './close-guard.ts';
import { DispatcherSink, type ExactHost, type FeedHost } from './dispatcher-sink.ts';
import { ExactDelivery } from './exact-delivery.ts';
import { checkExactSubscriber } from './exact-options.ts';
import { DeadLetters } from './dead-letters.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { Offer, ReceiptClaim } from './inbox.ts';
import { closedError, isDeadLetterFailure, listNames, sinkError } from './dispatch-errors.ts';
import type { Outlet } from './outlet.ts';
import { Roster } from './roster.ts';
import { type Logger, StallWatch } from './stall-watch.ts';
import type { DispatchStrategy } from './strategy.ts';
import { checkSubscribeOptions, type SubscribeOptions } from './subscribe-options.ts';
import {
  type SinkStatus,
  SinkSubscription,
  type Subscription,
  type SubscriptionHost,
} from './subscription.ts';

/** What becomes of an item that fits no partition. */
export type OnUnknown<T> = 'fail' | 'drop' | SinkLike<T>;

export interface DispatcherConfig<T> {
  readonly name: string;
  readonly strategy: DispatchStrategy<T>;
  /** The partitions, where there are any. */
  readonly partitions: readonly (string | number)[] | undefined;
  /** Of an item's key, where order is kept per key. */
  readonly hash: ((item: T) => number) | undefined;
  readonly onUnknown: OnUnknown<T>;
  /** What a route threw during the last dispatch. */
  readonly thrown: () => { readonly error: unknown } | undefined;
  /** Whether the strategy is the user's own, and its answers have to be checked. */
  readonly isCustom: boolean;
  readonly bufferSize: number | undefined;
  /** The name that sinks keep positions under, if they do. */
  readonly checkpoint: string | undefined;
  readonly logger: Logger | null;
  readonly stallMs: number;
}

export interface DispatcherSnapshot {
  readonly name: string;
  readonly strategy: string;
  readonly state: 'open' | 'failed' | 'closed';
  /** Items that could be dispatched now. */
  readonly demand: number;
  /** Items that wait to be dispatched. */
  readonly waiting: number;
  /** Items that fitted no partition and were dropped. */
  readonly dropped: number;
  /** Where sinks keep positions: items that came again, and were not given again to a sink that had them. */
  readonly skipped?: number | undefined;
  readonly sinks: readonly SinkStatus[];
}

/** The most items of one write into a dispatcher, and out of it where a sink does not say its own. */
export const DEFAULT_BATCH = 500;

/** How long it waits for what is outstanding, where no run has said how long that is. */
const CLOSE_MS = 2000;

export class DispatchCore<T> implements FeedHost<T>, SubscriptionHost<T>, ExchangeHost<T> {
  readonly name: string;
  readonly turn: Turn = new Turn();
  readonly observers: Observers = new Observers();
  /** As others see it. */
  face: Watchable | undefined;
  readonly #config: DispatcherConfig<T>;
  readonly #feeds = new Set<DispatcherSink<T>>();
  readonly #watch: StallWatch;
  readonly #controller = new AbortController();
  readonly #roster: Roster<T>;
  readonly #exchange: Exchange<T>;
  readonly #exact: ExactDelivery<T> | undefined;
  readonly #deadLetters = new DeadLetters();
  readonly #leaving = new Set<Promise<void>>();
  readonly #opening = new Set<Promise<void>>();
  #state: 'open' | 'failed' | 'closed' = 'open';
  #failure: { error: unknown } | undefined;
  #flushes: Promise<void> = Promise.resolve();
  #quietWaiter: Deferred | undefined;
  #hasCompleted = false;
  #closing: Promise<void> | undefined;
  /** What it was closed with; nothing, if it came to its good end. */
  #closedFor: unknown;
  #closeMs: number | undefined;
  #batchSize = 0;
  #planned = 0;

  constructor(config: DispatcherConfig<T>) {
    this.name = config.name;
    this.#config = config;
    this.#watch = new StallWatch(config.logger, config.stallMs, () => this.#describeStall());
    this.#roster = new Roster<T>({ ...config, onRoom: this.#pump });
    const { checkpoint } = config;
    this.#exact = checkpoint === undefined ? undefined : new ExactDelivery<T>(config.name, checkpoint);
    this.#exchange = new Exchange<T>(config, this.#roster, this, this.#exact);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The longest of its runs, or that of the last one. */
  get closeMs(): number {
    if (this.#closeMs !== undefined || this.#feeds.size === 0) return this.#closeMs ?? CLOSE_MS;
    return Math.max(...[...this.#feeds].map((feed) => feed.closeMs ?? CLOSE_MS));
  }

  async subscribeSink(
    sink: SinkLike<T>,
    partition: string | number | undefined,
    options: SubscribeOptions<T> | undefined,
  ): Promise<Subscription> {
    this.#checkOpen();
    const checked = checkSubscribeOptions(
      options,
      this.#config.isCustom ? 'custom' : this.#config.strategy.name,
      this.#config.hash !== undefined,
    );
    const target = toSink(sink);
    this.#checkSink(sink, target);
    this.#checkExact(target, checked);
    const outlet = this.#roster.outletFor(partition, checked.name ?? target.name ?? 'sink');
    const subscription = this.#plan(sink, target, outlet, checked);
    this.#roster.add(subscription);
    try {
      await this.#open(subscription);
    } catch (error) {
      this.#roster.forget(subscription);
      throw error;
    }
    try {
      this.#exact?.join(outlet, subscription.name, subscription.held);
    } catch (error) {
      this.#roster.forget(subscription);
      await subscription.close(error).catch(() => {});
      throw error;
    }
    this.#roster.join(outlet);
    subscription.start();
    this.#pump();
    return subscription;
  }

  createSink(batchSize: number): Sink<T> {
    this.#checkOpen();
    if (this.#exact !== undefined && this.#feeds.size > 0) {
      throw this.#impossible(
        'has a checkpoint, and is fed by one pipeline: its positions are those of one source. Build a dispatcher for each pipeline, or merge() the sources.',
      );
    }
    const feed = new DispatcherSink<T>(this, checkCount('createSink batchSize', batchSize));
    this.#feeds.add(feed);
    this.#batchSize = Math.max(this.#batchSize, batchSize);
    for (const subscription of this.#roster.subscriptions) subscription.resize(this.#batchSize);
    return feed;
  }

  sinks(): SinkStatus[] {
    return this.#roster.statuses;
  }

  snapshot(): DispatcherSnapshot {
    return {
      name: this.name,
      strategy: this.#config.strategy.name,
      state: this.#state,
      demand: this.#state === 'open' ? this.#config.strategy.demand(this.#roster.outlets) : 0,
      waiting: this.#exchange.waiting,
      dropped: this.#exchange.dropped,
      ...(this.#exact === undefined ? {} : { skipped: this.#exact.skipped }),
      sinks: this.sinks(),
    };
  }

  behind(): ReadonlyMap<string, Watchable> {
    const behind = new Map<string, Watchable>();
    for (const { id, sink } of this.#roster.subscriptions)
      if (sink.inside !== undefined) behind.set(id, sink.inside);
    return behind;
  }

  async abort(reason?: unknown): Promise<void> {
    const error =
      reason ??
      new StreamWeldError('SW_DISPATCHER_CLOSED', `The dispatcher '${this.name}' was aborted.`, {
        stage: this.name,
      });
    if (this.#state === 'open') this.fail(error);
    await this.#close(error, true).catch(() => {});
  }

  // ── for its feeds ──────────────────────────────────────────────────────────────────────────────────────────────

  get exact(): ExactHost | undefined {
    const exact = this.#exact;
    if (exact === undefined) return undefined;
    return {
      begin: (context) => exact.begin(context, this.#roster.vacant),
      positions: () => exact.positions(),
      ahead: () => exact.ahead(),
    };
  }

  offer(
    feed: DispatcherSink<T>,
    items: readonly T[],
    receipt: DeferredReceipt,
    positions: ReadonlyMap<string, unknown> | undefined,
  ): Awaitable<void> {
    this.#checkOpen();
    const parcel =
      receipt instanceof Write
        ? (receipt.handed as Parcel<T>)
        : new Parcel<T>(items, new ReceiptClaim(receipt), null);
    const offer = new Offer(parcel.unify(), feed);
    if (this.#exact !== undefined) this.#offerExactly(this.#exact, offer, receipt, positions);
    this.#exchange.offer(offer);
    this.#watch.set(this.#isStalled());
    return offer.answer();
  }

  #offerExactly(
    exact: ExactDelivery<T>,
    { parcel }: Offer<T>,
    receipt: DeferredReceipt,
    positions: ReadonlyMap<string, unknown> | undefined,
  ): void {
    try {
      if (positions === undefined || !(receipt instanceof Write)) {
        throw this.#impossible(
          'has a checkpoint, and was given items without the positions of their source. Feed it by a ConcurrentPipeline with a checkpoint.',
        );
      }
      // What an operator made of nothing stands for no source batch, and still has to be settled as a whole.
      parcel.receipt ??= new ReceiptClaim(receipt);
      exact.offer(positions, () => receiptsOf(parcel.receipt));
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  flush(isWanted: () => boolean): Promise<void> {
    // One after the other, whether the one before it succeeded or not.
    const flush = this.#flushes.then(() => this.#flushAll(isWanted));
    this.#flushes = flush.catch(() => {});
    return flush;
  }

  withdraw(feed: DispatcherSink<T>, reason: unknown): void {
    this.#exchange.withdraw(feed, reason);
    this.#watch.set(this.#isStalled());
  }

  async end(feed: DispatcherSink<T>, reason: unknown): Promise<void> {
    this.#feeds.delete(feed);
    if (reason === undefined) this.#hasCompleted = true;
    if (this.#feeds.size === 0) this.#closeMs = feed.closeMs ?? CLOSE_MS;
    this.#exchange.withdraw(feed, reason ?? closedError(this.name));
    if (this.#feeds.size > 0) return;
    // What a run that came to its good end was promised stays promised.
    const why = this.#failure?.error ?? (this.#hasCompleted ? undefined : reason);
    await this.#close(why, why !== undefined || reason !== undefined);
  }

  reaches(other: FeedHost<never>): boolean {
    return [this.#config.onUnknown, ...this.#roster.subscriptions.map(({ sink }) => sink)].some(
      (sink) => sink instanceof DispatcherSink && (sink.host === other || sink.host.reaches(other)),
    );
  }

  // ── for its subscriptions ──────────────────────────────────────────────────────────────────────────────────────

  failed(subscription: SinkSubscription<T>, error: unknown): void {
    if (subscription.consentsToLoss && !isDeadLetterFailure(error)) this.#detach(subscription, error);
    else this.fail(error);
  }

  quiet(): void {
    this.#quietWaiter?.resolve();
  }

  unsubscribe(subscription: SinkSubscription<T>): Promise<void> {
    if (subscription.state !== 'open') return subscription.left ?? this.#closing ?? Promise.resolve();
    const { outlet } = subscription;
    if (this.#exact !== undefined && this.#roster.isPartitioned && this.#exact.hasBegun)
      return Promise.reject(this.#fixedMembership());
    this.#roster.leave(outlet);
    const unsealed = this.#exact?.leave(outlet);
    if (unsealed !== undefined) outlet.dropShare(unsealed);
    // At a partition, what waits is left to the other sinks of it, if there are any.
    const items = this.#roster.isShared(subscription) ? 0 : outlet.buffered;
    const leaving = this.#leave(subscription, this.#roster.isPartitioned ? items : Number.MAX_SAFE_INTEGER);
    subscription.left = leaving;
    this.#pump();
    return leaving;
  }

  // ── for its exchange ───────────────────────────────────────────────────────────────────────────────────────────

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  refused(outlet: Outlet<T>, piece: Parcel<T>, error: unknown): void {
    if (outlet.isClosed && this.#config.strategy.name !== 'broadcast') {
      this.#exchange.handBack([new Offer(piece, undefined)]);
      return;
    }
    const subscription = this.#roster.subscriptions.find((other) => other.outlet === outlet);
    if (subscription?.consentsToLoss === true) {
      subscription.giveUp(piece, error);
      this.#detach(subscription, error);
    } else {
      piece.fail();
      this.fail(error);
    }
  }

  /** The sink of the items that fit nowhere is opened when the first of them comes. */
  unknownOutlet(): Outlet<T> {
    const given = this.#config.onUnknown as SinkLike<T>;
    const target = toSink(given);
    const outlet = this.#roster.createOutlet('unknown', undefined);
    const subscription = this.#plan(given, target, outlet, { name: target.name ?? 'unknown' });
    this.#roster.add(subscription);
    this.#open(subscription).then(
      () => subscription.start(),
      (error: unknown) => this.fail(error),
    );
    return outlet;
  }

  readonly #pump = (): void => {
    this.#exchange.pump();
    this.#watch.set(this.#isStalled());
  };

  // ── flushing, failing, closing ─────────────────────────────────────────────────────────────────────────────────

  async #flushAll(isWanted: () => boolean): Promise<void> {
    this.#exchange.isBarred = true;
    try {
      for (const subscription of this.#roster.subscriptions) subscription.hurry();
      let handedBack: number;
      do {
        await this.#empty();
        // What is being abandoned is not made durable.
        if (this.#state !== 'open') throw this.#failure?.error ?? closedError(this.name);
        if (!isWanted()) return;
        handedBack = this.#exchange.handedBack;
        const flushes = this.#roster.subscriptions.map((subscription) => this.#flush(subscription));
        await Promise.all(flushes);
        // Those too that began to leave meanwhile: their part of the flush was cut short.
        while (this.#leaving.size > 0) await Promise.all(this.#leaving);
        // A sink that failed while it was leaving: the others have what it had, and are flushed once more.
      } while (handedBack !== this.#exchange.handedBack);
      await this.#flushDeadLetters();
      if (this.#failure !== undefined) throw this.#failure.error;
    } finally {
      this.#exchange.isBarred = false;
      this.#pump();
    }
  }

  /** Waits until no outlet holds anything. */
  async #empty(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#state === 'closed') return;
      this.#pump();
      const isEmpty = this.#exchange.isSettled && this.#roster.outlets.every((outlet) => outlet.isEmpty);
      if (isEmpty) return;
      this.#quietWaiter = new Deferred();
      await this.#quietWaiter.promise;
    }
  }

  /** After all sinks: what they could not take is in them. */
  async #flushDeadLetters(): Promise<void> {
    try {
      await this.#deadLetters.flush(this.closeMs);
    } catch (error) {
      this.fail(error);
    }
  }

  async #flush(subscription: SinkSubscription<T>): Promise<void> {
    if (subscription.state !== 'open') return;
    try {
      await subscription.idle();
      await this.#flushSink(subscription);
    } catch (error) {
      this.failed(subscription, error);
    }
  }

  async #flushSink(subscription: SinkSubscription<T>): Promise<void> {
    try {
      await subscription.flush();
    } catch (error) {
      throw sinkError(subscription.name, 'flush', error);
    }
  }

  /** Everything stops, and the runs that feed it fail. */
  fail(error: unknown): void {
    if (this.#state !== 'open') {
      // Noted on what everything is closed for: a failure of its own, or that of the run, which ended first.
      suppress(this.#failure?.error ?? this.#closedFor, error);
      return;
    }
    this.#failure = { error };
    this.#state = 'failed';
    this.#watch.set(false);
    this.#exchange.rejectAll(error);
    for (const subscription of this.#roster.subscriptions) void subscription.halt();
    this.#quietWaiter?.resolve();
    for (const feed of this.#feeds) feed.fail(error);
  }

  /** Ends a branch whose loss was consented to: what it had goes to the others of its rule, or counts as failed. */
  #detach(subscription: SinkSubscription<T>, error: unknown): void {
    if (subscription.state === 'detached') return;
    const { outlet } = subscription;
    subscription.detach(error);
    this.#roster.leave(outlet);
    if (!this.#roster.isPartitioned) {
      outlet.isClosed = true;
      const parcels = outlet.clear();
      if (this.#config.strategy.name === 'broadcast') {
        for (const parcel of parcels) subscription.giveUp(parcel, error);
      } else {
        this.#exchange.handBack(parcels.map((parcel) => new Offer(parcel.unify(), undefined)));
      }
    }
    this.#track(
      subscription.halt().then(async () => {
        await subscription.close(error).catch(() => {});
        subscription.abandon();
        this.#roster.forget(subscription);
      }),
    );
    this.#pump();
    this.quiet();
  }

  #leave(subscription: SinkSubscription<T>, items: number): Promise<void> {
    const leaving = (async () => {
      await subscription.drain(items);
      // A dispatch that was under way when it left may still have brought it something.
      while (
        this.isOpen &&
        subscription.state === 'draining' &&
        !this.#roster.isPartitioned &&
        !subscription.outlet.isEmpty
      ) {
        await subscription.drain(items);
      }
      await subscription.halt();
      if (subscription.state === 'detached') return;
      // The sink is then closed with everything else.
      if (!this.isOpen) throw this.#failure?.error ?? closedError(this.name);
      try {
        await this.#flushSink(subscription);
        await subscription.close();
      } catch (error) {
        this.failed(subscription, error);
        throw error;
      }
      subscription.end();
      this.#roster.forget(subscription);
    })();
    this.#track(leaving.catch(() => {}));
    return leaving;
  }

  #track(promise: Promise<void>): void {
    this.#leaving.add(promise);
    void promise.then(() => {
      this.#leaving.delete(promise);
      this.quiet();
    });
  }

  /** @param isAbandoned whoever does not end is left behind after a while. */
  #close(reason: unknown, isAbandoned: boolean): Promise<void> {
    this.#closing ??= this.#closeSinks(reason, isAbandoned);
    return this.#closing;
  }

  async #closeSinks(reason: unknown, isAbandoned: boolean): Promise<void> {
    const guard = new CloseGuard();
    this.#closeMs = this.closeMs;
    if (isAbandoned) guard.begin(this.#closeMs);
    this.#state = 'closed';
    this.#closedFor = reason;
    this.#watch.set(false);
    if (reason !== undefined) this.#controller.abort(reason);
    this.#quietWaiter?.resolve();
    const writes: Promise<unknown>[] = [];
    const closings = this.#roster.subscriptions.map(async (subscription) => {
      const { name, state, error } = subscription.status;
      if (state === 'opening') return;
      const written = guard.outstanding(`writing to '${name}'`, () => subscription.halt());
      writes.push(written);
      if (!(await written)) subscription.leaveBehind();
      subscription.outlet.clear();
      await guard.closing(`closing the sink '${name}'`, () =>
        // One that was detached is closed with what it was detached for, and its loss was consented to.
        state === 'detached' ? subscription.close(error).catch(() => {}) : subscription.close(reason),
      );
      subscription.end();
    });
    void Promise.all(writes).then(() => guard.beginClosing());
    // What is abandoned puts no more letters in once its writes are over, and a close that hangs is not theirs.
    await Promise.all(reason === undefined ? closings : writes);
    const letters = this.#deadLetters.close(reason, guard);
    await Promise.all([...closings, letters]);
    await guard.closing(`opening sinks of '${this.name}'`, () => Promise.all(this.#opening));
    await guard.closing(`taking sinks out of '${this.name}'`, () => Promise.all(this.#leaving));
    guard.end();
  }

  // ── subscribing ────────────────────────────────────────────────────────────────────────────────────────────────

  #plan(
    given: SinkLike<T>,
    sink: Sink<T>,
    outlet: Outlet<T>,
    options: SubscribeOptions<T>,
  ): SinkSubscription<T> {
    const { checkpoint } = this.#config;
    const box = this.#deadLetters.boxFor(options.deadLetter);
    // A sink that keeps positions moves them past an item only when the dead letter has that durably.
    if (box !== undefined && checkpoint !== undefined) box.isEager = true;
    const name = options.name ?? sink.name ?? 'sink';
    const id = `${name}#${this.#planned}`;
    this.#planned += 1;
    const subscription = new SinkSubscription<T>(
      {
        id,
        given,
        sink,
        outlet,
        options,
        deadLetter: box,
        checkpoint: checkpoint === undefined ? undefined : `${checkpoint}/${name}`,
        isSharedOut: this.#config.strategy.name === 'demand',
        bufferSize: options.bufferSize ?? this.#config.bufferSize,
      },
      this,
    );
    subscription.resize(this.#batchSize === 0 ? DEFAULT_BATCH : this.#batchSize);
    return subscription;
  }

  /** Opens its sink, or closes it and rejects. */
  #open(subscription: SinkSubscription<T>): Promise<void> {
    const opening = this.#openSink(subscription);
    const ended = opening.catch(() => {});
    this.#opening.add(ended);
    void ended.then(() => this.#opening.delete(ended));
    return opening;
  }

  async #openSink(subscription: SinkSubscription<T>): Promise<void> {
    const { sink, name } = subscription;
    let failure: { error: unknown } | undefined;
    const fail = (error: unknown): void => {
      if (subscription.state === 'opening') failure ??= { error: sinkError(name, 'open', error) };
      else if (subscription.state !== 'closed') this.failed(subscription, sinkError(name, 'run', error));
    };
    const { signal } = this.#controller;
    // Before the sink, whose first write may need it.
    await this.#deadLetters.open(subscription.deadLetter, { signal, fail: (error) => this.fail(error) });
    try {
      await sink.open?.(contextFor(this, subscription.checkpoint, fail));
      if (this.#exact !== undefined) subscription.held = (await sink.positions?.()) ?? new Map();
      // Where a former sink of the partition still writes, order has it that the new one waits.
      await this.#roster.vacated(subscription);
    } catch (error) {
      failure ??= { error: sinkError(name, 'open', error) };
    }
    if (this.#state !== 'open') failure ??= this.#failure ?? { error: closedError(this.name) };
    if (failure === undefined) return;
    await subscription.close(failure.error).catch(() => {});
    throw failure.error;
  }

  #checkSink(given: SinkLike<T>, sink: Sink<T>): void {
    if (typeof given !== 'function' && this.#roster.subscriptions.some((other) => other.given === given)) {
      throw new StreamWeldError(
        'SW_SUBSCRIPTION_EXISTS',
        `The sink '${sink.name ?? 'sink'}' is already subscribed to '${this.name}'. A sink is opened once: make another one.`,
        { stage: this.name },
      );
    }
    if (
      sink instanceof DispatcherSink &&
      (sink.host === this || sink.host.reaches(this as FeedHost<never>))
    ) {
      throw new StreamWeldError(
        'SW_SUBSCRIPTION_CYCLE',
        `'${sink.name}' feeds '${this.name}', so '${this.name}' cannot feed it: dispatchers form a tree.`,
        { stage: this.name },
      );
    }
  }

  /** Before anything is opened. */
  #checkExact(sink: Sink<T>, options: SubscribeOptions<T>): void {
    if (this.#exact === undefined) return;
    checkExactSubscriber({
      dispatcher: this.name,
      sink,
      name: options.name ?? sink.name ?? 'sink',
      names: this.#roster.subscriptions.map(({ name }) => name),
      options,
    });
    if (this.#roster.isPartitioned && this.#exact.hasBegun) throw this.#fixedMembership();
  }

  #fixedMembership(): StreamWeldError {
    return this.#impossible(
      'has a checkpoint, and its partitions keep the sinks they had when its pipeline began: another would not know where it stands. Subscribe before, and change them between two runs.',
    );
  }

  #impossible(what: string): StreamWeldError {
    return new StreamWeldError('SW_EXACTLY_ONCE_IMPOSSIBLE', `The dispatcher '${this.name}' ${what}`, {
      stage: this.name,
    });
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#state !== 'open') throw closedError(this.name);
  }

  #isStalled(): boolean {
    if (this.#state !== 'open' || (!this.#exchange.hasOffers && !this.#exchange.isBarred)) return false;
    if (this.#roster.subscriptions.length === 0)
      return this.#exchange.hasOffers || this.#roster.outlets.some((outlet) => !outlet.isEmpty);
    return this.#roster.unserved.length > 0;
  }

  #describeStall(): string {
    const waiting = this.#roster.unserved;
    return waiting.length === 0
      ? `streamweld: items wait in the dispatcher '${this.name}', and no sink is subscribed. Call subscribeSink.`
      : `streamweld: items wait in the dispatcher '${this.name}' for ${listNames(waiting)}, which no sink is subscribed to. Call subscribeSink for each.`;
  }
}

/** What a sink is opened with. How long its runs wait is asked when it counts: they come later than their sinks. */
function contextFor(
  host: { readonly signal: AbortSignal; readonly closeMs: number },
  checkpoint: string | undefined,
  fail: (error: unknown) => void,
): SinkContext {
  return {
    signal: host.signal,
    fail,
    checkpoint,
    get closeMs(): number {
      return host.closeMs;
    },
  };
}
