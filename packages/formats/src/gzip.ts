/**
 * Gzip, in both directions. The work is done on Node's thread pool, so that decompressing the next chunk goes on while
 * the last is decoded.
 *
 * Decompressing pulls: it takes as much as is asked for and reads no further ahead than two chunks. Compressing is
 * pushed: the sink knows when it has something.
 */

import { createGunzip, createGzip, type Gunzip, type Gzip as NodeGzip } from 'node:zlib';
import { checkCount, checkOptions, OptionError } from '@streamweld/core/connector';
import { FormatError } from './errors.ts';
import type { GunzipOptions, GzipOptions } from './options.ts';

/** Measured on Node 20: 0.42 GB/s with chunks of 256 KiB, 0.24 with Node's default of 16 KiB. */
const CHUNK_BYTES = 256 << 10;
/** Below it a ratio says nothing, and harms nobody. */
const RATIO_FROM_BYTES = 16 << 20;

/** Whether something begins as gzip does. Two bytes suffice; with fewer the answer is no. */
export function isGzip(firstBytes: Uint8Array): boolean {
  return firstBytes[0] === 0x1f && firstBytes[1] === 0x8b;
}

/**
 * Decompresses gzip, also of several members one after the other; zeros behind the last are padding. Nothing at all has no
 * member, and so no bytes: a log that nobody wrote to may be an empty file, whatever its name ends with.
 *
 * It ends normally only when the data did: what is cut off, damaged or too large throws, after what could be read. So
 * do not `end()` a decoder before the iteration has ended. What the input throws is thrown as it is. Leaving the
 * iteration early closes the input too. When it asks for a chunk it is done with the one before, whose memory may be
 * written into again; the chunks it gives have memory of their own.
 */
export function gunzip(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options?: GunzipOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const given = checkOptions('gunzip', options, ['maxBytes', 'maxRatio', 'skipBytes']);
  return decompress(chunks, {
    maxBytes:
      given.maxBytes === undefined ? Number.POSITIVE_INFINITY : checkCount('maxBytes', given.maxBytes),
    maxRatio: checkCount('maxRatio', given.maxRatio ?? 500),
    skipBytes: checkCount('skipBytes', given.skipBytes ?? 0, 0),
  });
}

async function* decompress(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { maxBytes, maxRatio, skipBytes }: { maxBytes: number; maxRatio: number; skipBytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  // Node's maxOutputLength is for the functions that decompress all at once: its streams ignore it.
  const unzip = createGunzip({ chunkSize: CHUNK_BYTES, ...BUFFER_ONE_CHUNK });
  let total = 0;
  let skip = skipBytes;
  void feed(unzip, chunks);
  try {
    for await (const chunk of unzip as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > maxBytes) throw tooManyBytes(maxBytes);
      if (total > RATIO_FROM_BYTES && total > unzip.bytesWritten * maxRatio) throw tooHighRatio(maxRatio);
      if (skip >= chunk.length) {
        skip -= chunk.length;
      } else {
        yield skip > 0 ? chunk.subarray(skip) : chunk;
        skip = 0;
      }
    }
  } catch (error) {
    if (isEmpty(error, unzip)) return;
    throw gzipError(error, total);
  } finally {
    unzip.destroy();
  }
}

/**
 * Hands zlib its input. A Readable that is piped would ask for the next chunk while zlib is still at work on the last:
 * whoever reads a file could not use its buffers again, and memory that is new for each chunk makes V8 collect more
 * often. It never rejects: what the input throws is thrown by the iteration of `unzip`.
 */
async function feed(unzip: Gunzip, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  let settle = (): void => {};
  // Zlib does not answer a write that it is destroyed in, nor one with zeros behind the last member.
  unzip.on('close', () => settle());
  // Without a listener an error behind the end of the iteration would end the process.
  unzip.on('error', () => {});
  try {
    for await (const chunk of chunks) {
      await new Promise<void>((resolve) => {
        settle = resolve;
        unzip.write(chunk, () => resolve());
      });
      if (unzip.destroyed) return;
    }
    unzip.end();
  } catch (error) {
    unzip.destroy(error as Error);
  }
}

/** Understood by zlib's streams, which hand it on to Transform, and unknown to their types. */
const BUFFER_ONE_CHUNK: object = { highWaterMark: CHUNK_BYTES };

/**
 * Compresses what is written into one gzip member. Members may follow each other in a file: whoever has to make what is
 * written so far readable ends one, and begins another.
 */
export class Gzip {
  readonly #stream: NodeGzip;
  #output: Buffer[] = [];
  #failure: Error | undefined;
  /** Answers the write or end that is under way. There is one at a time. */
  #settle: (() => void) | undefined;
  #state: 'open' | 'ended' | 'closed' = 'open';

  constructor(options?: GzipOptions) {
    const given = checkOptions('gzip', options, ['level']);
    const level = checkCount('level', given.level ?? 6, 0);
    if (level > 9) throw new OptionError('level', 'from 0 to 9', level);
    this.#stream = createGzip({ level, chunkSize: CHUNK_BYTES });
    this.#stream.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#stream.on('end', () => this.#settle?.());
    this.#stream.on('error', (error: Error) => {
      this.#failure = error;
      this.#settle?.();
    });
    this.#stream.on('close', () => this.#settle?.());
  }

  /** Compresses, and answers the compressed bytes there are, often none: they come when a block is full. */
  async write(chunk: Uint8Array): Promise<Uint8Array> {
    this.#checkOpen('write');
    return this.#wait((done) => this.#stream.write(chunk, done));
  }

  /** Closes the member, and answers its last bytes. Nothing is written to it any more. */
  async end(): Promise<Uint8Array> {
    this.#checkOpen('end');
    this.#state = 'ended';
    return this.#wait(() => this.#stream.end());
  }

  /** Gives its memory back, also in the middle. After `end` it is not needed, and harmless. */
  close(): void {
    this.#state = 'closed';
    this.#stream.destroy();
  }

  #checkOpen(what: string): void {
    if (this.#state === 'open' && this.#settle === undefined) return;
    const state = this.#state === 'open' ? 'still at work: await each write' : this.#state;
    throw new FormatError('SW_FORMAT_CLOSED', `${what} was called on a Gzip that is ${state}.`);
  }

  async #wait(start: (done: () => void) => void): Promise<Uint8Array> {
    try {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
        start(resolve);
      });
    } finally {
      this.#settle = undefined;
    }
    if (this.#failure !== undefined) throw gzipError(this.#failure, 0);
    const output = this.#output;
    this.#output = [];
    return output.length === 1 ? (output[0] as Buffer) : Buffer.concat(output);
  }
}

function tooManyBytes(maxBytes: number): FormatError {
  return new FormatError(
    'SW_FORMAT_GZIP_BOMB',
    `The gzip data decompresses to more than maxBytes (${maxBytes}). Raise maxBytes if you trust it.`,
    { offset: maxBytes },
  );
}

function tooHighRatio(maxRatio: number): FormatError {
  return new FormatError(
    'SW_FORMAT_GZIP_BOMB',
    `The gzip data decompresses to more than maxRatio (${maxRatio}) times its size. Raise maxRatio if you trust it: ` +
      'DEFLATE cannot pass 1032.',
  );
}

/** Zlib misses the end of a member that was not even begun. */
function isEmpty(error: unknown, unzip: Gunzip): boolean {
  return unzip.bytesWritten === 0 && (error as { code?: unknown } | null | undefined)?.code === 'Z_BUF_ERROR';
}

/** An error of zlib as one of ours; any other, such as the input's own, as it is. */
function gzipError(error: unknown, offset: number): unknown {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (error instanceof FormatError || typeof code !== 'string' || !code.startsWith('Z_')) return error;
  if (code === 'Z_BUF_ERROR') {
    return new FormatError(
      'SW_FORMAT_GZIP_TRUNCATED',
      `The gzip data ends before its end mark, after ${offset} decompressed bytes: it was cut off, or is still being ` +
        'written. Fetch or write it again.',
      { offset, cause: error },
    );
  }
  return new FormatError(
    'SW_FORMAT_GZIP_INVALID',
    `The gzip data is damaged, or no gzip, found after ${offset} decompressed bytes (${code}). Those may be wrong too ` +
      'where a checksum failed. Fetch it again, or read it without decompressing.',
    { offset, cause: error },
  );
}
