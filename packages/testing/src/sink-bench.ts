/**
 * Driving a sink by its contract, as a run would, with a deadline on whatever it is waited for.
 *
 *     prepare ─► [ leak check: open ─ write … ─ flush ─ close, or a kill, as often as the check likes ] ─► clean up
 */

import assert from 'node:assert/strict';
import type { Awaitable, Sink, SinkContext, SinkLike } from '@streamweld/core';
import { Deferred, isThenable, toSink } from '@streamweld/core/connector';
import { type LeakCheck, withLeakCheck } from './leak-check.ts';
import type { AnySinkHarness } from './sink-harness.ts';
import { SinkWrite } from './sink-receipt.ts';
import { keyOf } from './source-comparison.ts';
import { type Check, within } from './suite.ts';

const DEADLINE_MS = 5000;

/** The name under which positions are kept. */
export const CHECKPOINT = 'kit';

export type SinkCheck = Check<AnySinkHarness>;

export interface WriteOptions {
  readonly positions?: ReadonlyMap<string, unknown> | undefined;
  readonly attempt?: number | undefined;
  /** Of this write alone. Default: that of the run. */
  readonly signal?: AbortSignal | undefined;
}

export interface OpenOptions {
  readonly checkpoint?: string;
  readonly isDeadLetter?: boolean;
}

/** One place, the sinks of it, and what they are waited for. */
export class SinkBench {
  readonly harness: AnySinkHarness;
  readonly place: unknown;
  readonly leaks: LeakCheck;
  readonly #writings: Writing[] = [];

  constructor(harness: AnySinkHarness, place: unknown, leaks: LeakCheck) {
    this.harness = harness;
    this.place = place;
    this.leaks = leaks;
  }

  get deadlineMs(): number {
    return this.harness.deadlineMs ?? DEADLINE_MS;
  }

  /** Items from one number up to, not including, another. */
  items(from: number, to: number): unknown[] {
    return Array.from({ length: to - from }, (_, index) => this.harness.item(from + index));
  }

  /** What items are known by. */
  keysOf(items: readonly unknown[]): string[] {
    const { harness } = this;
    return items.map((item) => keyOf(harness.essenceOf === undefined ? item : harness.essenceOf(item)));
  }

  keys(from: number, to: number): string[] {
    return this.keysOf(this.items(from, to));
  }

  async read(): Promise<string[]> {
    return (await this.soon('reading back', this.harness.read(this.place))).map(keyOf);
  }

  /** A sink to be driven by hand: a new one, unless one is given. */
  async writing(sink?: Awaitable<SinkLike<unknown>>): Promise<Writing> {
    const created = await (sink ?? this.harness.create(this.place));
    const writing = new Writing(this, toSink(created));
    this.#writings.push(writing);
    return writing;
  }

  /** One that keeps positions, where the harness has one. */
  async keeping(): Promise<Writing> {
    assert(this.harness.createKeeping !== undefined);
    return this.writing(this.harness.createKeeping(this.place));
  }

  /** The end of the process, for all sinks that are open. */
  async kill(): Promise<void> {
    const alive = this.#writings.filter((writing) => !writing.isOver);
    for (const writing of alive) writing.isOver = true;
    if (this.harness.kill !== undefined) {
      for (const writing of alive) writing.isGone = true;
      await this.soon('kill', this.harness.kill(this.place));
    } else for (const writing of alive) await writing.rest();
  }

  /** Within the deadline. */
  async soon<T>(what: string, answer: Awaitable<T>): Promise<T> {
    return isThenable(answer) ? within(this.deadlineMs, what, answer) : answer;
  }

  /** Closes whatever a check left open: on purpose, or because it failed. */
  async end(): Promise<void> {
    for (const writing of this.#writings) {
      // What is gone with its process leaves nothing that would matter.
      if (writing.isGone) continue;
      this.leaks.watch(writing.controller.signal);
      if (writing.isClosed) continue;
      writing.abort();
      await writing.close(new Error('The check is over.')).catch(() => {});
    }
  }
}

/** One sink, as a run sees it. */
export class Writing {
  readonly sink: Sink<unknown>;
  readonly controller: AbortController = new AbortController();
  readonly writes: SinkWrite[] = [];
  isClosed = false;
  /** Closed or killed: nothing more is asked of it. */
  isOver = false;
  /** Killed by its harness: there is nothing left to close. */
  isGone = false;
  readonly #failure = new Deferred<never>();
  #hasFailed = false;
  readonly #bench: SinkBench;

  constructor(bench: SinkBench, sink: Sink<unknown>) {
    this.#bench = bench;
    this.sink = sink;
  }

  open(options?: OpenOptions): Promise<void> {
    return this.#wait('open', () => this.startOpen(options));
  }

  /** As `open`, with no deadline: for whoever looks at when it settles. */
  async startOpen(options: OpenOptions = {}): Promise<void> {
    const context: SinkContext = {
      ...options,
      signal: this.controller.signal,
      comparePositions: (_lane, a, b) => (a as number) - (b as number),
      fail: (error) => {
        this.#hasFailed = true;
        this.#failure.reject(error);
      },
    };
    await this.sink.open?.(context);
  }

  positions(): Promise<ReadonlyMap<string, unknown>> {
    return this.#wait('positions', () => {
      assert(this.sink.positions !== undefined, 'It keepsPositions and has no positions().');
      return this.sink.positions();
    });
  }

  /** The most items of one write, if it would be so many. */
  size(most: number): number {
    return Math.min(most, this.sink.batching?.maxItems ?? most);
  }

  /** A write that is not waited for. */
  begin(batch: readonly unknown[], { positions, attempt = 1, signal }: WriteOptions = {}): SinkWrite {
    const write = new SinkWrite(this.sink, batch, {
      signal: signal ?? this.controller.signal,
      attempt,
      positions,
    });
    this.writes.push(write);
    return write;
  }

  /** A write that is accepted; items beyond what one may hold are in writes of their own. */
  async write(batch: readonly unknown[], options?: WriteOptions): Promise<void> {
    const size = this.size(batch.length);
    for (let from = 0; from < batch.length; from += size) {
      // The array itself, if it can be: what a sink does to it is to be seen.
      const write = this.begin(size === batch.length ? batch : batch.slice(from, from + size), options);
      await this.#wait('write', () => write.accepted);
    }
  }

  flush(): Promise<void> {
    return this.#wait('flush', () => this.sink.flush?.());
  }

  /** As `flush`, with no deadline. */
  async startFlush(): Promise<void> {
    await this.sink.flush?.();
  }

  keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    return this.#wait('keep', () => this.sink.keep?.(positions));
  }

  /** All that was accepted is durable: by the flush, or by itself. */
  async settle(): Promise<void> {
    await this.flush();
    for (const write of this.writes)
      if (write.isAccepted)
        await this.#wait('a write that was accepted, to be durable,', () => write.durable);
  }

  /** A good end. */
  async finish(): Promise<void> {
    await this.settle();
    await this.close();
  }

  async close(reason?: unknown): Promise<void> {
    this.isClosed = true;
    this.isOver = true;
    this.#hasFailed = false;
    await this.#bench.soon('close', (async () => this.sink.close?.(reason))());
  }

  abort(): void {
    this.controller.abort(new Error('The run was aborted.'));
  }

  /** Until what is outstanding has settled, one way or the other. */
  async rest(): Promise<void> {
    const outstanding = this.writes.filter(({ isSettled }) => !isSettled).map(({ accepted }) => accepted);
    await this.#bench.soon('a write that is outstanding', Promise.allSettled(outstanding));
  }

  /** The items of writes that are durable, and not only accepted. */
  durable(): unknown[] {
    return this.writes.filter(({ isDurable }) => isDurable).flatMap(({ batch }) => [...batch]);
  }

  /** The items of every write that was tried. */
  tried(): unknown[] {
    return this.writes.flatMap(({ batch }) => [...batch]);
  }

  breaches(): string[] {
    return this.writes.flatMap(({ breaches }) => breaches);
  }

  /** A failure that the sink tells by itself ends the wait. */
  async #wait<T>(what: string, call: () => Awaitable<T>): Promise<T> {
    const answer = call();
    if (!isThenable(answer)) {
      if (this.#hasFailed) await this.#failure.promise;
      return answer;
    }
    const wait = new Promise<T>((resolve, reject) => {
      answer.then(resolve, reject);
      this.#failure.promise.catch(reject);
    });
    return this.#bench.soon(what, wait);
  }
}

/** A check that is given a fresh place, and looks that nothing is left. */
export function sinkCheck(
  rule: string,
  sentence: string,
  run: (bench: SinkBench) => Promise<void>,
  applies?: (harness: AnySinkHarness) => boolean,
): SinkCheck {
  return { rule, sentence, applies, run: (harness) => atSinkBench(harness, run) };
}

/** Prepares a place, puts it to the body, and looks that nothing is left. */
async function atSinkBench(
  harness: AnySinkHarness,
  body: (bench: SinkBench) => Promise<void>,
): Promise<void> {
  const place = await harness.prepare();
  try {
    await withLeakCheck(
      async (leaks) => {
        const bench = new SinkBench(harness, place, leaks);
        try {
          await body(bench);
        } finally {
          await bench.end();
        }
      },
      { deadlineMs: Math.min(1000, harness.deadlineMs ?? DEADLINE_MS) },
    );
  } finally {
    await harness.cleanUp?.(place);
  }
}

/** What a promise was rejected with, or nothing. */
export async function failureOf(
  promise: PromiseLike<unknown>,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** Some turns of the event loop: what is there by itself has come. */
export async function turns(count: number = 3): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
