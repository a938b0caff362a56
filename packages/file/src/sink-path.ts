/** Which paths a sink may write to: such as name a file, and stay where they belong. */

import { isAbsolute, join, normalize, relative, resolve, sep } from 'node:path';
import { describe } from '@streamweld/core/connector';
import { FileError } from './errors.ts';

export class PathRule {
  readonly #root: string | undefined;
  readonly #stage: string;

  constructor(root: string | undefined, stage: string) {
    this.#root = root;
    this.#stage = stage;
  }

  /** The file that a path means, in one spelling. Whether links lead elsewhere is not looked at. */
  resolve(path: unknown): string {
    if (typeof path !== 'string' || path === '') {
      throw this.#invalid(`A path must be a string that is not empty, got ${describe(path)}.`);
    }
    if (path.includes('\0'))
      throw this.#invalid('A path holds a NUL character, which no file name can have.');
    const root = this.#root;
    const clean = normalize(root === undefined || isAbsolute(path) ? path : join(root, path));
    if (clean.endsWith(sep) || clean === '.' || clean === '..') {
      throw this.#invalid(`The path ${describe(path)} names a folder. Give a file in it a name.`);
    }
    if (root === undefined) return clean;
    const inside = relative(resolve(root), resolve(clean));
    if (inside === '')
      throw this.#invalid(`The path ${describe(path)} names the folder itself. Give a file in it a name.`);
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw new FileError(
        'SW_FILE_PATH_ESCAPES',
        `The path ${describe(path)} leads out of ${resolve(root)}. Set root to the folder it may be in, and keep ` +
          "'..' and absolute paths out of what the items say.",
        { stage: this.#stage },
      );
    }
    return clean;
  }

  #invalid(message: string): FileError {
    return new FileError('SW_FILE_PATH_INVALID', message, { stage: this.#stage });
  }
}
