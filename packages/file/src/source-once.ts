/** Going through files once: all there are when it is opened, one after the other. */

import {
  type Awaitable,
  ignoreRejection,
  isThenable,
  onAbort,
  type Positioned,
  type SourceContext,
  type StreamWeldError,
} from '@streamweld/core/connector';
import type { Format } from '@streamweld/formats';
import { toReadError } from './errors.ts';
import type { CheckedSourceOptions } from './options.ts';
import { OpenFile } from './source-file.ts';
import { findFiles } from './source-files.ts';
import { type Leg, planLegs } from './source-plan.ts';
import type { FileIdentity, FilePosition } from './source-position.ts';
import type { FileReader } from './source-reader.ts';

export class ReadOnce<T> implements FileReader<T> {
  readonly #paths: readonly string[];
  readonly #format: Format<T, never>;
  readonly #options: CheckedSourceOptions;
  #legs: readonly Leg[] = [];
  /** How many of the legs are behind us, or being read. */
  #begun = 0;
  #file: OpenFile<T> | undefined;
  #leg: Leg | undefined;
  #passed: { readonly lane: string; readonly earlier: readonly FileIdentity[] } | undefined;
  #isStopped = false;
  #wake: (() => void) | undefined;
  #unlisten: (() => void) | undefined;
  /** The pull that is under way: what it opens must be closed. */
  #pulling: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;

  constructor(paths: readonly string[], format: Format<T, never>, options: CheckedSourceOptions) {
    this.#paths = paths;
    this.#format = format;
    this.#options = options;
  }

  async open(context: SourceContext<FilePosition>): Promise<void> {
    const { client, allowSpecial, name, onNotice } = this.#options;
    this.#begun = 0;
    this.#passed = undefined;
    this.#isStopped = false;
    this.#unlisten = onAbort(context.signal, () => this.stop());
    const find = () => findFiles(client, this.#paths, name, allowSpecial);
    this.#legs = (await planLegs(client, find, context.positions, name, onNotice)).legs;
  }

  pull(demand: number): Awaitable<Positioned<T, FilePosition> | undefined> {
    for (;;) {
      const file = this.#file;
      if (this.#isStopped || file === undefined) break;
      try {
        const items = file.take(demand);
        if (items.length > 0) return { items, position: file.position(), lane: file.lane };
        const more = file.advance();
        if (isThenable(more)) return this.#later(demand, more);
        if (!more) return this.#finish(file);
      } catch (error) {
        throw this.#failed(error, file.path);
      }
    }
    if (this.#isStopped || this.#begun === this.#legs.length) return undefined;
    return this.#later(demand, this.#openNext());
  }

  stop(): void {
    this.#isStopped = true;
    this.#file?.interrupt();
    this.#wake?.();
  }

  async close(): Promise<void> {
    this.stop();
    this.#unlisten?.();
    // An open that is under way gives us a handle to close.
    await this.#pulling?.catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await this.#closing;
    await file?.close();
  }

  /** Waits, and goes on pulling; a stop ends the wait, with nothing. */
  #later(demand: number, wait: PromiseLike<unknown>): Promise<Positioned<T, FilePosition> | undefined> {
    const path = this.#file?.path;
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      this.#pulling = Promise.resolve(wait).then(
        () => {
          this.#wake = undefined;
          return this.pull(demand);
        },
        (error: unknown) => {
          throw path === undefined ? error : this.#failed(error, path);
        },
      );
      this.#pulling.then(resolve as (value: unknown) => void, reject);
    });
  }

  async #openNext(): Promise<void> {
    await this.#closing;
    while (this.#begun < this.#legs.length && !this.#isStopped) {
      const leg = this.#legs[this.#begun] as Leg;
      this.#begun += 1;
      // A file that was read to its end and has its size still is not opened again, nor decompressed.
      if (leg.from?.done === true && leg.stat?.size === leg.from.file.size) {
        this.#pass(leg, leg.from.file);
        continue;
      }
      try {
        this.#leg = this.#behind(leg);
        this.#file = await OpenFile.open(this.#leg, this.#format, this.#options);
        return;
      } catch (error) {
        throw this.#failed(error, leg.path);
      }
    }
  }

  /** A rotated file is behind us: positions in the one that follows it in its lane say so, if it could be found anew. */
  #pass(leg: Leg, file: FileIdentity): void {
    this.#passed = leg.isFound ? { lane: leg.lane, earlier: [...leg.earlier, file] } : undefined;
  }

  #behind(leg: Leg): Leg {
    return this.#passed?.lane === leg.lane ? { ...leg, earlier: this.#passed.earlier } : leg;
  }

  /** Nothing more to write, but done up to here: a resumed run passes the file by. */
  #finish(file: OpenFile<T>): Positioned<T, FilePosition> {
    this.#file = undefined;
    if (this.#leg !== undefined) this.#pass(this.#leg, file.identity);
    this.#closing = file.close();
    ignoreRejection(this.#closing);
    return { items: [], position: file.position(), lane: file.lane };
  }

  #failed(error: unknown, path: string): StreamWeldError {
    return toReadError(error, path, this.#options.name);
  }
}
