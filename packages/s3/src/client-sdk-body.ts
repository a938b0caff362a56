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

interface BodyOptions extends Translation {
  /** How many bytes are to come, where the store says it. */
  readonly size: number | undefined;
  /** How long nothing may come while it is waited for. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

export class SdkBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly #stream: Readable;
  readonly #forget: () => void;

  /** From now on its errors are listened to, and the abort of its signal ends it. */
  constructor(stream: Readable, options: BodyOptions) {
    this.#stream = stream;
    stream.on('error', () => {});
    stream.once('close', () => this.#forget());
    this.#forget = onAbort(options.signal, () => this.destroy());
    this.chunks = read(stream, options);
  }

  destroy(): void {
    this.#forget();
    this.#stream.destroy();
  }
}

async function* read(stream: Readable, options: BodyOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, stallMs, signal, ...translation } = options;
  const stall = new StallWatch(stallMs, () => stream.destroy(makeS3Error(SILENT, translation)));
  let received = 0;
  const chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      stall.wait();
      const { done, value } = await chunks.next();
      stall.arrived();
      signal.throwIfAborted();
      if (done === true) break;
      received += value.byteLength;
      yield value;
    }
    if (size !== undefined && received !== size) throw makeS3Error(CONNECTION_LOST, translation);
  } catch (error) {
    // In the middle of a body, an abort shows as a connection that was lost.
    signal.throwIfAborted();
    throw toS3Error(error, translation);
  } finally {
    stall.end();
    stream.destroy();
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
