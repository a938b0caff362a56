/** The jobs of a task: those that are under way, and those that can be written as soon as it may write. */

import type { Parcel } from '../delivery/parcel.ts';
import type { SegmentRules } from '../policy/bisect.ts';
import type { WritePolicies } from '../policy/write-policies.ts';
import { type JobHost, WriteJob } from './write-job.ts';

/** What it needs of the task. */
export interface BoardHost<T> extends Omit<JobHost<T>, 'ready' | 'over' | 'policies' | 'rules'> {
  /** A job has ended, and its slot is free. */
  vacated(parcel: Parcel<T>): void;
  pump(): void;
}

export class JobBoard<T> implements JobHost<T> {
  readonly policies: WritePolicies;
  readonly rules: SegmentRules;
  readonly #task: BoardHost<T>;
  readonly #jobs = new Set<WriteJob<T>>();
  #ready: WriteJob<T>[] = [];

  constructor(task: BoardHost<T>, policies: WritePolicies, rules: SegmentRules) {
    this.#task = task;
    this.policies = policies;
    this.rules = rules;
  }

  get name(): string {
    return this.#task.name;
  }

  get writesWhole(): boolean {
    return this.#task.writesWhole;
  }

  get consentsToLoss(): boolean {
    return this.#task.consentsToLoss;
  }

  get isHalted(): boolean {
    return this.#task.isHalted;
  }

  /** Batches that are to be written again. */
  get retrying(): number {
    let retrying = 0;
    for (const job of this.#jobs) if (job.isRetrying) retrying += 1;
    return retrying;
  }

  /** Whether a write may begin now, so far as the sink is thought to be up. */
  get allows(): boolean {
    return this.policies.breaker?.allows !== false;
  }

  create(parcel: Parcel<T>, positions: ReadonlyMap<string, unknown> | undefined): WriteJob<T> {
    const job = new WriteJob<T>(this, parcel, positions);
    this.#jobs.add(job);
    return job;
  }

  /** Whether the batch has to wait for its turn under a limit: then it has become a job. */
  waits(parcel: Parcel<T>, positions: ReadonlyMap<string, unknown> | undefined): boolean {
    const { limit } = this.policies;
    if (limit === undefined) return false;
    // It is made only if it has to wait, and told when it need not any more.
    const late: { job?: WriteJob<T> } = {};
    const cancel = limit.reserve(parcel.items.length, () => late.job?.granted());
    if (cancel === undefined) return false;
    late.job = this.create(parcel, positions);
    late.job.wait(cancel);
    return true;
  }

  /** Goes on with the job that has been ready the longest. */
  startNext(): boolean {
    if (this.#ready.length === 0) return false;
    const job = this.#ready.shift() as WriteJob<T>;
    this.policies.breaker?.enter();
    job.start();
    return true;
  }

  halt(reason: unknown): void {
    this.policies.breaker?.stop();
    this.#ready = [];
    for (const job of [...this.#jobs]) job.halt(reason);
  }

  ready(job: WriteJob<T>): void {
    this.#ready.push(job);
    this.#task.pump();
  }

  call(job: WriteJob<T>, parcel: Parcel<T>, attempt: number): void {
    this.#task.call(job, parcel, attempt);
  }

  accepted(items: number): void {
    this.#task.accepted(items);
  }

  lost(error: unknown, items: number): void {
    this.#task.lost(error, items);
  }

  stop(error: unknown, items: number): void {
    this.#task.stop(error, items);
  }

  over(job: WriteJob<T>): void {
    this.#jobs.delete(job);
    this.#task.vacated(job.parcel);
  }
}
