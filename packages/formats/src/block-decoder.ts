/**
 * Decoding goes by blocks: a piece of some 32 KiB that ends with a record is decoded at once, and handed out as it is
 * asked for. What a format does with its bytes is its `Blocks`; what all formats share is here.
 */

import { checkCount } from '@streamweld/core/connector';
import { FormatError } from './errors.ts';
import type { Decoder } from './format.ts';
import type { Start } from './options.ts';

export interface Block<T> {
  readonly items: readonly T[];
  /** The offset in the stream where the block ends. */
  readonly end: number;
  /** The offset where the first `count` items of the block end, for 0 < count < items.length. */
  endOf(count: number): number;
  /** What is wrong with the record that follows the items. */
  readonly failure?: FormatError | undefined;
}

export interface Blocks<T> {
  push(chunk: Uint8Array): void;
  end(): void;
  /**
   * The next block, `undefined` where more bytes are needed or nothing is left. It may throw instead. `record` is the
   * number of records before it, for messages.
   */
  next(record: number): Block<T> | undefined;
  readonly skipped: number;
  readonly header?: readonly string[] | undefined;
}

export class BlockDecoder<T> implements Decoder<T> {
  readonly #blocks: Blocks<T>;
  #block: Block<T> | undefined;
  /** Items of the block that were taken. */
  #taken = 0;
  /** Where `#block` begins or, without one, where the last one ended. */
  #offset: number;
  #record: number;
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;

  constructor(blocks: Blocks<T>, start: Start) {
    this.#blocks = blocks;
    this.#offset = start.offset;
    this.#record = start.record;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended) throw pushedAfterEnd();
    this.#blocks.push(chunk);
  }

  end(): void {
    this.#ended = true;
    this.#blocks.end();
  }

  take(max: number): readonly T[] {
    checkCount('max', max);
    let out: T[] | undefined;
    for (;;) {
      const block = this.#block ?? this.#next();
      if (block === undefined) break;
      const { items } = block;
      const taken = this.#taken;
      const count = Math.min(max - (out?.length ?? 0), items.length - taken);
      this.#record += count;
      if (taken + count < items.length) {
        this.#taken = taken + count;
      } else {
        this.#leave(block);
        // The whole block and nothing else: its array is handed out as it is.
        if (out === undefined && taken === 0 && (count === max || this.#failure !== undefined)) return items;
      }
      if (out === undefined) out = items.slice(taken, taken + count);
      else for (let index = taken; index < taken + count; index++) out.push(items[index] as T);
      if (out.length === max) return out;
    }
    if (out !== undefined && out.length > 0) return out;
    if (this.#failure !== undefined) throw this.#failure.reason;
    return [];
  }

  get offset(): number {
    // Only who asks pays: in the middle of a block the end of a record has to be looked for.
    return this.#block === undefined || this.#taken === 0 ? this.#offset : this.#block.endOf(this.#taken);
  }

  get record(): number {
    return this.#record;
  }

  get skipped(): number {
    return this.#blocks.skipped;
  }

  get header(): readonly string[] | undefined {
    return this.#blocks.header;
  }

  #next(): Block<T> | undefined {
    while (this.#failure === undefined) {
      let block: Block<T> | undefined;
      try {
        block = this.#blocks.next(this.#record);
      } catch (reason) {
        this.#failure = { reason };
        return undefined;
      }
      if (block === undefined) return undefined;
      if (block.items.length > 0) {
        this.#block = block;
        this.#taken = 0;
        return block;
      }
      this.#leave(block);
    }
    return undefined;
  }

  #leave(block: Block<T>): void {
    this.#block = undefined;
    this.#taken = 0;
    this.#offset = block.end;
    const { failure } = block;
    if (failure !== undefined) this.#failure = { reason: failure };
  }
}

export function pushedAfterEnd(): FormatError {
  return new FormatError(
    'SW_FORMAT_CLOSED',
    'push was called on a decoder after its end. Make a new decoder for more.',
  );
}
