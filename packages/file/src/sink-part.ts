/**
 * One file being written: its encoder, what was counted for it, and where its bytes lie.
 *
 *     items ──plan──► pieces ──(gzip)──► body
 *
 * Where files are rolled, a batch is cut into pieces: each goes to one part, and a part takes no more once it is full.
 */

import { gzip } from 'node:zlib';
import type { Encoder, Format } from '@streamweld/formats';
import type { Body } from './sink-workshop.ts';

/** When a part is full. A limit that is not set is infinite. */
export interface Roll {
  readonly maxBytes: number;
  readonly maxItems: number;
  readonly everyMs: number;
}

/** What a part holds, as far as rolling and encoding go on from it. */
export interface Progress {
  readonly items: number;
  /** The columns of a CSV that names them. */
  readonly header: readonly string[] | undefined;
}

export class Part<T> {
  readonly body: Body;
  /** The bytes that come before the first that are written: the end of a line that was left open. */
  opening: Uint8Array | undefined;
  encoder: Encoder<T> | undefined;
  items: number;
  /** Bytes that were accepted for it, not compressed. */
  bytes = 0;
  /** Its time is over. */
  isDue = false;
  timer: unknown;
  readonly isZipped: boolean;
  readonly #isFresh: boolean;

  constructor(body: Body, isZipped: boolean, encoder: Encoder<T> | undefined, progress?: Progress) {
    this.body = body;
    this.isZipped = isZipped;
    this.encoder = encoder;
    this.items = progress?.items ?? 0;
    this.bytes = body.length;
    this.#isFresh = progress === undefined;
  }

  /** Whether nothing was taken in: what opens a document (a header) must come yet. */
  get isBlank(): boolean {
    return this.#isFresh && this.items === 0;
  }

  isFull(roll: Roll): boolean {
    if (this.items === 0) return false;
    return (
      this.isDue ||
      this.items >= roll.maxItems ||
      (this.isZipped ? this.body.length : this.bytes) >= roll.maxBytes
    );
  }
}

/** Items of one batch that go to one part, one after the other. */
interface Piece {
  /** It begins a new part. */
  readonly isNew: boolean;
  readonly items: number;
  readonly bytes: Uint8Array;
}

export interface Plan<T> {
  readonly pieces: readonly Piece[];
  /** Of the last piece. */
  readonly encoder: Encoder<T>;
}

/**
 * Encodes items, and cuts them into pieces where parts are full. Nothing is changed by it, but for the encoder of a part
 * that has items already, which what is encoded does not change. What cannot be encoded throws.
 */
export function plan<T>(
  items: readonly T[],
  part: Part<T> | undefined,
  format: Format<unknown, T>,
  roll: Roll | undefined,
  isZipped: boolean,
): Plan<T> {
  const isNew = part === undefined || (roll !== undefined && part.isFull(roll));
  const encoder = encoderOf(isNew ? undefined : part, format);
  if (roll === undefined) {
    const bytes = encoder.encode(items);
    const opening = part?.opening;
    return {
      pieces: [
        {
          isNew,
          items: items.length,
          bytes: opening === undefined ? bytes : Buffer.concat([opening, bytes]),
        },
      ],
      encoder,
    };
  }
  return new Cut(items, format, roll, isZipped).run(
    isNew
      ? { isNew, isBlank: true, encoder, items: 0, bytes: 0 }
      : { isNew, isBlank: part.isBlank, encoder, items: part.items, bytes: part.bytes },
    isNew ? undefined : part.opening,
  );
}

/** The encoder of a part that has nothing yet is not kept: a batch that is given up would have opened the document. */
function encoderOf<T>(part: Part<T> | undefined, format: Format<unknown, T>): Encoder<T> {
  return part?.encoder === undefined || part.isBlank ? format.encoder() : part.encoder;
}

interface Room<T> {
  isNew: boolean;
  isBlank: boolean;
  encoder: Encoder<T>;
  items: number;
  bytes: number;
}

class Cut<T> {
  readonly #items: readonly T[];
  readonly #format: Format<unknown, T>;
  readonly #roll: Roll;
  /** How many bytes a part has is known beforehand; of gzip only when it is written. */
  readonly #maxBytes: number;
  readonly #pieces: { isNew: boolean; items: number; chunks: Uint8Array[] }[] = [];

  constructor(items: readonly T[], format: Format<unknown, T>, roll: Roll, isZipped: boolean) {
    this.#items = items;
    this.#format = format;
    this.#roll = roll;
    this.#maxBytes = isZipped ? Number.POSITIVE_INFINITY : roll.maxBytes;
  }

  run(room: Room<T>, opening: Uint8Array | undefined): Plan<T> {
    if (opening !== undefined) this.#add(room, 0, opening);
    let at = 0;
    let most = this.#items.length;
    while (at < this.#items.length) {
      const count = Math.min(this.#items.length - at, this.#roll.maxItems - room.items, most);
      const bytes = count === 0 ? undefined : this.#encode(room, at, count);
      if (bytes !== undefined) {
        this.#add(room, count, bytes);
        at += count;
        // The room that is left is found by halving.
        most = Math.max(1, Math.ceil(most / 2));
        if (room.bytes < this.#maxBytes && room.items < this.#roll.maxItems) continue;
      } else if (count > 1) {
        most = Math.floor(count / 2);
        continue;
      }
      if (at === this.#items.length) break;
      room = { isNew: true, isBlank: true, encoder: this.#format.encoder(), items: 0, bytes: 0 };
      most = this.#items.length;
    }
    const pieces = this.#pieces.map(({ isNew, items, chunks }) => ({
      isNew,
      items,
      bytes: chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks),
    }));
    return { pieces, encoder: room.encoder };
  }

  /** Nothing where it would not fit; a single item fits into a part that has none. */
  #encode(room: Room<T>, from: number, count: number): Uint8Array | undefined {
    // Tried on an encoder of its own where the document is not opened yet.
    const encoder = room.isBlank ? this.#format.encoder() : room.encoder;
    const bytes = encoder.encode(
      from === 0 && count === this.#items.length ? this.#items : this.#items.slice(from, from + count),
    );
    const fits = room.bytes + bytes.length <= this.#maxBytes || (count === 1 && room.items === 0);
    if (!fits) return undefined;
    room.encoder = encoder;
    room.isBlank = false;
    return bytes;
  }

  #add(room: Room<T>, items: number, bytes: Uint8Array): void {
    let piece = this.#pieces.at(-1);
    if (piece === undefined || (room.isNew && room.items === 0 && items > 0)) {
      piece = { isNew: room.isNew, items: 0, chunks: [] };
      this.#pieces.push(piece);
    }
    piece.items += items;
    piece.chunks.push(bytes);
    room.items += items;
    room.bytes += bytes.length;
  }
}

/** A gzip member of its own, made off the main thread: one after the other they are one gzip file. */
export function compress(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(bytes, { level, chunkSize: 256 << 10 }, (error, zipped) => {
      if (error === null) resolve(zipped);
      else reject(error);
    });
  });
}
