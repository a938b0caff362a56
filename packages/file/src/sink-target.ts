/** The files of a sink, by the paths that name them, and the items of a write by the file they go to. */

import { StreamWeldError } from '@streamweld/core/connector';
import { type Format, FormatError } from '@streamweld/formats';
import { FileItemError } from './errors.ts';
import { type Part, type Plan, plan, type Roll } from './sink-part.ts';
import type { PathRule } from './sink-path.ts';

/** One path that items go to: a file or, where files are rolled, one part after the other. */
export class Target<T> {
  /** In one spelling; where files are rolled, with the mark of their number. */
  readonly path: string;
  readonly isZipped: boolean;
  /** The part that is written to; none before the first item. */
  part: Part<T> | undefined;
  /** The items of the write under way that go here. */
  group: readonly T[] | undefined;
  /** The number of the last part; 0 if there is none. Not known before somebody has looked. */
  sequence: number | undefined;

  constructor(path: string, isZipped: boolean) {
    this.path = path;
    this.isZipped = isZipped;
  }
}

/** Where an item goes, as a path in which the number of a part is marked or not yet: see `resolve`. */
type Route<T> = (item: T) => string;

export interface TargetsOptions<T> {
  readonly rule: PathRule;
  readonly stage: string;
  readonly format: Format<unknown, T>;
  readonly roll: Roll | undefined;
  readonly isZipped: (path: string) => boolean;
  /** One file for all items, or a file for each. */
  readonly route: string | Route<T>;
  /** Whether a route answers paths in which the number is marked already. */
  readonly isMarked: boolean;
}

/** What a write is to do, file by file. */
export interface Planned<T> extends Plan<T> {
  readonly target: Target<T>;
}

export class Targets<T> {
  readonly #options: TargetsOptions<T>;
  /** By file, and by every spelling that a path function found for it. */
  readonly #targets = new Map<string, Target<T>>();
  readonly #spellings = new Map<string, Target<T>>();

  constructor(options: TargetsOptions<T>) {
    this.#options = options;
  }

  all(): IterableIterator<Target<T>> {
    return this.#targets.values();
  }

  clear(): void {
    this.#targets.clear();
    this.#spellings.clear();
  }

  /** The only one, where all items go to one file. */
  single(): Target<T> | undefined {
    const { route } = this.#options;
    return typeof route === 'string' ? this.#of(route) : undefined;
  }

  /** The target of a path that was resolved before. */
  at(path: string): Target<T> {
    let target = this.#targets.get(path);
    if (target === undefined) {
      target = new Target(path, this.#options.isZipped(path));
      this.#targets.set(path, target);
    }
    return target;
  }

  #of(path: string): Target<T> {
    const known = this.#spellings.get(path);
    if (known !== undefined) return known;
    const { rule, isMarked } = this.#options;
    const target = this.at(isMarked ? rule.place(path) : rule.resolve(path));
    this.#spellings.set(path, target);
    return target;
  }

  /** The files that this batch touches, in the order it names them, each with its items. */
  group(batch: readonly T[]): Target<T>[] {
    const { route } = this.#options;
    if (typeof route === 'string') {
      const target = this.#of(route);
      target.group = batch;
      return [target];
    }
    const touched: Target<T>[] = [];
    const failed: number[] = [];
    let cause: unknown;
    for (let index = 0; index < batch.length; index += 1) {
      const item = batch[index] as T;
      try {
        const target = this.#of(route(item));
        if (target.group === undefined) {
          target.group = [item];
          touched.push(target);
        } else {
          (target.group as T[]).push(item);
        }
      } catch (error) {
        if (failed.length === 0) cause = error;
        failed.push(index);
      }
    }
    if (failed.length === 0) return touched;
    ungroup(touched);
    throw this.#pathFailed(failed, cause);
  }

  /** The bytes of each group. Where one cannot be encoded, nothing has changed. */
  plan(batch: readonly T[], touched: readonly Target<T>[]): Planned<T>[] {
    const { format, roll } = this.#options;
    try {
      return touched.map((target) => ({
        target,
        ...plan(target.group as readonly T[], target.part, format, roll, target.isZipped),
      }));
    } catch (error) {
      throw this.#itemFailed(error, this.#badItems(batch, touched, error));
    } finally {
      ungroup(touched);
    }
  }

  /** All items that cannot be encoded, by their place in the batch: an encoder stops at the first. */
  #badItems(batch: readonly T[], touched: readonly Target<T>[], error: unknown): number[] | undefined {
    if (!(error instanceof FormatError) || error.index === undefined) return undefined;
    const { format, route } = this.#options;
    const encoders = new Map(
      touched.map((target) => {
        const { part } = target;
        const header = part?.isBlank === false ? part.encoder?.header : undefined;
        return [target, format.encoder({ header })];
      }),
    );
    const failed: number[] = [];
    batch.forEach((item, index) => {
      const target = typeof route === 'string' ? touched[0] : this.#of(route(item));
      try {
        encoders.get(target as Target<T>)?.encode([item]);
      } catch {
        failed.push(index);
      }
    });
    return failed.length === 0 ? undefined : failed;
  }

  #pathFailed(failed: readonly number[], cause: unknown): FileItemError {
    const ours = cause instanceof StreamWeldError;
    return new FileItemError(
      ours ? cause.code : 'SW_FILE_PATH_INVALID',
      `Item ${failed[0]} of the batch has no file to go to: ${ours ? cause.message : 'the path function threw.'}`,
      failed,
      { stage: this.#options.stage, cause },
    );
  }

  #itemFailed(error: unknown, failed: readonly number[] | undefined): FileItemError {
    const ours = error instanceof StreamWeldError;
    const what = failed === undefined ? 'A batch' : `Item ${failed[0]} of the batch`;
    return new FileItemError(
      ours ? error.code : 'SW_SINK_FAILED',
      `${what} could not be encoded${ours ? `: ${error.message}` : '; the cause says more.'}`,
      failed,
      { stage: this.#options.stage, cause: error },
    );
  }
}

export function ungroup<T>(touched: readonly Target<T>[]): void {
  for (const target of touched) target.group = undefined;
}
