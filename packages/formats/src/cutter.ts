/**
 * Cuts the chunks of a stream into pieces that end with a record: a line, or what CSV takes for one.
 *
 *     chunk      ...one\ntwo\nthr | ee\nfour\nfi...
 *     pieces     [one\ntwo\n]  [three\n]  [four\n]
 *                               └ joined: the tail of one chunk and the head of the next
 *
 * Pieces are at most 32 KiB, unless one record is longer. That is not for memory: on Node 20 a string of 32 KiB is made
 * in the young generation and split at 2.4 GB/s, one of 256 KiB in the space for large objects and split at 1.0 GB/s.
 * It also bounds what an item keeps alive: V8 makes a slice of 13 characters or more a view of the string it was cut
 * from, so a line that is kept holds its piece, 32 KiB at most (64 beyond Latin-1), and not the chunk. (A string
 * of its own for each line would hold nothing else, at 0.9 GB/s.)
 */

import { FormatError } from './errors.ts';
import type { CheckedTextOptions, Start } from './options.ts';

const PIECE_BYTES = 32 << 10;
const SKIPPED_HEAD_BYTES = 1024;
const LF = 10;
const CR = 13;
const BOM: Buffer = Buffer.from([0xef, 0xbb, 0xbf]);
const EMPTY: Buffer = Buffer.alloc(0);

/** Where records end. It may remember, from one call to the next, what it is in the middle of. */
export interface RecordEnds {
  /** Behind the last record that ends in `from..limit`, where a record begins at `from`; −1: none does. */
  last(chunk: Buffer, from: number, limit: number): number;
  /** Behind the record it is in the middle of, from `from` on; −1: it does not end in this chunk. */
  next(chunk: Buffer, from: number): number;
}

export const LINE_ENDS: RecordEnds = {
  last(chunk, from, limit) {
    const end = chunk.lastIndexOf(LF, limit - 1);
    return end < from ? -1 : end + 1;
  },
  next(chunk, from) {
    const end = chunk.indexOf(LF, from);
    return end < 0 ? -1 : end + 1;
  },
};

export interface Piece {
  /** Valid until the next piece is asked for, or bytes are pushed. */
  readonly bytes: Buffer;
  /** Where the piece begins in the stream. */
  readonly offset: number;
  /** Whether it ends with a record end: the last record of a stream may lack it. */
  readonly terminated: boolean;
}

export class Cutter {
  readonly #ends: RecordEnds;
  readonly #maxLineBytes: number;
  readonly #skipLong: boolean;
  readonly #window: number;
  /** Chunks that were pushed and not reached yet: mostly none, for one is pushed when the last one is done. */
  readonly #waiting: Buffer[] = [];
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a record whose end has not come yet. */
  readonly #tail: Tail = new Tail();
  /** Where in the stream the next piece begins. */
  #offset: number;
  /** Bytes of the byte order mark seen at the beginning of the stream, −1 when it is decided. */
  #mark: number;
  #skipping = false;
  #ended = false;
  skipped = 0;
  /** Called with how each record begins that is left out: for who has to know what it was part of. */
  onSkipped: ((head: Buffer) => void) | undefined;

  constructor(ends: RecordEnds, options: CheckedTextOptions, start: Start) {
    this.#ends = ends;
    this.#maxLineBytes = options.maxLineBytes;
    this.#skipLong = options.onLongLine === 'skip';
    // No record within a window that is not longer than the longest one allowed can be too long.
    this.#window = Math.min(PIECE_BYTES, options.maxLineBytes + 1);
    this.#offset = start.offset;
    this.#mark = start.offset === 0 ? 0 : -1;
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
      if (this.#at === this.#chunk.length && !this.#turn())
        return this.#ended ? this.#last(record) : undefined;
      const end = this.#cut();
      if (this.#skipping) {
        this.#skip(end);
      } else if (this.#tail.length > 0 || end < 0) {
        const to = end < 0 ? this.#chunk.length : end;
        this.#tail.add(this.#chunk, this.#at, to);
        this.#at = to;
        // A last carriage return may still turn out to belong to the line end.
        if (end >= 0 || this.#tail.length > this.#maxLineBytes + 1) {
          const bytes = this.#tail.bytes();
          if (!this.#tooLong(bytes, record, end >= 0)) {
            this.#tail.clear();
            return this.#piece(bytes, true);
          }
          this.#drop(end >= 0);
        }
      } else {
        const bytes = this.#chunk.subarray(this.#at, end);
        this.#at = end;
        // Only a record that does not fit into the window can be too long.
        if (bytes.length <= this.#window || !this.#tooLong(bytes, record, true))
          return this.#piece(bytes, true);
        this.#offset += bytes.length;
        this.skipped++;
        this.#tellHead(bytes);
      }
    }
  }

  #tellHead(bytes: Buffer): void {
    this.onSkipped?.(Buffer.from(bytes.subarray(0, SKIPPED_HEAD_BYTES)));
  }

  /** Turns to the next chunk that has something to read, if there is one. */
  #turn(): boolean {
    for (;;) {
      const chunk = this.#waiting.shift();
      // The chunk that is done is its owner's again.
      this.#chunk = chunk ?? EMPTY;
      this.#at = 0;
      if (chunk === undefined) return false;
      if (this.#mark >= 0) this.#stripMark();
      if (this.#at < chunk.length) return true;
    }
  }

  /** The byte order mark at the beginning is left out, also where it comes in pieces. */
  #stripMark(): void {
    while (this.#mark < 3 && this.#at < this.#chunk.length) {
      if (this.#chunk[this.#at] !== BOM[this.#mark]) {
        this.#restoreMark();
        return;
      }
      this.#at++;
      this.#mark++;
    }
    if (this.#mark === 3) {
      this.#offset = 3;
      this.#mark = -1;
    }
  }

  /** What began like a byte order mark was none: its bytes are the beginning of the first record. */
  #restoreMark(): void {
    if (this.#mark > 0) {
      this.#tail.add(BOM, 0, this.#mark);
      this.#ends.next(BOM.subarray(0, this.#mark), 0);
    }
    this.#mark = -1;
  }

  /** Where the next piece of the chunk ends, −1 where no record ends in it any more. */
  #cut(): number {
    const chunk = this.#chunk;
    if (this.#tail.length > 0 || this.#skipping) return this.#ends.next(chunk, this.#at);
    const limit = Math.min(this.#at + this.#window, chunk.length);
    const end = this.#ends.last(chunk, this.#at, limit);
    return end >= 0 || limit === chunk.length ? end : this.#ends.next(chunk, limit);
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

  /** Forgets a record that is too long, whose end has come or is still to come. */
  #drop(ended: boolean): void {
    this.#offset += this.#tail.length;
    this.#tellHead(this.#tail.bytes());
    this.#tail.clear();
    if (ended) this.skipped++;
    else this.#skipping = true;
  }

  #last(record: number): Piece | undefined {
    if (this.#mark > 0) this.#restoreMark();
    if (this.#skipping) {
      this.#skipping = false;
      this.skipped++;
      return undefined;
    }
    if (this.#tail.length === 0) return undefined;
    const bytes = this.#tail.bytes();
    if (this.#tooLong(bytes, record, false)) {
      this.#drop(true);
      return undefined;
    }
    this.#tail.clear();
    return this.#piece(bytes, false);
  }

  #piece(bytes: Buffer, terminated: boolean): Piece {
    const offset = this.#offset;
    this.#offset += bytes.length;
    return { bytes, offset, terminated };
  }

  /**
   * Whether one record is too long and to be left out; throws where it is to fail. Where it has no end yet, a line end
   * behind it is in its quotes.
   */
  #tooLong(line: Buffer, record: number, ended: boolean): boolean {
    let length = line.length;
    if (ended && line[length - 1] === LF) length--;
    if (length < line.length && line[length - 1] === CR) length--;
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

/** A buffer that grows: the pieces of a record may be many and small. */
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
