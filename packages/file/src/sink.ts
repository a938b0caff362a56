/** FileSink: files as a sink of items. */

import { type Accepted, Deferred, ignoreRejection, type Sink } from '@streamweld/core/connector';
import { type CsvRecord, type CsvValue, type Format, type FormatName, toFormat } from '@streamweld/formats';
import { FileError } from './errors.ts';
import { Limiter } from './limiter.ts';
import { type CheckedSinkOptions, checkSinkOptions, type FileSinkOptions, isGzipName } from './options.ts';
import { Grouping } from './sink-groups.ts';
import { HandlePool } from './sink-handles.ts';
import { PathRule } from './sink-path.ts';
import { Target } from './sink-target.ts';
import { syncFolders, type Workshop } from './sink-temporary.ts';

/** Where an item goes: one file, or a file for each item. */
export type FilePath<T> = string | ((item: T) => string);

/** A sink of files. Made by `new FileSink(…)`. */
export interface FileSink<T> extends Sink<T> {
  readonly name: string;
  readonly concurrency: 1;
  readonly atomic: true;
  open(): Promise<void>;
  write(batch: readonly T[]): Accepted | Promise<Accepted>;
  flush(): Promise<void>;
  close(reason?: unknown): Promise<void>;
}

export interface FileSinkConstructor {
  new (
    path: FilePath<string>,
    options?: FileSinkOptions & { readonly format?: 'lines' | undefined },
  ): FileSink<string>;
  new (
    path: FilePath<Uint8Array>,
    options: FileSinkOptions & { readonly format: 'bytes' },
  ): FileSink<Uint8Array>;
  new <T extends { readonly [K in keyof T]: CsvValue } = CsvRecord>(
    path: FilePath<T>,
    options: FileSinkOptions & { readonly format: 'csv' },
  ): FileSink<T>;
  new <T = unknown>(path: FilePath<T>, options: FileSinkOptions & { readonly format: 'ndjson' }): FileSink<T>;
  new <T>(path: FilePath<T>, options: FileSinkOptions & { readonly format: Format<unknown, T> }): FileSink<T>;
}

/** How many files are compressed or written at once: Node's thread pool has four threads. */
const WRITES_AT_ONCE = 4;

class Files<T> implements FileSink<T> {
  readonly name: string;
  readonly concurrency = 1;
  readonly atomic = true;
  readonly #path: FilePath<T>;
  readonly #format: Format<unknown, T>;
  readonly #options: CheckedSinkOptions;
  readonly #rule: PathRule;
  readonly #limiter: Limiter;
  readonly #workshop: Workshop;
  /** By file, and by every spelling that a path function found for it. */
  readonly #targets = new Map<string, Target<T>>();
  readonly #spellings = new Map<string, Target<T>>();
  readonly #grouping: Grouping<T>;
  /** Memory of what is gathered, and of what is on its way to the disk. */
  #filling = 0;
  #leaving = 0;
  readonly #writeOuts = new Set<Promise<void>>();
  /** Write-outs that failed: what they hold is written before anything new is taken in. */
  readonly #stuck = new Set<Target<T>>();
  /** Settled by the next flush, for all that was accepted since the last. */
  #durable: Deferred | undefined;
  /** After a failed sync nothing can be promised any more. */
  #broken: FileError | undefined;

  constructor(
    path: FilePath<T>,
    options?: FileSinkOptions & { readonly format?: FormatName | Format<unknown, T> | undefined },
  ) {
    const checked = checkSinkOptions(options, path);
    this.#options = checked;
    this.#path = path;
    this.#format = toFormat(options?.format ?? 'lines') as unknown as Format<unknown, T>;
    this.name = checked.name;
    this.#rule = new PathRule(checked.root, this.name);
    this.#limiter = new Limiter(Math.min(WRITES_AT_ONCE, checked.maxOpen));
    this.#workshop = {
      fs: checked.client,
      handles: new HandlePool(checked.client, checked.maxOpen),
      stage: this.name,
      mkdir: checked.mkdir,
      mode: checked.mode,
      changedFolders: new Set(),
      isAbandoned: false,
    };
    this.#grouping = new Grouping(path, (given) => this.#targetOf(given), this.name);
  }

  async open(): Promise<void> {
    this.#reset();
    // One file is made at once, so that a folder that is missing or closed to us is known before the first item.
    if (typeof this.#path === 'string') await this.#targetOf(this.#path).temporary.create();
  }

  write(batch: readonly T[]): Accepted | Promise<Accepted> {
    this.#checkBroken();
    const touched = this.#grouping.group(batch);
    return this.#hasRoom(touched) ? this.#accept(batch, touched) : this.#acceptLater(batch, touched);
  }

  async flush(): Promise<void> {
    this.#checkBroken();
    await this.#writeOutAll();
    await this.#syncAll();
    for (const target of this.#targets.values()) target.temporary.promise();
    this.#durable?.resolve();
    this.#durable = undefined;
  }

  async close(reason?: unknown): Promise<void> {
    if (reason !== undefined) return this.#abandon(reason);
    try {
      this.#checkBroken();
      for (const target of this.#targets.values()) target.end();
      await this.#writeOutAll();
      await this.#createWanted();
      // All are whole before the first is visible.
      await this.#syncAll();
      for (const target of this.#targets.values()) await target.temporary.publish();
      await this.#noting(syncFolders(this.#workshop));
      this.#durable?.resolve();
    } catch (error) {
      await this.#abandon(error).catch(() => {});
      throw error;
    } finally {
      await this.#workshop.handles.closeAll();
      this.#targets.clear();
      this.#spellings.clear();
    }
  }

  #targetOf(path: string): Target<T> {
    const known = this.#spellings.get(path);
    if (known !== undefined) return known;
    const file = this.#rule.resolve(path);
    let target = this.#targets.get(file);
    if (target === undefined) {
      const { compression, level } = this.#options;
      target = new Target(file, {
        format: this.#format,
        isZipped: compression === 'auto' ? isGzipName(file) : compression === 'gzip',
        level,
        workshop: this.#workshop,
        isAlways: typeof this.#path === 'string',
      });
      this.#targets.set(file, target);
    }
    this.#spellings.set(path, target);
    return target;
  }

  #hasRoom(touched: readonly Target<T>[]): boolean {
    if (this.#stuck.size > 0 || this.#filling + this.#leaving > this.#options.maxBufferedBytes) return false;
    for (const target of touched) if (target.fillingLength >= this.#options.bufferBytes) return false;
    return true;
  }

  #accept(batch: readonly T[], touched: readonly Target<T>[]): Accepted {
    const encoded = this.#grouping.encode(batch, touched);
    for (const [index, target] of touched.entries()) {
      this.#filling += target.accept(encoded[index] as Uint8Array);
      if (target.fillingLength >= this.#options.bufferBytes) ignoreRejection(this.#writeOut(target));
    }
    const { maxBufferedBytes } = this.#options;
    if (this.#filling > maxBufferedBytes / 2 && this.#leaving < maxBufferedBytes / 4) this.#relieve();
    this.#durable ??= new Deferred();
    return { durable: this.#durable.promise };
  }

  /** Room is made before anything of the batch is taken in: a write that rejects has written nothing. */
  async #acceptLater(batch: readonly T[], touched: readonly Target<T>[]): Promise<Accepted> {
    try {
      for (const target of [...this.#stuck]) await this.#writeOut(target);
      for (const target of touched) {
        while (target.fillingLength >= this.#options.bufferBytes) await this.#writeOut(target);
      }
      while (this.#filling + this.#leaving > this.#options.maxBufferedBytes) {
        if (this.#writeOuts.size === 0) this.#relieve();
        const [oldest] = this.#writeOuts;
        if (oldest === undefined) break;
        await oldest;
      }
      this.#checkBroken();
    } catch (error) {
      this.#grouping.ungroup(touched);
      throw error;
    }
    return this.#accept(batch, touched);
  }

  /** Writes out the fullest buffers, down to a quarter of what all may hold: few large writes, not many small ones. */
  #relieve(): void {
    const byLength = [...this.#targets.values()]
      .filter((target) => target.fillingLength > 0 && target.writing === undefined)
      .sort((a, b) => b.fillingLength - a.fillingLength);
    for (const target of byLength) {
      ignoreRejection(this.#writeOut(target));
      if (this.#filling <= this.#options.maxBufferedBytes / 4) return;
    }
  }

  /** Writes what a file has gathered; one write-out of a file at a time, so that they keep their order. */
  #writeOut(target: Target<T>): Promise<void> {
    if (target.writing !== undefined) return target.writing;
    const held = target.beginLeaving();
    this.#filling -= held;
    this.#leaving += held;
    const writing = this.#limiter
      .run(() => target.writeLeaving())
      .then(
        (freed) => {
          this.#leaving -= freed;
          this.#stuck.delete(target);
          this.#writeOutEnded(target, writing);
          if (target.fillingLength >= this.#options.bufferBytes) ignoreRejection(this.#writeOut(target));
        },
        (error: unknown) => {
          this.#stuck.add(target);
          this.#writeOutEnded(target, writing);
          throw this.#noted(error);
        },
      );
    target.writing = writing;
    this.#writeOuts.add(writing);
    return writing;
  }

  #writeOutEnded(target: Target<T>, writing: Promise<void>): void {
    target.writing = undefined;
    this.#writeOuts.delete(writing);
  }

  #writeOutAll(): Promise<void> {
    return this.#forAll(async (target) => {
      while (target.hasBytes) await this.#writeOut(target);
    });
  }

  /** A file whose items had no bytes has no temporary yet. */
  #createWanted(): Promise<void> {
    return this.#forAll(async (target) => {
      if (target.isWanted) await this.#limiter.run(() => target.temporary.create());
    });
  }

  async #syncAll(): Promise<void> {
    await this.#forAll((target) => this.#limiter.run(() => target.temporary.sync()));
    await this.#noting(syncFolders(this.#workshop));
  }

  /** All get their turn, also after a failure; then the first failure is thrown. */
  async #forAll(task: (target: Target<T>) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled([...this.#targets.values()].map(task));
    for (const result of results) if (result.status === 'rejected') throw this.#noted(result.reason);
  }

  async #noting(task: Promise<void>): Promise<void> {
    try {
      await task;
    } catch (error) {
      throw this.#noted(error);
    }
  }

  #noted(error: unknown): unknown {
    if (error instanceof FileError && error.code === 'SW_FILE_SYNC_FAILED') this.#broken ??= error;
    return error;
  }

  #checkBroken(): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (!this.#workshop.isAbandoned) return;
    throw new FileError('SW_FILE_WRITE_FAILED', 'Writing was abandoned.', { stage: this.name });
  }

  /** Waits for what is under way, then removes the temporaries, but for what was promised to be durable. */
  async #abandon(reason: unknown): Promise<void> {
    this.#workshop.isAbandoned = true;
    this.#durable?.reject(reason);
    await Promise.allSettled(this.#writeOuts);
    try {
      await this.#forAll((target) => this.#limiter.run(() => target.temporary.abandon()));
    } finally {
      await this.#workshop.handles.closeAll();
      this.#targets.clear();
      this.#spellings.clear();
    }
  }

  #reset(): void {
    this.#workshop.isAbandoned = false;
    this.#workshop.changedFolders.clear();
    this.#filling = 0;
    this.#leaving = 0;
    this.#stuck.clear();
    this.#broken = undefined;
    this.#durable = undefined;
  }
}

/**
 * Writes files: one, or for each item the file that a function names.
 *
 * Nothing is seen under a file's name before the run has finished: it is written as a temporary in the same folder,
 * synced, and renamed. A failed run leaves an earlier file as it was. `.gz` in a name compresses.
 *
 *     new FileSink('out.ndjson.gz', { format: 'ndjson' })
 *     new FileSink((order: Order) => `${order.country}/${order.day}.csv`, { format: 'csv', root: 'out' })
 */
export const FileSink: FileSinkConstructor = Files as unknown as FileSinkConstructor;
