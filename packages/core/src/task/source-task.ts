/**
 * The task of one source: as long as there is room, it pulls and pushes on what comes.
 *
 * It asks for the room there is, at most half the buffer at once (or source and sink would never overlap), and not for a
 * trickle: only when a quarter of the buffer is free (GenStage's max_demand and min_demand).
 */

import type { BatchChannel } from '../channel/batch-channel.ts';
import { isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { runtime, type Turn } from '../runtime.ts';
import type { Awaitable } from '../source.ts';

/** What it pulls from: the last stage of a flow. */
interface Pullable<T> {
  pull(demand: number): Awaitable<Parcel<T> | undefined>;
}

export interface SourceTaskOptions<T> {
  readonly stage: Pullable<T>;
  readonly channel: BatchChannel<Parcel<T>>;
  readonly turn: Turn;
  readonly onFail: (error: unknown) => void;
  /** Pulls also for a trickle. */
  readonly isGreedy?: boolean | undefined;
}

export class SourceTask<T> {
  readonly #options: SourceTaskOptions<T>;
  readonly #maxDemand: number;
  readonly #minDemand: number;
  #mode: 'running' | 'paused' | 'halted' = 'running';
  #isPulling = false;
  #isPumping = false;
  #isYielding = false;
  #again = false;
  #fullSince: number | undefined;
  #waitedMs = 0;

  constructor(options: SourceTaskOptions<T>) {
    this.#options = options;
    this.#maxDemand = Math.max(1, Math.floor(options.channel.capacity / 2));
    this.#minDemand = options.isGreedy === true ? 1 : Math.max(1, Math.floor(this.#maxDemand / 2));
  }

  /** Whether a pull is outstanding. */
  get isPulling(): boolean {
    return this.#isPulling;
  }

  /** Whether it pulls no more: it failed, came to its end, or was told to. */
  get isHalted(): boolean {
    return this.#mode === 'halted';
  }

  /** Whether the buffer has too little room for a pull. */
  get isFull(): boolean {
    return this.#fullSince !== undefined;
  }

  /** It gave up its turn, and goes on after the others. */
  get isYielding(): boolean {
    return this.#isYielding;
  }

  /** Whether it pulls when there is room. */
  get isRunning(): boolean {
    return this.#mode === 'running';
  }

  /** How long it waited for room, in milliseconds. */
  get waitedMs(): number {
    return this.#waitedMs + (this.#fullSince === undefined ? 0 : runtime.now() - this.#fullSince);
  }

  /** No new pulls until `resume`. */
  pause(): void {
    if (this.#mode === 'running') this.#mode = 'paused';
  }

  resume(): void {
    if (this.#mode !== 'paused') return;
    this.#mode = 'running';
    this.pump();
  }

  /** No new pulls, ever; what an outstanding one answers is discarded. */
  halt(): void {
    this.#mode = 'halted';
  }

  /** Pulls as long as there is room. Called when room came, a pull was answered, or a turn began. */
  readonly pump = (): void => {
    if (this.#isPumping) {
      this.#again = true;
      return;
    }
    if (this.#isYielding) return;
    this.#isPumping = true;
    do {
      this.#again = false;
      while (this.#mode === 'running' && !this.#isPulling && this.#hasRoom()) {
        this.#pull();
        if (this.#options.turn.isOver()) {
          this.#isYielding = true;
          this.#isPumping = false;
          this.#options.turn.yield(this.#yielded);
          return;
        }
      }
    } while (this.#again);
    this.#isPumping = false;
  };

  readonly #yielded = (): void => {
    this.#isYielding = false;
    this.pump();
  };

  #hasRoom(): boolean {
    if (this.#options.channel.room >= this.#minDemand) {
      if (this.#fullSince !== undefined) {
        this.#waitedMs += runtime.now() - this.#fullSince;
        this.#fullSince = undefined;
      }
      return true;
    }
    this.#fullSince ??= runtime.now();
    return false;
  }

  #pull(): void {
    const { stage, channel, onFail } = this.#options;
    try {
      const answer = stage.pull(Math.min(channel.room, this.#maxDemand));
      if (isThenable(answer)) {
        this.#isPulling = true;
        answer.then(this.#arrived, this.#failed);
        return;
      }
      this.#accept(answer);
    } catch (error) {
      this.halt();
      onFail(error);
    }
  }

  readonly #arrived = (parcel: Parcel<T> | undefined): void => {
    this.#isPulling = false;
    if (this.#mode === 'halted') return;
    try {
      this.#accept(parcel);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.pump();
  };

  readonly #failed = (error: unknown): void => {
    this.#isPulling = false;
    if (this.#mode === 'halted') return;
    this.halt();
    this.#options.onFail(error);
  };

  #accept(parcel: Parcel<T> | undefined): void {
    if (parcel === undefined) {
      this.halt();
      this.#options.channel.close();
    } else if (parcel.items.length === 0) {
      // Everything in it was dropped on purpose on the way: done.
      parcel.settle();
    } else {
      this.#options.channel.push(parcel);
    }
  }
}
