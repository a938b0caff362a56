/**
 * Cuts the chunks of a stream into pieces that end with a line.
 *
 *     chunk      ...one\ntwo\nthr | ee\nfour\nfi...
 *     pieces     [one\ntwo\n]  [three\n]  [four\n]
 *                               └ joined: the tail of one chunk and the head of the next
 *
 * Pieces are at most 32 KiB, unless one line is longer. That is not for memory: on Node 20 a string of 32 KiB is made
 * in the young generation and split at 2.4 GB/s, one of 256 KiB in the space for large objects and split at 1.0 GB/s.
 * It also bounds what a line keeps alive: V8 makes a slice of 13 characters or more a view of the string it was cut
 * from, so a line that is kept holds its piece, 32 KiB at most, and not the chunk. (A string of its own for each line
 * would hold nothing else, at 0.9 GB/s.)
 */

import { FormatError } from './errors.js';
import type { CheckedTextOptions, Start } from './options.js';

const PIECE_BYTES = 32 << 10;
const LF = 10;
const CR = 13;
const EMPTY: Buffer = Buffer.alloc(0);

export interface Piece {
  /** Valid until the next piece is asked for, or bytes are pushed. */
  readonly bytes: Buffer;
  /** Where the piece begins in the stream. */
  readonly offset: number;
  /** Whether it ends with a line end: the last line of a stream may lack it. */
  readonly terminated: boolean;
}

export class LineCutter {
  readonly #maxLineBytes: number;
  readonly #skipLong: boolean;
  readonly #window: number;
  /** Chunks that were pushed and not reached yet: mostly none, for one is pushed when the last one is done. */
  readonly #waiting: Buffer[] = [];
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a line whose end has not come yet. */
  readonly #tail: Tail = new Tail();
  /** Where in the stream the next piece begins. */
  #offset: number;
  #skipping = false;
  #ended = false;
  skipped = 0;

  constructor(options: CheckedTextOptions, start: Start) {
    this.#maxLineBytes = options.maxLineBytes;
    this.#skipLong = options.onLongLine === 'skip';
    // No line within a window that is not longer than the longest line allowed can be too long.
    this.#window = Math.min(PIECE_BYTES, options.maxLineBytes + 1);
    this.#offset = start.offset;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#waiting.push(asBuffer(chunk));
  }

  end(): void {
    this.#ended = true;
  }

  /** The next piece; `undefined` where more bytes are needed or nothing is left. `record` is for the message. */
  next(record: number): Piece | undefined {
    for (;;) {
      if (this.#at === this.#chunk.length) {
        const chunk = this.#waiting.shift();
        if (chunk === undefined) {
          // The chunk is its owner's again.
          this.#chunk = EMPTY;
          this.#at = 0;
          return this.#ended ? this.#last(record) : undefined;
        }
        this.#chunk = chunk;
        this.#at = 0;
      }
      const end = this.#cut();
      if (this.#skipping) {
        this.#skip(end);
      } else if (this.#tail.length > 0 || end < 0) {
        this.#tail.add(this.#chunk, this.#at, end < 0 ? this.#chunk.length : end);
        this.#at = end < 0 ? this.#chunk.length : end;
        if (end >= 0 || this.#tail.length > this.#tailLimit()) {
          const bytes = this.#tail.bytes();
          if (!this.#tooLong(bytes, record)) {
            this.#tail.clear();
            return this.#piece(bytes, true);
          }
          this.#drop(end >= 0);
        }
      } else {
        const bytes = this.#chunk.subarray(this.#at, end);
        this.#at = end;
        // Only a line that fills its window alone can be too long.
        if (bytes.length <= this.#window || !this.#tooLong(bytes, record)) return this.#piece(bytes, true);
        this.#offset += bytes.length;
        this.skipped++;
      }
    }
  }

  /** Where the next piece of the chunk ends, −1 where it has no line end any more. */
  #cut(): number {
    const chunk = this.#chunk;
    const at = this.#at;
    if (this.#tail.length > 0 || this.#skipping) {
      const end = chunk.indexOf(LF, at);
      return end < 0 ? -1 : end + 1;
    }
    const limit = Math.min(at + this.#window, chunk.length);
    let end = chunk.lastIndexOf(LF, limit - 1);
    if (end < at) end = limit === chunk.length ? -1 : chunk.indexOf(LF, limit);
    return end < 0 ? -1 : end + 1;
  }

  /** Beyond it a line without an end is too long, whatever follows: a carriage return, or after a BOM. */
  #tailLimit(): number {
    return this.#maxLineBytes + 1 + (this.#offset === 0 ? 3 : 0);
  }

  #skip(end: number): void {
    const to = end < 0 ? this.#chunk.length : end;
    this.#offset += to - this.#at;
    this.#at = to;
    if (end >= 0) {
      this.#skipping = false;
      this.skipped++;
    }
  }

  /** Forgets a line that is too long, whose end has come or is still to come. */
  #drop(ended: boolean): void {
    this.#offset += this.#tail.length;
    this.#tail.clear();
    if (ended) this.skipped++;
    else this.#skipping = true;
  }

  #last(record: number): Piece | undefined {
    if (this.#skipping) {
      this.#skipping = false;
      this.skipped++;
      return undefined;
    }
    if (this.#tail.length === 0) return undefined;
    const bytes = this.#tail.bytes();
    if (this.#tooLong(bytes, record)) {
      this.#drop(true);
      return undefined;
    }
    this.#tail.clear();
    return this.#piece(bytes, false);
  }

  #piece(bytes: Buffer, terminated: boolean): Piece {
    const offset = this.#offset;
    this.#offset += bytes.length;
    const from = offset === 0 ? bomLength(bytes) : 0;
    return { bytes: from === 0 ? bytes : bytes.subarray(from), offset: offset + from, terminated };
  }

  /** Whether one line is too long and to be left out; throws where it is to fail. */
  #tooLong(line: Buffer, record: number): boolean {
    let length = line.length;
    if (line[length - 1] === LF) length--;
    if (length < line.length && line[length - 1] === CR) length--;
    if (this.#offset === 0) length -= bomLength(line);
    if (length <= this.#maxLineBytes) return false;
    if (this.#skipLong) return true;
    throw new FormatError(
      'SW_FORMAT_LINE_TOO_LONG',
      `Record ${record + 1}, at byte ${this.#offset}, is longer than maxLineBytes (${this.#maxLineBytes}). ` +
        "Raise maxLineBytes, or leave such records out with onLongLine: 'skip'.",
      { record: record + 1, offset: this.#offset },
    );
  }
}

/** A buffer that grows: the pieces of a line may be many and small. */
class Tail {
  #buffer: Buffer = EMPTY;
  length = 0;

  add(chunk: Buffer, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2, 1024));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.length, from, to);
    this.length = length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.#buffer.length > 2 * PIECE_BYTES) this.#buffer = EMPTY;
  }
}

export function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** 3 where bytes begin with the UTF-8 byte order mark, else 0. */
export function bomLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}
