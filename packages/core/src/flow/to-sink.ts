/** Whatever is taken as a sink, as a Sink. */

import { untilAborted } from '../abort.ts';
import { Deferred, ignoreRejection } from '../deferred.ts';
import { describe, StreamWeldError } from '../errors.ts';
import { checkCount, checkDuration } from '../options.ts';
import type {
  BatchFunction,
  NodeWritableLike,
  Sink,
  SinkContext,
  SinkLike,
  WebWritableLike,
  WriteContext,
} from '../sink.ts';

/**
 * Recognises a sink by its shape, and checks what it says of itself.
 * @throws StreamWeldError SW_SINK_INVALID, OptionError
 */
export function toSink<T>(sink: SinkLike<T>): Sink<T> {
  if (typeof sink === 'function') {
    const write = sink as BatchFunction<T>;
    return { name: write.name === '' ? 'function' : write.name, write: write as Sink<T>['write'] };
  }
  if (typeof sink === 'object' && sink !== null) {
    const shape = sink as Partial<NodeWritableLike & WebWritableLike & Sink<T>>;
    if (typeof shape.getWriter === 'function') return new WebWritableSink(sink as WebWritableLike<T>);
    if (typeof shape.write === 'function') {
      const isStream = typeof shape.end === 'function' && typeof shape.on === 'function';
      if (isStream) return new NodeWritableSink(sink as NodeWritable);
      checkNumbers(sink as Sink<T>);
      return sink as Sink<T>;
    }
  }
  throw new StreamWeldError(
    'SW_SINK_INVALID',
    `A sink must be a Sink (an object with write), a function of a batch, a web WritableStream or a Node Writable, got ${describe(sink)}.`,
  );
}

function checkNumbers({ concurrency, batching }: Sink<never>): void {
  if (concurrency !== undefined) checkCount('sink.concurrency', concurrency);
  if (batching?.maxItems !== undefined) checkCount('sink.batching.maxItems', batching.maxItems);
  if (batching?.lingerMs !== undefined) checkDuration('sink.batching.lingerMs', batching.lingerMs);
}

interface NodeWritable extends NodeWritableLike {
  write(chunk: unknown, callback?: (error?: Error | null) => void): boolean;
}

type WebWriter<T> = ReturnType<WebWritableLike<T>['getWriter']>;

class WebWritableSink<T> implements Sink<T> {
  readonly name = 'writable stream';
  readonly concurrency = 1;
  #writer: WebWriter<T> | undefined;
  #context: SinkContext | undefined;
  /** Writes under way; more than one where one was let go, and another began. */
  #writing = 0;
  #isClosing = false;
  /** It was broken from outside. */
  #broken: { error: unknown } | undefined;

  private readonly stream: WebWritableLike<T>;

  constructor(stream: WebWritableLike<T>) {
    this.stream = stream;
  }

  open(context: SinkContext): void {
    this.#context = context;
    this.#writer = this.stream.getWriter();
    this.#writer.closed?.then(undefined, (error: unknown) => {
      this.#broken = { error };
      if (this.#writing === 0) this.#report();
    });
  }

  write(batch: readonly T[], { signal }: WriteContext): Promise<void> {
    return untilAborted(signal, this.#write(batch, signal));
  }

  async #write(batch: readonly T[], signal: AbortSignal): Promise<void> {
    const writer = this.#writer as WebWriter<T>;
    const written: Promise<void>[] = [];
    this.#writing += 1;
    try {
      for (const item of batch) {
        await writer.ready;
        if (signal.aborted) throw signal.reason;
        const done = writer.write(item);
        // When one fails, the wait for room may end first, and nobody comes to see the others.
        ignoreRejection(done);
        written.push(done);
      }
      await Promise.all(written);
      // What broke it in the midst of a write that ended well comes out with no other.
      this.#report();
    } finally {
      this.#writing -= 1;
    }
  }

  /** Between two writes nobody else would hear that it is broken. */
  #report(): void {
    if (this.#broken !== undefined && !this.#isClosing) this.#context?.fail(this.#broken.error);
  }

  async close(reason?: unknown): Promise<void> {
    const writer = this.#writer;
    this.#isClosing = true;
    if (writer === undefined) return;
    if (reason === undefined) await writer.close();
    else await writer.abort(reason);
    writer.releaseLock();
  }
}

class NodeWritableSink<T> implements Sink<T> {
  readonly name = 'writable';
  readonly concurrency = 1;
  #error: { error: unknown } | undefined;
  #waiting: Deferred | undefined;
  /** Settles when the last chunk of the batch was taken over: a stream that is destroyed never says so itself. */
  #taken: Deferred | undefined;
  #isClosing = false;
  /** It has taken everything, and its end. */
  #hasFinished = false;
  #context: SinkContext | undefined;

  private readonly stream: NodeWritable;

  constructor(stream: NodeWritable) {
    this.stream = stream;
  }

  open(context: SinkContext): void {
    const { errored, destroyed, writableEnded } = this.stream as {
      errored?: unknown;
      destroyed?: unknown;
      writableEnded?: unknown;
    };
    if (errored instanceof Error) throw errored;
    if (destroyed === true || writableEnded === true) throw this.#closedError();
    this.#context = context;
    this.stream.on('drain', this.#wake);
    this.stream.on('close', this.#closed);
    this.stream.on('error', this.#failed);
  }

  /** A batch is durable when the stream has taken its last chunk over, in order after all the others. */
  write(batch: readonly T[], { signal }: WriteContext): Promise<void> {
    return untilAborted(signal, this.#write(batch, signal));
  }

  async #write(batch: readonly T[], signal: AbortSignal): Promise<void> {
    const taken = new Deferred();
    this.#taken = taken;
    const last = batch.length - 1;
    for (let at = 0; at <= last; at++) {
      if (this.#error !== undefined) throw this.#error.error;
      if (signal.aborted) throw signal.reason;
      const chunk = batch[at];
      const hasRoom =
        at < last
          ? this.stream.write(chunk)
          : this.stream.write(chunk, (error) => {
              if (error === undefined || error === null) taken.resolve();
              else taken.reject(error);
            });
      if (!hasRoom && at < last) {
        this.#waiting = new Deferred();
        await this.#waiting.promise;
      }
    }
    await taken.promise;
  }

  async close(reason?: unknown): Promise<void> {
    this.#isClosing = true;
    if ('_isStdio' in this.stream) {
      // The process's own output outlives the run: it keeps no listener of ours.
      this.stream.off('drain', this.#wake);
      this.stream.off('close', this.#closed);
      this.stream.off('error', this.#failed);
      return;
    }
    if (reason !== undefined || this.#error !== undefined) {
      this.stream.destroy();
      return;
    }
    const ended = new Deferred();
    this.#waiting = ended;
    this.stream.end((error?: Error | null) => {
      if (error !== undefined && error !== null) this.#failed(error);
      this.#hasFinished = true;
      ended.resolve();
    });
    await ended.promise;
    if (this.#error !== undefined) throw (this.#error as { error: unknown }).error;
  }

  readonly #wake = (): void => {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  };

  readonly #closed = (): void => {
    if (!this.#hasFinished) this.#failed(this.#closedError());
  };

  #closedError(): StreamWeldError {
    return new StreamWeldError(
      'SW_SINK_FAILED',
      'The stream was closed before everything was written to it. Give each run a stream that is open.',
      { stage: this.name },
    );
  }

  readonly #failed = (error: unknown): void => {
    if (this.#error !== undefined) return;
    this.#error = { error };
    this.#taken?.reject(error);
    this.#wake();
    if (!this.#isClosing) this.#context?.fail(error);
  };
}
