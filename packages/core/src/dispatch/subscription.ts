/**
 * A sink at a dispatcher: its task, or with order per key its seats, and its policies.
 *
 *     opening ─► open ─► draining ─► closed
 *                  └──────────┴────► detached (it failed, and its loss was consented to)
 */

import { Deferred } from '../deferred.ts';
import { wrapError } from '../errors.ts';
import type { FailureCount } from '../failure-log.ts';
import type { Observers } from '../observe.ts';
import { claimAt, placeOf } from '../delivery/place.ts';
import { Parcel } from '../delivery/parcel.ts';
import { deadLetter, type DeadLetterBox, describeError } from '../policy/dead-letter.ts';
import {
  createPolicies,
  NO_COUNTS,
  type WriteCounts,
  type WritePolicies,
  type WritePolicyOptions,
} from '../policy/write-policies.ts';
import type { Turn } from '../runtime.ts';
import type { Sink, SinkLike } from '../sink.ts';
import { GivenUp } from '../task/deadline-guard.ts';
import type { Intake } from '../task/intake.ts';
import { SinkTask } from '../task/sink-task.ts';
import type { Outlet } from './outlet.ts';
import { sinkError } from './dispatch-errors.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

export type SubscriptionState = 'opening' | 'open' | 'draining' | 'closed' | 'detached';

/** How a subscribed sink is doing. */
export interface SinkStatus extends WriteCounts {
  /** Unlike that of any other subscription of the dispatcher. */
  readonly id: string;
  readonly name: string;
  readonly partition: string | number | undefined;
  readonly state: SubscriptionState;
  /** Room in its buffer, less what is in flight. */
  readonly demand: number;
  /** Items that wait in its buffer. */
  readonly buffered: number;
  /** Items that are being written, or wait to be written again. */
  readonly inFlight: number;
  readonly bufferSize: number;
  /** The most items there ever were in its buffer and in flight. */
  readonly highWaterMark: number;
  /** Items that the sink accepted. */
  readonly delivered: number;
  /** Items that were lost with it, consented to by `onError: 'detach'`, and are not in its dead letter. */
  readonly failed: number;
  /** Items that its overflow policy dropped. */
  readonly dropped: number;
  /** How long it had nothing to write, in milliseconds. */
  readonly waitedMs: number;
  /** What it does at this moment. `'idle'`: it takes nothing more, or not yet. */
  readonly activity: 'busy' | 'waitingForInput' | 'idle';
  /** Writes that failed, by code; those too that were repeated. */
  readonly failures: readonly FailureCount[];
  /** What it was detached for. */
  readonly error?: unknown;
}

/** What subscribeSink answers. */
export interface Subscription {
  readonly name: string;
  readonly partition: string | number | undefined;
  /** Room in its buffer, less what is in flight. */
  readonly demand: number;
  readonly status: SinkStatus;
  /**
   * Takes the sink out: it gets what is in its buffer, is flushed and closed, while items flow on to the others.
   * Resolves when it is closed.
   */
  unsubscribe(): Promise<void>;
}

/** Those of all its seats. */
function addFailures(tasks: readonly { readonly failures: readonly FailureCount[] }[]): FailureCount[] {
  const counts = new Map<string, number>();
  for (const { failures } of tasks)
    for (const { code, count } of failures) counts.set(code, (counts.get(code) ?? 0) + count);
  return [...counts].map(([code, count]) => ({ code, count }));
}

/** What a subscription needs of its dispatcher. */
export interface SubscriptionHost<T> {
  readonly signal: AbortSignal;
  readonly turn: Turn;
  readonly observers: Observers;
  /** How long the run waits for what is outstanding. */
  readonly closeMs: number;
  /** It has neither failed nor ended. */
  readonly isOpen: boolean;
  failed(subscription: SinkSubscription<T>, error: unknown): void;
  quiet(): void;
  unsubscribe(subscription: SinkSubscription<T>): Promise<void>;
}

export interface SubscriptionPlan<T> {
  readonly id: string;
  /** What the user gave, and the sink that was made of it. */
  readonly given: SinkLike<T>;
  readonly sink: Sink<T>;
  readonly outlet: Outlet<T>;
  readonly options: SubscribeOptions<T>;
  /** Whether what is queued here could have gone elsewhere: then the default buffer is small. */
  readonly isSharedOut: boolean;
  /** The box of its dead letter. */
  readonly deadLetter: DeadLetterBox | undefined;
  readonly bufferSize: number | undefined;
  /** The name its sink keeps positions under, if it does. */
  readonly checkpoint: string | undefined;
}

/** The intake of an outlet, of which a leaving subscription only takes what waited when it left. */
class LeavingIntake<T> implements Intake<T> {
  readonly #intake: Intake<T>;
  left: number = Number.POSITIVE_INFINITY;

  constructor(intake: Intake<T>) {
    this.#intake = intake;
  }

  get queued(): number {
    return Math.min(this.left, this.#intake.queued);
  }

  get isClosed(): boolean {
    return this.left !== Number.POSITIVE_INFINITY;
  }

  get positions(): Intake<T>['positions'] {
    return this.#intake.positions;
  }

  take(max: number): ReturnType<Intake<T>['take']> {
    if (this.left <= 0) return undefined;
    const parcel = this.#intake.take(Math.min(max, this.left));
    if (parcel !== undefined) this.left -= parcel.items.length;
    return parcel;
  }

  release(parcel: Parameters<Intake<T>['release']>[0]): void {
    this.#intake.release(parcel);
  }
}

export class SinkSubscription<T> implements Subscription {
  readonly sink: Sink<T>;
  readonly outlet: Outlet<T>;
  readonly name: string;
  readonly #plan: SubscriptionPlan<T>;
  readonly #host: SubscriptionHost<T>;
  readonly #concurrency: number;
  readonly #intake: LeavingIntake<T>;
  readonly #policies: WritePolicies | undefined;
  readonly #tasks: readonly SinkTask<T>[];
  #state: SubscriptionState = 'opening';
  #capacity: number | undefined;
  #failed = 0;
  #dropped = 0;
  #error: unknown;
  #isHalted = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  readonly #gone = new Deferred();
  /** The positions that its sink held when it was opened. */
  held: ReadonlyMap<string, unknown> = new Map();
  /** Settles when it has left, once it was told to. */
  left: Promise<void> | undefined;

  constructor(plan: SubscriptionPlan<T>, host: SubscriptionHost<T>) {
    const { sink, outlet, options } = plan;
    this.sink = sink;
    this.outlet = outlet;
    this.name = options.name ?? sink.name ?? 'sink';
    this.#plan = plan;
    this.#host = host;
    this.#concurrency = Math.min(options.maxConcurrency ?? 1, sink.concurrency ?? Number.POSITIVE_INFINITY);
    this.#intake = new LeavingIntake(outlet.intake);
    this.#policies = createPolicies(options as WritePolicyOptions<never>, plan.deadLetter);
    // Where order is kept per key, concurrency is a number of seats: what is written again keeps its order within one.
    const seats = outlet.isKeyed ? this.#concurrency : 1;
    this.#tasks = Array.from({ length: seats }, () => this.#createTask());
  }

  get id(): string {
    return this.#plan.id;
  }

  get given(): SinkLike<T> {
    return this.#plan.given;
  }

  /** The name its sink keeps positions under, if it does. */
  get checkpoint(): string | undefined {
    return this.#plan.checkpoint;
  }

  get partition(): string | number | undefined {
    return this.outlet.partition;
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get demand(): number {
    return this.#state === 'open' ? this.outlet.room : 0;
  }

  /** Only of what ends this branch alone: what goes down with the whole dispatcher is not lost, but comes again. */
  get consentsToLoss(): boolean {
    return this.#plan.options.onError === 'detach' && (this.#state === 'detached' || this.#host.isOpen);
  }

  get status(): SinkStatus {
    let delivered = 0;
    let inFlight = 0;
    let waitedMs = Number.POSITIVE_INFINITY;
    for (const task of this.#tasks) {
      delivered += task.written;
      inFlight += task.inFlightItems;
      waitedMs = Math.min(waitedMs, task.waitedMs);
    }
    const isGone = this.#state === 'closed' || this.#state === 'detached';
    return {
      id: this.id,
      name: this.name,
      partition: this.partition,
      state: this.#state,
      demand: this.demand,
      buffered: isGone ? 0 : this.outlet.buffered,
      inFlight,
      bufferSize: this.outlet.capacity,
      highWaterMark: this.outlet.highWater,
      delivered,
      failed: this.#failed,
      dropped: this.#dropped,
      ...(this.#policies?.counts ?? NO_COUNTS),
      waitedMs,
      activity: isGone || this.#state === 'opening' ? 'idle' : inFlight > 0 ? 'busy' : 'waitingForInput',
      failures: addFailures(this.#tasks),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  /** Its status from now on, which keeps nothing of it: all that still goes on is counted by its policies, as letters are. */
  depart(): () => SinkStatus {
    const { status } = this;
    const policies = this.#policies;
    return policies === undefined ? () => status : () => ({ ...status, ...policies.counts });
  }

  unsubscribe(): Promise<void> {
    return this.#host.unsubscribe(this);
  }

  /** Resolves when it takes nothing any more, and nothing of it is in flight, or is waited for. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** The sink is open: it takes items from here on. */
  start(): void {
    const { options } = this.#plan;
    this.#state = 'open';
    this.outlet.selector = options.selector;
    this.outlet.overflow = options.overflow ?? 'wait';
    this.outlet.onDrop = this.#countDropped;
    if (this.#capacity !== undefined) this.outlet.capacity = this.#capacity;
    for (const task of this.#tasks) this.outlet.seat(task);
    for (const task of this.#tasks) task.pump();
  }

  /** Fits writes and, where it was not given, the buffer to the largest batch that the feeds bring. */
  resize(batchSize: number): void {
    const maxItems = this.sink.batching?.maxItems ?? batchSize;
    const { bufferSize, isSharedOut } = this.#plan;
    this.#capacity = bufferSize ?? (isSharedOut ? 2 * maxItems * this.#concurrency : undefined);
    if (this.#state === 'open' && this.#capacity !== undefined) this.outlet.capacity = this.#capacity;
    // A write that lingers until it is full has to be able to be.
    for (const task of this.#tasks) task.maxItems = Math.min(maxItems, this.outlet.capacity);
  }

  /** What waits is written without waiting for more. */
  hurry(): void {
    if (this.#state === 'open') for (const task of this.#tasks) task.hurry();
  }

  /** Takes no more than `items` more; resolves when they are written, or when it was halted. */
  drain(items: number): Promise<void> {
    this.#state = 'draining';
    this.#intake.left = items;
    if (this.#isHalted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
      for (const task of this.#tasks) task.hurry();
      this.#quiet();
    });
  }

  /** No new writes. Resolves when those outstanding have ended, or were left behind. */
  halt(): Promise<void> {
    this.#release();
    this.#drained?.();
    void this.idle().then(this.#gone.resolve);
    return this.gone;
  }

  /** Nobody waits any longer for the writes that are outstanding. */
  leaveBehind(): void {
    this.#gone.resolve();
  }

  /** Closes the sink, once: whoever asks again gets the answer of the first. @throws StreamWeldError SW_SINK_FAILED */
  close(reason?: unknown): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #close(reason: unknown): Promise<void> {
    try {
      await this.sink.close?.(reason);
    } catch (error) {
      throw error instanceof GivenUp ? error : sinkError(this.name, 'close', error);
    }
  }

  /** Makes everything that its sink accepted durable, or waits until it is, where the sink has no flush. */
  async flush(): Promise<void> {
    if (this.sink.flush === undefined) await Promise.all(this.#tasks.map((task) => task.flush()));
    else await this.sink.flush();
  }

  /** Resolves when no write is outstanding, nor a flush of its own. */
  async idle(): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task.idle()));
  }

  /** Counts items that were lost with it. */
  lose(items: number): void {
    this.#failed += items;
  }

  get deadLetter(): DeadLetterBox | undefined {
    return this.#plan.deadLetter;
  }

  /** Items that its sink never took, and whose loss was consented to: they go to its dead letter, or are lost. */
  giveUp(parcel: Parcel<T>, error: unknown): void {
    const { length } = parcel.items;
    const box = this.deadLetter;
    if (box === undefined) {
      this.lose(length);
      parcel.settle();
      return;
    }
    const described = describeError(error);
    const parts = parcel.listParts();
    const letters = parcel.items.map((item, at) =>
      deadLetter(item, described, this.name, 0, placeOf(claimAt(parts, at))),
    );
    const claims = new Parcel<T>([], parcel.receipt, parcel.parts);
    box.put(letters, {
      accepted: () => {
        if (this.#policies !== undefined) this.#policies.deadLettered += length;
      },
      durable: () => claims.settle(),
      failed: (failure) => {
        claims.fail();
        this.#host.failed(this, failure);
      },
    });
  }

  /** It was detached, and its sink is closed: what that had taken over and did not settle counts as lost. */
  abandon(): void {
    for (const task of this.#tasks) task.abandon();
  }

  detach(error: unknown): void {
    this.#state = 'detached';
    this.#error = error;
    this.#release(error);
    this.#drained?.();
  }

  end(): void {
    if (this.#state !== 'detached') this.#state = 'closed';
  }

  #createTask(): SinkTask<T> {
    const host = this.#host;
    const consents = (): boolean => this.consentsToLoss;
    return new SinkTask<T>({
      name: this.name,
      sink: this.sink,
      intake: this.#intake,
      concurrency: this.outlet.isKeyed ? 1 : this.#concurrency,
      // Seats share their sink, and none may flush it while another writes.
      maxUncommitted: this.outlet.isKeyed
        ? Number.POSITIVE_INFINITY
        : (this.#plan.options.maxUncommitted ?? 100_000),
      // Its runs come after it.
      get patienceMs(): number {
        return host.closeMs;
      },
      policies: this.#policies,
      writesWhole: this.#plan.checkpoint !== undefined,
      get consentsToLoss(): boolean {
        return consents();
      },
      observers: host.observers,
      id: this.id,
      signal: host.signal,
      turn: host.turn,
      onFail: (error, items) => {
        this.#failed += items;
        this.#host.failed(this, error);
      },
      onLost: (items) => this.lose(items),
      onQuiet: this.#quiet,
    });
  }

  readonly #countDropped = (items: readonly T[]): void => {
    this.#dropped += items.length;
    try {
      this.#plan.options.onDrop?.(items);
    } catch (error) {
      this.#host.failed(
        this,
        wrapError(
          'SW_SINK_FAILED',
          this.name,
          `The onDrop of '${this.name}' threw; its error is the cause.`,
          error,
        ),
      );
    }
  };

  #release(reason?: unknown): void {
    this.#isHalted = true;
    for (const task of this.#tasks) {
      task.halt(reason);
      this.outlet.unseat(task);
    }
  }

  readonly #quiet = (): void => {
    const drained = this.#drained;
    if (
      drained !== undefined &&
      this.#intake.queued === 0 &&
      this.#tasks.every((task) => task.inFlight === 0)
    ) {
      this.#drained = undefined;
      drained();
    }
    this.#host.quiet();
  };
}
