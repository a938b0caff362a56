/** Sinks and feeds of tests: what they are given, when they answer, and what was done to them. */

import type { Sink, SinkContext, WriteContext } from '../../src/sink.ts';
import type { VirtualClock } from '@streamweld/testing';

export interface RecorderOptions<T> {
  readonly name?: string;
  /** How long a write takes. 0, the default: it answers at once. */
  readonly delayMs?: number | ((batch: readonly T[]) => number);
  readonly clock?: VirtualClock;
  readonly maxItems?: number;
  readonly lingerMs?: number;
  readonly concurrency?: number;
  /** Throws, where a write is to fail. */
  readonly check?: (batch: readonly T[]) => void;
  readonly flush?: () => void | Promise<void>;
  readonly close?: (reason: unknown) => void | Promise<void>;
  readonly open?: (context: SinkContext) => void | Promise<void>;
}

/** A sink that keeps what it is given, and notes how it was used. */
export class Recorder<T> implements Sink<T> {
  readonly name: string;
  readonly concurrency: number | undefined;
  readonly batching: { maxItems?: number | undefined; lingerMs?: number | undefined };
  readonly #options: RecorderOptions<T>;
  /** Items of writes that have ended well, in the order they ended. */
  readonly items: T[] = [];
  /** Items of every write, in the order the writes began. */
  readonly begun: T[] = [];
  readonly batches: (readonly T[])[] = [];
  /** `open`, `flush`, `close` and `close: reason`, in order. */
  readonly calls: string[] = [];
  reason: unknown;
  inFlight = 0;
  mostInFlight = 0;
  context: SinkContext | undefined;

  constructor(options: RecorderOptions<T> = {}) {
    this.#options = options;
    this.name = options.name ?? 'recorder';
    this.concurrency = options.concurrency;
    this.batching = { maxItems: options.maxItems, lingerMs: options.lingerMs };
  }

  open(context: SinkContext): void | Promise<void> {
    this.calls.push('open');
    this.context = context;
    return this.#options.open?.(context);
  }

  write(batch: readonly T[], _context: WriteContext): void | Promise<void> {
    if (this.isClosed) throw new Error(`'${this.name}' is written to after its close`);
    if (batch.length === 0) throw new Error(`'${this.name}' is given an empty batch`);
    this.begun.push(...batch);
    const { delayMs = 0, clock, check } = this.#options;
    const ms = typeof delayMs === 'function' ? delayMs(batch) : delayMs;
    if (ms === 0 || clock === undefined) {
      check?.(batch);
      this.#keep(batch);
      return undefined;
    }
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    return clock.sleep(ms).then(() => {
      this.inFlight -= 1;
      check?.(batch);
      this.#keep(batch);
    });
  }

  flush(): void | Promise<void> {
    if (this.inFlight > 0) throw new Error(`'${this.name}' is flushed with a write outstanding`);
    this.calls.push('flush');
    return this.#options.flush?.();
  }

  close(reason?: unknown): void | Promise<void> {
    if (this.isClosed) throw new Error(`'${this.name}' is closed twice`);
    if (this.inFlight > 0) throw new Error(`'${this.name}' is closed with a write outstanding`);
    this.calls.push(reason === undefined ? 'close' : 'close: reason');
    this.reason = reason;
    return this.#options.close?.(reason);
  }

  get isClosed(): boolean {
    return this.calls.some((call) => call.startsWith('close'));
  }

  #keep(batch: readonly T[]): void {
    this.batches.push(batch);
    for (const item of batch) this.items.push(item);
  }
}

/** A sink whose writes end when the test says so. */
export class GatedSink<T> implements Sink<T> {
  readonly name: string;
  readonly concurrency: number | undefined;
  readonly batching: { maxItems: number } | undefined;
  readonly waiting: { batch: readonly T[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
  readonly items: T[] = [];
  readonly calls: string[] = [];
  reason: unknown;
  context: SinkContext | undefined;

  constructor(name = 'gated', options: { maxItems?: number; concurrency?: number } = {}) {
    this.name = name;
    this.batching = options.maxItems === undefined ? undefined : { maxItems: options.maxItems };
    this.concurrency = options.concurrency;
  }

  open(context: SinkContext): void {
    this.calls.push('open');
    this.context = context;
  }

  write(batch: readonly T[]): Promise<void> {
    return new Promise<void>((resolve, reject) => this.waiting.push({ batch, resolve, reject })).then(() => {
      this.items.push(...batch);
    });
  }

  flush(): void {
    this.calls.push('flush');
  }

  close(reason?: unknown): void {
    this.calls.push(reason === undefined ? 'close' : 'close: reason');
    this.reason = reason;
  }

  /** Items of the writes that have not ended. */
  get held(): T[] {
    return this.waiting.flatMap(({ batch }) => [...batch]);
  }

  /** Ends the oldest write well, and whatever follows from that. */
  async release(writes = 1): Promise<void> {
    for (let i = 0; i < writes; i++) {
      this.waiting.shift()?.resolve();
      await tick();
    }
  }

  async releaseAll(): Promise<void> {
    while (this.waiting.length > 0) await this.release();
  }

  async fail(error: unknown): Promise<void> {
    this.waiting.shift()?.reject(error);
    await tick();
  }
}

/** Lets everything happen that takes no time. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A write by hand, and what became of it. */
export class HandWrite<T> {
  readonly items: readonly T[];
  state: 'waiting' | 'accepted' | 'rejected' = 'waiting';
  /** `settled` when its last piece is durable; `failed` when one was lost. */
  receipt: 'open' | 'settled' | 'failed' = 'open';
  pieces = 1;
  error: unknown;

  constructor(items: readonly T[]) {
    this.items = items;
  }
}

/** A feed driven by hand instead of by a pipeline: GenStage's producer. */
export class HandFeed<T> {
  readonly #sink: Sink<T>;
  readonly #controller = new AbortController();
  readonly writes: HandWrite<T>[] = [];
  /** What the dispatcher reported as a failure of the run. */
  readonly failures: unknown[] = [];

  constructor(dispatcher: { createSink(batchSize?: number): Sink<T> }, batchSize?: number) {
    this.#sink = dispatcher.createSink(batchSize);
    void this.#sink.open?.({
      signal: this.#controller.signal,
      fail: (error) => this.failures.push(error),
    });
  }

  async write(...items: T[]): Promise<HandWrite<T>> {
    const write = new HandWrite(items);
    this.writes.push(write);
    const { signal } = this.#controller;
    const receipt = {
      retain: (pieces: number) => {
        write.pieces += pieces;
      },
      settle: () => {
        write.pieces -= 1;
        if (write.pieces === 0 && write.receipt === 'open') write.receipt = 'settled';
      },
      fail: (error: unknown) => {
        write.pieces -= 1;
        write.receipt = 'failed';
        write.error = error;
      },
    };
    try {
      const answer = this.#sink.write(items, { signal, attempt: 1, defer: () => receipt });
      if (answer === undefined) write.state = 'accepted';
      else {
        Promise.resolve(answer).then(
          () => {
            write.state = 'accepted';
          },
          (error: unknown) => {
            write.state = 'rejected';
            write.error = error;
          },
        );
      }
    } catch (error) {
      write.state = 'rejected';
      write.error = error;
    }
    await tick();
    return write;
  }

  /** Starts a flush; the answer tells whether it is done. */
  flush(): { readonly isDone: boolean; readonly error: unknown; readonly promise: Promise<void> } {
    const flush = { isDone: false, error: undefined as unknown, promise: Promise.resolve() };
    flush.promise = Promise.resolve(this.#sink.flush?.()).then(
      () => {
        flush.isDone = true;
      },
      (error: unknown) => {
        flush.isDone = true;
        flush.error = error;
      },
    );
    return flush;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  async close(reason?: unknown): Promise<void> {
    await this.#sink.close?.(reason);
  }
}

/** What a promise was rejected with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It was fulfilled, and should have been rejected.');
}

export function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
