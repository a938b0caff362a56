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

import type { RecordEnds } from './cutter.js';

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
    // What was walked through behind the last end is walked through again, in the next piece.
    if (last >= 0) this.#state = FIELD;
    return last;
  }

  next(chunk: Buffer, from: number): number {
    return this.#walk(chunk, from, chunk.length);
  }

  /** Where the records of a whole piece end, each. A piece that ends without a line end ends its last record. */
  all(bytes: Buffer): number[] {
    const ends: number[] = [];
    this.#state = FIELD;
    let last = 0;
    for (let end = this.#walk(bytes, 0, bytes.length); end >= 0; end = this.#walk(bytes, end, bytes.length)) {
      ends.push(end);
      last = end;
    }
    if (last < bytes.length) ends.push(bytes.length);
    return ends;
  }

  #walk(chunk: Buffer, from: number, to: number): number {
    const delimiter = this.#delimiter;
    let state = this.#state;
    for (let index = from; index < to; index++) {
      const byte = chunk[index];
      if (state === QUOTED) {
        if (byte === QUOTE) state = CLOSED;
      } else if (byte === LF) {
        this.#state = FIELD;
        return index + 1;
      } else if (byte === delimiter) {
        state = FIELD;
      } else if (byte === QUOTE && state !== PLAIN) {
        // After a closing quote it was not closing: two quotes are one that is meant.
        state = QUOTED;
      } else if (state === FIELD || byte !== CR) {
        // After a closing quote only a line end may come; the parser says so where something else does.
        state = PLAIN;
      }
    }
    this.#state = state;
    return -1;
  }
}

/** Whether a record has nothing in it but its line end. */
export function isBlankRecord(bytes: Buffer, from: number, to: number): boolean {
  const length = to - from;
  return length <= 2 && bytes[to - 1] === LF && (length === 1 || bytes[from] === CR);
}
