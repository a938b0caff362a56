/** The way of writing that gathers: a write is accepted when it is in memory, and durable after the next flush. */

import { type Accepted, type Awaitable, Deferred, ignoreRejection } from '@streamweld/core/connector';
import { FileError } from './errors.ts';
import { Limiter } from './limiter.ts';
import { adopt } from './sink-adopt.ts';
import { Load } from './sink-load.ts';
import { type Planned, type Target, ungroup } from './sink-target.ts';
import { newBody, startPartTimer, stopPartTimer, type WayOfWriting, type WayOptions } from './sink-way.ts';
import { checkAbandoned, syncFolders } from './sink-workshop.ts';

/** How many files are compressed or written at once: Node's thread pool has four threads. */
const WRITES_AT_ONCE = 4;

export class BufferedWay<T> implements WayOfWriting<T> {
  readonly #options: WayOptions<T>;
  readonly #limiter: Limiter;
  /** Parts that are written to, and those that are full and not finished yet, in the order in which they began. */
  readonly #loads = new Set<Load<T>>();
  /** Parts that take no more; the last of them, by target. */
  readonly #full = new Set<Load<T>>();
  readonly #lastFull = new Map<Target<T>, Load<T>>();
  /** Memory of what is gathered, and of what is on its way to the disk. */
  #filling = 0;
  #leaving = 0;
  readonly #writeOuts = new Set<Promise<void>>();
  /** Write-outs that failed: what they hold is written before anything new is taken in. */
  readonly #stuck = new Set<Load<T>>();
  /** Settled by the next flush, for all that was accepted since the last. Where files are rolled, each part has its own. */
  #durable: Deferred | undefined;
  /** After a failed sync nothing can be promised any more. */
  #broken: FileError | undefined;

  constructor(options: WayOptions<T>) {
    this.#options = options;
    this.#limiter = new Limiter(Math.min(WRITES_AT_ONCE, options.maxOpen));
  }

  async open(): Promise<void> {
    const only = this.#options.targets.single();
    if (only === undefined || this.#options.roll !== undefined) return;
    // It is made at once, so that a folder that is missing or closed to us is known before the first item.
    await this.#prepare([only]);
    await (this.#loadOf(only) ?? this.#begin(only)).body.create();
  }

  write(batch: readonly T[]): Awaitable<Accepted> {
    this.#checkBroken();
    const touched = this.#options.targets.group(batch);
    return this.#hasRoom(touched) ? this.#accept(batch, touched) : this.#acceptLater(batch, touched);
  }

  async flush(): Promise<void> {
    this.#checkBroken();
    const { roll, publishesOnFlush } = this.#options;
    if (roll !== undefined && publishesOnFlush)
      for (const load of [...this.#loads]) if (load.items > 0) this.#fill(load);
    await this.#writeOutAll();
    for (const load of [...this.#full]) await this.#finish(load);
    await this.#syncAll();
    for (const load of this.#loads) {
      load.body.promise();
      load.durable?.resolve();
      load.durable = undefined;
    }
    this.#durable?.resolve();
    this.#durable = undefined;
  }

  async close(): Promise<void> {
    this.#checkBroken();
    for (const load of [...this.#full]) await this.#finish(load);
    for (const load of this.#loads) {
      stopPartTimer(load);
      load.end();
    }
    await this.#writeOutAll();
    // A file whose items had no bytes has no body yet.
    await this.#forAll(async (load) => {
      if (load.isWanted) await this.#limiter.run(() => load.body.create());
    });
    // All are whole before the first is visible.
    await this.#syncAll();
    for (const load of this.#loads) await load.body.finish();
    await this.#syncNames();
    for (const load of this.#loads) load.durable?.resolve();
    this.#durable?.resolve();
  }

  /** Waits for what is under way, then removes the temporaries, but for what was promised to be durable. */
  async abandon(reason: unknown): Promise<void> {
    for (const load of this.#loads) {
      stopPartTimer(load);
      load.durable?.reject(reason);
    }
    this.#durable?.reject(reason);
    await Promise.allSettled([...this.#writeOuts, ...[...this.#full].map(({ finishing }) => finishing)]);
    await this.#forAll((load) => this.#limiter.run(() => load.body.abandon()));
  }

  #loadOf(target: Target<T>): Load<T> | undefined {
    return target.part as Load<T> | undefined;
  }

  #begin(target: Target<T>): Load<T> {
    const load = new Load(target, newBody(this.#options, target, 0), this.#loadOptions());
    target.part = load;
    this.#loads.add(load);
    return load;
  }

  #loadOptions(): ConstructorParameters<typeof Load<T>>[2] {
    const { format, level, targets, roll } = this.#options;
    return { format, level, isAlways: targets.single() !== undefined && roll === undefined };
  }

  /** Files that are to be written behind are looked at before anything is encoded for them. */
  async #prepare(touched: readonly Target<T>[]): Promise<void> {
    if (!this.#options.isInPlace) return;
    for (const target of touched) {
      if (target.part !== undefined) continue;
      const found = await adopt(this.#options, target);
      if (found === undefined) continue;
      const load = new Load(target, found.body, this.#loadOptions(), found.encoder, found.progress);
      load.opening = found.opening;
      target.part = load;
      this.#loads.add(load);
    }
  }

  #hasRoom(touched: readonly Target<T>[]): boolean {
    const { isInPlace, maxBufferedBytes, bufferBytes } = this.#options;
    if (this.#stuck.size > 0 || this.#filling + this.#leaving > maxBufferedBytes) return false;
    for (const target of touched) {
      const load = this.#loadOf(target);
      if (load === undefined ? isInPlace : load.fillingLength >= bufferBytes) return false;
    }
    return true;
  }

  #accept(batch: readonly T[], touched: readonly Target<T>[]): Accepted {
    const { maxBufferedBytes, roll, targets } = this.#options;
    const planned = targets.plan(batch, touched);
    const durables: Promise<void>[] = [];
    for (const each of planned) this.#take(each, durables);
    if (this.#filling > maxBufferedBytes / 2 && this.#leaving < maxBufferedBytes / 4) this.#relieve();
    if (roll === undefined) {
      this.#durable ??= new Deferred();
      return { durable: this.#durable.promise };
    }
    if (durables.length === 1) return { durable: durables[0] as Promise<void> };
    const durable = Promise.all(durables).then(() => {});
    ignoreRejection(durable);
    return { durable };
  }

  #take({ target, pieces, encoder }: Planned<T>, durables: Promise<void>[]): void {
    const { roll, bufferBytes } = this.#options;
    let load = this.#loadOf(target);
    for (const piece of pieces) {
      if (load === undefined || piece.isNew) {
        if (load !== undefined) this.#fill(load);
        load = this.#begin(target);
      }
      this.#filling += load.accept(piece.items, piece.bytes);
      if (roll === undefined) continue;
      load.durable ??= new Deferred();
      durables.push(load.durable.promise);
    }
    if (load === undefined) return;
    load.encoder = encoder;
    const current = load;
    startPartTimer(load, roll, () => this.#fill(current));
    if (load.fillingLength >= bufferBytes) ignoreRejection(this.#writeOut(load));
    if (roll !== undefined && load.isFull(roll)) this.#fill(load);
  }

  /** It takes no more, and is finished beside what goes on. Where that fails, it is tried again by what comes next. */
  #fill(load: Load<T>): void {
    if (load.target.part === load) load.target.part = undefined;
    if (this.#full.has(load) || this.#options.shop.isAbandoned) return;
    stopPartTimer(load);
    load.end();
    this.#full.add(load);
    load.previous = this.#lastFull.get(load.target);
    this.#lastFull.set(load.target, load);
    ignoreRejection(this.#finish(load));
  }

  /** Parts of a target get their numbers in the order they were filled: none before the one before it. */
  #finish(load: Load<T>): Promise<void> {
    if (load.finishing !== undefined) return load.finishing;
    const finishing = this.#finishNow(load).catch((error: unknown) => {
      load.finishing = undefined;
      this.#stuck.add(load);
      throw this.#noted(error);
    });
    load.finishing = finishing;
    return finishing;
  }

  async #finishNow(load: Load<T>): Promise<void> {
    const { previous, target } = load;
    if (previous !== undefined && this.#full.has(previous)) await this.#finish(previous);
    load.previous = undefined;
    while (load.hasBytes) await this.#writeOut(load);
    await this.#limiter.run(async () => {
      await load.body.create();
      if (this.#options.fsync !== 'never') await load.body.sync();
      await load.body.finish();
    });
    await this.#syncNames();
    load.durable?.resolve();
    this.#loads.delete(load);
    this.#full.delete(load);
    this.#stuck.delete(load);
    if (this.#lastFull.get(target) === load) this.#lastFull.delete(target);
  }

  /** Room is made before anything of the batch is taken in: a write that rejects has written nothing. */
  async #acceptLater(batch: readonly T[], touched: readonly Target<T>[]): Promise<Accepted> {
    const { bufferBytes, maxBufferedBytes } = this.#options;
    try {
      for (const load of [...this.#stuck])
        await (this.#full.has(load) ? this.#finish(load) : this.#writeOut(load));
      await this.#prepare(touched);
      for (const target of touched) {
        const load = this.#loadOf(target);
        while (load !== undefined && load.fillingLength >= bufferBytes) await this.#writeOut(load);
      }
      while (this.#filling + this.#leaving > maxBufferedBytes) {
        if (this.#writeOuts.size === 0) this.#relieve();
        const [oldest] = this.#writeOuts;
        if (oldest === undefined) break;
        await oldest;
      }
      this.#checkBroken();
    } catch (error) {
      ungroup(touched);
      throw error;
    }
    return this.#accept(batch, touched);
  }

  /** Writes out the fullest buffers, down to a quarter of what all may hold: few large writes, not many small ones. */
  #relieve(): void {
    const { maxBufferedBytes } = this.#options;
    const byLength = [...this.#loads]
      .filter((load) => load.fillingLength > 0 && load.writing === undefined)
      .sort((a, b) => b.fillingLength - a.fillingLength);
    for (const load of byLength) {
      ignoreRejection(this.#writeOut(load));
      if (this.#filling <= maxBufferedBytes / 4) return;
    }
  }

  /** Writes what a part has gathered; one write-out of a part at a time, so that they keep their order. */
  #writeOut(load: Load<T>): Promise<void> {
    if (load.writing !== undefined) return load.writing;
    const held = load.beginLeaving();
    this.#filling -= held;
    this.#leaving += held;
    const writing = this.#limiter
      .run(() => load.writeLeaving())
      .then(
        (freed) => {
          this.#leaving -= freed;
          if (!this.#full.has(load)) this.#stuck.delete(load);
          this.#writeOutEnded(load, writing);
          this.#writtenOut(load);
        },
        (error: unknown) => {
          this.#stuck.add(load);
          this.#writeOutEnded(load, writing);
          throw this.#noted(error);
        },
      );
    load.writing = writing;
    this.#writeOuts.add(writing);
    return writing;
  }

  #writeOutEnded(load: Load<T>, writing: Promise<void>): void {
    load.writing = undefined;
    this.#writeOuts.delete(writing);
  }

  #writtenOut(load: Load<T>): void {
    const { bufferBytes, roll } = this.#options;
    if (load.fillingLength >= bufferBytes) ignoreRejection(this.#writeOut(load));
    // How large gzip is, is known only now.
    else if (roll !== undefined && load.target.part === load && load.isFull(roll)) this.#fill(load);
  }

  #writeOutAll(): Promise<void> {
    return this.#forAll(async (load) => {
      while (load.hasBytes) await this.#writeOut(load);
    });
  }

  async #syncAll(): Promise<void> {
    if (this.#options.fsync === 'never') return;
    await this.#forAll((load) => this.#limiter.run(() => load.body.sync()));
    await this.#syncNames();
  }

  async #syncNames(): Promise<void> {
    if (this.#options.fsync === 'never') return;
    try {
      await syncFolders(this.#options.shop);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  /** All get their turn, also after a failure; then the first failure is thrown. */
  async #forAll(task: (load: Load<T>) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled([...this.#loads].map(task));
    for (const result of results) if (result.status === 'rejected') throw this.#noted(result.reason);
  }

  #noted(error: unknown): unknown {
    if (error instanceof FileError && error.code === 'SW_FILE_SYNC_FAILED') this.#broken ??= error;
    return error;
  }

  #checkBroken(): void {
    if (this.#broken !== undefined) throw this.#broken;
    checkAbandoned(this.#options.shop, this.#options.shop.stage);
  }
}
