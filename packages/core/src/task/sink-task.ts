/**
 * The task of one sink: takes parcels from its intake and writes them, as many at once as the sink allows.
 *
 *     intake ── take ──► write ──► accepted: room released ──► durable: receipt settled
 *                          └─────► failed: receipt poisoned, the owner is told
 *
 * It is moved by callbacks, not by a loop that awaits: a sink that answers synchronously costs no promise.
 */

import { Deferred, isThenable } from '../deferred.ts';
import { Parcel } from '../delivery/parcel.ts';
import { isStreamWeldError, StreamWeldError, wrapError } from '../errors.ts';
import { runtime, type Turn } from '../runtime.ts';
import type { Accepted, Sink } from '../sink.ts';
import type { Awaitable } from '../source.ts';
import type { Intake } from './intake.ts';
import { type ConsentedClaim, Write, type WriteOwner } from './write.ts';

export interface SinkTaskOptions<T> {
  readonly name: string;
  readonly sink: Sink<T>;
  readonly intake: Intake<T>;
  /** The most writes at once. */
  readonly concurrency: number;
  /** How many items may be accepted and not yet durable, before the sink is flushed. */
  readonly maxUncommitted: number;
  /** Items that are lost count as done: somebody agreed to that. */
  readonly consentsToLoss?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly turn: Turn;
  /** A write, a flush of its own, or what was accepted, failed; so many items are lost. */
  readonly onFail: (error: StreamWeldError, items: number) => void;
  /** So many items, that a sink took into its own hands, are lost in part or all; their loss was consented to. */
  readonly onLost?: ((items: number) => void) | undefined;
  /** Nothing is queued and no write is outstanding. Called again each time that comes about. */
  readonly onQuiet: () => void;
}

export class SinkTask<T> implements WriteOwner {
  readonly #options: SinkTaskOptions<T>;
  #mode: 'running' | 'paused' | 'halted' = 'running';
  #inFlight = 0;
  #inFlightItems = 0;
  #isPumping = false;
  #isYielding = false;
  #again = false;
  /** Accepted and not yet durable. */
  #uncommitted = 0;
  #flush: 'none' | 'wanted' | 'running' | 'done' | 'failed' = 'none';
  #lingerTimer: unknown;
  #isDue = false;
  #quietSince: number | undefined;
  #waitedMs = 0;
  #idle: Deferred | undefined;
  /** The most items of one write. */
  maxItems = 1;
  /** Items that were accepted. */
  written = 0;
  /** Writes that were accepted. */
  batches = 0;

  /** What the sink took into its own hands, where its loss was consented to. */
  readonly #claims = new Set<ConsentedClaim>();
  readonly track: ((claim: ConsentedClaim) => void) | undefined;

  constructor(options: SinkTaskOptions<T>) {
    this.#options = options;
    this.#quietSince = runtime.now();
    this.track = options.consentsToLoss === true ? this.#track : undefined;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Writes that are outstanding, and the items in them. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get inFlightItems(): number {
    return this.#inFlightItems;
  }

  get uncommitted(): number {
    return this.#uncommitted;
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

  /** The sink has ended, and its loss was consented to: what it took into its own hands and did not settle is lost. */
  abandon(): void {
    for (const claim of [...this.#claims]) claim.abandon();
  }

  /** No new writes, ever. What is outstanding still settles. */
  halt(): void {
    this.#mode = 'halted';
    this.#clearLinger();
  }

  /** What is queued is written without waiting for more. */
  hurry(): void {
    this.#isDue = true;
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
      while (this.#canWrite()) {
        const parcel = intake.take(this.maxItems);
        if (parcel === undefined) break;
        this.#write(parcel);
        if (turn.isOver()) {
          this.#isYielding = true;
          this.#isPumping = false;
          turn.yield(this.#yielded);
          return;
        }
      }
    } while (this.#again);
    this.#isPumping = false;
    if (this.#inFlight === 0 && intake.queued === 0 && this.#flush !== 'running') this.#becomeQuiet();
  };

  readonly #yielded = (): void => {
    this.#isYielding = false;
    this.pump();
  };

  #becomeQuiet(): void {
    this.#isDue = false;
    this.#quietSince ??= runtime.now();
    this.#options.onQuiet();
  }

  #canWrite(): boolean {
    if (this.#mode !== 'running' || this.#inFlight >= this.#options.concurrency) return false;
    // After a flush that failed nothing more comes than what is buffered, and it need not wait.
    const isFull = this.#flush !== 'none' || this.#uncommitted >= this.#options.maxUncommitted;
    if (isFull && this.#flush !== 'failed') {
      this.#flushWhenIdle();
      return false;
    }
    const { intake, sink } = this.#options;
    const lingerMs = sink.batching?.lingerMs ?? 0;
    if (lingerMs === 0 || this.#isDue || intake.isClosed) return true;
    if (intake.queued === 0) return false;
    if (intake.queued >= this.maxItems) return true;
    this.#lingerTimer ??= runtime.setTimer(this.#due, lingerMs);
    return false;
  }

  readonly #due = (): void => {
    this.#lingerTimer = undefined;
    this.#isDue = true;
    this.pump();
    this.#isDue = false;
  };

  #write(parcel: Parcel<T>): void {
    this.#clearLinger();
    if (this.#quietSince !== undefined) {
      this.#waitedMs += runtime.now() - this.#quietSince;
      this.#quietSince = undefined;
    }
    const write = new Write(parcel, this, this.#options.intake.positions);
    this.#inFlight += 1;
    this.#inFlightItems += parcel.items.length;
    let answer: Awaitable<void | Accepted>;
    try {
      answer = this.#options.sink.write(parcel.items, write);
      if (isThenable(answer)) {
        answer.then(
          (accepted) => this.#accepted(write, accepted, true),
          (error: unknown) => this.#failed(write, error),
        );
        return;
      }
    } catch (error) {
      this.#failed(write, error);
      return;
    }
    this.#accepted(write, answer, false);
  }

  #accepted(write: Write<T>, answer: void | Accepted, isLate: boolean): void {
    const { parcel } = write;
    const count = parcel.items.length;
    this.#ended(parcel);
    this.written += count;
    this.batches += 1;
    if (!write.isDeferred) {
      const durable = typeof answer === 'object' && answer !== null ? answer.durable : undefined;
      if (durable === undefined || !isThenable(durable)) parcel.settle();
      else this.#awaitDurable(parcel, durable);
    }
    this.#options.intake.release(parcel);
    if (isLate) this.pump();
  }

  #awaitDurable(parcel: Parcel<T>, durable: Promise<void>): void {
    const count = parcel.items.length;
    // Only the claims are still needed: the items are the sink's, and are not kept for the sake of their receipt.
    const claims = new Parcel<T>([], parcel.receipt, parcel.end, parcel.parts);
    this.#uncommitted += count;
    durable.then(
      () => {
        this.#decided(count);
        claims.settle();
        this.pump();
      },
      (error: unknown) => {
        this.#decided(count);
        this.#lose(claims, count, error);
        this.pump();
      },
    );
  }

  /** So many items are durable or lost: they count towards the limit no more. */
  #decided(count: number): void {
    this.#uncommitted -= count;
    if (this.#flush === 'done' && this.#uncommitted < this.#options.maxUncommitted) this.#flush = 'none';
  }

  #failed(write: Write<T>, error: unknown): void {
    this.#ended(write.parcel);
    // What the sink took into its own hands is the sink's to settle, still.
    if (write.isDeferred) this.lost(error, this.track === undefined ? write.parcel.items.length : 0);
    else this.#lose(write.parcel, write.parcel.items.length, error);
    this.#options.intake.release(write.parcel);
    this.pump();
  }

  #lose(claims: Parcel<T>, items: number, error: unknown): void {
    if (this.#options.consentsToLoss === true) claims.settle();
    else claims.fail();
    this.lost(error, items);
  }

  #ended(parcel: Parcel<T>): void {
    this.#inFlight -= 1;
    this.#inFlightItems -= parcel.items.length;
    this.#wakeIdle();
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#flush !== 'running';
  }

  #wakeIdle(): void {
    if (!this.#isIdle()) return;
    this.#idle?.resolve();
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

  /** At the limit of what may be accepted and not durable, the sink makes it durable, and the source waits. */
  #flushWhenIdle(): void {
    if (this.#flush !== 'none' && this.#flush !== 'wanted') return;
    this.#flush = 'wanted';
    if (this.#inFlight > 0) return;
    this.#flush = 'running';
    this.#flushSink().then(
      () => {
        this.#flush = this.#uncommitted < this.#options.maxUncommitted ? 'none' : 'done';
        this.#wakeIdle();
        this.pump();
      },
      (error: unknown) => {
        this.#flush = 'failed';
        this.#wakeIdle();
        this.lost(error);
        this.pump();
      },
    );
  }

  async #flushSink(): Promise<void> {
    await this.#options.sink.flush?.();
  }

  #clearLinger(): void {
    if (this.#lingerTimer === undefined) return;
    runtime.clearTimer(this.#lingerTimer);
    this.#lingerTimer = undefined;
  }
}
