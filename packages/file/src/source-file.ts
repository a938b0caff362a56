/** One file while it is read: its handle, its bytes, decompressed where that is needed, and its decoder. */

import type { Awaitable } from '@streamweld/core/connector';
import { type Decoder, type Format, gunzip, isGzip } from '@streamweld/formats';
import { type FileHandle, type FileStat, openPatiently, READ_FLAGS } from './client.ts';
import { type CheckedSourceOptions, isGzipName } from './options.ts';
import { RawChunks, ReadAhead } from './source-chunks.ts';
import { checkKind } from './source-files.ts';
import type { Leg } from './source-plan.ts';
import { type FileIdentity, type FilePosition, identify, readHead } from './source-position.ts';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export class OpenFile<T> {
  readonly path: string;
  readonly lane: string;
  readonly identity: FileIdentity;
  readonly #leg: Leg;
  readonly #handle: FileHandle;
  readonly #raw: RawChunks;
  readonly #chunks: ReadAhead;
  readonly #inflated: AsyncGenerator<Uint8Array> | undefined;
  readonly #decoder: Decoder<T>;
  #isEnded = false;
  #isDone = false;

  private constructor(
    leg: Leg,
    handle: FileHandle,
    stat: FileStat,
    head: Uint8Array,
    format: Format<T, never>,
    isZipped: boolean,
    options: CheckedSourceOptions,
    offset: number,
  ) {
    const { from } = leg;
    this.path = leg.path;
    this.lane = leg.lane;
    this.identity = identify(stat, head);
    this.#leg = leg;
    this.#handle = handle;
    this.#decoder = format.decoder({
      offset,
      record: from?.record,
      header: from?.header,
      // What is decompressed comes in memory of its own, what is read in buffers that are used again.
      ownsChunks: isZipped,
    });
    // A small file needs no large buffers.
    const chunkBytes = stat.isFile() ? Math.min(options.chunkBytes, stat.size + 4096) : options.chunkBytes;
    const raw = new RawChunks(handle, stat, isZipped ? 0 : offset, chunkBytes);
    this.#raw = raw;
    const compressed = new ReadAhead(() => raw.next());
    if (!isZipped) {
      this.#chunks = compressed;
      return;
    }
    const inflated = gunzip(iterate(compressed), { ...options.gunzip, skipBytes: offset });
    this.#inflated = inflated;
    this.#chunks = new ReadAhead(async () => {
      const { done, value } = await inflated.next();
      return done === true ? undefined : value;
    });
  }

  static async open<T>(
    leg: Leg,
    format: Format<T, never>,
    options: CheckedSourceOptions,
  ): Promise<OpenFile<T>> {
    const { path } = leg;
    const handle = await openPatiently(options.client, path, READ_FLAGS);
    try {
      const stat = await handle.stat();
      checkKind(stat, path, options.name, options.allowSpecial);
      // What cannot be sought cannot be looked at in advance.
      const head = await readHead(handle, stat.isFile() ? stat.size : 0);
      const isGz = isZipped(path, head, options);
      const from = leg.from?.offset ?? 0;
      const offset = isGz || format.name !== 'lines' ? from : from + (await lateLineEnd(handle, from));
      return new OpenFile(leg, handle, stat, head, format, isGz, options, offset);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Items that are decoded already, or can be from bytes at hand; empty where more bytes are needed. */
  take(max: number): readonly T[] {
    return this.#decoder.take(max);
  }

  /** Reads on; says whether there is anything more to take. */
  advance(): Awaitable<boolean> {
    if (this.#isEnded) {
      this.#isDone = true;
      return false;
    }
    const chunk = this.#chunks.next();
    return isChunk(chunk) ? this.#accept(chunk) : chunk.then((later) => this.#accept(later));
  }

  /** Where to resume after what was taken. */
  position(): FilePosition {
    const { offset, record, header } = this.#decoder;
    return {
      offset,
      record,
      ...(header === undefined ? undefined : { header }),
      ...(this.#isDone ? { done: true } : undefined),
      incarnation: this.#leg.incarnation,
      file: this.identity,
      ...(this.#leg.earlier.length > 0 ? { earlier: this.#leg.earlier } : undefined),
    };
  }

  /** Ends a wait for a pipe that has nothing to say. */
  interrupt(): void {
    this.#raw.close();
  }

  async close(): Promise<void> {
    this.#raw.close();
    try {
      await this.#chunks.idle();
      await this.#inflated?.return(undefined);
    } finally {
      await this.#handle.close();
    }
  }

  #accept(chunk: Uint8Array | undefined): boolean {
    if (chunk === undefined) {
      this.#isEnded = true;
      this.#decoder.end();
    } else {
      this.#decoder.push(chunk);
    }
    return true;
  }
}

/**
 * How long the line end is that was added to a line that an earlier run had read without one: it belongs to that line,
 * and is no line of its own.
 */
async function lateLineEnd(handle: FileHandle, offset: number): Promise<number> {
  if (offset === 0) return 0;
  const around = Buffer.alloc(3);
  const { bytesRead } = await handle.read(around, 0, 3, offset - 1);
  if (around[0] === LINE_FEED) return 0;
  if (bytesRead > 1 && around[1] === LINE_FEED) return 1;
  return bytesRead > 2 && around[1] === CARRIAGE_RETURN && around[2] === LINE_FEED ? 2 : 0;
}

function isChunk(answer: Awaitable<Uint8Array | undefined>): answer is Uint8Array | undefined {
  return answer === undefined || answer instanceof Uint8Array;
}

async function* iterate(chunks: ReadAhead): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await chunks.next();
    if (chunk === undefined) return;
    yield chunk;
  }
}

function isZipped(path: string, head: Uint8Array, { compression }: CheckedSourceOptions): boolean {
  if (compression !== 'auto') return compression === 'gzip';
  return isGzipName(path) || isGzip(head);
}
