/**
 * What is gathered for a part before it is written.
 *
 *     accept ──► filling ──► leaving ──(gzip)──► body
 *                one fills while the other is written; what could not be written stays `leaving`
 */

import type { Deferred } from '@streamweld/core/connector';
import type { Encoder, Format } from '@streamweld/formats';
import { GrowingBuffer } from './sink-buffer.ts';
import { compress, Part, type Progress } from './sink-part.ts';
import type { Target } from './sink-target.ts';
import type { Body } from './sink-workshop.ts';

export interface LoadOptions<T> {
  readonly format: Format<unknown, T>;
  readonly level: number;
  /** Whether there is to be a file even where no item goes to it. */
  readonly isAlways: boolean;
}

export class Load<T> extends Part<T> {
  readonly target: Target<T>;
  /** The write-out under way, for whoever waits for it. */
  writing: Promise<void> | undefined;
  /** Where it takes no more and is being finished. */
  finishing: Promise<void> | undefined;
  /** The part of the same target that was full before it, as long as that is not finished. */
  previous: Load<T> | undefined;
  /** Settled when what it has is durable, where files are rolled. */
  durable: Deferred | undefined;
  readonly #options: LoadOptions<T>;
  readonly #filling = new GrowingBuffer();
  #leaving: Uint8Array | undefined;

  constructor(
    target: Target<T>,
    body: Body,
    options: LoadOptions<T>,
    encoder?: Encoder<T>,
    progress?: Progress,
  ) {
    super(body, target.isZipped, encoder, progress);
    this.target = target;
    this.#options = options;
  }

  /** Bytes that wait for a write-out. */
  get fillingLength(): number {
    return this.#filling.length;
  }

  get hasBytes(): boolean {
    return this.#filling.length > 0 || this.#leaving !== undefined;
  }

  /** Answers by how much its memory grew. */
  accept(items: number, bytes: Uint8Array): number {
    const before = this.#filling.capacity;
    this.opening = undefined;
    this.items += items;
    this.bytes += bytes.length;
    this.#filling.add(bytes);
    return this.#filling.capacity - before;
  }

  /** Whether there is to be a file: not where the only items that named it were rejected. */
  get isWanted(): boolean {
    return this.items > 0 || this.#options.isAlways;
  }

  /** No more items will come. */
  end(): void {
    if (!this.isWanted) return;
    const encoder = this.isBlank ? this.#options.format.encoder() : this.encoder;
    if (encoder !== undefined) this.#filling.add(encoder.end());
    // Nothing at all is no gzip: an empty file gets its frame.
    if (this.isZipped && this.body.length === 0) this.#leaving ??= this.#filling.take();
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
    await this.body.append(this.isZipped ? await compress(leaving, this.#options.level) : leaving);
    this.#leaving = undefined;
    return leaving.buffer.byteLength;
  }
}
