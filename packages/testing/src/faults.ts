/**
 * What goes wrong, when, and how often it did: a script, or chance from a seed. The same plan over the same calls gives the
 * same faults.
 */

import { onAbort, runtime } from '@streamweld/core/connector';
import { Random } from './random.ts';

/**
 * - `throw`, `reject`: with the plan's error, in place of the call.
 * - `hang`: nothing happens until the faults are released, or the run aborts; then the call goes on, or rejects.
 * - `deaf`: likewise, and an abort is not heard.
 * - `delay`: the call is made later, on the runtime's clock.
 * - `lost`: the call is made, and rejects although it was done: a reply that got lost.
 * - `fail`: the call goes on, and the run is told beside it that the stage cannot.
 * - `short`: of `pull`: one item is asked for, whatever the demand.
 * - `empty`: of `pull`: a position without items, where the one before is known.
 * - `late`: of `write`: accepted now, and durable only later.
 */
export type FaultKind =
  | 'throw'
  | 'reject'
  | 'hang'
  | 'deaf'
  | 'delay'
  | 'lost'
  | 'fail'
  | 'short'
  | 'empty'
  | 'late';

export interface ScriptedFault<Call extends string> {
  readonly on: Call;
  /** Which call of that method, from 1. */
  readonly call: number;
  readonly fault: FaultKind;
}

export interface FaultPlan<Call extends string> {
  readonly script?: readonly ScriptedFault<Call>[] | undefined;
  /** How often in a call of a method, from 0 to 1, each kind happens. */
  readonly chances?:
    | Readonly<Partial<Record<Call, Readonly<Partial<Record<FaultKind, number>>>>>>
    | undefined;
  /** Of chance. Default 1. */
  readonly seed?: number | undefined;
  /** What is thrown. Default: an error that says that it was planned, and may pass. */
  readonly error?: ((kind: FaultKind) => unknown) | undefined;
  /** How long `delay` and `late` take, in milliseconds. Default: 1 to 20, by chance. */
  readonly delayMs?: number | undefined;
}

/** Something that does what it should, but for the faults of its plan. */
export class Faults<Call extends string> {
  readonly #plan: FaultPlan<Call>;
  readonly #random: Random;
  readonly #calls = new Map<Call, number>();
  readonly #counts = new Map<string, number>();
  readonly #held = new Set<() => void>();
  #isOn = true;

  constructor(plan: FaultPlan<Call>) {
    this.#plan = plan;
    this.#random = new Random(plan.seed ?? 1);
  }

  /** How often faults fired: of one kind, or all. A test that planned some and sees none has proved nothing. */
  fired(kind?: FaultKind): number {
    if (kind !== undefined) return this.#counts.get(kind) ?? 0;
    let all = 0;
    for (const count of this.#counts.values()) all += count;
    return all;
  }

  /** How many calls hang now. */
  get hanging(): number {
    return this.#held.size;
  }

  /** Lets all that hang go on. */
  release(): void {
    for (const go of [...this.#held]) go();
  }

  /** No more faults from now on; what hangs goes on. */
  stop(): void {
    this.#isOn = false;
    this.release();
  }

  /** The fault of the next call of a method, if it has one. Fired faults are counted by `count`. */
  next(call: Call): FaultKind | undefined {
    const number = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, number);
    if (!this.#isOn) return undefined;
    const scripted = this.#plan.script?.find((each) => each.on === call && each.call === number);
    if (scripted !== undefined) return scripted.fault;
    const chances = Object.entries(this.#plan.chances?.[call] ?? {}) as [FaultKind, number][];
    // One draw for each kind, so that what one of them decides does not shift the others.
    const drawn = chances.filter(([, probability]) => this.#random.chance(probability));
    return drawn[0]?.[0];
  }

  count(kind: FaultKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  error(kind: FaultKind): unknown {
    return this.#plan.error === undefined ? new Error(`A planned fault: ${kind}.`) : this.#plan.error(kind);
  }

  sleep(): Promise<void> {
    const ms = this.#plan.delayMs ?? this.#random.integer(1, 20);
    return new Promise((resolve) => runtime.setTimer(resolve, ms));
  }

  /** Until it is released; where a signal is given, rejects with its reason once it aborts. */
  hang(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let stopListening = (): void => {};
      const over = (): void => {
        this.#held.delete(go);
        stopListening();
      };
      const go = (): void => {
        over();
        resolve();
      };
      this.#held.add(go);
      if (signal === undefined) return;
      stopListening = onAbort(signal, (reason) => {
        over();
        reject(reason);
      });
    });
  }

  /** Makes the call with whatever its fault is. `fail` tells the run. */
  meet<R>(
    fault: FaultKind | undefined,
    call: () => R | PromiseLike<R>,
    {
      signal,
      fail,
    }: { readonly signal: AbortSignal | undefined; readonly fail: ((error: unknown) => void) | undefined },
  ): R | PromiseLike<R> {
    if (fault === undefined) return call();
    switch (fault) {
      case 'throw':
        this.count(fault);
        throw this.error(fault);
      case 'reject':
        this.count(fault);
        return Promise.reject(this.error(fault));
      case 'hang':
      case 'deaf':
        this.count(fault);
        return this.hang(fault === 'hang' ? signal : undefined).then(call);
      case 'delay':
        this.count(fault);
        return this.sleep().then(call);
      case 'lost':
        return Promise.resolve(call()).then(() => {
          this.count(fault);
          throw this.error(fault);
        });
      case 'fail':
        if (fail !== undefined) {
          this.count(fault);
          fail(this.error(fault));
        }
        return call();
      case 'short':
      case 'empty':
      case 'late':
        // What these do is the method's own affair.
        return call();
    }
  }
}
