/** The bytes of a text file, and what a format makes of them. */

import { open } from 'node:fs/promises';
import { type Format, gunzip } from '@streamweld/formats';
import { ROWS_OF_BATCH } from './table.ts';

const CHUNK_BYTES = 256 << 10;

export interface Input {
  readonly path: string;
  readonly isGzip: boolean;
  readonly signal: AbortSignal;
}

/** The items of a file, some at a time, in order. */
export async function* itemsOf<T>(
  input: Input,
  format: Format<T, never>,
): AsyncGenerator<readonly T[], void, undefined> {
  const decoder = format.decoder();
  const chunks = chunksOf(input);
  for await (const chunk of input.isGzip ? gunzip(chunks) : chunks) {
    decoder.push(chunk);
    yield* taken(decoder);
    input.signal.throwIfAborted();
  }
  decoder.end();
  yield* taken(decoder);
}

function* taken<T>(decoder: { take(max: number): readonly T[] }): Generator<readonly T[]> {
  for (let items = decoder.take(ROWS_OF_BATCH); items.length > 0; items = decoder.take(ROWS_OF_BATCH))
    yield items;
}

/** One buffer serves all of them: whoever asks for the next is done with the one before. */
async function* chunksOf({ path }: Input): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
