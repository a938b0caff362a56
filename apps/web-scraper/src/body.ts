/** The body of an answer, no more of it than is wanted. */

import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';

/** A body that is not taken. Its message is for the user. */
export class Refusal extends Error {}

const DECODERS = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
} as const;

/** What a request says that it can read. */
export const ENCODINGS = 'gzip, deflate, br';

/**
 * @param chunks are left where they are too many
 * @param encoding of the header `content-encoding`
 * @returns bytes in a buffer of their own, so that no others cross to a thread with them
 * @throws Refusal where they are more than `maxBytes`, before or after they are decompressed
 */
export async function readBody(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    read.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of read) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (encoding === undefined || encoding === 'identity') return bytes;
  return decode(bytes, encoding.trim().toLowerCase(), maxBytes);
}

async function decode(bytes: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  if (!Object.hasOwn(DECODERS, encoding))
    throw new Refusal(`it is compressed as '${encoding.slice(0, 40)}', which was not asked for`);
  try {
    const decoded = await DECODERS[encoding as keyof typeof DECODERS](bytes, { maxOutputLength: maxBytes });
    return new Uint8Array(decoded);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new Refusal(`it cannot be decompressed as ${encoding}`);
  }
}

export function tooLarge(maxBytes: number): Refusal {
  return new Refusal(`it is larger than ${maxBytes} bytes`);
}
