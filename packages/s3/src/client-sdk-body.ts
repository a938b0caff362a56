/**
 * The body of an object as it arrives. The SDK leaves three things to whoever reads one:
 *  - its connection may be lost before anybody listens, and an error that nobody listens to ends the process;
 *  - one that is neither read nor destroyed keeps its connection: the 51st waits for ever;
 *  - a store that goes silent is waited for, for ever.
 */

import type { Readable } from 'node:stream';
import { onAbort, runtime } from '@streamweld/core/connector';
import { makeS3Error, type Translation, toS3Error } from './error-translation.ts';
import { CONNECTION_LOST, SILENT } from './error-verdicts.ts';

/** How many bytes may have come that nobody has taken. */
const MOST_WAITING = 128 << 10;

interface BodyOptions extends Translation {
  /** How many bytes are to come, where the store says it. */
  readonly size: number | undefined;
  /** How long nothing may come while it is waited for. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Told when its connection is free, or lost. */
  readonly onClose?: (() => void) | undefined;
}

interface Reader {
  readonly resolve: (chunk: IteratorResult<Uint8Array, void>) => void;
  readonly reject: (reason: unknown) => void;
}

/** The chunks are handed on as the stream emits them, which is paused where more wait than somebody takes. */
export class SdkBody implements AsyncIterableIterator<Uint8Array, void> {
  readonly #stream: Readable;
  readonly #options: BodyOptions;
  readonly #stall: StallWatch;
  readonly #forget: (() => void) | undefined;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #received = 0;
  /** Who waits for the next chunk. */
  #reader: Reader | undefined;
  #isFlowing = false;
  /** What the stream came to: all of it has come, it failed, or it was closed before. */
  #end: { readonly error?: unknown } | undefined;

  /** From now on its errors are listened to, and the abort of its signal ends it. */
  constructor(stream: Readable, options: BodyOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#stall = new StallWatch(options.stallMs, () => stream.destroy(makeS3Error(SILENT, options)));
    stream.on('error', (error) => this.#lost(error));
    stream.once('end', () => (this.#isWhole ? this.#ended({}) : this.#lost()));
    stream.once('close', () => {
      this.#forget?.();
      options.onClose?.();
      if (this.#end === undefined) this.#lost();
    });
    // Whoever thought over the answer may have taken longer than its connection lasted: nothing more is told of it.
    if (stream.closed) this.#lost(stream.errored);
    this.#forget = onAbort(options.signal, () => this.destroy());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with an S3Error, or the reason of the signal. Not called again before it has answered. */
  next(): Promise<IteratorResult<Uint8Array, void>> {
    const { signal } = this.#options;
    if (signal.aborted) return Promise.reject(signal.reason);
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.byteLength;
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#end !== undefined) return this.#answerOf(this.#end);
    this.#flow();
    this.#stall.wait();
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  return(): Promise<IteratorResult<Uint8Array, void>> {
    this.destroy();
    return Promise.resolve({ done: true, value: undefined });
  }

  destroy(): void {
    this.#forget?.();
    this.#stall.end();
    this.#stream.destroy();
  }

  get #isWhole(): boolean {
    const { size } = this.#options;
    return size === undefined || this.#received === size;
  }

  #flow(): void {
    if (this.#isFlowing) this.#stream.resume();
    // Listened to from when somebody reads: before, nothing is taken from the connection.
    else this.#stream.on('data', (chunk: Uint8Array) => this.#came(chunk));
    this.#isFlowing = true;
  }

  #came(chunk: Uint8Array): void {
    this.#received += chunk.byteLength;
    const reader = this.#reader;
    if (reader === undefined) {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.byteLength;
      if (this.#waitingBytes >= MOST_WAITING) this.#stream.pause();
      return;
    }
    this.#reader = undefined;
    this.#stall.arrived();
    reader.resolve({ done: false, value: chunk });
  }

  #lost(error?: Error | null): void {
    this.#ended({ error: error ?? makeS3Error(CONNECTION_LOST, this.#options) });
  }

  #ended(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#stall.end();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) this.#answerOf(end).then(reader.resolve, reader.reject);
  }

  #answerOf(end: { readonly error?: unknown }): Promise<IteratorResult<Uint8Array, void>> {
    if (!('error' in end)) return Promise.resolve({ done: true, value: undefined });
    // In the middle of a body, an abort shows as a connection that was lost.
    const { signal } = this.#options;
    return Promise.reject(signal.aborted ? signal.reason : toS3Error(end.error, this.#options));
  }
}

/** One timer for a whole body: it looks how long the wait has lasted, and is not set anew for each chunk. */
class StallWatch {
  readonly #ms: number;
  readonly #stalled: () => void;
  #since: number | undefined;
  #timer: unknown;

  constructor(ms: number, stalled: () => void) {
    this.#ms = ms;
    this.#stalled = stalled;
  }

  wait(): void {
    this.#since = runtime.now();
    if (this.#timer === undefined) this.#set(this.#ms);
  }

  arrived(): void {
    this.#since = undefined;
  }

  end(): void {
    runtime.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #set(ms: number): void {
    this.#timer = runtime.setTimer(() => {
      this.#timer = undefined;
      // Whoever reads takes his time: the next wait sets it again.
      if (this.#since === undefined) return;
      const left = this.#since + this.#ms - runtime.now();
      if (left > 0) this.#set(left);
      else this.#stalled();
    }, ms);
  }
}
