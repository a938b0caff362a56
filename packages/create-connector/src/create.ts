/** Begins a connector in an empty folder. */

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CreateError } from './errors.ts';
import { type Names, namesOf } from './names.ts';
import { readStandAlone } from './template.ts';

export interface CreateOptions {
  /** `redis-streams`. */
  readonly name: string;
  /** Made where it is not there. Default: the name of the package, without its scope, in the current folder. */
  readonly folder?: string | undefined;
  /** Default: `streamweld-NAME`. */
  readonly packageName?: string | undefined;
}

export interface Created {
  readonly names: Names;
  /** Absolute. */
  readonly folder: string;
  /** Paths in the folder, with `/` between folders. */
  readonly files: readonly string[];
}

/** What may be there before: who begins with a repository has these. */
const HARMLESS: ReadonlySet<string> = new Set(['.git', '.DS_Store', 'LICENSE', 'LICENSE.md']);

/**
 * Nothing is overwritten: a folder that has anything in it is refused before the first file is written.
 * @throws CreateError SW_CREATE_NAME_INVALID, SW_CREATE_FOLDER_OCCUPIED, SW_CREATE_FOLDER_DENIED
 */
export async function createConnector({ name, folder: given, packageName }: CreateOptions): Promise<Created> {
  const names = namesOf(name, packageName);
  const folder = path.resolve(given ?? names.packageName.replace(/^@[^/]*\//, ''));
  const files = await readStandAlone(names);
  try {
    await mkdir(folder, { recursive: true });
    const there = (await readdir(folder)).filter((entry) => !HARMLESS.has(entry));
    if (there.length > 0) throw occupied(folder, `it holds ${there.length} files or folders`);
    for (const [file, text] of files) {
      const target = path.join(folder, file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, text, { flag: 'wx' });
    }
  } catch (error) {
    throw toCreateError(error, folder);
  }
  return { names, folder, files: [...files.keys()] };
}

function occupied(folder: string, why: string): CreateError {
  return new CreateError(
    'SW_CREATE_FOLDER_OCCUPIED',
    `${folder} must be an empty folder, or one that is not there yet; ${why}. Name another one, or empty it: nothing was written.`,
  );
}

function toCreateError(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST' || code === 'ENOTDIR') return occupied(folder, 'a file is in its place');
  if (error instanceof CreateError || code === undefined) return error;
  return new CreateError(
    'SW_CREATE_FOLDER_DENIED',
    `${folder} could not be made, read or written to (${code}). Name a folder that is yours.`,
    { cause: error },
  );
}
