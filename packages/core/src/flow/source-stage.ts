/** The first stage of a chain: asks a source, holds it to its contract, and gives its batches their receipts. */

import type { Caution } from '../delivery/caution.ts';
import { LaneBook } from '../delivery/lane.ts';
import { Parcel } from '../delivery/parcel.ts';
import { Deferred, isThenable } from '../deferred.ts';
import { StreamWeldError, wrapError } from '../errors.ts';
import type { Observers, OperationEnd } from '../observe.ts';
import type { Awaitable, Positioned, Source } from '../source.ts';
import { type FlowRun, never, Stage } from './stage.ts';

/** Sources that a run has opened, and not closed. */
const inUse = new WeakSet<object>();

/** What an answer of `null` holds. */
const NO_ANSWER = {};

export class SourceStage<T> extends Stage<T> {
  readonly lanes: LaneBook = new LaneBook((items) => this.onMoved(items));
  /** Told when positions moved; set by whoever commits them. */
  onMoved: (items: number) => void = () => {};
  /** Every batch must have a position: the run keeps them. */
  needsPositions = false;
  /** As long as it is needed, items are asked for one by one, so that each has a position of its own. */
  caution: Caution | undefined;
  /** Whoever watches its pulls, and how they know it. */
  observers: Observers | undefined;
  observedAs = '';
  #observed: ((end: OperationEnd) => void) | undefined;
  #isPulling = false;
  #demand = 0;
  #ended = false;
  #isAbandoned = false;
  #isClosed = false;
  #isRefused = false;
  /** Settles when its run is resumed. */
  #resumed: Deferred | undefined;

  readonly source: Source<T>;

  constructor(source: Source<T>, run: FlowRun) {
    super(source.name ?? 'source', [], run);
    this.source = source;
    run.sources.push(this as SourceStage<unknown>);
  }

  /** @param positions where to resume, by lane. @param checkpoint the name of what keeps them. */
  async open(
    positions: ReadonlyMap<string, unknown>,
    signal: AbortSignal,
    fail: (error: unknown) => void,
    checkpoint?: string,
  ): Promise<void> {
    this.#take();
    try {
      await this.source.open?.({
        positions,
        signal,
        checkpoint,
        settled: (lane) => this.lanes.settled(lane),
        endLane: (lane) => this.lanes.endLane(lane),
        fail: (error) => fail(this.failure(error)),
      });
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The run takes nothing more: it is not pulled any more, and what it still answers is discarded (S11). */
  override abandon(): void {
    this.#isAbandoned = true;
  }

  /** Whether nothing may be called any more (S10). */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** An operator that goes on asking, until it has what it was asked for, waits for `resume`. */
  pause(): void {
    this.#resumed ??= new Deferred();
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  override async close(reason: unknown): Promise<void> {
    this.abandon();
    this.#isClosed = true;
    if (this.#isRefused) return;
    try {
      await this.source.close?.(reason);
    } catch (error) {
      throw this.failure(error);
    } finally {
      inUse.delete(this.source);
    }
  }

  /** One that another run reads is not touched. */
  #take(): void {
    this.#isRefused = inUse.has(this.source);
    if (this.#isRefused) {
      throw new StreamWeldError(
        'SW_SOURCE_IN_USE',
        `'${this.name}' is read by another run, which has not ended. Make a source of its own for each pipeline, or let a dispatcher share out what one reads.`,
        { stage: this.name },
      );
    }
    inUse.add(this.source);
  }

  override get calls(): number {
    return this.#isPulling ? 1 : 0;
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    if (this.#isAbandoned) return never();
    if (this.#ended) return undefined;
    if (this.#resumed !== undefined) return this.#resumed.promise.then(() => this.pull(demand));
    this.#demand = this.caution?.isNeeded === true ? 1 : demand;
    if (this.observers?.isWatched === true) this.#watch(this.observers);
    try {
      const answer = this.source.pull(this.#demand);
      if (isThenable(answer)) {
        this.#isPulling = true;
        return Promise.resolve(answer).then(this.#accept, this.#reject);
      }
      return this.#accept(answer);
    } catch (error) {
      this.#pulled(0, error);
      throw this.failure(error);
    }
  }

  #watch(observers: Observers): void {
    this.#observed = observers.began({
      kind: 'pull',
      id: this.observedAs,
      items: this.#demand,
      attempt: 1,
    });
  }

  #pulled(items: number, error?: unknown, batch?: readonly T[]): void {
    this.#isPulling = false;
    if (this.#observed === undefined) return;
    const ended = this.#observed;
    this.#observed = undefined;
    ended(error === undefined ? { items, batch } : { items, error });
  }

  /** No more pulls reach the source: the next one answers the end. */
  async stop(): Promise<void> {
    this.#ended = true;
    try {
      await this.source.stop?.();
    } catch (error) {
      throw this.failure(error);
    }
  }

  readonly #accept = (answer: readonly T[] | Positioned<T> | undefined): Awaitable<Parcel<T> | undefined> => {
    if (this.#isAbandoned) {
      this.#pulled(0);
      return never();
    }
    if (answer === undefined) {
      this.#pulled(0);
      this.#ended = true;
      return undefined;
    }
    if (Array.isArray(answer)) {
      this.#check(answer as readonly T[], false);
      if (this.needsPositions) throw this.#noPositions();
      return new Parcel(answer as readonly T[], null, null);
    }
    const { items, position, lane } = (answer ?? NO_ANSWER) as Positioned<T>;
    this.#check(items, true);
    const receipt = this.lanes.issue(lane ?? '', position, items.length);
    this.caution?.passed(receipt.lane.label, position);
    return new Parcel(items, receipt, null);
  };

  readonly #reject = (error: unknown): Awaitable<never> => {
    this.#pulled(0, error);
    if (this.#isAbandoned) return never();
    throw this.failure(error);
  };

  #check(items: readonly T[], isPositioned: boolean): void {
    const count = Array.isArray(items) ? items.length : -1;
    this.#pulled(Math.max(0, count), undefined, count < 0 ? undefined : items);
    if (count > this.#demand) {
      throw new StreamWeldError(
        'SW_SOURCE_OVERANSWERED',
        `The source '${this.name}' was asked for ${this.#demand} items and answered ${count}. pull(demand) must answer at most its demand: keep the rest for the next pull.`,
        { stage: this.name },
      );
    }
    if (count < 0 || (count === 0 && !isPositioned)) {
      throw new StreamWeldError(
        'SW_SOURCE_UNDERANSWERED',
        `The source '${this.name}' answered ${count < 0 ? 'no array of items' : 'an empty array'}. pull(demand) must answer at least one item, wait until there is one, or answer undefined at the end.`,
        { stage: this.name },
      );
    }
    this.emitted += count;
  }

  #noPositions(): StreamWeldError {
    return new StreamWeldError(
      'SW_CHECKPOINT_NO_POSITIONS',
      `The run has a checkpoint, and the source '${this.name}' answered items without a position: there would be nothing to resume from. Leave checkpoint out, or take a source that answers { items, position }.`,
      { stage: this.name },
    );
  }

  protected override failure(cause: unknown): StreamWeldError {
    return wrapError(
      'SW_SOURCE_FAILED',
      this.name,
      `The source '${this.name}' failed; its error is the cause. What it handed out before is settled as far as the sinks took it.`,
      cause,
    );
  }
}
