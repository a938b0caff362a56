/**
 * One file being written: its encoder, the bytes gathered for it, and its temporary.
 *
 *     items ──encode──► filling ──► leaving ──(gzip)──► temporary
 *                       one fills while the other is written; what could not be written stays `leaving`
 */

import { gzip } from 'node:zlib';
import type { Encoder, Format } from '@streamweld/formats';
import { GrowingBuffer } from './sink-buffer.ts';
import { Temporary, type Workshop } from './sink-temporary.ts';

export interface TargetOptions<T> {
  readonly format: Format<unknown, T>;
  readonly isZipped: boolean;
  readonly level: number;
  readonly workshop: Workshop;
  /** Whether there is to be a file even where no item goes to it. */
  readonly isAlways: boolean;
}

export class Target<T> {
  readonly path: string;
  readonly temporary: Temporary;
  /** The items of the write under way that go here. */
  group: readonly T[] | undefined;
  /** The write-out under way, for whoever waits for it. */
  writing: Promise<void> | undefined;
  readonly #options: TargetOptions<T>;
  #encoder: Encoder<T> | undefined;
  #hasItems = false;
  readonly #filling = new GrowingBuffer();
  #leaving: Uint8Array | undefined;

  constructor(path: string, options: TargetOptions<T>) {
    this.path = path;
    this.#options = options;
    this.temporary = new Temporary(path, options.workshop);
  }

  /** Bytes that wait for a write-out. */
  get fillingLength(): number {
    return this.#filling.length;
  }

  get hasBytes(): boolean {
    return this.#filling.length > 0 || this.#leaving !== undefined;
  }

  encode(items: readonly T[]): Uint8Array {
    this.#encoder ??= this.#options.format.encoder();
    return this.#encoder.encode(items);
  }

  /** Forgets what was encoded but not accepted: what opens a document (a header) must come again. */
  forget(): void {
    if (!this.#hasItems) this.#encoder = undefined;
  }

  /** Answers by how much its memory grew. */
  accept(bytes: Uint8Array): number {
    const before = this.#filling.capacity;
    this.#hasItems = true;
    this.#filling.add(bytes);
    return this.#filling.capacity - before;
  }

  /** Whether there is to be a file: not where the only items that named it were rejected. */
  get isWanted(): boolean {
    return this.#hasItems || this.#options.isAlways;
  }

  /** No more items will come. */
  end(): void {
    if (!this.isWanted) return;
    this.#encoder ??= this.#options.format.encoder();
    this.#filling.add(this.#encoder.end());
    // Nothing at all is no gzip: an empty file gets its frame.
    if (this.#options.isZipped && this.temporary.isEmpty) this.#leaving ??= this.#filling.take();
  }

  /** What was gathered leaves; it stays `leaving` until it is written, however often that takes. Answers its memory. */
  beginLeaving(): number {
    if (this.#leaving !== undefined) return 0;
    const capacity = this.#filling.capacity;
    this.#leaving = this.#filling.take();
    return capacity;
  }

  /** Answers the memory that is free again. */
  async writeLeaving(): Promise<number> {
    const leaving = this.#leaving;
    if (leaving === undefined) return 0;
    await this.temporary.append(
      this.#options.isZipped ? await compress(leaving, this.#options.level) : leaving,
    );
    this.#leaving = undefined;
    return leaving.buffer.byteLength;
  }
}

/** A gzip member of its own, made off the main thread: one after the other they are one gzip file. */
function compress(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(bytes, { level, chunkSize: 256 << 10 }, (error, zipped) => {
      if (error === null) resolve(zipped);
      else reject(error);
    });
  });
}
