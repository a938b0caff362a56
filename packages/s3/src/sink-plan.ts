/**
 * The items of a write, encoded and cut into the pieces that go to one object each. Nothing is changed by it, but for the
 * encoders of objects that have items already, which what is encoded does not change: a write whose items cannot all be
 * written has done nothing.
 */

import { isStreamWeldError, WriteError } from '@streamweld/core/connector';
import type { Encoder, Format } from '@streamweld/formats';

/** An object that items can be added to. */
export interface Fillable<T> {
  readonly encoder: Encoder<T>;
  readonly items: number;
  /** As they are stored. */
  readonly bytes: number;
  /** What it will have is not known before it is compressed. */
  readonly isZipped: boolean;
}

/** When an object takes no more. */
export interface Limits {
  readonly maxBytes: number;
  readonly maxItems: number;
}

/** Items of one write that go to one object. */
export interface Piece<T> {
  readonly by: string;
  /** It begins a new object. */
  readonly isNew: boolean;
  readonly encoder: Encoder<T>;
  items: number;
  readonly chunks: Uint8Array[];
}

/** Items that cannot be written, whatever the store does. Its code says why. */
export class S3ItemError extends WriteError {
  override readonly name: string = 'S3ItemError';
  override readonly code: string;

  constructor(
    code: string,
    message: string,
    stage: string,
    failed: readonly number[] | undefined,
    cause: unknown,
  ) {
    super(message, { stage, failed, retryable: false, cause });
    this.code = code;
  }
}

export interface PlanOptions<T> {
  readonly stage: string;
  readonly format: Format<unknown, T>;
  readonly by: ((item: T) => string) | undefined;
  readonly limits: Limits;
  /** Of a new object. It throws where there can be none. */
  readonly willBeZipped: (by: string) => boolean;
}

/** Items of one batch that go to the same objects. */
interface Group<T> {
  readonly items: T[] | readonly T[];
  readonly open: Fillable<T> | undefined;
  readonly isZipped: boolean;
}

/** A first guess, so that few large items do not become one large object. */
const FIRST_SLICE = 16;
const LARGEST_SLICE = 4096;
/** What is encoded at once is copied once more: beyond that, one at a time is as good. */
const LARGEST_BYTES = 256 << 10;

export class Planner<T> {
  readonly #options: PlanOptions<T>;
  /** Of an item, as they were so far. */
  #bytesEach: number | undefined;

  constructor(options: PlanOptions<T>) {
    this.#options = options;
  }

  /** @throws S3ItemError */
  plan(batch: readonly T[], openOf: (by: string) => Fillable<T> | undefined): Piece<T>[] {
    const groups = this.#group(batch, openOf);
    try {
      return [...groups].flatMap(([by, group]) => this.#cut(by, group));
    } catch (error) {
      throw this.#refused(error, this.#findBad(batch, openOf));
    }
  }

  #group(
    batch: readonly T[],
    openOf: (by: string) => Fillable<T> | undefined,
  ): ReadonlyMap<string, Group<T>> {
    const { by, willBeZipped } = this.#options;
    const begin = (name: string, items: readonly T[]): Group<T> => {
      const open = openOf(name);
      return { items, open, isZipped: open?.isZipped ?? willBeZipped(name) };
    };
    if (by === undefined) return new Map([['', begin('', batch)]]);
    const groups = new Map<string, Group<T>>();
    const failed: number[] = [];
    let cause: unknown;
    for (const [index, item] of batch.entries()) {
      try {
        const name = checkName(by(item));
        const group = groups.get(name);
        if (group === undefined) groups.set(name, begin(name, [item]));
        else (group.items as T[]).push(item);
      } catch (error) {
        if (failed.length === 0) cause = error;
        failed.push(index);
      }
    }
    if (failed.length > 0) {
      throw new S3ItemError(
        'SW_S3_KEY_INVALID',
        `Item ${failed[0]} of the batch has no object to go to: by threw, or did not answer a string of which a key can be made.`,
        this.#options.stage,
        failed,
        cause,
      );
    }
    return groups;
  }

  #cut(by: string, { items, open, isZipped }: Group<T>): Piece<T>[] {
    const { format, limits } = this.#options;
    const pieces: Piece<T>[] = [];
    // An encoder of an object that has nothing yet is not kept: a write that is given up would have opened the document.
    let piece: Piece<T> | undefined =
      open === undefined || isFull(open, limits)
        ? undefined
        : { by, isNew: false, encoder: open.encoder, items: 0, chunks: [] };
    let room = piece === undefined ? 0 : (open?.items ?? 0);
    let bytes = piece === undefined ? 0 : (open?.bytes ?? 0);
    if (piece !== undefined) pieces.push(piece);
    for (let at = 0; at < items.length; ) {
      if (
        piece === undefined ||
        (room > 0 && (room >= limits.maxItems || (!isZipped && bytes >= limits.maxBytes)))
      ) {
        piece = { by, isNew: true, encoder: format.encoder(), items: 0, chunks: [] };
        pieces.push(piece);
        room = 0;
        bytes = 0;
      }
      const count = Math.min(
        items.length - at,
        limits.maxItems - room,
        this.#slice(limits.maxBytes - bytes, isZipped),
      );
      const chunk = piece.encoder.encode(
        at === 0 && count === items.length ? items : items.slice(at, at + count),
      );
      this.#bytesEach = chunk.byteLength / count;
      piece.chunks.push(chunk);
      piece.items += count;
      at += count;
      room += count;
      bytes += chunk.byteLength;
    }
    return pieces;
  }

  /** How many items are encoded at once: about as many as there is room for. */
  #slice(bytesLeft: number, isZipped: boolean): number {
    if (this.#bytesEach === undefined) return FIRST_SLICE;
    const bytes = isZipped ? LARGEST_BYTES : Math.min(LARGEST_BYTES, bytesLeft);
    return Math.max(1, Math.min(LARGEST_SLICE, Math.floor(bytes / this.#bytesEach)));
  }

  /** All items that cannot be encoded: an encoder stops at the first. */
  #findBad(batch: readonly T[], openOf: (by: string) => Fillable<T> | undefined): number[] | undefined {
    const { format, by } = this.#options;
    const encoders = new Map<string, Encoder<T>>();
    const failed: number[] = [];
    for (const [index, item] of batch.entries()) {
      const name = by === undefined ? '' : by(item);
      let encoder = encoders.get(name);
      if (encoder === undefined) {
        const header = openOf(name)?.encoder.header;
        encoder = format.encoder(header === undefined ? {} : { header });
        encoders.set(name, encoder);
      }
      try {
        encoder.encode([item]);
      } catch {
        failed.push(index);
      }
    }
    return failed.length === 0 ? undefined : failed;
  }

  #refused(error: unknown, failed: readonly number[] | undefined): S3ItemError {
    const ours = isStreamWeldError(error);
    const what = failed === undefined ? 'A batch' : `Item ${failed[0]} of the batch`;
    return new S3ItemError(
      ours ? error.code : 'SW_SINK_FAILED',
      `${what} could not be encoded${ours ? `: ${error.message}` : '; the cause says more.'}`,
      this.#options.stage,
      failed,
      error,
    );
  }
}

export function isFull({ items, bytes }: { items: number; bytes: number }, limits: Limits): boolean {
  return items > 0 && (items >= limits.maxItems || bytes >= limits.maxBytes);
}

function checkName(name: unknown): string {
  if (typeof name === 'string') return name;
  throw new TypeError('by answered no string');
}
