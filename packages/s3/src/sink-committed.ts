/**
 * Exactly once: each write is an object, or one for each `by`, and counts when the ledger says so.
 *
 *     ledger: n + 1 is pending ──► objects of n + 1 ──► ledger: up to n + 1 is committed, with the positions
 *              (1)                     (2)                        (3)
 *
 *  1. The ledger is told the number of the write, and its keys. Numbers that were pending before it are void from now on.
 *  2. Its objects are written, none over another. Each carries the number and the epoch of the sink.
 *  3. The ledger is told that the number is committed, and the positions. That is the moment at which the write counts.
 *
 * A reader takes an object for what its number says: committed and not void.
 *
 * What happens when it is stopped, at any moment:
 *  - before (1) is done: nothing has happened.
 *  - between (1) and (3): the number is pending. Whoever opens the ledger next makes it void in the same change that makes the
 *    ledger his own, and only then takes away what there is of its objects: those that carry that number and epoch, and the
 *    uploads of its keys. The write comes again with another number, and may be cut otherwise.
 *  - after (3): it is committed, whether or not the answer came.
 *
 * A sink that was taken for dead and is not (a zombie) can do no more than (2): its change of the ledger meets another's epoch.
 * Its objects have a number that is void, and stay uncounted even when they come after the sweep. It takes them away itself.
 *
 * A write that fails here, and is tried again, is as one that was stopped, but for its last step: where the answer to (3) did
 * not come, the first change of the next attempt has the same condition as (3) had. Only one of the two is made; where it was
 * (3), that is found, and the write is done.
 */

import { isStreamWeldError, onAbort, type WriteContext } from '@streamweld/core/connector';
import {
  fromKept,
  isVoid,
  type KeptPositions,
  type LedgerContent,
  merge,
  type PendingObjects,
  toKept,
  voided,
} from './ledger.ts';
import { Body, EPOCH, repeated, SEQUENCE } from './sink-body.ts';
import { Slots } from './sink-buffers.ts';
import { OpenObject } from './sink-object.ts';
import { type Piece, Planner } from './sink-plan.ts';
import { sweep } from './sink-sweep.ts';
import type { WayOfWriting, WayOptions } from './sink-way.ts';

/** How long what a failed write left may take to be taken away; the next one to open takes the rest. */
const CLEAN_UP_MS = 5000;

export class CommittedWay<T> implements WayOfWriting<T> {
  readonly #way: WayOptions<T>;
  readonly #planner: Planner<T>;
  readonly #slots: Slots;
  #last: Promise<unknown> = Promise.resolve();
  /** A write of which nobody knows whether it is committed. */
  #doubt: { readonly sequence: number; readonly positions: string } | undefined;

  constructor(way: WayOptions<T>) {
    this.#way = way;
    const { options } = way;
    this.#slots = new Slots(options.maxOpen);
    this.#planner = new Planner({
      stage: options.reach.name,
      format: options.format,
      by: options.by,
      limits: { maxBytes: Number.POSITIVE_INFINITY, maxItems: Number.POSITIVE_INFINITY },
      willBeZipped: (by) => options.isZipped(this.#keyOf(way.ledger.content, by, [])),
    });
  }

  /** One after the other, also where one was given up. */
  write(batch: readonly T[], context: WriteContext): Promise<void> {
    return this.#after(context.signal, (signal) => this.#write(batch, context, signal));
  }

  keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const kept = toKept(positions);
    return this.#after(undefined, (signal) =>
      this.#way.ledger.update(
        (content) => ({ ...content, positions: merge(content.positions, kept) }),
        signal,
      ),
    );
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    await this.#last;
  }

  async abandon(): Promise<void> {
    await this.#last;
  }

  #after(signal: AbortSignal | undefined, step: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = this.#last.then(async () => {
      const either = new AbortController();
      const forget = [this.#way.life, signal].map(
        (each) => each && onAbort(each, (reason) => either.abort(reason)),
      );
      try {
        either.signal.throwIfAborted();
        await step(either.signal);
      } finally {
        for (const each of forget) each?.();
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async #write(
    batch: readonly T[],
    { positions, attempt }: WriteContext,
    signal: AbortSignal,
  ): Promise<void> {
    const { ledger, shop } = this.#way;
    const kept = toKept(positions);
    const pieces = this.#planner.plan(batch, () => undefined);
    let mine: PendingObjects | undefined;
    let before: readonly PendingObjects[] = [];
    let begun: LedgerContent | undefined;
    await ledger.update((content) => {
      mine = undefined;
      if (attempt > 1 && this.#wasCommitted(content, kept)) return undefined;
      begun = content;
      before = content.pending;
      const sequence = content.next;
      mine = { sequence, epoch: ledger.epoch, keys: this.#keysOf(content, pieces, kept) };
      return { ...content, next: sequence + 1, void: voided(content), pending: [...before, mine] };
    }, signal);
    this.#doubt = undefined;
    if (mine === undefined || begun === undefined) return;
    const { sequence, keys } = mine;
    await sweep(shop, begun, before, signal);
    await this.#writeObjects(pieces, keys, sequence, signal);
    try {
      await ledger.update(
        (content) => ({
          ...content,
          committed: sequence,
          pending: [],
          positions: merge(content.positions, kept),
        }),
        signal,
      );
    } catch (error) {
      if (isStreamWeldError(error) && error.code === 'SW_CHECKPOINT_FENCED') await this.#takeBack(mine);
      else this.#doubt = { sequence, positions: JSON.stringify(kept) };
      throw error;
    }
  }

  /** Whether this is the write that was in doubt, and it counts. Another may have come since: of another lane, where a run drains. */
  #wasCommitted({ committed }: LedgerContent, kept: KeptPositions): boolean {
    return this.#doubt?.sequence === committed && this.#doubt.positions === JSON.stringify(kept);
  }

  /**
   * A key for each piece. It is of one number alone: a request of a write that was taken back may arrive late, and a delete of
   * its object would hit what counts.
   */
  #keysOf(content: LedgerContent, pieces: readonly Piece<T>[], kept: KeptPositions): readonly string[] {
    const later = { ...content, next: content.next + 1 };
    const openedAt = new Date();
    const keys = new Set<string>();
    for (const { by } of pieces) {
      const key = this.#keyOf(content, by, kept, openedAt);
      if (keys.has(key) || key === this.#keyOf(later, by, kept, openedAt))
        throw repeated(this.#way.shop, key);
      keys.add(key);
    }
    return [...keys];
  }

  async #writeObjects(
    pieces: readonly Piece<T>[],
    keys: readonly string[],
    sequence: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { options, shop, ledger } = this.#way;
    const all = new AbortController();
    const forget = onAbort(signal, (reason) => all.abort(reason));
    const metadata = { ...options.metadata, [SEQUENCE]: String(sequence), [EPOCH]: ledger.epoch };
    const write = async ({ by, encoder, items, chunks }: Piece<T>, key: string): Promise<void> => {
      const object = new OpenObject<T>({
        by,
        encoder,
        body: new Body(shop, { key, contentType: options.contentType, metadata, signal: all.signal }),
        isZipped: options.isZipped(key),
        level: options.level,
        slots: this.#slots,
        before: () => Promise.resolve(),
        signal: all.signal,
      });
      try {
        await object.append(items, chunks);
        await object.finish();
      } catch (error) {
        all.abort(error);
        await object.abandon(AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {});
        throw error;
      }
    };
    try {
      const results = await Promise.allSettled(
        pieces.map((piece, index) => write(piece, keys[index] as string)),
      );
      if (all.signal.aborted) throw all.signal.reason;
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    } finally {
      forget();
    }
  }

  /** Another has the ledger, and these never count; or they do, where only the answer was lost that said so. */
  async #takeBack(mine: PendingObjects): Promise<void> {
    const { shop, ledger } = this.#way;
    if (ledger.successor === undefined || !isVoid(ledger.successor, mine.sequence)) return;
    await sweep(shop, ledger.content, [mine], AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {});
  }

  #keyOf(
    { next, positions }: LedgerContent,
    by: string,
    kept: KeptPositions,
    openedAt: Date = new Date(),
  ): string {
    const lanes = kept.map(([lane]) => lane);
    const first = fromKept(positions);
    return this.#way.options.makeKey({
      sequence: next,
      by,
      lane: lanes.length === 1 ? lanes[0] : undefined,
      first: new Map(lanes.filter((lane) => first.has(lane)).map((lane) => [lane, first.get(lane)])),
      positions: fromKept(kept),
      openedAt,
    });
  }
}
