/** One file while it is read: its handle, its bytes, decompressed where that is needed, and its decoder. */

import type { Awaitable } from '@streamweld/core/connector';
import { type Decoder, type Format, gunzip, isGzip } from '@streamweld/formats';
import { type FileHandle, type FileStat, openPatiently, READ_FLAGS } from './client.ts';
import { FileError } from './errors.ts';
import { type CheckedSourceOptions, isGzipName } from './options.ts';
import { RawChunks, ReadAhead } from './source-chunks.ts';
import { checkKind } from './source-files.ts';

/** Where to resume in a file. Plain data, so that any store can keep it. */
export interface FilePosition {
  /** Bytes of the decompressed file up to the end of the last item. */
  readonly offset: number;
  /** Items up to there. */
  readonly record: number;
  /** The columns of a CSV, so that its header need not be read again. */
  readonly header?: readonly string[] | undefined;
  /** There is nothing behind it: the file was read to its end. */
  readonly done?: true | undefined;
  /** What the file was when it was opened, to recognise it by. */
  readonly file: FileIdentity;
}

export interface FileIdentity {
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
}

export class OpenFile<T> {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly #handle: FileHandle;
  readonly #raw: RawChunks;
  readonly #chunks: ReadAhead;
  readonly #inflated: AsyncGenerator<Uint8Array> | undefined;
  readonly #decoder: Decoder<T>;
  #isEnded = false;
  #isDone = false;

  private constructor(
    path: string,
    handle: FileHandle,
    stat: FileStat,
    format: Format<T, never>,
    isZipped: boolean,
    options: CheckedSourceOptions,
    from: FilePosition | undefined,
  ) {
    const offset = from?.offset ?? 0;
    this.path = path;
    this.identity = { size: stat.size, dev: stat.dev, ino: stat.ino };
    this.#handle = handle;
    this.#decoder = format.decoder({ offset, record: from?.record, header: from?.header });
    // A small file needs no large buffers.
    const chunkBytes = stat.isFile() ? Math.min(options.chunkBytes, stat.size + 4096) : options.chunkBytes;
    const raw = new RawChunks(handle, stat, isZipped ? 0 : offset, chunkBytes, !isZipped);
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
    path: string,
    format: Format<T, never>,
    options: CheckedSourceOptions,
    from: FilePosition | undefined,
  ): Promise<OpenFile<T>> {
    const { client, name } = options;
    const handle = await openPatiently(client, path, READ_FLAGS);
    try {
      const stat = await handle.stat();
      checkKind(stat, path, name, options.allowSpecial);
      const isZipped = await detectGzip(path, handle, stat, options);
      if (!isZipped && stat.isFile() && from !== undefined && from.offset > stat.size) {
        throw new FileError(
          'SW_FILE_SHORTENED',
          `Could not resume ${path} at byte ${from.offset}: it has ${stat.size}. It was cut or replaced since; ` +
            'forget its position to read it from its beginning.',
          { stage: name, path },
        );
      }
      return new OpenFile(path, handle, stat, format, isZipped, options, from);
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
      file: this.identity,
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

async function detectGzip(
  path: string,
  handle: FileHandle,
  stat: FileStat,
  { compression }: CheckedSourceOptions,
): Promise<boolean> {
  if (compression !== 'auto') return compression === 'gzip';
  if (isGzipName(path)) return true;
  // What cannot be sought cannot be looked at in advance.
  if (!stat.isFile()) return false;
  const head = new Uint8Array(3);
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  return isGzip(head.subarray(0, bytesRead));
}
