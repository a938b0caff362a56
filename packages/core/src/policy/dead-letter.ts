/**
 * Where items go that cannot be written: to a sink of their own, with what is known about them.
 *
 *     bad items ── put ──► [ letters ] ── one write at a time ──► sink ──► accepted ──► durable: the item is settled
 *                                                                  └──► failed: the run stops
 */

import { Deferred, isThenable } from '../deferred.ts';
import { isStreamWeldError, StreamWeldError } from '../errors.ts';
import { runtime } from '../runtime.ts';
import type { Accepted, DeferredReceipt, Sink, SinkContext, WriteContext } from '../sink.ts';
import type { Awaitable } from '../source.ts';

/**
 * What an item failed with. It goes into a file as it is: `JSON.stringify` of an Error would be `{}`. In the same process
 * `cause` is what was thrown; it is not enumerable, so it is in no file.
 */
export interface DeadLetterError {
  readonly name: string;
  readonly message: string;
  /** A stable code, where the error has one: SW_…, or a database's own. */
  readonly code?: string | undefined;
  /** More than the code, where an error of StreamWeld's has it: `{ sqlState: '23505', constraint: 'users_email_key' }`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** What was thrown. Not enumerable. */
  readonly cause?: unknown;
}

/** Where an item lies in its source. */
export interface Place {
  readonly lane: string;
  /** The position before its source batch: undefined in the first batch of a run that did not resume. */
  readonly after?: unknown;
  /** The position after its source batch. */
  readonly upTo: unknown;
}

/** What a dead-letter sink is given. */
export interface DeadLetter<T = unknown> {
  readonly item: T;
  readonly error: DeadLetterError;
  /** The sink that could not take it, or the operator. */
  readonly stage: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** The ordered sub-stream of its source. It and the positions are undefined where the source has none. */
  readonly lane: string | undefined;
  /** The item lies after this position in its lane, and not after `upTo`. */
  readonly after: unknown;
  readonly upTo: unknown;
}

/** @param item as the stage was given it. */
export function deadLetter<T>(
  item: T,
  error: DeadLetterError,
  stage: string,
  attempts: number,
  place: Place | undefined,
): DeadLetter<T> {
  return { item, error, stage, attempts, lane: place?.lane, after: place?.after, upTo: place?.upTo };
}

/** Describes whatever was thrown, so that it can be written down. */
export function describeError(thrown: unknown): DeadLetterError {
  const described: { name: string; message: string; code?: string; details?: DeadLetterError['details'] } = {
    name: 'Error',
    message: '',
  };
  try {
    if (typeof thrown === 'object' && thrown !== null) {
      const { name, message, code } = thrown as { name?: unknown; message?: unknown; code?: unknown };
      if (typeof name === 'string') described.name = name;
      if (typeof message === 'string') described.message = message;
      if (typeof code === 'string' || typeof code === 'number') described.code = String(code);
      // What others call by that name may be anything, and may quote the item.
      const details = isStreamWeldError(thrown) ? plainCopy(thrown.details) : undefined;
      if (details !== undefined) described.details = details;
    } else {
      described.name = typeof thrown;
      described.message = String(thrown);
    }
  } catch {
    // It throws when it is read: what is known by then is told.
  }
  return Object.defineProperty(described, 'cause', { value: thrown });
}

/** As a file would hold it. Nothing, where JSON cannot, or where there is nothing in it. */
function plainCopy(details: unknown): DeadLetterError['details'] {
  if (typeof details !== 'object' || details === null || Array.isArray(details)) return undefined;
  const copy = JSON.parse(JSON.stringify(details)) as Readonly<Record<string, unknown>>;
  return Object.keys(copy).length === 0 ? undefined : copy;
}

/** What becomes of letters that were put in together. Each is called at most once. */
export interface LetterFate {
  /** The sink has them all: whoever put them in goes on. */
  readonly accepted: () => void;
  /** They are all durable. */
  readonly durable: () => void;
  /** Some are lost. */
  readonly failed: (error: StreamWeldError) => void;
}

interface Envelope {
  readonly fate: LetterFate;
  toAccept: number;
  toSettle: number;
  isLost: boolean;
}

interface Entry {
  readonly letter: DeadLetter;
  readonly envelope: Envelope;
}

/** Letters that may wait before those who make them have to. */
const MOST_WAITING = 1000;
const MOST_IN_WRITE = 500;
/** So long after it was accepted, what is not durable is flushed: until then it holds the position of the source. */
const FLUSH_MS = 1000;
/** How long a sink without flush may take at the end, where nobody says otherwise. */
const PATIENCE_MS = 2000;

export class DeadLetterBox {
  readonly #sink: Sink<DeadLetter>;
  readonly name: string;
  #signal: AbortSignal = new AbortController().signal;
  #queue: Entry[] = [];
  #isWriting = false;
  #isOpen = false;
  #isClosed = false;
  #failure: StreamWeldError | undefined;
  #idle: Deferred | undefined;
  #room: Deferred | undefined;
  #emptied: Deferred | undefined;
  #open = 0;
  /** What was accepted and is not durable, write by write. */
  readonly #undecided = new Set<readonly Entry[]>();
  #flushing: Promise<void> | undefined;
  #timer: unknown;
  /** What is accepted is made durable at once: somebody waits for it before anything else is written. */
  isEager = false;

  constructor(sink: Sink<DeadLetter>) {
    this.#sink = sink;
    this.name = sink.name ?? 'dead letter';
  }

  /** Letters that are not durable yet. */
  get pending(): number {
    return this.#open;
  }

  async open(context: SinkContext): Promise<void> {
    this.#signal = context.signal;
    this.#isOpen = true;
    try {
      await this.#sink.open?.({
        signal: context.signal,
        isDeadLetter: true,
        fail: (error) => context.fail(this.#error(error)),
      });
    } catch (error) {
      throw this.#error(error);
    }
  }

  put(letters: readonly DeadLetter[], fate: LetterFate): void {
    // What still comes when the run has ended belongs to nobody: its positions stay before it.
    if (this.#isClosed) return;
    const envelope: Envelope = { fate, toAccept: letters.length, toSettle: letters.length, isLost: false };
    if (this.#failure !== undefined) {
      fate.failed(this.#failure);
      return;
    }
    this.#open += letters.length;
    for (const letter of letters) this.#queue.push({ letter, envelope });
    this.#pump();
  }

  /** Nothing, if there is room for more; otherwise a promise of it. */
  room(): Promise<void> | undefined {
    if (this.#queue.length < MOST_WAITING || this.#failure !== undefined) return undefined;
    this.#room ??= new Deferred();
    return this.#room.promise;
  }

  /** Everything that was put in becomes durable: by a flush or, where the sink has none, by itself, given some time. */
  async flush(patienceMs: number = PATIENCE_MS): Promise<void> {
    await this.idle();
    // What is given up meanwhile is not made durable.
    if (this.#isClosed) return;
    this.#flushNow();
    await this.idle();
    if (this.#sink.flush === undefined) await this.#empty(patienceMs);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when it is decided of all letters, or after `ms`. */
  async #empty(ms: number): Promise<void> {
    if (this.#open === 0) return;
    this.#emptied ??= new Deferred();
    const { promise, resolve } = this.#emptied;
    const timer = runtime.setTimer(resolve, ms);
    await promise;
    runtime.clearTimer(timer);
  }

  /** Nobody waits for letters any more. */
  #wakeEmptied(): void {
    this.#emptied?.resolve();
    this.#emptied = undefined;
  }

  /** Resolves when nothing waits and no write is outstanding. */
  async idle(): Promise<void> {
    while (this.#isWriting || this.#flushing !== undefined) {
      this.#idle ??= new Deferred();
      await this.#idle.promise;
    }
  }

  /** It is abandoned: what waits belongs to somebody who will hear nothing more of it. Resolves as `idle` does. */
  halt(): Promise<void> {
    this.#isClosed = true;
    this.#queue = [];
    return this.idle();
  }

  /** @param reason of whoever has halted it, and waited for what is outstanding as long as there was to wait. */
  async close(reason?: unknown): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#isClosed = true;
    this.#clearTimer();
    this.#wakeEmptied();
    if (reason === undefined) await this.idle();
    try {
      await this.#sink.close?.(reason);
      if (reason === undefined) await this.#checkSettled();
    } catch (error) {
      throw this.#error(error);
    }
  }

  /** Where no position waits for them, nobody else would miss letters that never became durable. */
  async #checkSettled(): Promise<void> {
    if (this.#open === 0 || this.#failure !== undefined) return;
    // What its close made durable is settled by promises of the sink's own, which have their turn first.
    await new Promise<void>((resolve) => runtime.yield(resolve));
    if (this.#open === 0) return;
    throw new StreamWeldError(
      'SW_DELIVERY_UNSETTLED',
      `The dead-letter sink '${this.name}' was flushed and closed, and still ${this.#open} of its letters are not durable. A sink that defers must settle every piece, and what it calls durable must be so after flush.`,
      { stage: this.name },
    );
  }

  #pump(): void {
    while (!this.#isWriting && this.#flushing === undefined && this.#queue.length > 0) this.#writeNext();
  }

  #writeNext(): void {
    const entries = this.#queue.splice(0, this.#sink.batching?.maxItems ?? MOST_IN_WRITE);
    if (this.#queue.length < MOST_WAITING) this.#giveRoom();
    const write = new LetterWrite(
      this.#signal,
      () => this.#decided(entries, undefined),
      (error) => this.#decided(entries, { error }),
    );
    this.#isWriting = true;
    let answer: Awaitable<void | Accepted>;
    try {
      answer = this.#sink.write(
        entries.map(({ letter }) => letter),
        write,
      );
      if (isThenable(answer)) {
        answer.then(
          (accepted) => this.#accepted(entries, write, accepted),
          (error: unknown) => this.#rejected(entries, error),
        );
        return;
      }
    } catch (error) {
      this.#rejected(entries, error);
      return;
    }
    this.#accepted(entries, write, answer);
  }

  #giveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #rejected(entries: readonly Entry[], error: unknown): void {
    this.#fail(this.#error(error), entries);
    this.#ended();
  }

  #accepted(entries: readonly Entry[], write: LetterWrite, answer: void | Accepted): void {
    if (!write.isDeferred) {
      const durable = typeof answer === 'object' && answer !== null ? answer.durable : undefined;
      if (durable === undefined || !isThenable(durable)) {
        this.#settled(entries);
      } else {
        this.#undecided.add(entries);
        durable.then(
          () => this.#decided(entries, undefined),
          (error: unknown) => this.#decided(entries, { error }),
        );
      }
    } else if (write.isOpen) {
      this.#undecided.add(entries);
    }
    for (const { envelope } of entries) {
      envelope.toAccept -= 1;
      if (envelope.toAccept === 0 && !envelope.isLost) envelope.fate.accepted();
    }
    this.#flushSoon();
    this.#ended();
  }

  /** A sink may still answer for what a failed flush has lost: that is not heard. */
  #decided(entries: readonly Entry[], failure: { readonly error: unknown } | undefined): void {
    if (!this.#undecided.delete(entries) && this.#failure !== undefined) return;
    if (failure === undefined) this.#settled(entries);
    else this.#fail(this.#error(failure.error), entries);
  }

  #settled(entries: readonly Entry[]): void {
    for (const { envelope } of entries) {
      // One by one: whoever hears of the first is not to think that the others are done.
      this.#open -= 1;
      envelope.toSettle -= 1;
      if (envelope.toSettle === 0 && !envelope.isLost) envelope.fate.durable();
    }
    if (this.#open === 0) this.#wakeEmptied();
  }

  #fail(failure: StreamWeldError, entries: readonly Entry[]): void {
    this.#failure ??= failure;
    this.#giveRoom();
    this.#wakeEmptied();
    const lost = [...entries, ...this.#queue];
    this.#queue = [];
    this.#open -= lost.length;
    for (const { envelope } of lost) {
      if (envelope.isLost) continue;
      envelope.isLost = true;
      envelope.fate.failed(failure);
    }
  }

  /** What was accepted and is not durable holds the position of the source. */
  #flushSoon(): void {
    if (!this.#isOpen || this.#open === 0 || this.#sink.flush === undefined) return;
    if (this.isEager && this.#queue.length === 0) this.#flushNow();
    else this.#timer ??= runtime.setTimer(this.#onTimer, FLUSH_MS);
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    if (this.#open === 0) return;
    // No write is outstanding while it runs: then the next one that ends sets the timer anew.
    if (!this.#isWriting && this.#flushing === undefined) this.#flushNow();
  };

  #clearTimer(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #flushNow(): void {
    this.#clearTimer();
    const flushing = (async () => {
      await this.#sink.flush?.();
    })();
    this.#flushing = flushing.then(
      () => this.#flushed(),
      (error: unknown) => {
        // What was accepted will not become durable any more, whether its promise says so or not.
        const undecided = [...this.#undecided].flat();
        this.#undecided.clear();
        this.#fail(this.#error(error), undecided);
        this.#flushed();
      },
    );
  }

  #flushed(): void {
    this.#flushing = undefined;
    this.#ended();
  }

  #ended(): void {
    this.#isWriting = false;
    this.#pump();
    if (this.#isWriting || this.#flushing !== undefined) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #error(cause: unknown): StreamWeldError {
    if (isStreamWeldError(cause) && cause.code === 'SW_DEAD_LETTER_FAILED') return cause;
    return new StreamWeldError(
      'SW_DEAD_LETTER_FAILED',
      `The dead-letter sink '${this.name}' failed; its error is the cause. The run stops, and no position moved past the items it was given.`,
      { stage: this.name, cause },
    );
  }
}

/** One write to a dead-letter sink, and the receipt for one that settles it itself. */
class LetterWrite implements WriteContext, DeferredReceipt {
  readonly signal: AbortSignal;
  readonly attempt = 1;
  readonly #onSettled: () => void;
  readonly #onFailed: (error: unknown) => void;
  #pieces = 1;
  isDeferred = false;

  constructor(signal: AbortSignal, onSettled: () => void, onFailed: (error: unknown) => void) {
    this.signal = signal;
    this.#onSettled = onSettled;
    this.#onFailed = onFailed;
  }

  /** Whether the sink that deferred it has not settled all of it. */
  get isOpen(): boolean {
    return this.#pieces > 0 && this.#pieces < Number.POSITIVE_INFINITY;
  }

  defer(): DeferredReceipt {
    this.isDeferred = true;
    return this;
  }

  retain(pieces: number): void {
    this.#pieces += pieces;
  }

  settle(): void {
    this.#pieces -= 1;
    if (this.#pieces === 0) this.#onSettled();
  }

  fail(error: unknown): void {
    this.#pieces = Number.POSITIVE_INFINITY;
    this.#onFailed(error);
  }
}
