/**
 * At least once: items are added to open objects, which are completed when they are full, old or idle, or when a flush asks.
 *
 *     write ──► plan ──► open object of `by` ──► parts ──► complete: what it has is durable
 *                            └ full, old, idle, left alone for longest, or flushed
 *
 * What the ledger is told, and when:
 *  1. Numbers are taken from it in blocks, before the first of a block is used: none comes twice, some are left out.
 *  2. An upload is begun when the ledger names its key: the next sink with this ledger aborts it if this one could not.
 *     Nobody else's is looked for: only uploads of exactly those keys.
 */

import { type Accepted, ignoreRejection, type WriteContext } from '@streamweld/core/connector';
import { Body, EPOCH, repeated, SEQUENCE } from './sink-body.ts';
import { Slots } from './sink-buffers.ts';
import { OpenObject } from './sink-object.ts';
import { isFull, type Piece, Planner } from './sink-plan.ts';
import type { WayOfWriting, WayOptions } from './sink-way.ts';
import { untilAborted } from './until-aborted.ts';

/** How many numbers are taken from the ledger at once. */
const BLOCK = 16;

/** A write that nobody waited for to the end. */
interface Late<T> {
  readonly batch: readonly T[];
  readonly taken: Promise<Accepted>;
}

export class RollingWay<T> implements WayOfWriting<T> {
  readonly #way: WayOptions<T>;
  readonly #planner: Planner<T>;
  readonly #slots: Slots;
  /** Those that take more, by `by`; the one that was left alone for longest comes first. */
  readonly #open = new Map<string, OpenObject<T>>();
  /** All that are not there yet, and what they are waited for by. */
  readonly #finishing = new Map<OpenObject<T>, Promise<void>>();
  /** Keys whose uploads may be open, by number. */
  readonly #uploading = new Map<number, string>();
  #next: number;
  #telling: Promise<void> | undefined;
  #told: Promise<void> = Promise.resolve();
  #late: Late<T> | undefined;
  /** What ended an object ends the sink. */
  #failure: { readonly error: unknown } | undefined;

  constructor(way: WayOptions<T>) {
    this.#way = way;
    const { options } = way;
    this.#slots = new Slots(options.maxOpen);
    this.#next = way.ledger.content.next;
    this.#planner = new Planner({
      stage: options.reach.name,
      format: options.format,
      by: options.by,
      limits: options.roll,
      willBeZipped: (by) => options.isZipped(this.#keyOf(this.#next, by)),
    });
  }

  async write(batch: readonly T[], { signal, attempt }: WriteContext): Promise<Accepted> {
    const late = this.#late;
    this.#late = undefined;
    const isSame = attempt > 1 && late !== undefined && hasSame(late.batch, batch);
    const taken = isSame ? late.taken : this.#take(batch);
    try {
      return await untilAborted(taken, signal);
    } catch (error) {
      // It may be taken over after all: when it comes again, a second time would double its items.
      if (signal.aborted) this.#late = { batch, taken };
      throw error;
    }
  }

  async flush(): Promise<void> {
    for (const object of [...this.#open.values()]) this.#finish(object);
    await Promise.all(this.#finishing.values());
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    await this.flush();
    const { ledger, life } = this.#way;
    // Nothing is open, and the next sink goes on with the next number.
    if (ledger.content.next === this.#next && ledger.content.pending.length === 0) return;
    await ledger.update((content) => ({ ...content, next: this.#next, pending: [] }), life);
  }

  async abandon(reason: unknown, signal: AbortSignal): Promise<void> {
    const objects = new Set([...this.#open.values(), ...this.#finishing.keys()]);
    const abandoned = [...objects].map((object) => {
      object.durable.reject(reason);
      return object.abandon(signal);
    });
    await Promise.allSettled([...abandoned, ...this.#finishing.values()]);
  }

  /** All of it, or nothing: unless the sink fails. */
  #take(batch: readonly T[]): Promise<Accepted> {
    const taken = this.#takeNow(batch);
    ignoreRejection(taken);
    return taken;
  }

  async #takeNow(batch: readonly T[]): Promise<Accepted> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const pieces = this.#planner.plan(batch, (by) => this.#open.get(by));
    const touched = new Set<OpenObject<T>>();
    try {
      const taken = pieces.map((piece) => {
        const object = this.#objectOf(piece);
        touched.add(object);
        const appended = object.append(piece.items, piece.chunks);
        this.#finishIfFull(object);
        // How large gzip is, is known only then.
        const full = appended.then(() => this.#finishIfFull(object));
        // Nobody waits for it where a later piece finds no key.
        ignoreRejection(full);
        return full;
      });
      await Promise.all(taken);
    } catch (error) {
      throw this.#fail(error);
    }
    const durable = Promise.all([...touched].map((object) => object.durable.promise)).then(() => {});
    ignoreRejection(durable);
    return { durable };
  }

  #objectOf({ by, isNew, encoder }: Piece<T>): OpenObject<T> {
    const open = this.#open.get(by);
    if (open !== undefined && !isNew) {
      this.#open.delete(by);
      this.#open.set(by, open);
      return open;
    }
    if (open !== undefined) this.#finish(open);
    const object = this.#begin(by, encoder);
    this.#open.set(by, object);
    const [oldest] = this.#open.values();
    if (this.#open.size > this.#way.options.maxOpen) this.#finish(oldest as OpenObject<T>);
    return object;
  }

  #begin(by: string, encoder: Piece<T>['encoder']): OpenObject<T> {
    const { options, shop, ledger, life } = this.#way;
    const sequence = this.#next;
    const key = this.#keyOf(sequence, by);
    // A store that knows no conditions would take both, and keep one.
    if ([...this.#open.values(), ...this.#finishing.keys()].some((other) => other.key === key))
      throw repeated(shop, key);
    this.#next += 1;
    const isZipped = options.isZipped(key);
    const body = new Body(shop, {
      key,
      contentType: options.contentType,
      metadata: { ...options.metadata, [SEQUENCE]: String(sequence), [EPOCH]: ledger.epoch },
      beforeUpload: () => {
        this.#uploading.set(sequence, key);
        return this.#tell();
      },
      signal: life,
    });
    const object = new OpenObject<T>({
      by,
      encoder,
      body,
      isZipped,
      level: options.level,
      slots: this.#slots,
      before: () => (this.#way.ledger.content.next > sequence ? Promise.resolve() : this.#tell()),
      signal: life,
    });
    object.watch(options.roll.maxAgeMs, options.roll.maxIdleMs, () => this.#finish(object));
    ignoreRejection(object.durable.promise);
    object.durable.promise.then(
      () => this.#uploading.delete(sequence),
      () => {},
    );
    return object;
  }

  #keyOf(sequence: number, by: string): string {
    const nothing: ReadonlyMap<string, unknown> = new Map();
    return this.#way.options.makeKey({
      sequence,
      by,
      lane: undefined,
      first: nothing,
      positions: nothing,
      openedAt: new Date(),
    });
  }

  #finishIfFull(object: OpenObject<T>): void {
    if (isFull(object, this.#way.options.roll)) this.#finish(object);
  }

  #finish(object: OpenObject<T>): void {
    if (this.#open.get(object.by) === object) this.#open.delete(object.by);
    if (this.#finishing.has(object) || this.#way.life.aborted) return;
    const finished = object.finish().then(
      () => object.durable.resolve(),
      (error: unknown) => {
        object.durable.reject(this.#fail(error));
      },
    );
    this.#finishing.set(object, finished);
    void finished.then(() => {
      if (this.#failure === undefined) this.#finishing.delete(object);
    });
  }

  /** What an object had is lost: the run ends, and goes on from what is durable. */
  #fail(error: unknown): unknown {
    const { life, fail } = this.#way;
    if (this.#failure === undefined && !life.aborted) {
      this.#failure = { error };
      fail(error);
    }
    return error;
  }

  /** Tells the ledger which numbers are used and which uploads are begun. What is to be told meanwhile goes along. */
  #tell(): Promise<void> {
    if (this.#telling !== undefined) return this.#telling;
    const telling = this.#told.then(() => {
      this.#telling = undefined;
      const { ledger, life } = this.#way;
      this.#told = ledger.update((content) => {
        const next = content.next > this.#next ? content.next : this.#next + BLOCK;
        const pending = [...this.#uploading].map(([sequence, key]) => ({
          sequence,
          epoch: ledger.epoch,
          keys: [key],
        }));
        return { ...content, next, pending };
      }, life);
      return this.#told;
    });
    ignoreRejection(telling);
    this.#telling = telling;
    return telling;
  }
}

function hasSame<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}
