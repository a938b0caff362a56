/** Whatever is taken as a source, as a Source. */

import { onAbort } from '../abort.ts';
import { Deferred } from '../deferred.ts';
import { describe, StreamWeldError } from '../errors.ts';
import { runtime } from '../runtime.ts';
import type {
  Awaitable,
  NodeReadableLike,
  Source,
  SourceContext,
  SourceLike,
  WebReadableLike,
} from '../source.ts';

/** Recognises a source by its shape. @throws StreamWeldError SW_SOURCE_INVALID */
export function toSource<T>(source: SourceLike<T>): Source<T> {
  const shape = source as Partial<Source<T> & NodeReadableLike<T> & WebReadableLike<T> & Iterable<T>>;
  if (
    source !== null &&
    (typeof source === 'object' || typeof source === 'function' || typeof source === 'string')
  ) {
    if (typeof shape.pull === 'function') return source as Source<T>;
    if (Array.isArray(source)) return new ArraySource(source as readonly T[]);
    if (
      typeof shape.read === 'function' &&
      typeof shape.on === 'function' &&
      typeof shape.destroy === 'function'
    ) {
      return new NodeReadableSource(source as NodeReadableLike<T>);
    }
    if (typeof shape.getReader === 'function')
      return new NextSource('readable stream', () => readerOf(source as WebReadableLike<T>));
    if (typeof shape[Symbol.asyncIterator] === 'function') {
      return new NextSource('async iterable', () => iteratorOf(source as AsyncIterable<T>));
    }
    if (typeof shape[Symbol.iterator] === 'function') return new IterableSource(source as Iterable<T>);
  }
  throw new StreamWeldError(
    'SW_SOURCE_INVALID',
    `A source must be a Source (an object with pull), an iterable, an async iterable, a web ReadableStream or a Node Readable, got ${describe(source)}.`,
  );
}

class ArraySource<T> implements Source<T> {
  readonly name = 'array';
  #at = 0;

  private readonly items: readonly T[];

  constructor(items: readonly T[]) {
    this.items = items;
  }

  pull(demand: number): readonly T[] | undefined {
    const { items } = this;
    const from = this.#at;
    if (from >= items.length) return undefined;
    this.#at = Math.min(items.length, from + demand);
    return items.slice(from, this.#at);
  }
}

class IterableSource<T> implements Source<T> {
  readonly name = 'iterable';
  #iterator: Iterator<T> | undefined;
  #ended = false;
  #error: { error: unknown } | undefined;

  private readonly iterable: Iterable<T>;

  constructor(iterable: Iterable<T>) {
    this.iterable = iterable;
  }

  open(): void {
    this.#iterator = this.iterable[Symbol.iterator]();
  }

  pull(demand: number): readonly T[] | undefined {
    const iterator = this.#iterator as Iterator<T>;
    const items: T[] = [];
    try {
      while (items.length < demand && !this.#ended) {
        const next = iterator.next();
        if (next.done === true) this.#ended = true;
        else items.push(next.value);
      }
    } catch (error) {
      // What came before it goes on first.
      this.#ended = true;
      this.#error = { error };
    }
    if (items.length > 0) return items;
    if (this.#error !== undefined) throw this.#error.error;
    return undefined;
  }

  close(): void {
    if (!this.#ended) this.#iterator?.return?.();
  }
}

interface Reader<T> {
  next(): PromiseLike<{ done?: boolean | undefined; value?: T | undefined }>;
  cancel(reason: unknown): PromiseLike<unknown> | undefined;
}

function readerOf<T>(stream: WebReadableLike<T>): Reader<T> {
  const reader = stream.getReader();
  return {
    next: () => reader.read(),
    cancel: async (reason) => {
      await reader.cancel(reason);
      reader.releaseLock();
    },
  };
}

function iteratorOf<T>(iterable: AsyncIterable<T>): Reader<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  return {
    next: () => iterator.next() as Promise<{ done?: boolean; value?: T }>,
    cancel: () => iterator.return?.(),
  };
}

/** How long a reader that is waiting for an item is waited for when it is closed, in milliseconds. */
const LAST_ITEM_MS = 500;

/**
 * Waits for a promise, but not for ever: an async generator only ends when the item that it is waiting for has come, and
 * that may be never.
 */
function within(ms: number, promise: PromiseLike<unknown>): Promise<void> {
  const ended = new Deferred();
  const timer = runtime.setTimer(ended.resolve, ms);
  promise.then(
    () => ended.resolve(),
    (error: unknown) => ended.reject(error),
  );
  return ended.promise.finally(() => runtime.clearTimer(timer));
}

/**
 * One item a promise, gathered into batches: as long as items come within one turn of the event loop they belong
 * together, and what is there when the turn is over is answered. So a fast iterable is moved in large batches, and a
 * slow one is never held back.
 */
class NextSource<T> implements Source<T> {
  #reader: Reader<T> | undefined;
  #isReading = false;
  /** It has come to its own end. */
  #ended = false;
  #stopped = false;
  #error: { error: unknown } | undefined;
  #items: T[] = [];
  #demand = 0;
  #answer: Deferred<readonly T[] | undefined> | undefined;
  #unlisten: (() => void) | undefined;

  readonly name: string;
  private readonly start: () => Reader<T>;

  constructor(name: string, start: () => Reader<T>) {
    this.name = name;
    this.start = start;
  }

  open({ signal }: SourceContext): void {
    this.#unlisten = onAbort(signal, () => this.stop());
    this.#reader = this.start();
  }

  pull(demand: number): Promise<readonly T[] | undefined> {
    this.#demand = demand;
    this.#answer = new Deferred();
    const { promise } = this.#answer;
    if (this.#items.length > 0 || this.#ended || this.#stopped) this.#settle();
    else if (!this.#isReading) this.#read();
    return promise;
  }

  stop(): void {
    this.#stopped = true;
    this.#settle();
  }

  async close(reason?: unknown): Promise<void> {
    this.#unlisten?.();
    this.stop();
    if (this.#ended) return;
    const cancelled = this.#reader?.cancel(reason);
    if (cancelled === undefined) return;
    if (this.#isReading) await within(LAST_ITEM_MS, cancelled);
    else await cancelled;
  }

  #read(): void {
    this.#isReading = true;
    try {
      (this.#reader as Reader<T>).next().then(this.#arrived, this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }

  readonly #arrived = ({ done, value }: { done?: boolean | undefined; value?: T | undefined }): void => {
    this.#isReading = false;
    if (done === true) {
      this.#ended = true;
      this.#settle();
      return;
    }
    this.#items.push(value as T);
    if (this.#answer === undefined) return;
    if (this.#items.length >= this.#demand) {
      this.#settle();
      return;
    }
    if (this.#items.length === 1) runtime.yield(this.#turnOver);
    this.#read();
  };

  readonly #turnOver = (): void => {
    if (this.#items.length > 0) this.#settle();
  };

  readonly #failed = (error: unknown): void => {
    this.#isReading = false;
    this.#ended = true;
    this.#error = { error };
    this.#settle();
  };

  /** Answers the pull that waits, if one does. */
  #settle(): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = undefined;
    if (this.#items.length > 0) {
      const items = this.#items;
      this.#items = items.splice(this.#demand);
      answer.resolve(items);
    } else if (this.#error !== undefined) {
      answer.reject(this.#error.error);
    } else {
      answer.resolve(undefined);
    }
  }
}

/** Reads what a Node stream has buffered, synchronously, and waits for its events otherwise. */
class NodeReadableSource<T> implements Source<T> {
  readonly name = 'readable';
  /** It has come to its own end. */
  #ended = false;
  #stopped = false;
  #error: { error: unknown } | undefined;
  #readable: Deferred | undefined;
  #unlisten: (() => void) | undefined;

  private readonly stream: NodeReadableLike<T>;

  constructor(stream: NodeReadableLike<T>) {
    this.stream = stream;
  }

  open({ signal }: SourceContext): void {
    const { stream } = this;
    this.#unlisten = onAbort(signal, () => this.stop());
    stream.on('readable', this.#wake);
    stream.on('end', this.#end);
    stream.on('close', this.#closed);
    stream.on('error', this.#failed);
    // What was over before says nothing any more.
    if (stream.errored !== undefined && stream.errored !== null) this.#failed(stream.errored);
    else if (stream.readableEnded === true) this.#end();
    else if (stream.destroyed === true) this.#closed();
  }

  pull(demand: number): Awaitable<readonly T[] | undefined> {
    const items: T[] = [];
    while (items.length < demand) {
      const item = this.stream.read();
      if (item === null) break;
      items.push(item);
    }
    if (items.length > 0) return items;
    if (this.#error !== undefined) throw this.#error.error;
    if (this.#ended || this.#stopped) return undefined;
    this.#readable = new Deferred();
    return this.#readable.promise.then(() => this.pull(demand));
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  close(reason?: unknown): void {
    this.#unlisten?.();
    this.stop();
    if (!this.#ended || reason !== undefined) this.stream.destroy();
  }

  readonly #wake = (): void => {
    this.#readable?.resolve();
    this.#readable = undefined;
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake();
  };

  readonly #failed = (error: unknown): void => {
    this.#error ??= { error };
    this.#wake();
  };

  /** Closed and not at its end: what is missing would be lost without a word. */
  readonly #closed = (): void => {
    if (this.#ended || this.#stopped) return;
    this.#failed(
      new StreamWeldError('SW_SOURCE_FAILED', 'The stream was destroyed before it had come to its end.', {
        stage: this.name,
      }),
    );
  };
}
