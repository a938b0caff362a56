/** Where a sink keeps what is its own: the lock and the ledger, beside what it writes, under names no glob matches. */

import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { fileNameOf } from './checkpoint-names.ts';
import { errnoOf, FileError } from './errors.ts';
import { highestSequence, numbered, shownPath } from './sink-path.ts';
import type { Target } from './sink-target.ts';
import { statFile, type Workshop, writeFailure } from './sink-workshop.ts';

/** The longest file name that most file systems take, in bytes, less what a lock adds. */
const LONGEST_NAME = 255 - 64;

export interface Place {
  /** The folder to which the paths of the ledger are relative. */
  readonly folder: string;
  readonly lock: string;
  readonly ledger: string;
}

/** Beside the file where there is one; else in the root, under the name of the sink. */
export function placeOf(path: string | undefined, root: string, name: string): Place {
  const folder = path === undefined ? root : dirname(path);
  const label = path === undefined ? fileNameOf(name) : basename(shownPath(path));
  const short =
    Buffer.byteLength(label) <= LONGEST_NAME ? label : createHash('sha256').update(label).digest('hex');
  return { folder, lock: join(folder, `.${short}.lock`), ledger: join(folder, `.${short}.ledger`) };
}

/** The number of the last part there is. */
export async function lastSequence<T>(shop: Workshop, target: Target<T>): Promise<number> {
  if (target.sequence !== undefined) return target.sequence;
  let names: string[] = [];
  try {
    names = (await shop.fs.readdir(dirname(target.path), { withFileTypes: true })).map(({ name }) => name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw writeFailure(shop, error, target.path);
  }
  target.sequence ??= highestSequence(target.path, names);
  return target.sequence;
}

/** The name of the next part: the first behind the last that nothing has. */
export async function nextName<T>(shop: Workshop, target: Target<T>): Promise<string> {
  await lastSequence(shop, target);
  for (;;) {
    const path = numbered(target.path, (target.sequence ?? 0) + 1);
    if ((await statFile(shop, path)) === undefined) return path;
    target.sequence = (target.sequence ?? 0) + 1;
  }
}

export function occupied(shop: Workshop, path: string): FileError {
  return new FileError(
    'SW_FILE_OCCUPIED',
    `${path} holds something that this sink's ledger does not know of. Move it away, remove it, or set append: true ` +
      'to write behind it.',
    { stage: shop.stage, path },
  );
}
