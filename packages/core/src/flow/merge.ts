/** merge: items of several flows as they come. concat: one flow after the other. */

import { Deferred, isThenable } from '../deferred.ts';
import type { Parcel } from '../delivery/parcel.ts';
import type { Awaitable } from '../source.ts';
import { type FlowRun, Stage } from './stage.ts';

interface Branch<T> {
  readonly stage: Stage<T>;
  isPulling: boolean;
  hasEnded: boolean;
  /** What it answered while nobody asked. */
  ready: Parcel<T> | undefined;
  error: { error: unknown } | undefined;
}

export class MergeStage<T> extends Stage<T> {
  readonly #branches: Branch<T>[];
  /** Whose turn it is, so that a branch that always answers at once does not starve the others. */
  #turn = 0;
  #progress: Deferred | undefined;
  /** What a branch still answers is wanted no more. */
  #isLeft = false;

  constructor(inputs: readonly Stage<T>[], run: FlowRun) {
    super('merge', inputs as readonly Stage<unknown>[], run);
    this.#branches = inputs.map((stage) => ({
      stage,
      isPulling: false,
      hasEnded: false,
      ready: undefined,
      error: undefined,
    }));
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    const share = Math.max(1, Math.floor(demand / this.#branches.length));
    return this.#poll(share, demand) ?? (this.#hasEnded() ? undefined : this.#wait(share, demand));
  }

  override close(): void {
    for (const branch of this.#branches) branch.ready = undefined;
    this.#progress?.resolve();
  }

  override leave(): void {
    this.#isLeft = true;
    for (const branch of this.#branches) {
      branch.ready?.settle();
      branch.ready = undefined;
    }
    super.leave();
  }

  /** Asks every branch that is not being asked; answers what one of them has. */
  #poll(share: number, demand: number): Parcel<T> | undefined {
    const count = this.#branches.length;
    for (let i = 0; i < count; i++) {
      const at = (this.#turn + i) % count;
      const branch = this.#branches[at] as Branch<T>;
      if (branch.ready === undefined && !branch.isPulling && !branch.hasEnded) this.#ask(branch, share);
      if (branch.error !== undefined) throw branch.error.error;
      if (branch.ready === undefined) continue;
      const parcel = takeReady(branch.ready, branch, demand);
      this.#turn = (at + 1) % count;
      this.emitted += parcel.items.length;
      return parcel;
    }
    return undefined;
  }

  #hasEnded(): boolean {
    return this.#branches.every((branch) => branch.hasEnded);
  }

  async #wait(share: number, demand: number): Promise<Parcel<T> | undefined> {
    for (;;) {
      this.#progress = new Deferred();
      await this.#progress.promise;
      const parcel = this.#poll(share, demand);
      if (parcel !== undefined) return parcel;
      if (this.#hasEnded()) return undefined;
    }
  }

  #ask(branch: Branch<T>, share: number): void {
    const answer = branch.stage.pull(share);
    if (!isThenable(answer)) {
      accept(branch, answer);
      return;
    }
    branch.isPulling = true;
    answer.then(
      (parcel) => {
        if (this.#isLeft) parcel?.settle();
        else accept(branch, parcel);
        this.#wake();
      },
      (error: unknown) => {
        branch.isPulling = false;
        branch.hasEnded = true;
        branch.error = { error };
        this.#wake();
      },
    );
  }

  #wake(): void {
    this.#progress?.resolve();
    this.#progress = undefined;
  }
}

/** A branch may have been asked when there was more room than now: what is too much waits for the next pull. */
function takeReady<T>(ready: Parcel<T>, branch: Branch<T>, demand: number): Parcel<T> {
  const { length } = ready.items;
  if (length <= demand) {
    branch.ready = undefined;
    return ready;
  }
  const parcel = ready.cut(0, demand);
  branch.ready = ready.cut(demand, length);
  return parcel;
}

function accept<T>(branch: Branch<T>, parcel: Parcel<T> | undefined): void {
  branch.isPulling = false;
  if (parcel === undefined) branch.hasEnded = true;
  else branch.ready = parcel;
}

export class ConcatStage<T> extends Stage<T> {
  #at = 0;

  private readonly parts: readonly Stage<T>[];

  constructor(parts: readonly Stage<T>[], run: FlowRun) {
    super('concat', parts as readonly Stage<unknown>[], run);
    this.parts = parts;
  }

  override pull(demand: number): Awaitable<Parcel<T> | undefined> {
    for (; this.#at < this.parts.length; this.#at++) {
      const answer = (this.parts[this.#at] as Stage<T>).pull(demand);
      if (isThenable(answer)) return this.#await(answer, demand);
      if (answer !== undefined) return this.#count(answer);
    }
    return undefined;
  }

  async #await(answer: PromiseLike<Parcel<T> | undefined>, demand: number): Promise<Parcel<T> | undefined> {
    const parcel = await answer;
    if (parcel !== undefined) return this.#count(parcel);
    this.#at += 1;
    return this.pull(demand);
  }

  #count(parcel: Parcel<T>): Parcel<T> {
    this.emitted += parcel.items.length;
    return parcel;
  }
}
