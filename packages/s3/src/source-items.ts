/**
 * The items of one object, decoded from its chunks as they are wanted. Where all of it has come, its end is known with the last
 * of them, and not behind it: the position of the last says so.
 */

import type { Decoder } from '@streamweld/formats';

/** What has come of an object, and was not decoded. */
export class WaitingChunks {
  readonly #chunks: Uint8Array[] = [];
  readonly #onTaken: () => void;
  /** Bytes of all of them. */
  bytes = 0;
  /** No more will come. */
  areAll = false;

  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.byteLength;
  }

  next(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.bytes -= chunk.byteLength;
    this.#onTaken();
    return chunk;
  }

  clear(): void {
    this.#chunks.length = 0;
  }
}

export type Place = Pick<Decoder<unknown>, 'offset' | 'record' | 'header'>;

export class ObjectItems<T> {
  readonly #decoder: Decoder<T>;
  readonly #chunks: WaitingChunks;
  #state: 'open' | 'ended' | 'done' = 'open';
  /** An item that was taken to see whether one is left, and the place before it. */
  #next: { readonly items: readonly T[]; readonly place: Place } | undefined;
  /** What the decoder threw, behind items that were handed out. */
  #thrown: { readonly error: unknown } | undefined;

  constructor(decoder: Decoder<T>, chunks: WaitingChunks) {
    this.#decoder = decoder;
    this.#chunks = chunks;
  }

  /** All of them were taken. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Behind what was taken. */
  get place(): Place {
    return this.#next?.place ?? this.#decoder;
  }

  /** Up to so many of what has come. None: nothing is there for now, or it is done. @throws FormatError */
  take(max: number): readonly T[] {
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) return this.#andMore(next.items, max);
    if (this.#thrown !== undefined) throw this.#thrown.error;
    while (this.#state !== 'done') {
      const items = this.#decoder.take(max);
      if (items.length > 0) return this.#andMore(items, max);
      if (!this.#advance()) break;
    }
    return [];
  }

  /** Puts small batches together, of what is there, and the end of the object with its last. */
  #andMore(first: readonly T[], max: number): readonly T[] {
    if (this.#chunks.isEmpty && !this.#chunks.areAll) return first;
    let items = first.length > max / 2 ? first : [...first];
    try {
      while (items.length <= max / 2) {
        const more = this.#decoder.take(max - items.length);
        items = joined(items as T[], more);
        if (more.length === 0 && !this.#advance()) break;
      }
      this.#lookAhead();
    } catch (error) {
      // All before comes first. A decoder need not throw it twice.
      this.#thrown = { error };
    }
    return items;
  }

  /** Where all has come: whether what is handed out now is the last. */
  #lookAhead(): void {
    const { offset, record, header } = this.#decoder;
    while (this.#chunks.areAll && this.#state !== 'done') {
      const items = this.#decoder.take(1);
      if (items.length > 0) {
        this.#next = { items, place: { offset, record, header } };
        return;
      }
      this.#advance();
    }
  }

  /** When nothing is left to take: the next chunk, or the end. Says whether there may be something to take now. */
  #advance(): boolean {
    const chunk = this.#chunks.next();
    if (chunk !== undefined) {
      this.#decoder.push(chunk);
      return true;
    }
    if (!this.#chunks.areAll) return false;
    if (this.#state === 'open') {
      this.#state = 'ended';
      this.#decoder.end();
      return true;
    }
    this.#state = 'done';
    return false;
  }
}

/** Spread into a push, very many would not fit on the stack. */
function joined<T>(items: T[], more: readonly T[]): readonly T[] {
  if (more.length > items.length) return items.concat(more);
  for (const item of more) items.push(item);
  return items;
}
