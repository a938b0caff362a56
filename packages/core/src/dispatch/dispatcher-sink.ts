/** The way into a dispatcher: an ordinary sink, so that any pipeline, or another dispatcher, can feed it. */

import type { Accepted, DeferredReceipt, Sink, SinkContext, WriteContext } from '../sink.ts';
import type { Awaitable } from '../source.ts';

/** What a feed needs of its dispatcher. */
export interface FeedHost<T> {
  readonly name: string;
  offer(feed: DispatcherSink<T>, items: readonly T[], receipt: DeferredReceipt): Awaitable<void>;
  flush(): Promise<void>;
  end(feed: DispatcherSink<T>, reason: unknown): Promise<void>;
  /** Whether items given to this dispatcher could come to `other`. */
  reaches(other: FeedHost<never>): boolean;
}

export class DispatcherSink<T> implements Sink<T> {
  readonly name: string;
  readonly concurrency = 1;
  readonly batching: { readonly maxItems: number };
  readonly host: FeedHost<T>;
  #context: SinkContext | undefined;
  #ended = false;

  /** Made by `dispatcher.createSink()`. @internal */
  constructor(host: FeedHost<T>, batchSize: number) {
    this.host = host;
    this.name = host.name;
    this.batching = { maxItems: batchSize };
  }

  open(context: SinkContext): void {
    this.#context = context;
  }

  /** Accepted when every item is in some sink's buffer; durable when those sinks have it. */
  write(batch: readonly T[], context: WriteContext): Awaitable<void | Accepted> {
    return this.host.offer(this, batch, context.defer());
  }

  flush(): Promise<void> {
    return this.host.flush();
  }

  async close(reason?: unknown): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.host.end(this, reason);
  }

  /** The dispatcher failed: so does the run that feeds it. */
  fail(error: unknown): void {
    if (!this.#ended) this.#context?.fail(error);
  }
}
