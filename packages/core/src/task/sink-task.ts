/**
 * The task of one sink: takes parcels from its intake and writes them, as many at once as the sink allows.
 *
 *     intake ── take ──► write ──► accepted: room released ──► durable: receipt settled
 *                          └─────► failed: a WriteJob does what the policies say;
 *                                  without policies: receipt poisoned, the owner is told
 *
 * It is moved by callbacks, not by a loop that awaits: a sink that answers synchronously costs no promise.
 */

import { Deferred, ignoreRejection, isThenable } from '../deferred.ts';
import { type Claim, Parcel } from '../delivery/parcel.ts';
import { isStreamWeldError, StreamWeldError, wrapError } from '../errors.ts';
import { FailureLog, type FailureCount } from '../failure-log.ts';
import type { Observers } from '../observe.ts';
import type { WritePolicies } from '../policy/write-policies.ts';
import { runtime, type Turn } from '../runtime.ts';
import type { Accepted, Sink } from '../sink.ts';
import type { Awaitable } from '../source.ts';
import type { Intake } from './intake.ts';
import { type BoardHost, JobBoard } from './job-board.ts';
import { Linger } from './linger.ts';
import { Uncommitted } from './uncommitted.ts';
import { type ConsentedClaim, Write, type WriteOwner } from './write.ts';
import { WriteDeadlines } from './write-deadlines.ts';
import type { WriteJob } from './write-job.ts';

export interface SinkTaskOptions<T> {
  readonly name: string;
  readonly sink: Sink<T>;
  readonly intake: Intake<T>;
  /** The most writes at once. */
  readonly concurrency: number;
  /** How many items may be accepted and not yet durable, before the sink is flushed. */
  readonly maxUncommitted: number;
  /** What is done about a write that fails, and before it is begun. Without: it is lost. Seats of one sink share them. */
  readonly policies?: WritePolicies | undefined;
  /** A batch is written whole, or not at all: the sink keeps positions with it. */
  readonly writesWhole?: boolean | undefined;
  /** How long what a sink without flush has accepted may take to become durable at the end. Default 2000. */
  readonly patienceMs?: number | undefined;
  /** Items that are lost count as done: somebody agreed to that. It may be taken back. */
  readonly consentsToLoss?: boolean | undefined;
  /** Who watches its writes, and how they know it. */
  readonly observers?: Observers | undefined;
  readonly id?: string | undefined;
  readonly signal: AbortSignal;
  readonly turn: Turn;
  /** A write, a flush of its own, or what was accepted, failed; so many items are lost. */
  readonly onFail: (error: StreamWeldError, items: number) => void;
  /** So many items, that a sink took into its own hands, are lost in part or all; their loss was consented to. */
  readonly onLost?: ((items: number) => void) | undefined;
  /** A write was accepted, of a sink that keeps these positions with it. */
  readonly onKept?: ((positions: ReadonlyMap<string, unknown>) => void) | undefined;
  /** Nothing is queued and no write is outstanding. Called again each time that comes about. */
  readonly onQuiet: () => void;
}

const PATIENCE_MS = 2000;

export class SinkTask<T> implements WriteOwner, BoardHost<T> {
  readonly #options: SinkTaskOptions<T>;
  /** Where it has policies. */
  readonly #jobs: JobBoard<T> | undefined;
  readonly #deadlines: WriteDeadlines | undefined;
  readonly #observers: Observers | undefined;
  #mode: 'running' | 'paused' | 'halted' = 'running';
  /** Batches that were taken and are not over, and the items in them. */
  #inFlight = 0;
  #inFlightItems = 0;
  /** Writes that the sink has not answered. */
  #outstanding = 0;
  #isPumping = false;
  #isYielding = false;
  #again = false;
  readonly #uncommitted: Uncommitted;
  readonly #linger: Linger;
  #quietSince: number | undefined;
  #waitedMs = 0;
  #idle: Deferred | undefined;
  /** The most items of one write. */
  maxItems = 1;
  /** Items that were accepted. */
  written = 0;
  /** Writes that were accepted. */
  batches = 0;
  /** Whether the sink ever took a write into its own hands. */
  hasDeferred = false;

  #failures: FailureLog | undefined;

  /** What the sink took into its own hands, where its loss was consented to. */
  readonly #claims = new Set<ConsentedClaim>();
  /** And what it has accepted and not made durable: called when that is not waited for any more. */
  readonly #undecided = new Set<() => void>();
  readonly track: ((claim: ConsentedClaim) => void) | undefined;

  constructor(options: SinkTaskOptions<T>) {
    this.#options = options;
    this.#observers = options.observers;
    this.#quietSince = runtime.now();
    this.track = options.consentsToLoss === true ? this.#track : undefined;
    const { sink, concurrency, policies } = options;
    this.#linger = new Linger(sink.batching?.lingerMs ?? 0, this.pump);
    if (policies !== undefined) {
      const isAtomic = sink.atomic === true;
      const halves = isAtomic || policies.retry.halve;
      this.#jobs = new JobBoard<T>(this, policies, { isAtomic, keepsOrder: concurrency === 1, halves });
      if (policies.timeoutMs !== undefined) this.#deadlines = new WriteDeadlines(policies.timeoutMs);
      policies.breaker?.onAllowed(this.pump);
    }
    this.#uncommitted = new Uncommitted({
      max: options.maxUncommitted,
      isWriting: () => this.#inFlight > 0,
      flush: async () => {
        await sink.flush?.();
      },
      onFlushed: () => {
        this.#wakeIdle();
        this.pump();
      },
      onFail: (error) => this.lost(error),
    });
  }

  get name(): string {
    return this.#options.name;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  get givesWritesUp(): boolean {
    return this.#deadlines !== undefined;
  }

  get consentsToLoss(): boolean {
    return this.#options.consentsToLoss === true;
  }

  get writesWhole(): boolean {
    return this.#options.writesWhole === true;
  }

  get isHalted(): boolean {
    return this.#mode === 'halted';
  }

  /** Batches that were taken and are not over: being written, or waiting to be. And the items in them. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get inFlightItems(): number {
    return this.#inFlightItems;
  }

  /** Accepted and not yet durable. */
  get uncommitted(): number {
    return this.#uncommitted.items;
  }

  /** Everything that was accepted becomes durable: by a flush or, where the sink has none, by itself, given some time. */
  async flush(): Promise<void> {
    const { sink } = this.#options;
    if (sink.flush === undefined) await this.#uncommitted.empty(this.#options.patienceMs ?? PATIENCE_MS);
    else await sink.flush();
  }

  /** Batches that are to be written again. */
  get retrying(): number {
    return this.#jobs?.retrying ?? 0;
  }

  /** Writes that failed, by code; those too that were repeated. */
  get failures(): readonly FailureCount[] {
    return this.#failures?.counts ?? [];
  }

  /** What it does at this moment. */
  get activity(): 'busy' | 'waitingForInput' | 'idle' {
    if (this.#inFlight > 0 || this.#isYielding || this.#uncommitted.isFlushing) return 'busy';
    return this.#mode === 'running' && !this.#options.intake.isClosed ? 'waitingForInput' : 'idle';
  }

  /** How long it had nothing to write, in milliseconds. */
  get waitedMs(): number {
    return this.#waitedMs + (this.#quietSince === undefined ? 0 : runtime.now() - this.#quietSince);
  }

  /** No new writes until `resume`. */
  pause(): void {
    if (this.#mode === 'running') this.#mode = 'paused';
  }

  resume(): void {
    if (this.#mode !== 'paused') return;
    this.#mode = 'running';
    this.pump();
  }

  readonly #track = (claim: ConsentedClaim): void => {
    this.#claims.add(claim);
    claim.onEnd = () => {
      this.#claims.delete(claim);
      if (claim.isLost) this.#options.onLost?.(claim.items);
    };
  };

  /**
   * The sink has ended, and its loss was consented to: what it took into its own hands and did not settle is lost, and what
   * it accepted and did not make durable.
   */
  abandon(): void {
    for (const claim of [...this.#claims]) claim.abandon();
    for (const abandon of [...this.#undecided]) abandon();
  }

  /** No new writes, ever. What is outstanding still settles. @param reason what items were not written for. */
  halt(reason?: unknown): void {
    if (this.#mode === 'halted') return;
    this.#mode = 'halted';
    this.#linger.clear();
    this.#uncommitted.giveUp();
    this.#deadlines?.clearAll();
    this.#jobs?.halt(reason);
  }

  /** What is queued is written without waiting for more. */
  hurry(): void {
    this.#linger.isDue = true;
    this.pump();
  }

  /** Writes what can be written now. Called when items came, a write ended, or a turn began. */
  readonly pump = (): void => {
    if (this.#isPumping) {
      this.#again = true;
      return;
    }
    if (this.#isYielding) return;
    const { intake, turn } = this.#options;
    this.#isPumping = true;
    do {
      this.#again = false;
      while (this.#startNext()) {
        if (turn.isOver()) {
          this.#isYielding = true;
          this.#isPumping = false;
          turn.yield(this.#yielded);
          return;
        }
      }
    } while (this.#again);
    this.#isPumping = false;
    if (this.#inFlight === 0 && intake.queued === 0 && !this.#uncommitted.isFlushing) this.#becomeQuiet();
  };

  readonly #yielded = (): void => {
    this.#isYielding = false;
    this.pump();
  };

  #becomeQuiet(): void {
    this.#linger.isDue = false;
    this.#quietSince ??= runtime.now();
    this.#options.onQuiet();
  }

  /** Jobs that wait come before anything new. */
  #startNext(): boolean {
    if (this.#mode !== 'running') return false;
    const jobs = this.#jobs;
    if (jobs !== undefined) {
      if (!jobs.allows) return false;
      if (jobs.startNext()) return true;
    }
    if (!this.#canWrite()) return false;
    const parcel = this.#options.intake.take(this.maxItems);
    if (parcel === undefined) return false;
    this.#write(parcel);
    return true;
  }

  #canWrite(): boolean {
    if (this.#inFlight >= this.#options.concurrency || !this.#uncommitted.allowsMore()) return false;
    const { intake } = this.#options;
    if (this.#linger.isOver || intake.isClosed) return true;
    if (intake.queued === 0) return false;
    if (intake.queued >= this.maxItems) return true;
    this.#linger.begin();
    return false;
  }

  #write(parcel: Parcel<T>): void {
    this.#linger.clear();
    if (this.#quietSince !== undefined) {
      this.#waitedMs += runtime.now() - this.#quietSince;
      this.#quietSince = undefined;
    }
    this.#inFlight += 1;
    this.#inFlightItems += parcel.items.length;
    const { positions } = this.#options.intake;
    if (this.#jobs !== undefined) {
      if (this.#jobs.waits(parcel, positions)) return;
      this.#jobs.policies.breaker?.enter();
    }
    this.#call(new Write(parcel, this, positions), undefined);
  }

  #call(write: Write<T>, job: WriteJob<T> | undefined): void {
    this.#outstanding += 1;
    if (this.#observers?.isWatched === true) this.#watch(write, this.#observers);
    let answer: Awaitable<void | Accepted>;
    try {
      answer = this.#options.sink.write(write.parcel.items, write);
      if (isThenable(answer)) {
        this.#deadlines?.set(write, () => this.#tookTooLong(write, job));
        answer.then(
          (accepted) => this.#accepted(write, job, accepted, true),
          (error: unknown) => this.#failed(write, job, error),
        );
        return;
      }
    } catch (error) {
      this.#failed(write, job, error);
      return;
    }
    this.#accepted(write, job, answer, false);
  }

  #watch(write: Write<T>, observers: Observers): void {
    const { attempt, parcel } = write;
    write.observed = observers.began({
      kind: 'write',
      id: this.#options.id ?? this.#options.name,
      items: parcel.items.length,
      attempt,
      batch: parcel.items,
    });
  }

  #tookTooLong(write: Write<T>, job: WriteJob<T> | undefined): void {
    const { policies } = this.#jobs as JobBoard<T>;
    const error = policies.timeoutError(this.#options.name);
    policies.timedOut += 1;
    write.giveUp(error);
    // It may still land: where items and positions are one step, another write of the same must not begin beside it.
    this.#failed(write, job, error, this.writesWhole);
  }

  /** The sink has answered, or is not waited for any more. */
  #answered(write: Write<T>): void {
    write.isOver = true;
    this.#outstanding -= 1;
    this.#deadlines?.clear(write);
  }

  #accepted(write: Write<T>, job: WriteJob<T> | undefined, answer: void | Accepted, isLate: boolean): void {
    if (write.isOver) return;
    const { parcel } = write;
    this.#answered(write);
    write.observed?.({ items: parcel.items.length });
    if (job === undefined) this.#vacate(parcel);
    this.written += parcel.items.length;
    this.batches += 1;
    if (write.isDeferred) this.hasDeferred = true;
    if (write.positions !== undefined) this.#options.onKept?.(write.positions);
    const isBroken = this.writesWhole && this.#breaksPromise(write, answer);
    const durable =
      write.isDeferred || typeof answer !== 'object' || answer === null ? undefined : answer.durable;
    if (durable !== undefined && isThenable(durable)) {
      if (isBroken) this.#forgo(write, durable);
      else this.#awaitDurable(write, durable);
    } else {
      write.unlink();
      if (!write.isDeferred) parcel.settle();
    }
    if (job === undefined) {
      this.#options.intake.release(parcel);
    } else {
      job.accepted();
      // Its job may go on only after a pause, which waits for this write alone.
      this.#wakeIdle();
    }
    this.#jobs?.policies.breaker?.answered();
    if (isLate) this.pump();
  }

  /** A sink that keeps positions has kept them with the items by now, or nobody knows what it holds (K12). */
  #breaksPromise(write: Write<T>, answer: void | Accepted): boolean {
    const { name, sink } = this.#options;
    const isLate = typeof answer === 'object' && answer !== null && isThenable(answer.durable);
    if (!isLate && (!write.isDeferred || sink.ahead !== undefined)) return false;
    this.lost(
      new StreamWeldError(
        'SW_EXACTLY_ONCE_IMPOSSIBLE',
        `The sink '${name}' keeps positions, and ${isLate ? 'answered { durable }' : 'deferred its write'}: what it was given has to be kept when its write has ended (K12). Mend the sink, or leave out its keepsPositions.`,
        { stage: name },
      ),
    );
    return true;
  }

  #forgo(write: Write<T>, durable: Promise<void>): void {
    ignoreRejection(durable);
    write.unlink();
    write.parcel.fail();
  }

  #awaitDurable(write: Write<T>, durable: Promise<void>): void {
    const { items, receipt, parts } = write.parcel;
    const count = items.length;
    // Only the claims are still needed: the items are the sink's, and are not kept for the sake of their receipt.
    const claims = new Parcel<T>([], receipt, parts);
    write.forgetItems(claims);
    let isDecided = false;
    const decide = (isDurable: boolean, error: unknown): void => {
      if (isDecided) return;
      isDecided = true;
      this.#undecided.delete(abandon);
      write.unlink();
      if (isDurable) claims.settle();
      else this.#lose(claims, count, error);
      this.pump();
    };
    const abandon = (): void => decide(false, undefined);
    if (this.consentsToLoss) this.#undecided.add(abandon);
    this.#uncommitted.add(
      count,
      durable,
      () => decide(true, undefined),
      (error) => decide(false, error),
    );
  }

  /** @param isFinal whatever the policies say. */
  #failed(write: Write<T>, job: WriteJob<T> | undefined, error: unknown, isFinal: boolean = false): void {
    if (write.isOver) return;
    const { parcel } = write;
    this.#answered(write);
    this.#failures ??= new FailureLog();
    this.#failures.note(error);
    write.observed?.({ items: 0, error });
    write.unlink();
    if (write.isDeferred) {
      // What the sink took into its own hands is the sink's to settle, still.
      this.hasDeferred = true;
      this.#jobs?.policies.breaker?.failed();
      if (job === undefined) this.#vacate(parcel);
      this.lost(error, this.track === undefined ? parcel.items.length : 0);
      if (job === undefined) this.#options.intake.release(parcel);
      else job.lost(error);
      this.#wakeIdle();
    } else if (this.#jobs !== undefined) {
      (job ?? this.#jobs.create(parcel, write.positions)).failed(error, isFinal);
      this.#wakeIdle();
    } else {
      this.#vacate(parcel);
      this.#lose(parcel, parcel.items.length, error);
      this.#options.intake.release(parcel);
    }
    this.pump();
  }

  #lose(claims: Pick<Claim, 'settle' | 'fail'>, items: number, error: unknown): void {
    if (this.consentsToLoss) claims.settle();
    else claims.fail();
    this.lost(error, items);
  }

  /** The batch has its slot no more. */
  #vacate(parcel: Parcel<T>): void {
    this.#inFlight -= 1;
    this.#inFlightItems -= parcel.items.length;
    this.#wakeIdle();
  }

  // ── for its jobs ───────────────────────────────────────────────────────────────────────────────────────────────

  call(job: WriteJob<T>, parcel: Parcel<T>, attempt: number): void {
    this.#call(new Write(parcel, this, job.positions, attempt), job);
  }

  accepted(items: number): void {
    this.written += items;
  }

  deferred(count: 1 | -1): void {
    this.#uncommitted.defer(count);
  }

  stop(error: unknown, items: number): void {
    this.#options.onFail(error as StreamWeldError, items);
  }

  vacated(parcel: Parcel<T>): void {
    this.#vacate(parcel);
    this.#options.intake.release(parcel);
    this.pump();
  }

  // ── its end ────────────────────────────────────────────────────────────────────────────────────────────────────

  #isIdle(): boolean {
    return this.#outstanding === 0 && !this.#uncommitted.isFlushing;
  }

  #wakeIdle(): void {
    if (this.#idle === undefined || !this.#isIdle()) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  /** Resolves when no write is outstanding, nor a flush of its own. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    this.#idle ??= new Deferred();
    return this.#idle.promise;
  }

  /** Items are lost for good. */
  lost(error: unknown, items: number = 0): void {
    if (this.#mode === 'halted' && this.consentsToLoss) {
      this.#options.onLost?.(items);
      return;
    }
    this.#options.onFail(
      isStreamWeldError(error)
        ? error
        : wrapError(
            'SW_SINK_FAILED',
            this.#options.name,
            `The sink '${this.#options.name}' failed; its error is the cause. No position moved past what it did not write.`,
            error,
          ),
      items,
    );
  }
}
