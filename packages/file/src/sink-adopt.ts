/** A file that is there, and is to be written behind: what has to be known of it first. */

import type { Encoder, Format } from '@streamweld/formats';
import { gunzip } from '@streamweld/formats';
import { type FileHandle, openPatiently } from './client.ts';
import { FileError } from './errors.ts';
import { InPlace } from './sink-in-place.ts';
import type { Progress } from './sink-part.ts';
import type { Target } from './sink-target.ts';
import type { WayOptions } from './sink-way.ts';
import { type Body, statFile, type Workshop, writeFailure } from './sink-workshop.ts';

const CHUNK_BYTES = 256 << 10;
const LINE_FEED = 10;
/** Ends a line that was left open. */
export const LINE_END: Uint8Array = Buffer.from('\n');
/** Formats of which every item ends in a line feed. */
const IN_LINES = ['lines', 'ndjson', 'csv'];

/** Formats that name no columns, so that nothing of what is there has to be understood: it may begin with a torn line. */
const WITHOUT_HEADER = ['lines', 'ndjson', 'bytes'];

export interface Adopted<T> {
  readonly body: Body;
  readonly encoder: Encoder<T>;
  readonly opening: Uint8Array | undefined;
  readonly progress: Progress;
}

/** Nothing where there is no file, or an empty one. */
export async function adopt<T>(
  { shop, format }: WayOptions<T>,
  target: Target<T>,
): Promise<Adopted<T> | undefined> {
  const { path } = target;
  const length = (await statFile(shop, path))?.size ?? 0;
  if (length === 0) return undefined;
  let handle: FileHandle;
  try {
    handle = await openPatiently(shop.fs, path, 'r');
  } catch (error) {
    throw writeFailure(shop, error, path);
  }
  try {
    const { header, last } = target.isZipped
      ? await readZipped(handle, length, format)
      : await readPlain(handle, length, format);
    return {
      body: new InPlace(path, shop, length),
      encoder: format.encoder({ header }),
      // A line that was left open is ended first: what is written must not become its continuation.
      opening: IN_LINES.includes(format.name) && last !== LINE_FEED ? LINE_END : undefined,
      progress: { items: 0, header },
    };
  } catch (cause) {
    throw notAppendable(shop, path, 'What is in it cannot be read to its end; the cause says more.', cause);
  } finally {
    await handle.close();
  }
}

/** Formats that close their documents cannot go on behind what they closed. */
export function checkAppendable<T>(shop: Workshop, format: Format<unknown, T>, path: string): void {
  if (format.encoder().end().length === 0) return;
  throw notAppendable(
    shop,
    path,
    `The format '${format.name}' closes its documents, so nothing can come behind them. Write NDJSON, or whole files.`,
  );
}

function notAppendable(shop: Workshop, path: string, why: string, cause?: unknown): FileError {
  return new FileError('SW_FILE_NOT_APPENDABLE', `Nothing can be written behind ${path}. ${why}`, {
    stage: shop.stage,
    path,
    cause,
  });
}

interface Known {
  readonly header: readonly string[] | undefined;
  /** The last byte. */
  readonly last: number | undefined;
}

async function readPlain<T>(handle: FileHandle, length: number, format: Format<unknown, T>): Promise<Known> {
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, length - 1);
  const head = new Head(format);
  for await (const chunk of chunksOf(handle, length)) if (head.push(chunk)) break;
  return { header: head.end(), last: last[0] };
}

/** A gzip file is read to its end: behind a member that was cut off nobody would find what follows. */
async function readZipped<T>(handle: FileHandle, length: number, format: Format<unknown, T>): Promise<Known> {
  const head = new Head(format);
  let last: number | undefined = LINE_FEED;
  let isKnown = false;
  for await (const chunk of gunzip(chunksOf(handle, length), { maxRatio: Number.MAX_SAFE_INTEGER })) {
    isKnown ||= head.push(chunk);
    last = chunk.at(-1) ?? last;
  }
  return { header: head.end(), last };
}

async function* chunksOf(handle: FileHandle, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - at));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** Reads the first record, for the sake of the columns that it names, where a format has any. */
class Head<T> {
  readonly #decoder: ReturnType<Format<unknown, T>['decoder']>;
  #isKnown: boolean;

  constructor(format: Format<unknown, T>) {
    this.#decoder = format.decoder();
    this.#isKnown = WITHOUT_HEADER.includes(format.name);
  }

  /** Says when it has seen enough. */
  push(chunk: Uint8Array): boolean {
    if (this.#isKnown) return true;
    this.#decoder.push(Buffer.from(chunk));
    this.#isKnown = this.#decoder.take(1).length > 0;
    return this.#isKnown;
  }

  end(): readonly string[] | undefined {
    if (!this.#isKnown) {
      this.#decoder.end();
      this.#decoder.take(1);
    }
    return this.#decoder.header;
  }
}
