/**
 * The way of writing without a buffer: when a write returns, its items are in their files. With a ledger each is written
 * exactly once.
 *
 *     plan ──► announce new files ──► append ──► sync files ──► sync names ──► record lengths and positions
 *               (ledger)                                                        (ledger)
 *              └─────────── anything fails: files are cut back to what the ledger says ───────────┘
 *
 * At any moment the ledger speaks only of bytes that are where it says; what lies behind them, or in files that were
 * announced and not recorded, is cut off by the next run before it writes.
 */

import type { WriteContext } from '@streamweld/core/connector';
import { FileError } from './errors.ts';
import { Limiter } from './limiter.ts';
import { begunBy, type Change, changeOf, outcome, standing } from './sink-change.ts';
import type { FileState, KeptPositions } from './sink-ledger.ts';
import { compress, Part } from './sink-part.ts';
import { numbered } from './sink-path.ts';
import { checkFree, claim } from './sink-claim.ts';
import type { Recovery } from './sink-recovery.ts';
import { type Target, ungroup } from './sink-target.ts';
import { newBody, startPartTimer, stopPartTimer, type WayOfWriting, type WayOptions } from './sink-way.ts';
import { checkAbandoned, syncFolders } from './sink-workshop.ts';

/** How many files are compressed or written at once: Node's thread pool has four threads. */
const WRITES_AT_ONCE = 4;

export class DirectWay<T> implements WayOfWriting<T> {
  readonly #options: WayOptions<T>;
  readonly #recovery: Recovery<T> | undefined;
  readonly #limiter: Limiter;
  /** Parts that take no more, or were given up, and whose last step failed: it is repeated first of all. */
  readonly #unfinished = new Set<Part<T>>();
  readonly #torn = new Set<Part<T>>();
  /** Parts that hold something that was not synced. */
  readonly #unsynced = new Set<Part<T>>();
  /** The write, or the finishing of a part, that is under way. */
  #busy: Promise<unknown> = Promise.resolve();
  /** After a failed sync nothing can be promised any more. */
  #broken: unknown;

  constructor(options: WayOptions<T>, recovery: Recovery<T> | undefined) {
    this.#options = options;
    this.#recovery = recovery;
    this.#limiter = new Limiter(Math.min(WRITES_AT_ONCE, options.maxOpen));
  }

  async open(): Promise<void> {
    const { targets, roll, isInPlace } = this.#options;
    const only = targets.single();
    if (only === undefined || roll !== undefined) return;
    if (isInPlace) await this.#prepare([only]);
    else await this.#begin(only).body.create();
  }

  write(batch: readonly T[], context: WriteContext | undefined): Promise<void> {
    return this.#alone(() => this.#write(batch, context?.positions));
  }

  keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    return this.#alone(async () => {
      this.#check();
      const ledger = this.#recovery?.ledger;
      if (ledger !== undefined) await ledger.record([], ledger.keep(positions));
    });
  }

  flush(): Promise<void> {
    return this.#alone(() => this.#flush());
  }

  close(): Promise<void> {
    return this.#alone(async () => {
      const { targets, roll } = this.#options;
      const only = targets.single();
      if (only !== undefined && roll === undefined) await this.#complete(only);
      await this.#flush();
      for (const target of targets.all()) {
        if (target.part === undefined) continue;
        stopPartTimer(target.part);
        this.#unfinished.add(target.part);
        target.part = undefined;
      }
      await this.#finishAll();
    });
  }

  async abandon(): Promise<void> {
    await this.#busy.catch(() => {});
    const parts = new Set<Part<T>>([...this.#unfinished, ...this.#torn]);
    for (const target of this.#options.targets.all()) if (target.part !== undefined) parts.add(target.part);
    for (const part of parts) stopPartTimer(part);
    // What a ledger may count is not taken back.
    if (this.#recovery !== undefined && this.#broken !== undefined) return;
    await this.#limiter
      .forAll([...parts], ({ body }) =>
        this.#recovery === undefined ? body.abandon() : body.cutBack(body.length),
      )
      .catch((error: unknown) => {
        // With a ledger, the next run does what could not be done now.
        if (this.#recovery === undefined) throw error;
      });
  }

  /** One step at a time: a part whose time is over is finished between two writes. */
  async #alone<R>(step: () => Promise<R>): Promise<R> {
    const before = this.#busy;
    const run = before.catch(() => {}).then(step);
    this.#busy = run;
    try {
      return await run;
    } catch (error) {
      if (isFinal(error)) this.#broken ??= error;
      throw error;
    }
  }

  async #write(batch: readonly T[], positions: ReadonlyMap<string, unknown> | undefined): Promise<void> {
    this.#check();
    const { targets, fsync } = this.#options;
    const kept = this.#recovery?.ledger.keep(positions) ?? [];
    await this.#finishAll();
    await this.#cutTorn();
    const touched = targets.group(batch);
    try {
      await this.#prepare(touched);
    } catch (error) {
      ungroup(touched);
      throw error;
    }
    const changes = targets.plan(batch, touched).map(changeOf);
    try {
      await this.#announce(changes);
      await this.#forAll(changes, (change) => this.#append(change));
      if (fsync === 'batch') await syncFolders(this.#options.shop);
      await this.#record(changes, kept);
    } catch (error) {
      await this.#undo(changes, error);
      throw error;
    }
    for (const change of changes) this.#take(change);
    // What is not finished now is finished by the write after it: this one has happened.
    await this.#finishAll().catch(() => {});
  }

  /** Bytes, and the sync that makes them durable. */
  async #append({ target, pieces, before, begun }: Change<T>): Promise<void> {
    const { fsync, level, shop } = this.#options;
    let part = before;
    for (const piece of pieces) {
      const bytes = target.isZipped ? await compress(piece.bytes, level) : piece.bytes;
      checkAbandoned(shop, target.path);
      if (part === undefined || piece.isNew) {
        part = this.#newPart(target, (target.sequence ?? 0) + begun.length + 1);
        begun.push(part);
        await part.body.create();
      }
      await part.body.append(bytes);
      if (fsync === 'batch') await part.body.sync();
    }
  }

  #newPart(target: Target<T>, sequence: number): Part<T> {
    return new Part<T>(newBody(this.#options, target, sequence), target.isZipped, undefined);
  }

  #begin(target: Target<T>): Part<T> {
    target.part = this.#newPart(target, 0);
    return target.part;
  }

  async #prepare(touched: readonly Target<T>[]): Promise<void> {
    if (!this.#options.isInPlace) return;
    await this.#forAll(touched, (target) => claim(this.#options, this.#recovery, target));
  }

  /**
   * Names that are about to appear are recorded first: what a killed process leaves under them is then known to be ours.
   * Files that are written behind are announced with the length they have.
   */
  async #announce(changes: readonly Change<T>[]): Promise<void> {
    const { roll } = this.#options;
    const recovery = this.#recovery;
    if (recovery === undefined) return;
    const states: [string, FileState][] = [];
    for (const change of changes) {
      const { target, before } = change;
      const known = recovery.stateOf(target);
      const begun = begunBy(change, roll);
      if (known !== undefined && begun <= known.begun) continue;
      for (let next = (target.sequence ?? 0) + 1; next <= begun; next += 1) {
        if (next > (known?.begun ?? 0)) await checkFree(this.#options.shop, numbered(target.path, next));
      }
      states.push([recovery.keyOf(target), standing(target, before, begun, roll)]);
    }
    if (states.length > 0) await recovery.ledger.record(states, []);
  }

  async #record(changes: readonly Change<T>[], positions: KeptPositions): Promise<void> {
    const recovery = this.#recovery;
    if (recovery === undefined) return;
    const { roll } = this.#options;
    const states = changes.map((change): [string, FileState] => [
      recovery.keyOf(change.target),
      outcome(change, roll),
    ]);
    await recovery.ledger.record(states, positions);
  }

  /** Says how a target stands, beside any write. */
  async #note(target: Target<T>): Promise<void> {
    const recovery = this.#recovery;
    if (recovery === undefined) return;
    const state = standing(target, target.part, target.sequence ?? 0, this.#options.roll);
    await recovery.ledger.record([[recovery.keyOf(target), state]], []);
  }

  /** Nothing has happened: files are cut back, and those that were begun are empty. */
  async #undo(changes: readonly Change<T>[], reason: unknown): Promise<void> {
    if (isFinal(reason) || this.#recovery?.ledger.isUncertain === true) {
      this.#broken ??= reason;
      return;
    }
    for (const { before, lengthBefore, begun } of changes) {
      if (before !== undefined) this.#torn.add(before);
      for (const part of begun) this.#torn.add(part);
      await before?.body.cutBack(lengthBefore).then(
        () => this.#torn.delete(before),
        () => {},
      );
      for (const part of begun) {
        await part.body.abandon().then(
          () => this.#torn.delete(part),
          () => {},
        );
      }
    }
  }

  async #cutTorn(): Promise<void> {
    for (const part of this.#torn) {
      await part.body.cutBack(part.body.length);
      this.#torn.delete(part);
    }
  }

  /** The write has happened: what it planned holds from now on. */
  #take({ target, pieces, encoder, before, begun }: Change<T>): void {
    const { roll, fsync } = this.#options;
    let part = before;
    let next = 0;
    for (const piece of pieces) {
      if (part === undefined || piece.isNew) {
        if (part !== undefined) this.#fill(part);
        part = begun[next++] as Part<T>;
      }
      part.opening = undefined;
      part.items += piece.items;
      part.bytes += piece.bytes.length;
      if (fsync !== 'batch') this.#unsynced.add(part);
    }
    if (part === undefined) return;
    if (roll !== undefined && this.#options.isInPlace)
      target.sequence = (target.sequence ?? 0) + begun.length;
    part.encoder = encoder;
    if (fsync === 'batch') part.body.promise();
    target.part = part;
    const current = part;
    startPartTimer(part, roll, () => this.#timeIsOver(target, current));
    if (roll === undefined || !part.isFull(roll)) return;
    this.#fill(part);
    target.part = undefined;
  }

  #fill(part: Part<T>): void {
    stopPartTimer(part);
    this.#unfinished.add(part);
  }

  /** It is finished now, not with the write after it, which may be long in coming. */
  #timeIsOver(target: Target<T>, part: Part<T>): void {
    this.#alone(async () => {
      if (target.part !== part || this.#broken !== undefined || this.#options.shop.isAbandoned) return;
      target.part = undefined;
      this.#fill(part);
      await this.#note(target);
      await this.#finishAll();
    }).catch(() => {});
  }

  /** Gives full parts their names, or closes what has one. */
  async #finishAll(): Promise<void> {
    const { fsync, shop } = this.#options;
    if (this.#unfinished.size === 0) return;
    for (const part of this.#unfinished) {
      if (fsync !== 'never') await part.body.sync();
      await part.body.finish();
      this.#unsynced.delete(part);
      this.#unfinished.delete(part);
    }
    if (fsync !== 'never') await syncFolders(shop);
  }

  /** The only file there is to be, where nothing was written to it; and the end of a document. */
  async #complete(only: Target<T>): Promise<void> {
    this.#check();
    const { format, isInPlace, level } = this.#options;
    await this.#prepare([only]);
    const isNew = only.part === undefined;
    const part = only.part ?? this.#newPart(only, 0);
    const end = isInPlace ? new Uint8Array(0) : (part.encoder ?? format.encoder()).end();
    const isFramed = only.isZipped && (end.length > 0 || part.body.length === 0);
    if (isNew && this.#recovery?.stateOf(only) === undefined) await this.#note(only);
    await part.body.create();
    only.part = part;
    if (isFramed || end.length > 0) {
      await part.body.append(isFramed ? await compress(end, level) : end);
      this.#unsynced.add(part);
    }
    if (this.#recovery === undefined || !isFramed) return;
    if (this.#options.fsync !== 'never') await part.body.sync();
    await this.#note(only);
  }

  /** Files first, then what counts their bytes. */
  async #flush(): Promise<void> {
    this.#check();
    await this.#finishAll();
    const { fsync, shop } = this.#options;
    if (fsync === 'never') return;
    await this.#forAll([...this.#unsynced], async (part) => {
      await part.body.sync();
      part.body.promise();
      this.#unsynced.delete(part);
    });
    await syncFolders(shop);
    await this.#recovery?.ledger.sync();
  }

  #forAll<E>(all: readonly E[], task: (each: E) => Promise<void>): Promise<void> {
    return this.#limiter.forAll(all, task, isFinal);
  }

  #check(): void {
    if (this.#broken !== undefined) throw this.#broken;
    checkAbandoned(this.#options.shop, this.#options.shop.stage);
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof FileError && error.code === 'SW_FILE_SYNC_FAILED';
}
