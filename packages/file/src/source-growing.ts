/**
 * One file that is followed. Between two looks it is no more than a place: where it lies, what was read, and the bytes
 * it begins with. A handle and a decoder it has while it is read, and as long afterwards as nobody needs the room; they
 * can be made anew from the place at any time, as after a restart of the process.
 */

import type { Decoder, Format } from '@streamweld/formats';
import { isGzip } from '@streamweld/formats';
import type { FileHandle, FileStat } from './client.ts';
import {
  beginsWith,
  type FileHead,
  type FileIdentity,
  type FilePosition,
  fileKey,
  hashHead,
  readHead,
} from './source-position.ts';

/** As many bytes as a fingerprint can be of. */
const ANY_SIZE = Number.MAX_SAFE_INTEGER;

/** `bytes`: there is something to take. `end`: nothing now. `other`: it is not the file any more that it was. */
export type Filled = 'bytes' | 'end' | 'other' | 'gzip';

export class GrowingFile<T> {
  readonly lane: string;
  readonly key: string;
  /** Where it lies as far as we know. */
  path: string;
  incarnation: number;
  /** As it was when it was last looked at. */
  size = -1;
  mtimeMs: number | undefined;
  /** When that look found it changed; whether that is long enough ago; whether it has to be read. */
  changedAt = 0;
  isSettled = false;
  isDue = false;
  /** Since when it has had anything in it. */
  contentSince: number | undefined;
  /** The number of the last look that found it, and since when none has. */
  seen = 0;
  missingSince: number | undefined;
  /** How often in turn it could not be opened where it was seen. */
  misses = 0;
  /** When bytes were last read that had not been read before. */
  grewAt = 0;
  /** Nothing of it is read any more: it is compressed, or was deleted and read to its end. */
  isOver = false;
  isQueued = false;
  /** What is decoded is to be handed out, and then: its successor, or the same file from its beginning. */
  ending: 'leave' | 'restart' | undefined;
  readonly #dev: number;
  readonly #ino: number;
  readonly #format: Format<T, never>;
  #place: Pick<FilePosition, 'offset' | 'record' | 'header'> = { offset: 0, record: 0 };
  /** The bytes it begins with; after a restart of the process only their fingerprint is known at first. */
  #head: Uint8Array = new Uint8Array(0);
  #expected: FileHead | undefined;
  #identity: FileIdentity | undefined;
  #handle: FileHandle | undefined;
  #decoder: Decoder<T> | undefined;
  /** Where to read on; how far it was ever read. */
  #at = 0;
  #furthest = 0;

  constructor(
    lane: string,
    path: string,
    stat: Pick<FileStat, 'dev' | 'ino'>,
    format: Format<T, never>,
    incarnation: number,
    from: FilePosition | undefined,
  ) {
    this.lane = lane;
    this.path = path;
    this.key = fileKey(stat);
    this.incarnation = incarnation;
    this.#dev = stat.dev;
    this.#ino = stat.ino;
    this.#format = format;
    if (from === undefined) return;
    this.#place = { offset: from.offset, record: from.record, header: from.header };
    this.#expected = from.file.head;
    this.#at = from.offset;
    this.#furthest = from.offset;
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** Up to where items were handed out. */
  get offset(): number {
    return this.#place.offset;
  }

  /** Whether there are bytes that no item holds yet, as far as we know. */
  get hasMore(): boolean {
    return this.hasTail || this.size > this.#place.offset;
  }

  /** Whether bytes were read that are no record yet. */
  get hasTail(): boolean {
    return this.#furthest > (this.#decoder?.offset ?? this.#place.offset);
  }

  /** Whether a record waits for the next to begin, or for `flush`. */
  get canFlush(): boolean {
    return this.#decoder?.flush !== undefined && this.hasTail;
  }

  get identity(): FileIdentity {
    this.#identity ??= {
      size: Math.max(this.size, this.#furthest),
      dev: this.#dev,
      ino: this.#ino,
      head: this.#expected ?? hashHead(this.#head),
    };
    return this.#identity;
  }

  position(earlier: readonly FileIdentity[]): FilePosition {
    const { offset, record, header } = this.#place;
    return {
      offset,
      record,
      ...(header === undefined ? undefined : { header }),
      incarnation: this.incarnation,
      file: this.identity,
      ...(earlier.length > 0 ? { earlier } : undefined),
    };
  }

  /** Takes a handle; says whether what it leads to is this file. */
  async open(handle: FileHandle): Promise<boolean> {
    let isMine = false;
    try {
      isMine = fileKey(await handle.stat()) === this.key;
    } finally {
      if (isMine) this.#handle = handle;
      else await handle.close();
    }
    if (isMine) this.#decode();
    return isMine;
  }

  /**
   * Reads on. The file is recognised after the read and not before it: what was read is of the same file if the file
   * is still the same, whatever is done to it meanwhile.
   */
  async fill(buffer: Uint8Array, now: number): Promise<Filled> {
    const handle = this.#handle as FileHandle;
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.#at);
    if (!(await this.isSame(handle))) return 'other';
    if (bytesRead === 0) return (await handle.stat()).size < this.#at ? 'other' : 'end';
    if (this.#at === 0 && isGzip(this.#head)) return 'gzip';
    (this.#decoder as Decoder<T>).push(buffer.subarray(0, bytesRead));
    this.#at += bytesRead;
    if (this.#at > this.#furthest) {
      this.#furthest = this.#at;
      this.grewAt = now;
    }
    return 'bytes';
  }

  /** Whether what a handle leads to begins as this file does, and is no shorter than what was read. */
  async isSame(handle: FileHandle): Promise<boolean> {
    const head = await readHead(handle, ANY_SIZE);
    const isSame =
      this.#expected === undefined
        ? head.length >= this.#head.length && startsWith(head, this.#head)
        : beginsWith(head, this.#expected);
    if (isSame && (this.#expected !== undefined || head.length > this.#head.length)) {
      this.#head = head;
      this.#expected = undefined;
      this.#identity = undefined;
    }
    return isSame;
  }

  take(max: number): readonly T[] {
    const decoder = this.#decoder;
    if (decoder === undefined) return [];
    const items = decoder.take(max);
    if (items.length > 0) this.#remember(decoder);
    return items;
  }

  /** What is there is all there is: an unfinished last record counts, or fails. */
  end(): void {
    this.#decoder?.end();
  }

  /** A record that may have gone on is taken as it is. */
  flush(): void {
    this.#decoder?.flush?.();
  }

  /** The same file from its beginning, with other content: the next incarnation. */
  restart(): void {
    this.incarnation += 1;
    this.#place = { offset: 0, record: 0 };
    this.#head = new Uint8Array(0);
    this.#expected = undefined;
    this.#identity = undefined;
    this.#furthest = 0;
    // Seen of what was there before: as a size of this one it would keep it from being recognised once it is renamed.
    this.size = 0;
    this.#decode();
  }

  /** Gives handle and decoder back; what was read and not taken is read again. */
  async release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#decoder = undefined;
    this.#at = this.#place.offset;
    await handle?.close();
  }

  #decode(): void {
    this.#decoder = this.#format.decoder(this.#place);
    this.#at = this.#place.offset;
  }

  #remember({ offset, record, header }: Decoder<T>): void {
    this.#place = { offset, record, header };
  }
}

function startsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  return head.every((byte, index) => bytes[index] === byte);
}
