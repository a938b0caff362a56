/**
 * One batch whose write needs more than one step: it waits for its turn under a rate limit, failed and is written again,
 * or is taken apart until its bad items are found. The job holds the batch's slot, and with keys its seat, until it is
 * over; so nothing of a key is written before it.
 *
 *     waiting ──► ready ──► writing ──► accepted ──► next segment, or over
 *        ▲  limit,  ▲ paused,  │
 *        │  backoff │ breaker  └──► failed ──► retryable ─► again ─► … ─► lost, or the breaker opens and it waits
 *        └──────────┴───────────────┘     └──► data ─► bad items to the dead letter, the rest again
 */

import { claimAt, placeOf } from '../delivery/place.ts';
import { type Claim, ClaimGroup, Parcel, type Part } from '../delivery/parcel.ts';
import { isolate, leftToWrite, type Segment, type SegmentRules, wholeSegment } from '../policy/bisect.ts';
import { deadLetter, type DeadLetterBox, describeError } from '../policy/dead-letter.ts';
import { failedIndexes } from '../policy/write-failure.ts';
import type { WritePolicies } from '../policy/write-policies.ts';
import { runtime } from '../runtime.ts';

/** What a job needs of its task. */
export interface JobHost<T> {
  readonly name: string;
  readonly policies: WritePolicies;
  readonly rules: SegmentRules;
  /** A batch is written whole, or not at all: its sink keeps positions with it. */
  readonly writesWhole: boolean;
  readonly consentsToLoss: boolean;
  readonly isHalted: boolean;
  /** It can be written as soon as the task may write. */
  ready(job: WriteJob<T>): void;
  /** Writes; the job hears of the end by `accepted`, `failed` or `lost`. */
  call(job: WriteJob<T>, parcel: Parcel<T>, attempt: number): void;
  /** Items were accepted that a write which failed named as none of those that did. */
  accepted(items: number): void;
  /** Items are lost for good. */
  lost(error: unknown, items: number): void;
  /** The dead letter failed. */
  stop(error: unknown, items: number): void;
  over(job: WriteJob<T>): void;
}

export class WriteJob<T> {
  /** As it was taken from the intake. */
  readonly parcel: Parcel<T>;
  readonly positions: ReadonlyMap<string, unknown> | undefined;
  readonly #host: JobHost<T>;
  readonly #parts: readonly Part[];
  /** All claims of the parcel as one, since it is no longer written as it was. The job holds one piece. */
  #claim: Claim | null = null;
  #isSplit = false;
  /** What is still to be written, the next last. */
  readonly #todo: Segment<T>[] = [];
  #writing: Segment<T> | undefined;
  #isOver = false;
  /** Failures that may pass, since it began or since the breaker last opened for it. */
  #failures = 0;
  #isRetry = false;
  #lastError: { error: unknown } | undefined;
  #timer: unknown;
  #cancel: (() => void) | undefined;

  constructor(host: JobHost<T>, parcel: Parcel<T>, positions: ReadonlyMap<string, unknown> | undefined) {
    this.#host = host;
    this.parcel = parcel;
    this.positions = positions;
    this.#parts = parcel.listParts();
  }

  /** Before its first write it waits for its turn under the limit. */
  wait(cancel: () => void): void {
    this.#todo.push(wholeSegment(this.parcel.items, 1));
    this.#cancel = cancel;
  }

  readonly granted = (): void => {
    this.#cancel = undefined;
    this.#host.ready(this);
  };

  /** Whether a write of it failed, and is to be repeated. */
  get isRetrying(): boolean {
    return this.#lastError !== undefined;
  }

  /** Writes what is next. The task may write. */
  start(): void {
    const segment = this.#todo.pop() as Segment<T>;
    this.#writing = segment;
    if (this.#isRetry) this.#host.policies.retried += 1;
    this.#isRetry = false;
    let { parcel } = this;
    if (this.#isSplit) {
      this.#claim?.retain(1);
      parcel = new Parcel(segment.items, this.#claim, null);
    }
    this.#host.call(this, parcel, segment.attempt);
  }

  /** The write was accepted. Its claims are in the sink's hands, or settled. */
  accepted(): void {
    this.#writing = undefined;
    if (!this.#isSplit) this.#end();
    else this.#goOn();
  }

  /** The write failed, and nobody has settled anything of it. @param isFinal it must not be tried again. */
  failed(error: unknown, isFinal: boolean): void {
    const { policies, isHalted } = this.#host;
    const segment = this.#writing ?? wholeSegment(this.parcel.items, 1);
    this.#writing = undefined;
    this.#lastError = { error };
    if (this.#isSplit) this.#claim?.rejoin();
    let isData: boolean;
    try {
      isData = policies.isData(error);
    } catch (thrown) {
      policies.breaker?.failed();
      this.#giveBack(segment);
      this.#lose(thrown);
      return;
    }
    if (isData) policies.breaker?.answered();
    else policies.breaker?.failed();
    if (isHalted || isFinal) {
      this.#giveBack(segment);
      this.#lose(error);
    } else if (isData) {
      this.#isolate(segment, error);
    } else {
      this.#retry(segment, error);
    }
  }

  /** The write failed, and what was in it is the sink's to settle. */
  lost(error: unknown): void {
    this.#writing = undefined;
    this.#lastError = { error };
    if (this.#isSplit && this.#todo.length > 0) this.#lose(error);
    else this.#over();
  }

  /** Nothing more is written. What is outstanding still ends. */
  halt(reason: unknown): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isOver || this.#writing !== undefined) return;
    if (this.#todo.length === 0) {
      this.#over();
    } else if (this.#lastError === undefined && !this.#host.consentsToLoss) {
      // It was never written: as what is still in the buffer, it is left where it is.
      this.#end();
    } else {
      this.#lose(this.#lastError === undefined ? reason : this.#lastError.error);
    }
  }

  #retry(segment: Segment<T>, error: unknown): void {
    const { policies, rules, writesWhole } = this.#host;
    const failed = writesWhole ? undefined : failedIndexes(error, segment.items.length);
    const again = leftToWrite(segment, failed, rules);
    const accepted = segment.items.length - again.items.length;
    if (accepted > 0) {
      this.#split();
      this.#host.accepted(accepted);
    }
    this.#todo.push(again);
    this.#failures += 1;
    const { breaker, attempts } = policies;
    const isUsedUp = this.#failures >= attempts;
    if (isUsedUp && breaker === undefined) {
      this.#lose(error);
      return;
    }
    this.#isRetry = true;
    if (breaker !== undefined && (isUsedUp || breaker.state === 'open')) {
      breaker.trip();
      this.#failures = 0;
      this.#prepare();
      return;
    }
    this.#timer = runtime.setTimer(this.#wake, policies.retry.delayMs(this.#failures));
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#prepare();
  };

  #isolate(segment: Segment<T>, error: unknown): void {
    const { policies, rules, writesWhole } = this.#host;
    const box = policies.deadLetter;
    const failed = failedIndexes(error, segment.items.length);
    const found = box === undefined ? undefined : isolate(segment, failed, writesWhole ? WHOLE : rules);
    if (box === undefined || found === undefined) {
      this.#giveBack(segment);
      this.#lose(error);
      return;
    }
    this.#split();
    for (const again of [...found.again].reverse()) this.#todo.push(again);
    if (found.bad === undefined) this.#goOn();
    else this.#bury(box, found.bad, error, () => this.#goOn());
  }

  /** Puts items into the dead letter; `then` follows when that has them. */
  #bury(box: DeadLetterBox, bad: Segment<T>, error: unknown, then: () => void): void {
    const { policies, name, writesWhole } = this.#host;
    const described = describeError(error);
    const letters = bad.items.map((item, index) =>
      deadLetter(item, described, name, bad.attempt, placeOf(claimAt(this.#parts, bad.at[index] as number))),
    );
    const claim = this.#claim;
    claim?.retain(1);
    box.put(letters, {
      accepted: () => {
        policies.deadLettered += letters.length;
        // Where the sink keeps positions, the next write moves them past these items.
        if (!writesWhole) then();
      },
      durable: () => {
        claim?.settle();
        if (writesWhole) then();
      },
      failed: (failure) => {
        claim?.fail();
        this.#host.stop(failure, letters.length);
        // Nothing may be kept that is past items of which nothing is kept.
        if (writesWhole) this.#loseRest(failure);
        else then();
      },
    });
  }

  /** It was written in vain: its next time would be one more. */
  #giveBack(segment: Segment<T>): void {
    this.#todo.push({ ...segment, attempt: segment.attempt + 1 });
  }

  #loseRest(error: unknown): void {
    if (this.#isOver) return;
    if (this.#todo.length === 0) this.#over();
    else this.#lose(error);
  }

  #goOn(): void {
    if (this.#isOver) return;
    if (this.#todo.length === 0) this.#over();
    else if (this.#host.isHalted) this.halt(undefined);
    else this.#prepare();
  }

  /** Waits for its turn under the limit, and then for the task to let it write. */
  #prepare(): void {
    const { limit } = this.#host.policies;
    const next = this.#todo.at(-1) as Segment<T>;
    this.#cancel = limit?.reserve(next.items.length, this.granted);
    if (this.#cancel === undefined) this.#host.ready(this);
  }

  /** From here on its items have different fates. */
  #split(): void {
    if (this.#isSplit) return;
    this.#isSplit = true;
    this.#claim = this.parcel.parts === null ? this.parcel.receipt : new ClaimGroup(this.parcel.parts);
  }

  /** What is still to be written never will be. */
  #lose(error: unknown): void {
    const { policies, consentsToLoss } = this.#host;
    // Whoever is told may halt everything: it is over by then.
    this.#isOver = true;
    const segments = this.#todo.splice(0).reverse();
    let items = 0;
    if (consentsToLoss && policies.deadLetter !== undefined) {
      this.#split();
      for (const segment of segments) {
        // The attempt that it was waiting for never came.
        const tried = { ...segment, attempt: segment.attempt - 1 };
        this.#bury(policies.deadLetter, tried, error, () => {});
      }
    } else {
      for (const segment of segments) items += segment.items.length;
    }
    const claims = this.#isSplit ? this.#claim : this.parcel;
    if (consentsToLoss) claims?.settle();
    else claims?.fail();
    this.#host.lost(error, items);
    this.#host.over(this);
  }

  #over(): void {
    if (this.#isOver) return;
    if (this.#isSplit) this.#claim?.settle();
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#host.over(this);
  }
}

const WHOLE: SegmentRules = { isAtomic: true, keepsOrder: true, halves: false };
