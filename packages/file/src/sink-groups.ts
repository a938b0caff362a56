/** The items of a write by the file they go to: one pass over the batch, then one encoding for each file. */

import { StreamWeldError } from '@streamweld/core/connector';
import { FormatError } from '@streamweld/formats';
import { FileItemError } from './errors.ts';
import type { FilePath } from './sink.ts';
import type { Target } from './sink-target.ts';

export class Grouping<T> {
  readonly #path: FilePath<T>;
  readonly #targetOf: (path: string) => Target<T>;
  readonly #stage: string;

  constructor(path: FilePath<T>, targetOf: (path: string) => Target<T>, stage: string) {
    this.#path = path;
    this.#targetOf = targetOf;
    this.#stage = stage;
  }

  /** The files that this batch touches, in the order it names them, each with its items. */
  group(batch: readonly T[]): Target<T>[] {
    const path = this.#path;
    if (typeof path === 'string') {
      const target = this.#targetOf(path);
      target.group = batch;
      return [target];
    }
    const touched: Target<T>[] = [];
    const failed: number[] = [];
    let cause: unknown;
    for (let index = 0; index < batch.length; index += 1) {
      const item = batch[index] as T;
      try {
        const target = this.#targetOf(path(item));
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
    this.ungroup(touched);
    throw this.#pathFailed(failed, cause);
  }

  /** The bytes of each group. Where one cannot be encoded, none is taken. */
  encode(batch: readonly T[], touched: readonly Target<T>[]): Uint8Array[] {
    const encoded: Uint8Array[] = [];
    try {
      for (const target of touched) encoded.push(target.encode(target.group as readonly T[]));
      return encoded;
    } catch (error) {
      const culprit = touched[encoded.length] as Target<T>;
      for (const target of touched) target.forget();
      throw this.#itemFailed(error, this.#indexIn(batch, culprit, error));
    } finally {
      this.ungroup(touched);
    }
  }

  ungroup(touched: readonly Target<T>[]): void {
    for (const target of touched) target.group = undefined;
  }

  /** An encoder knows the place in its group; the run wants the place in the batch. */
  #indexIn(batch: readonly T[], culprit: Target<T>, error: unknown): number | undefined {
    const path = this.#path;
    const place = error instanceof FormatError ? error.index : undefined;
    if (place === undefined || typeof path === 'string') return place;
    let seen = -1;
    const index = batch.findIndex((item) => {
      if (this.#targetOf(path(item)) === culprit) seen += 1;
      return seen === place;
    });
    return index < 0 ? undefined : index;
  }

  #pathFailed(failed: readonly number[], cause: unknown): FileItemError {
    const ours = cause instanceof StreamWeldError;
    return new FileItemError(
      ours ? cause.code : 'SW_FILE_PATH_INVALID',
      `Item ${failed[0]} of the batch has no file to go to: ${ours ? cause.message : 'the path function threw.'}`,
      failed,
      { stage: this.#stage, cause },
    );
  }

  #itemFailed(error: unknown, index: number | undefined): FileItemError {
    const ours = error instanceof StreamWeldError;
    const what = index === undefined ? 'A batch' : `Item ${index} of the batch`;
    return new FileItemError(
      ours ? error.code : 'SW_SINK_FAILED',
      `${what} could not be encoded${ours ? `: ${error.message}` : '; the cause says more.'}`,
      index === undefined ? undefined : [index],
      { stage: this.#stage, cause: error },
    );
  }
}
