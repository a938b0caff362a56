/** Images: PNG or JPEG to WebP or AVIF. */

import sharp from 'sharp';
import { type FileKind } from './file-kind.ts';
import { Refusal } from './table.ts';

// The threads of this app are as many as were asked for: sharp shall not have a pool of its own in each.
sharp.concurrency(1);

/** Of an image: it is in memory as a whole, four bytes each. */
const MOST_PIXELS = 100_000_000;

/**
 * With the quality that sharp gives it unless told otherwise, upright, as its orientation says; other metadata is left out.
 * @throws Refusal
 */
export async function encodeImage(path: string, to: FileKind['format']): Promise<Uint8Array> {
  try {
    const image = sharp(path, { failOn: 'error', limitInputPixels: MOST_PIXELS }).rotate();
    return await (to === 'avif' ? image.avif() : image.webp()).toBuffer();
  } catch (error) {
    throw new Refusal(`It is no image that can be decoded: ${(error as Error).message}`, { cause: error });
  }
}
