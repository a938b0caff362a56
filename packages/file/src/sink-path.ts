/** Which paths a sink may write to: such as name a file, and stay where they belong. */

import { basename, isAbsolute, join, normalize, relative, resolve, sep } from 'node:path';
import { describe, OptionError } from '@streamweld/core/connector';
import { FileError } from './errors.ts';

/** What a user writes for the number of a part, and what stands for it in here: no path can hold that. */
const SEQUENCE = '{sequence}';
export const MARK = '\0';
/** A part's number is padded to this many digits, so that names are in the order of their numbers. */
const DIGITS = 6;

export class PathRule {
  readonly #root: string | undefined;
  readonly #stage: string;
  readonly #isRolled: boolean;

  constructor(root: string | undefined, stage: string, isRolled: boolean) {
    this.#root = root;
    this.#stage = stage;
    this.#isRolled = isRolled;
  }

  /** The file that a path means, in one spelling. Whether links lead elsewhere is not looked at. */
  resolve(path: unknown): string {
    if (typeof path !== 'string' || path === '') {
      throw this.#invalid(`A path must be a string that is not empty, got ${describe(path)}.`);
    }
    if (path.includes(MARK))
      throw this.#invalid('A path holds a NUL character, which no file name can have.');
    return this.place(path.replaceAll(SEQUENCE, MARK));
  }

  /** The same for a path in which the number of a part is marked. */
  place(path: string): string {
    const root = this.#root;
    const shown = describe(path.replaceAll(MARK, SEQUENCE));
    const clean = normalize(root === undefined || isAbsolute(path) ? path : join(root, path));
    if (clean.endsWith(sep) || clean === '.' || clean === '..') {
      throw this.#invalid(`The path ${shown} names a folder. Give a file in it a name.`);
    }
    this.#checkSequence(clean, shown);
    if (root === undefined) return clean;
    const inside = relative(resolve(root), resolve(clean));
    if (inside === '')
      throw this.#invalid(`The path ${shown} names the folder itself. Give a file in it a name.`);
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw new FileError(
        'SW_FILE_PATH_ESCAPES',
        `The path ${shown} leads out of ${resolve(root)}. Set root to the folder it may be in, and keep ` +
          "'..' and absolute paths out of what the items say.",
        { stage: this.#stage },
      );
    }
    return clean;
  }

  /** A path that was given as a string, in which the number of a part is marked. */
  check(path: string): void {
    const wrong = this.#sequenceFault(path);
    if (wrong !== undefined) throw new OptionError('path', wrong, path.replaceAll(MARK, SEQUENCE));
  }

  /** A folder of such a path. */
  folder(path: string): string {
    return this.#root === undefined || isAbsolute(path) ? path : join(this.#root, path);
  }

  #checkSequence(clean: string, shown: string): void {
    const wrong = this.#sequenceFault(clean);
    if (wrong !== undefined) throw this.#invalid(`The path ${shown} must be ${wrong}.`);
  }

  #sequenceFault(path: string): string | undefined {
    const count = path.split(MARK).length - 1;
    if (!this.#isRolled) {
      return count === 0
        ? undefined
        : `one without ${SEQUENCE}, unless the option roll says when a part is full`;
    }
    if (count === 1 && basename(path).includes(MARK)) return undefined;
    return `one with ${SEQUENCE}, once and in the name of the file, for the option roll makes parts of it`;
  }

  #invalid(message: string): FileError {
    return new FileError('SW_FILE_PATH_INVALID', message, { stage: this.#stage });
  }
}

/** The path of a part. */
export function numbered(path: string, sequence: number): string {
  return path.replace(MARK, String(sequence).padStart(DIGITS, '0'));
}

/** As a user wrote it. */
export function shownPath(path: string): string {
  return path.replaceAll(MARK, SEQUENCE);
}

/** The highest number among the names of a folder that are parts of this path; 0 if there is none. */
export function highestSequence(path: string, names: readonly string[]): number {
  const [before, after] = basename(path).split(MARK) as [string, string];
  let highest = 0;
  for (const name of names) {
    if (name.length <= before.length + after.length) continue;
    if (!name.startsWith(before) || !name.endsWith(after)) continue;
    const digits = name.slice(before.length, name.length - after.length);
    if (/^\d{1,15}$/.test(digits)) highest = Math.max(highest, Number(digits));
  }
  return highest;
}
