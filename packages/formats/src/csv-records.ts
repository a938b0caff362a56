/**
 * Where CSV records end: at a line feed outside quotes.
 *
 *              ┌────── , ──────┐             ┌─ "" ─┐
 *              ▼               │             ▼      │
 *     \n ──► FIELD ─ other ─► PLAIN         QUOTED ─ " ─► CLOSED ── , ──► FIELD
 *              └────────── " ───────────────► │             └─ other ─► PLAIN
 *
 * A quote opens only at the beginning of a field; within a plain field it is a character (5" pipe). That is how the
 * library that parses the records reads them too, so both see the same records.
 */

import type { RecordEnds } from './cutter.ts';

const LF = 10;
const CR = 13;
const QUOTE = 34;

const FIELD = 0;
const PLAIN = 1;
const QUOTED = 2;
const CLOSED = 3;

export class CsvRecordEnds implements RecordEnds {
  readonly #delimiter: number;
  #state = FIELD;
  #sawQuote = false;

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  last(chunk: Buffer, from: number, limit: number): number {
    if (!chunk.subarray(from, limit).includes(QUOTE)) {
      const end = chunk.lastIndexOf(LF, limit - 1);
      if (end >= from) return end + 1;
    }
    let last = -1;
    this.#state = FIELD;
    for (let end = this.#walk(chunk, from, limit); end >= 0; end = this.#walk(chunk, end, limit)) last = end;
    return last;
  }

  next(chunk: Buffer, from: number): number {
    return this.#walk(chunk, from, chunk.length);
  }

  /** The records of a whole piece. One that ends without a line end ends its last record. */
  all(bytes: Buffer): RecordList {
    const ends: number[] = [];
    const quoted: boolean[] = [];
    this.#state = FIELD;
    for (let at = 0; at < bytes.length; ) {
      this.#sawQuote = false;
      const end = this.#walk(bytes, at, bytes.length);
      at = end < 0 ? bytes.length : end;
      ends.push(at);
      quoted.push(this.#sawQuote);
    }
    return { ends, quoted };
  }

  #walk(chunk: Buffer, from: number, to: number): number {
    const delimiter = this.#delimiter;
    let state = this.#state;
    for (let index = from; index < to; index++) {
      const byte = chunk[index];
      if (byte === QUOTE) {
        this.#sawQuote = true;
        // After a closing quote it was not closing: two quotes are one that is meant.
        if (state === QUOTED) state = CLOSED;
        else if (state !== PLAIN) state = QUOTED;
      } else if (state === QUOTED) {
        // Whatever it is, it is text.
      } else if (byte === LF) {
        this.#state = FIELD;
        return index + 1;
      } else if (byte === delimiter) {
        state = FIELD;
      } else {
        // After a closing quote only a line end may come; the parser says so where something else does.
        state = PLAIN;
      }
    }
    this.#state = state;
    return -1;
  }
}

export interface RecordList {
  readonly ends: number[];
  /** Whether there is a quote in it. */
  readonly quoted: readonly boolean[];
}

/** Whether a record has nothing in it but its line end. */
export function isBlankRecord(bytes: Buffer, from: number, to: number): boolean {
  const length = to - from;
  return length <= 2 && bytes[to - 1] === LF && (length === 1 || bytes[from] === CR);
}
