/** A file as chunks, one read ahead of the one that is being decoded, so that reading and decoding overlap. */

import { type Awaitable, runtime } from '@streamweld/core/connector';
import type { FileHandle, FileStat } from './client.ts';
import { errnoOf } from './errors.ts';

/** How long to wait before an empty pipe is looked at again. */
const PIPE_WAIT_MS = 10;

interface Slot {
  promise: Promise<void>;
  isSettled: boolean;
  chunk: Uint8Array | undefined;
  failure: { readonly reason: unknown } | undefined;
}

/**
 * Asks for the next chunk while the last one is in use: when `next` is called the caller is done with the chunk before.
 * The answer is synchronous where the chunk is already there.
 */
export class ReadAhead {
  readonly #produce: () => Promise<Uint8Array | undefined>;
  #slot: Slot | undefined;

  constructor(produce: () => Promise<Uint8Array | undefined>) {
    this.#produce = produce;
  }

  next(): Awaitable<Uint8Array | undefined> {
    this.#slot ??= this.#start();
    const slot = this.#slot;
    if (!slot.isSettled) return slot.promise.then(() => this.next());
    if (slot.failure !== undefined) throw slot.failure.reason;
    if (slot.chunk !== undefined) this.#slot = this.#start();
    return slot.chunk;
  }

  /** Settles when nothing is under way any more, however it ended. */
  async idle(): Promise<void> {
    await this.#slot?.promise;
  }

  #start(): Slot {
    const slot: Slot = { promise: Promise.resolve(), isSettled: false, chunk: undefined, failure: undefined };
    slot.promise = this.#produce().then(
      (chunk) => {
        slot.chunk = chunk;
        slot.isSettled = true;
      },
      (reason: unknown) => {
        slot.failure = { reason };
        slot.isSettled = true;
      },
    );
    return slot;
  }
}

/** The bytes of an open file, from a position on. */
export class RawChunks {
  readonly #handle: FileHandle;
  /** null where the file cannot be sought: then it is read on from where it stands. */
  #position: number | null;
  readonly #isPipe: boolean;
  #hasData = false;
  #isAtEnd = false;
  #isClosed = false;
  #wake: (() => void) | undefined;
  /** Used in turn: the reader of a chunk is done with it before it asks for the next but one. */
  readonly #buffers: [Uint8Array, Uint8Array];

  constructor(handle: FileHandle, stat: FileStat, from: number, chunkBytes: number) {
    this.#handle = handle;
    this.#position = stat.isFile() ? from : null;
    this.#isPipe = stat.isFIFO();
    this.#buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)];
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#isAtEnd || this.#isClosed) return undefined;
    const [buffer] = this.#buffers;
    this.#buffers.reverse();
    let length = 0;
    while (length < buffer.length && !this.#isClosed) {
      const bytesRead = await this.#read(buffer, length);
      length += bytesRead;
      this.#isAtEnd = bytesRead === 0;
      // A regular file has all it has: fill the chunk. Anything else is handed on as it comes.
      if (this.#isAtEnd || this.#position === null) break;
    }
    return length === 0 ? undefined : buffer.subarray(0, length);
  }

  /** Ends the wait for a pipe: the chunk in hand is the last one. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async #read(buffer: Uint8Array, offset: number): Promise<number> {
    while (!this.#isClosed) {
      try {
        const { bytesRead } = await this.#handle.read(buffer, offset, buffer.length - offset, this.#position);
        if (this.#position !== null) this.#position += bytesRead;
        // A pipe that nobody has written to yet looks as if it had ended.
        if (bytesRead > 0 || !this.#isPipe || this.#hasData) {
          this.#hasData = true;
          return bytesRead;
        }
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') throw error;
      }
      await this.#pause();
    }
    return 0;
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = runtime.setTimer(resolve, PIPE_WAIT_MS);
      this.#wake = () => {
        runtime.clearTimer(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
