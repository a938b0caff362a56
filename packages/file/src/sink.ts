/** FileSink: files as a sink of items. */

import {
  type Accepted,
  type Awaitable,
  isThenable,
  type Sink,
  type SinkContext,
  type WriteContext,
} from '@streamweld/core/connector';
import { type CsvRecord, type CsvValue, type Format, type FormatName, toFormat } from '@streamweld/formats';
import { type CheckedSinkOptions, checkSinkOptions, type FileSinkOptions, isGzipName } from './options.ts';
import { checkAppendable } from './sink-adopt.ts';
import { BufferedWay } from './sink-buffered.ts';
import { DirectWay } from './sink-direct.ts';
import { HandlePool } from './sink-handles.ts';
import { Ledger, refuseLedger } from './sink-ledger.ts';
import { Landing } from './sink-landing.ts';
import { FileLock } from './sink-lock.ts';
import { PathRule } from './sink-path.ts';
import { placeOf } from './sink-place.ts';
import { Recovery } from './sink-recovery.ts';
import { Targets } from './sink-target.ts';
import { parseTemplate, type Template } from './sink-template.ts';
import type { WayOfWriting, WayOptions } from './sink-way.ts';
import { openWorkshop, statFile, type Workshop } from './sink-workshop.ts';

/**
 * Where an item goes: one file, or a file for each item, by a function or by the fields of the item that a path names:
 * `'out/{country}/{day}.csv'`. `{sequence}` is the number of a part; see `roll`.
 */
export type FilePath<T> = string | ((item: T) => string);

/** A sink of files. Made by `new FileSink(…)`. */
export interface FileSink<T> extends Sink<T> {
  readonly name: string;
  readonly concurrency: 1;
  readonly atomic: true;
  readonly keepsPositions: true;
  open(context?: SinkContext): Promise<void>;
  positions(): ReadonlyMap<string, unknown>;
  keep(positions: ReadonlyMap<string, unknown>): Promise<void>;
  write(batch: readonly T[], context?: WriteContext): Awaitable<void | Accepted>;
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

/** What a sink has while it is open. */
interface Session<T> {
  readonly shop: Workshop;
  readonly targets: Targets<T>;
  readonly lock: FileLock;
  readonly landing: Landing<T>;
  way: WayOfWriting<T> | undefined;
  ledger: Ledger | undefined;
}

class Files<T> implements FileSink<T> {
  readonly name: string;
  readonly concurrency = 1;
  readonly atomic = true;
  readonly keepsPositions = true;
  readonly #path: FilePath<T>;
  readonly #template: Template | undefined;
  readonly #format: Format<unknown, T>;
  readonly #options: CheckedSinkOptions;
  readonly #rule: PathRule;
  #session: Session<T> | undefined;

  constructor(
    path: FilePath<T>,
    options?: FileSinkOptions & { readonly format?: FormatName | Format<unknown, T> | undefined },
  ) {
    const checked = checkSinkOptions(options, path);
    this.#options = checked;
    this.#path = path;
    this.#format = toFormat(options?.format ?? 'lines') as unknown as Format<unknown, T>;
    this.#template = typeof path === 'string' ? parseTemplate(path) : undefined;
    this.name = checked.name;
    this.#rule = new PathRule(checked.root, this.name, checked.roll !== undefined);
    this.#checkSequence();
  }

  async open(context?: SinkContext): Promise<void> {
    const session = this.#begin(context?.signal);
    this.#session = session;
    await session.landing.follow(this.#open(session, context));
  }

  async #open(session: Session<T>, context: SinkContext | undefined): Promise<void> {
    const { shop, targets, lock } = session;
    const { append, roll, fsync, client: _, ...sizes } = this.#options;
    const checkpoint = context?.checkpoint;
    // Its items count as done, so what it holds of earlier runs, or of one that was killed, must be where it is looked for.
    const isDeadLetter = context?.isDeadLetter === true;
    const only = roll === undefined ? targets.single()?.path : undefined;
    // What cannot be written is told before anything is made.
    if (only !== undefined) await statFile(shop, only);
    const isInPlace = checkpoint !== undefined || ((append || isDeadLetter) && roll === undefined);
    if (isInPlace) checkAppendable(shop, this.#format, only ?? this.name);
    await lock.acquire();
    const way: WayOptions<T> = {
      ...sizes,
      targets,
      shop,
      format: this.#format,
      roll,
      isInPlace,
      publishesOnFlush: isDeadLetter,
      fsync: fsync ?? (checkpoint === undefined && !isDeadLetter ? 'close' : 'batch'),
    };
    if (checkpoint === undefined) {
      await refuseLedger(shop, this.#place(targets).ledger);
      const isDirect = way.fsync === 'batch' && !(isDeadLetter && roll !== undefined);
      session.way = isDirect ? new DirectWay(way, undefined) : new BufferedWay(way);
    } else {
      session.way = new DirectWay(way, await this.#recover(session, way, checkpoint));
    }
    await session.way.open();
  }

  positions(): ReadonlyMap<string, unknown> {
    return this.#session?.ledger?.positions() ?? new Map();
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const { way, landing } = this.#working();
    await landing.follow((async () => way.keep?.(positions))());
  }

  write(batch: readonly T[], context?: WriteContext): Awaitable<void | Accepted> {
    const { way, landing } = this.#working();
    const begin = (): Awaitable<void | Accepted> => way.write(batch, context);
    const late = landing.takeLate(batch, context, begin);
    const answer = late ?? begin();
    return isThenable(answer) ? landing.followWrite(Promise.resolve(answer), batch, context) : answer;
  }

  async flush(): Promise<void> {
    const { way, landing } = this.#working();
    await landing.follow(way.flush());
  }

  async close(reason?: unknown): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const { shop, landing } = session;
    if (reason !== undefined) shop.isAbandoned = true;
    await landing.allLanded();
    const { way } = session;
    try {
      if (reason !== undefined) {
        await way?.abandon(reason);
        return;
      }
      try {
        await way?.close();
      } catch (error) {
        shop.isAbandoned = true;
        await way?.abandon(error).catch(() => {});
        throw error;
      }
    } finally {
      await this.#end(session);
    }
  }

  #working(): { readonly way: WayOfWriting<T>; readonly landing: Landing<T> } {
    const { way, landing } = this.#session ?? {};
    if (way === undefined || landing === undefined) throw new Error(`The sink '${this.name}' is not open.`);
    return { way, landing };
  }

  #begin(signal: AbortSignal | undefined): Session<T> {
    const { client, maxOpen, mkdir, mode, compression, roll } = this.#options;
    const shop = openWorkshop(client, new HandlePool(client, maxOpen), this.name, mkdir, mode);
    const template = this.#template;
    const targets = new Targets<T>({
      rule: this.#rule,
      stage: this.name,
      format: this.#format,
      roll,
      isZipped: (path) => (compression === 'auto' ? isGzipName(path) : compression === 'gzip'),
      route:
        template === undefined ? (this.#path as (item: T) => string) : (template.route ?? template.prefix),
      isMarked: template !== undefined,
    });
    const lock = new FileLock(this.#place(targets).lock, shop);
    return { shop, targets, lock, landing: new Landing(signal), way: undefined, ledger: undefined };
  }

  #place(targets: Targets<T>): ReturnType<typeof placeOf> {
    const root = this.#options.root ?? '.';
    const template = this.#template;
    if (template === undefined) return placeOf(undefined, root, this.name);
    if (template.route === undefined) return placeOf(targets.single()?.path, root, this.name);
    return placeOf(undefined, this.#rule.folder(template.folder), String(this.#path));
  }

  async #recover(session: Session<T>, way: WayOptions<T>, checkpoint: string): Promise<Recovery<T>> {
    const { shop, targets } = session;
    const { folder, ledger: path } = this.#place(targets);
    const ledger = new Ledger(path, checkpoint, shop, way.fsync === 'batch');
    session.ledger = ledger;
    const recovery = new Recovery<T>({
      ledger,
      shop,
      format: this.#format,
      folder,
      isRolled: way.roll !== undefined,
      isAppended: this.#options.append,
    });
    if (await ledger.read()) await recovery.recover();
    await ledger.start();
    return recovery;
  }

  async #end({ shop, targets, lock, ledger }: Session<T>): Promise<void> {
    try {
      await shop.handles.closeAll();
    } finally {
      targets.clear();
      await ledger?.close().catch(() => {});
      await lock.release();
    }
  }

  /** Parts have a number in their name, and nothing else has. */
  #checkSequence(): void {
    if (this.#template === undefined) return;
    const { route, prefix, pattern } = this.#template;
    this.#rule.check(route === undefined ? prefix : pattern);
  }
}

/**
 * Writes files: one, or for each item the file that a function or the item's fields name.
 *
 * Nothing is seen under a file's name before the run has finished: it is written as a temporary in the same folder,
 * synced, and renamed. A failed run leaves an earlier file as it was. `.gz` in a name compresses. With a checkpoint it
 * is written in place, each item exactly once, whatever stops the run.
 *
 *     new FileSink('out.ndjson.gz', { format: 'ndjson' })
 *     new FileSink('out/{country}/{day}.csv', { format: 'csv' })
 *     new FileSink((order: Order) => `${order.country}/${order.day}.csv`, { format: 'csv', root: 'out' })
 *     new FileSink('hits-{sequence}.ndjson.gz', { format: 'ndjson', roll: { maxBytes: 64 << 20 } })
 */
export const FileSink: FileSinkConstructor = Files as unknown as FileSinkConstructor;
