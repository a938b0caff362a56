/** Bytes as they are: for what is no text, or is to be copied exactly. */

import { checkCount, checkOptions } from '@streamweld/core/connector';
import { pushedAfterEnd } from './block-decoder.ts';
import { FormatError } from './errors.ts';
import type { Decoder, DecoderOptions, Encoder, Format } from './format.ts';
import { asBuffer } from './cutter.ts';
import { type BytesOptions, checkStart, type Start } from './options.ts';

/** Bytes, an item a chunk as it comes or, with `chunkBytes`, pieces of one size. */
export function bytes(options?: BytesOptions): Format<Uint8Array> {
  const given = checkOptions('bytes', options, ['chunkBytes']);
  const size = given.chunkBytes === undefined ? undefined : checkCount('chunkBytes', given.chunkBytes);
  return {
    name: 'bytes',
    contentType: 'application/octet-stream',
    decoder: (at?: DecoderOptions): Decoder<Uint8Array> =>
      new BytesDecoder(size, checkStart(at), at?.ownsChunks === true),
    encoder: () => new BytesEncoder(),
  };
}

class BytesDecoder implements Decoder<Uint8Array> {
  readonly #size: number | undefined;
  readonly #ownsChunks: boolean;
  /** Chunks that were pushed and not taken, and how much of the first was. */
  #chunks: Uint8Array[] = [];
  #at = 0;
  #available = 0;
  #ended = false;
  #offset: number;
  #record: number;

  constructor(size: number | undefined, start: Start, ownsChunks: boolean) {
    this.#size = size;
    this.#ownsChunks = ownsChunks;
    this.#offset = start.offset;
    this.#record = start.record;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended) throw pushedAfterEnd();
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
  }

  end(): void {
    this.#ended = true;
  }

  take(max: number): readonly Uint8Array[] {
    checkCount('max', max);
    const out: Uint8Array[] = [];
    while (out.length < max && this.#available > 0) {
      const first = this.#chunks[0] as Uint8Array;
      const size = this.#size ?? first.length;
      if (size > this.#available && !this.#ended) break;
      const length = Math.min(size, this.#available);
      const item = (this.#ownsChunks ? this.#handOver(length) : undefined) ?? this.#copy(length);
      this.#offset += item.length;
      this.#record++;
      out.push(item);
    }
    if (out.length === 0) this.#keep();
    return out;
  }

  get offset(): number {
    return this.#offset;
  }

  get record(): number {
    return this.#record;
  }

  /** The first chunk as it is, where it is the next `length` bytes and nobody else's. */
  #handOver(length: number): Uint8Array | undefined {
    const [first] = this.#chunks;
    if (this.#at > 0 || first?.length !== length) return undefined;
    this.#chunks.shift();
    this.#available -= length;
    return new Uint8Array(first.buffer, first.byteOffset, length);
  }

  /** The next `length` bytes, copied: the chunks are their owner's again, the item is the taker's for good. */
  #copy(length: number): Uint8Array {
    // Not filled with zeros first: each byte is written below.
    const item = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let filled = 0;
    let done = 0;
    while (filled < length) {
      const chunk = this.#chunks[done] as Uint8Array;
      const part = chunk.subarray(this.#at, this.#at + length - filled);
      item.set(part, filled);
      filled += part.length;
      this.#at += part.length;
      if (this.#at === chunk.length) {
        this.#at = 0;
        done++;
      }
    }
    if (done > 0) this.#chunks = this.#chunks.slice(done);
    this.#available -= length;
    return item;
  }

  /** Copies what is left over, too little for a piece, so that the chunk may be written into again. */
  #keep(): void {
    const length = this.#available;
    if (length === 0) return;
    const at = this.#at;
    this.#chunks = [Buffer.concat(this.#chunks).subarray(at)];
    this.#at = 0;
  }
}

class BytesEncoder implements Encoder<Uint8Array> {
  encode(items: readonly Uint8Array[]): Uint8Array {
    for (let index = 0; index < items.length; index++) {
      const item: unknown = items[index];
      if (item instanceof Uint8Array) continue;
      throw new FormatError(
        'SW_FORMAT_INVALID_ITEM',
        `The item at index ${index} is not a Uint8Array. Encode it first, or write lines, ndjson or csv.`,
        { index },
      );
    }
    return items.length === 1 ? asBuffer(items[0] as Uint8Array) : Buffer.concat(items);
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }
}
