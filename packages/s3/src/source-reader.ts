/**
 * Several objects that are fetched at once, and one that is pulled from: the first of them, or whichever has something.
 *
 *     legs ──► [ a │ b │ c │ d ]  at most maxObjects ──► pull: 'listed' a until it is done, 'ready' in turns
 */

import { Deferred, ignoreRejection, type Positioned, runtime } from '@streamweld/core/connector';
import type { Format } from '@streamweld/formats';
import type { S3Store } from './client.ts';
import type { S3Position } from './position.ts';
import { openBytes } from './source-bytes.ts';
import { Legs } from './source-legs.ts';
import { OpenObject, type Surroundings } from './source-object.ts';
import type { CheckedSourceOptions } from './source-options.ts';
import { untilAborted, untilSettled } from './until-aborted.ts';

/** What is no larger is handed on when all of it has come. */
const SMALL_BYTES = 1 << 20;

/** How many objects, for each that is fetched, may wait until those before them are read. */
const WAITING_EACH = 4;

/** So many bytes of an object are handed on without waiting for more: what is held longer, the garbage collector has to move. */
const HANDED_ON_BYTES = 256 << 10;

type Answer<T> = Positioned<T, S3Position> | undefined;

interface Damage {
  readonly error: unknown;
  readonly lane: string;
  isWaitedFor: boolean;
  isKept: boolean;
}

export class ObjectReader<T> {
  readonly #legs: Legs;
  readonly #options: CheckedSourceOptions;
  readonly #around: Surroundings<T>;
  readonly #signal: AbortSignal;
  readonly #onEnd: (lane: string, position: S3Position) => void;
  readonly #settled: (lane: string) => Promise<void>;
  /** In the order in which they were begun. */
  readonly #open: OpenObject<T>[] = [];
  /** Objects that an earlier run ended, and nobody may have seen to. */
  readonly #passed: S3Position[] = [];
  /** Which of them is asked first, where they take turns. */
  #turn = 0;
  #room: Deferred | undefined;
  readonly #first: Deferred = new Deferred();
  #areAllBegun = false;
  #failure: { readonly error: unknown } | undefined;
  /** An object came damaged, and its position has told so. Nothing is read any more. */
  #damage: Damage | undefined;
  #pull: { readonly demand: number; readonly answer: Deferred<Answer<T>> } | undefined;
  /** Whoever pulls is answered in this turn. */
  #isServing = false;
  readonly #feeding: Promise<void>;

  /**
   * Begins to fetch. Once the signal aborts it ends.
   * @param onEnd told when the end of an object is handed out
   * @param settled answers when all that was handed out of a lane is written
   * @throws S3Error SW_S3_POSITION_INVALID, SW_S3_OBJECT_CORRUPT
   */
  constructor(
    store: S3Store,
    format: Format<T, never>,
    options: CheckedSourceOptions,
    positions: ReadonlyMap<string, S3Position>,
    signal: AbortSignal,
    onEnd: (lane: string, position: S3Position) => void,
    settled: (lane: string) => Promise<void>,
  ) {
    const { bucket, retryMs, maxBytes, maxObjects } = options;
    const share = Math.ceil(maxBytes / maxObjects);
    const smallBytes = Math.min(SMALL_BYTES, share);
    this.#options = options;
    this.#signal = signal;
    this.#onEnd = onEnd;
    this.#settled = settled;
    const legs = new Legs(store, options, positions, signal, () => this.#first.resolve());
    this.#legs = legs;
    this.#around = {
      format,
      options,
      share,
      open: ({ key, ifMatch }, from) =>
        openBytes(store, { bucket, key, from, ifMatch, smallBytes }, retryMs, signal),
      begin: (leg, etag) => legs.begin(leg, etag),
      ended: (leg) => legs.endedUnder(leg),
      onMore: (bytes) => (bytes < HANDED_ON_BYTES ? this.#serveSoon() : this.#serve()),
      onFetched: () => this.#room?.resolve(),
    };
    this.#feeding = this.#feed();
  }

  /**
   * Settles when it is known that the store can be listed, or an object is there to go on with. Whoever waits for keys that
   * others give does not know when they come.
   */
  async begun(): Promise<void> {
    if (this.#options.keys === undefined) await this.#first.promise;
  }

  pull(demand: number): Answer<T> | Promise<Answer<T>> {
    const ready = this.#take(demand);
    if (ready !== undefined || this.#isAtEnd) return ready;
    const answer = new Deferred<Answer<T>>();
    this.#pull = { demand, answer };
    return answer.promise;
  }

  /** The outstanding pull is answered with nothing, and no other comes. */
  stop(): void {
    this.#answer(undefined);
  }

  /** When the signal has aborted: settles when nothing is left. */
  async close(): Promise<void> {
    this.stop();
    this.#legs.end();
    this.#room?.resolve();
    await this.#feeding;
    await Promise.all(this.#open.splice(0).map((object) => object.close()));
  }

  get #isAtEnd(): boolean {
    return this.#areAllBegun && this.#open.length === 0 && this.#passed.length === 0;
  }

  /** For another object: a connection, and the bytes that may wait of it. What came whole keeps no other from being fetched. */
  get #hasRoom(): boolean {
    const { maxObjects } = this.#options;
    const { share } = this.#around;
    const open = this.#open;
    if (open.length + this.#passed.length >= WAITING_EACH * maxObjects) return false;
    let fetching = 0;
    let bytes = share;
    for (const object of open) {
      if (object.isFetching) fetching += 1;
      bytes += object.reservedBytes;
    }
    return fetching < maxObjects && bytes <= share * maxObjects;
  }

  async #feed(): Promise<void> {
    try {
      while (!this.#signal.aborted) {
        const next = this.#legs.next();
        ignoreRejection(next);
        const leg = await untilAborted(next, this.#signal);
        if (leg === undefined) break;
        this.#first.resolve();
        if (leg.from?.done === true) this.#pass(leg.from);
        else this.#open.push(new OpenObject(leg, this.#around));
        while (!this.#hasRoom && !this.#signal.aborted) {
          this.#room = new Deferred();
          await this.#room.promise;
        }
      }
    } catch (error) {
      this.#failure = { error };
      this.#first.reject(error);
    }
    this.#first.resolve();
    this.#areAllBegun = true;
    this.#serve();
  }

  /** What comes in the same turn of the event loop, of one object or several, is handed on together: that is cheaper. */
  #serveSoon(): void {
    if (this.#pull === undefined || this.#isServing) return;
    this.#isServing = true;
    runtime.yield(() => {
      this.#isServing = false;
      this.#serve();
    });
  }

  #serve(): void {
    const pull = this.#pull;
    if (pull === undefined) return;
    try {
      const ready = this.#take(pull.demand);
      if (ready !== undefined || this.#isAtEnd) this.#answer(ready);
    } catch (error) {
      this.#pull = undefined;
      pull.answer.reject(error);
    }
  }

  #answer(answer: Answer<T>): void {
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.answer.resolve(answer);
  }

  #take(demand: number): Answer<T> {
    const passed = this.#passed.shift();
    if (passed !== undefined) {
      this.#room?.resolve();
      return this.#answerOf([], passed);
    }
    if (this.#damage !== undefined) return this.#failOf(this.#damage);
    const open = this.#open;
    // Those that were begun are read first, whatever went wrong behind them.
    if (open.length === 0 && this.#failure !== undefined) throw this.#failure.error;
    const isInTurn = this.#options.order === 'ready';
    for (let tried = 0; tried < open.length; ) {
      const at = isInTurn ? this.#turn % open.length : 0;
      const object = open[at] as OpenObject<T>;
      let items: readonly T[];
      try {
        items = object.take(demand);
      } catch (error) {
        return this.#tell(object, error);
      }
      if (object.isSkipped || object.isDone) {
        open.splice(at, 1);
        this.#room?.resolve();
        if (object.isSkipped) {
          const ended = this.#legs.ended(object.leg, object.etag);
          if (ended !== undefined) return this.#answerOf([], ended);
          continue;
        }
      } else if (items.length === 0) {
        if (!isInTurn) return undefined;
        this.#turn += 1;
        tried += 1;
        continue;
      } else {
        this.#turn += 1;
      }
      return this.#answerOf(items, object.position());
    }
    return undefined;
  }

  /**
   * What came damaged is told in a position first, so that no run goes on from there as if nothing were; and when that is kept,
   * by failing.
   */
  #tell(object: OpenObject<T>, error: unknown): Answer<T> {
    if (!object.isDamaged) throw error;
    const answer = this.#answerOf([], object.position());
    this.#damage = { error, lane: answer.lane, isWaitedFor: false, isKept: false };
    return answer;
  }

  #failOf(damage: Damage): undefined {
    if (damage.isKept) throw damage.error;
    if (damage.isWaitedFor) return;
    damage.isWaitedFor = true;
    const settled = this.#settled(damage.lane);
    void untilSettled(settled, this.#options.retryMs, this.#signal).then(() => {
      damage.isKept = true;
      this.#serve();
    });
  }

  #answerOf(
    items: readonly T[],
    position: S3Position,
  ): Positioned<T, S3Position> & { readonly lane: string } {
    const lane = this.#legs.laneOf(position);
    if (position.done === true) {
      this.#legs.handedOut(lane, position);
      this.#onEnd(lane, position);
    }
    return { items, position, lane };
  }

  /** Nothing of it is read. */
  #pass(ended: S3Position): void {
    this.#passed.push(ended);
    this.#serve();
  }
}
