/** The way into a dispatcher: an ordinary sink, so that any pipeline, or another dispatcher, can feed it. */

import { onAbort } from '../abort.ts';
import { AwaitedSink } from '../awaited-sink.ts';
import { Deferred } from '../deferred.ts';
import { StreamWeldError } from '../errors.ts';
import type { Watchable } from '../observe.ts';
import type { Accepted, DeferredReceipt, Sink, SinkContext, WriteContext } from '../sink.ts';
import type { Awaitable } from '../source.ts';

/** What a feed needs of its dispatcher. */
export interface FeedHost<T> {
  readonly name: string;
  /** Where its sinks keep positions. */
  readonly exact: ExactHost | undefined;
  readonly face: Watchable | undefined;
  offer(
    feed: DispatcherSink<T>,
    items: readonly T[],
    receipt: DeferredReceipt,
    positions: ReadonlyMap<string, unknown> | undefined,
  ): Awaitable<void>;
  /** @param isWanted answers false once the run that asked was aborted: what it abandons is not made durable. */
  flush(isWanted: () => boolean): Promise<void>;
  /** The run of this feed was aborted: what it offered and nobody has is no longer offered. */
  withdraw(feed: DispatcherSink<T>, reason: unknown): void;
  end(feed: DispatcherSink<T>, reason: unknown): Promise<void>;
  /** Whether items given to this dispatcher could come to `other`. */
  reaches(other: FeedHost<never>): boolean;
}

/** What a feed needs of a dispatcher whose sinks keep positions. */
export interface ExactHost {
  begin(context: SinkContext): void;
  positions(): ReadonlyMap<string, unknown>;
  ahead(): ReadonlyMap<string, unknown>;
}

export class DispatcherSink<T> extends AwaitedSink implements Sink<T> {
  readonly name: string;
  readonly concurrency = 1;
  readonly batching: { readonly maxItems: number };
  readonly host: FeedHost<T>;
  /** Whether its dispatcher has a checkpoint, and every sink subscribed to it keeps positions. */
  readonly keepsPositions: boolean;
  readonly positions?: () => ReadonlyMap<string, unknown>;
  readonly ahead?: () => ReadonlyMap<string, unknown>;
  #context: SinkContext | undefined;
  #stopListening: (() => void) | undefined;
  #flushing: Deferred | undefined;
  #refusedOpens = 0;
  #ended = false;

  /** Made by `dispatcher.createSink()`. @internal */
  constructor(host: FeedHost<T>, batchSize: number) {
    super();
    this.host = host;
    this.name = host.name;
    this.batching = { maxItems: batchSize };
    const { exact } = host;
    this.keepsPositions = exact !== undefined;
    if (exact === undefined) return;
    this.positions = () => exact.positions();
    this.ahead = () => exact.ahead();
  }

  /**
   * @throws StreamWeldError SW_DISPATCHER_CLOSED when it is opened a second time; SW_EXACTLY_ONCE_IMPOSSIBLE where its
   * sinks keep positions, and something is missing for that.
   */
  open(context: SinkContext): void {
    if (this.#context !== undefined || this.#ended) {
      this.#refusedOpens += 1;
      throw new StreamWeldError(
        'SW_DISPATCHER_CLOSED',
        `What createSink() of '${this.name}' made feeds it once. Call createSink() again for another run.`,
        { stage: this.name },
      );
    }
    this.#context = context;
    this.host.exact?.begin(context);
    // A run that was aborted is not held up by a buffer that is full, or by a sink that is flushed.
    this.#stopListening = onAbort(context.signal, (reason) => {
      this.host.withdraw(this, reason);
      this.#flushing?.reject(reason);
    });
  }

  get inside(): Watchable | undefined {
    return this.host.face;
  }

  /** Accepted when every item is in some sink's buffer; durable when those sinks have it. */
  write(batch: readonly T[], context: WriteContext): Awaitable<void | Accepted> {
    return this.host.offer(this, batch, context.defer(), context.positions);
  }

  flush(): Promise<void> {
    const flushing = new Deferred();
    this.#flushing = flushing;
    this.host.flush(() => this.#context?.signal.aborted !== true).then(flushing.resolve, flushing.reject);
    return flushing.promise;
  }

  async close(reason?: unknown): Promise<void> {
    if (this.#refusedOpens > 0) {
      // It is closed by whoever was refused: the run that opened it goes on.
      this.#refusedOpens -= 1;
      return;
    }
    this.#ended = true;
    this.#stopListening?.();
    await this.host.end(this, reason);
  }

  async giveUp(reason: unknown): Promise<void> {
    if (this.#context === undefined) await this.close(reason);
  }

  /** How long its run waits for what is outstanding, where that is known. */
  get closeMs(): number | undefined {
    return this.#context?.closeMs;
  }

  /** The dispatcher failed: so does the run that feeds it. */
  fail(error: unknown): void {
    this.#context?.fail(error);
  }
}
