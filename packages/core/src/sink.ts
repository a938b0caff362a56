/**
 * The contract of a sink: where items go.
 *
 * A run calls `open` once, then `write`, at most `concurrency` of them at a time; `flush` when all must be durable;
 * and `close` last.
 *
 *     open ──► write ◄─┐ ──► flush ──► close()          finished: make it visible
 *                └─────┘          └──► close(reason)    abandoned: leave nothing half-visible
 *
 * Two things that are never confused: *accepted* ends retries and frees the room in the buffer; *durable* lets the
 * position of the source move on.
 *
 * The rules (a test that proves one begins with its number):
 *  K1  `open` is called once, before anything else. If it throws, only `close` follows.
 *  K2  No more than `concurrency` writes are outstanding, nor more than the run's `maxConcurrency`. With one, writes come
 *      in the order of the source; behind a key, in the order of each key.
 *  K3  The batch is never empty, belongs to the run, and is not changed by the sink: others may hold the same array.
 *  K4  A write that returns, or whose promise resolves, without `durable`, is accepted and durable.
 *  K5  With `{ durable }` it is accepted now, and durable when that promise resolves. Its rejection is final.
 *  K6  A write that throws or rejects may be repeated, in part or whole, with the attempt counted in its context. An
 *      `atomic` sink has then written nothing. Of any other that names what `failed`, for a reason that may pass, the
 *      rest is taken as written. A reason that will not pass says `retryable: false`: it blames the items.
 *  K7  `flush` makes everything accepted durable. No write is outstanding while it runs. Of a sink without `flush`, what
 *      it accepted becomes durable by itself: at the end that is waited for, as long as an abort would wait (`closeMs`).
 *  K8  `close` is called once, also after a failure, and nothing is called after it. Without a reason the sink finishes;
 *      with one it abandons what is not yet visible.
 *  K9  The signal of the context aborts when the run does, or when the write takes longer than its `writeTimeout`: then
 *      nobody waits for it, and another may begin beside it. A write that ignores the signal cannot hold the run: it is
 *      named, and may still land.
 *  K10 A write that called `context.defer()` is settled by the sink itself, each piece exactly once.
 *  K11 A sink that `keepsPositions` and finds a `checkpoint` in the context of its `open` keeps the positions of each
 *      write together with its items, in one step and under that name: after any crash it holds both or neither.
 *      `positions()`, asked once after `open`, answers what it holds.
 *  K12 It is then given whole source batches, in order, one write at a time; each attempt of a write carries the same
 *      positions. It does not answer `{ durable }` and does not defer. Items that cannot be written are isolated by the
 *      sink inside its own step, and named by `WriteError.failed`.
 *  K13 One that passes its items on to several sinks, each of which keeps positions, has `ahead` as well, and may defer.
 *      Its `positions()` are the least of theirs; `ahead()`, asked once after that, the furthest of each lane in which
 *      they differ. Until the source is beyond those it is asked for single items, and each write holds one source batch:
 *      then what a sink has and what it has not are not in one write, unless an operator joined them before.
 *  K14 `keep` is given what K11 asks to be kept and no write brings: the lanes that moved past the last item, because what
 *      came after it was dropped, or is in the dead letter. It comes once, after the last write of a run that ends well.
 *      Without it, the next run reads that part again.
 *  K15 What is durable can be read back from where it went: every item, as it was given; with one write at a time, in the
 *      order of the writes.
 *  K16 What was abandoned, by a `close` with a reason or by a kill, is not half-visible: whoever reads finds whole items,
 *      of an `atomic` sink whole writes, and no item that was not written.
 *  K17 Once the signal of its context, or of a write, aborts, an outstanding `open`, `write` or `flush` settles soon, one
 *      way or the other.
 *  K18 After `close` nothing of it is left: no handle, connection, listener or timer, and no promise that nobody handles. So
 *      too where `open` failed, where nothing was written, and where a write was outstanding.
 *  K19 What it throws has a code and says what to do. No secret of its options and no item is in it, nor along its `cause`.
 *  K20 An item that cannot be written is data that is bad (`retryable: false`), and does not keep the rest of its batch from
 *      being written. Where it is named, in `WriteError.failed`, the index is that of the item in the batch.
 *  K21 Of what is durable it holds nothing, of what it accepted a bounded amount: its memory does not grow with the items.
 *  K22 A sink opens on what an earlier one left, finished, abandoned or killed, and destroys nothing that was durable, unless
 *      its options say that it begins anew.
 */

import type { Watchable } from './observe.ts';
import type { Awaitable } from './source.ts';

/** What a run gives its sink when it opens it. */
export interface SinkContext {
  /** Aborts when the run does. It is the run's own: it has few listeners and lives as long as the run. */
  readonly signal: AbortSignal;
  /** It is a dead letter: what it holds of earlier runs is to stay. */
  readonly isDeadLetter?: boolean | undefined;
  /**
   * The name under which a sink that `keepsPositions` keeps them (K11): the run was given `checkpoint(store, name)` and
   * delivers exactly once through this sink. Undefined otherwise: then there are no positions to keep.
   */
  readonly checkpoint?: string | undefined;
  /**
   * How long the run, once it is aborted, waits for what is outstanding, and again for the closing: for a sink that passes
   * its items on, and has to wait for others itself. It may change until the sink is closed.
   */
  readonly closeMs?: number | undefined;
  /**
   * Negative where `a` lies before `b` in a lane: for a sink that keeps positions in several places (K13).
   * @throws StreamWeldError SW_EXACTLY_ONCE_IMPOSSIBLE where the source of the lane has no `comparePositions`.
   */
  comparePositions?(lane: string, a: unknown, b: unknown): number;
  /** For a sink that learns between two writes that it cannot go on: fails the run. */
  fail(error: unknown): void;
}

/**
 * The receipt of one write, for a sink that passes items on and settles them itself. It starts as one piece; passing
 * the items on in n pieces retains n − 1 more. Every piece is settled or failed exactly once.
 */
export interface DeferredReceipt {
  retain(pieces: number): void;
  /** One piece is durable, or was dropped on purpose. */
  settle(): void;
  /** One piece is lost: fails the run, and the position stays before it. */
  fail(error: unknown): void;
}

/** What a run gives its sink with each write. It is only good for that write. */
export interface WriteContext {
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /**
   * Where the source stands with this write: the lanes that it moves, each with the position after its last item here.
   * Only for a sink that keeps them (K11), and empty where the source has none.
   */
  readonly positions?: ReadonlyMap<string, unknown> | undefined;
  /** Takes the settling of this write into the sink's own hands (K10). Call it before the write returns. */
  defer(): DeferredReceipt;
}

/** Accepted now, durable when `durable` resolves: an object store's upload that is not complete yet. */
export interface Accepted {
  readonly durable: Promise<void>;
}

export interface Batching {
  /** The most items of one write. Default: what the buffer allows. */
  readonly maxItems?: number | undefined;
  /** How long a write that is not full waits for more items, in milliseconds. Default 0: it does not wait. */
  readonly lingerMs?: number | undefined;
}

export interface Sink<T> {
  /** Shown in errors, reports and drawings. */
  readonly name?: string | undefined;
  /** The most writes at once; 1 where order or state matters. Default: as many as the run's `maxConcurrency` allows. */
  readonly concurrency?: number | undefined;
  /** A write that rejects has written nothing. */
  readonly atomic?: boolean | undefined;
  /** It can keep positions with its items, and so write each item exactly once (K11 to K13). */
  readonly keepsPositions?: boolean | undefined;
  readonly batching?: Batching | undefined;
  /** What it passes its items on to, as a dispatcher is behind its sink: shown to whoever watches the run. */
  readonly inside?: Watchable | undefined;
  open?(context: SinkContext): Awaitable<void>;
  /** The positions it holds, by lane; empty on a first run (K11). */
  positions?(): Awaitable<ReadonlyMap<string, unknown>>;
  /** Of each lane in which it is ahead of these positions in some place, the furthest (K13). */
  ahead?(): ReadonlyMap<string, unknown>;
  /** Keeps positions that moved without items, as a write would (K14). */
  keep?(positions: ReadonlyMap<string, unknown>): Awaitable<void>;
  /** Returning nothing means: accepted and durable (rules K2 to K6). */
  write(batch: readonly T[], context: WriteContext): Awaitable<void | Accepted>;
  /** Makes all that was accepted durable. */
  flush?(): Awaitable<void>;
  /** No reason: finish; a reason: abandon, leaving nothing half-visible. */
  close?(reason?: unknown): Awaitable<void>;
}

/**
 * A writable stream of Node, by its shape. Its `write` is looked for at run time: named here, it would take the type of
 * the batch from a sink that is written where it is used, `{ write: (batch) => … }`.
 */
export interface NodeWritableLike {
  end(callback?: () => void): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
  destroy(error?: Error): unknown;
}

/** A writable stream of the web, by its shape. */
export interface WebWritableLike<T = unknown> {
  getWriter(): {
    readonly ready: Promise<unknown>;
    readonly closed?: Promise<unknown>;
    write(chunk: T): Promise<void>;
    close(): Promise<void>;
    abort(reason?: unknown): Promise<void>;
    releaseLock(): void;
  };
}

/** A function of a batch: the shortest sink there is. What it returns, beyond a promise to wait for, is ignored. */
export type BatchFunction<T> = (batch: readonly T[], context: WriteContext) => unknown;

/** Wherever a sink is taken, so are these. */
export type SinkLike<T> = Sink<T> | BatchFunction<T> | WebWritableLike<T> | NodeWritableLike;
