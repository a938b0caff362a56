/**
 * What a flow is made of while it runs: a chain of stages, each of which pulls from the one before it.
 *
 *     source task ── pull(demand) ──► map ── pull ──► filter ── pull ──► source stage ── pull ──► Source
 *                 ◄──── parcel ─────     ◄─────────          ◄─────────              ◄── items ──
 *
 * Demand travels up, parcels travel down, and no stage answers more than it was asked for: so the room in the buffer
 * bounds everything above it. An answer that needs no waiting is given synchronously.
 */

import type { FailureLog } from '../failure-log.ts';
import type { Claim, Parcel } from '../delivery/parcel.ts';
import { StreamWeldError, wrapError } from '../errors.ts';
import type { Awaitable } from '../source.ts';
import type { SourceStage } from './source-stage.ts';

/** What a run gives the stages of its flow, and learns from them. */
export interface FlowRun {
  /** How many calls of an async operator that names no concurrency may be in flight. */
  readonly concurrency: number;
  /** The sources of the flow, in the order they were built. */
  readonly sources: SourceStage<unknown>[];
  /** Every stage, sources first. */
  readonly stages: Stage<unknown>[];
  /** It is only looked at, and never run: nothing is made that would have to be closed. */
  readonly isSketch?: boolean | undefined;
  /** Whether items of different source batches are to be kept apart for now. */
  readonly isCautious?: (() => boolean) | undefined;
  /** Items were dropped on purpose, by a policy. */
  dropped(items: number): void;
  /** Where items go that are not just dropped, if the run has such a place. */
  readonly deadLetter?: StageLetters | undefined;
}

/** Where the items go that an operator gives up. */
export interface StageLetters {
  /** Nothing, if there is room for more; otherwise a promise of it. */
  room(): Promise<void> | undefined;
  /** Takes one more piece of the claim, and settles it when the item is durable. */
  put(item: unknown, error: unknown, stage: string, claim: Claim | undefined): void;
}

/**
 * What nobody waits for any more: the stages behind it stand still, and are forgotten with it. One for each, because a
 * promise that is shared and never settles would keep all who ever waited for it.
 */
export function never(): Promise<never> {
  return new Promise(() => {});
}

export abstract class Stage<T> {
  /** How many items it has handed on. */
  emitted = 0;
  /** What failed in it and did not end the run; made at the first such failure. */
  failures: FailureLog | undefined;

  /** Whether it hands items on in the order in which they came. */
  readonly isOrdered: boolean = true;
  readonly name: string;
  readonly inputs: readonly Stage<unknown>[];

  constructor(name: string, inputs: readonly Stage<unknown>[], run: FlowRun) {
    this.name = name;
    this.inputs = inputs;
    run.stages.push(this as Stage<unknown>);
  }

  /**
   * Answers at most `demand` items, or `undefined` at the end; never called again before it has settled, nor after the
   * end. The answer may be a parcel without items.
   */
  abstract pull(demand: number): Awaitable<Parcel<T> | undefined>;

  /** Its own calls that are outstanding. Asked for snapshots alone. */
  get calls(): number {
    return 0;
  }

  /** The run asks for nothing more: what the stage holds is lost to it, and positions stay before that. */
  abandon(): void {}

  /**
   * Nothing more is wanted of it, because a stage after it has enough: what it and those before it hold was dropped on
   * purpose, and is settled. It is not pulled again.
   */
  leave(): void {
    for (const input of this.inputs) input.leave();
  }

  /** Forgets what it holds and takes its timers back. Called once, last. */
  close(_reason: unknown): Awaitable<void> {}

  protected failure(cause: unknown): StreamWeldError {
    return wrapError(
      'SW_OPERATOR_FAILED',
      this.name,
      `A function given to '${this.name}' failed; its error is the cause. Handle the case there, or filter such items out before.`,
      cause,
    );
  }
}
