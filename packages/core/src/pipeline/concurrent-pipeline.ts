/** ConcurrentPipeline: the face. What it does while it runs is in run.ts. */

import type { CheckpointStore } from '../checkpoint.ts';
import type { CommitPolicy } from '../delivery/committer.ts';
import { Deferred } from '../deferred.ts';
import { OptionError, StreamWeldError } from '../errors.ts';
import { type Flow, from, type SourceLikeOrFlow } from '../flow/flow.ts';
import { toSink } from '../flow/to-sink.ts';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkMethod,
  checkOptions,
  checkSignal,
  checkText,
} from '../options.ts';
import { type OperationObserver, Observers, type Watchable } from '../observe.ts';
import type { CircuitBreakerOptions } from '../policy/circuit-breaker.ts';
import type { DeadLetter } from '../policy/dead-letter.ts';
import type { RateLimit } from '../policy/rate-limit.ts';
import type { RetryOptions } from '../policy/retry.ts';
import { checkPolicies, type WritePolicyOptions } from '../policy/write-policies.ts';
import type { Sink, SinkLike } from '../sink.ts';
import type { CheckpointPlan } from './checkpoint.ts';
import type { RunReport } from './report.ts';
import { abortError, Run } from './run.ts';
import type { LaneSnapshot, PipelineSnapshot, PipelineState } from './snapshot.ts';
import { idleSnapshot } from './view.ts';

/**
 * One source and one sink that run at the same time, joined by a bounded buffer.
 *
 * @example
 * const report = await new ConcurrentPipeline(from(source).map(parse), sink).bufferSize(1000).run();
 */
export class ConcurrentPipeline<T> implements Watchable {
  readonly #flow: Flow<T>;
  readonly #sink: Sink<T>;
  #name = 'pipeline';
  #bufferSize = 1000;
  #maxConcurrency = 1;
  #failFast = true;
  #closeMs = 2000;
  #maxUncommitted = 100_000;
  #commitEvery: CommitPolicy = { items: 10_000, ms: 1000 };
  #checkpoint: CheckpointPlan | undefined;
  #policies: WritePolicyOptions<unknown> = {};
  #deadLetter: Sink<DeadLetter> | undefined;
  readonly #observers = new Observers();
  #run: Run<T> | undefined;
  #draining: Promise<RunReport> | undefined;
  #aborting: Promise<void> | undefined;
  #ended: Deferred | undefined;

  /** @throws StreamWeldError SW_SOURCE_INVALID or SW_SINK_INVALID for what cannot be one. */
  constructor(source: SourceLikeOrFlow<T>, sink: SinkLike<T>) {
    this.#flow = from(source);
    this.#sink = toSink(sink);
  }

  /** Shown in snapshots. Default `'pipeline'`. */
  name(name: string): this {
    this.#checkIdle('name');
    this.#name = checkText('name', name);
    return this;
  }

  /**
   * The most items between the source's answer and the settled write; those being written count too. Default 1000.
   * A write takes at most `bufferSize / (writes at once + 1)` items of it.
   */
  bufferSize(items: number): this {
    this.#checkIdle('bufferSize');
    this.#bufferSize = checkCount('bufferSize', items);
    return this;
  }

  /**
   * How many operations may be in flight in one stage: writes to the sink, up to the sink's own `concurrency`, and calls
   * of an asynchronous operator that names none. Default 1: writes keep the order of the source. Above it they complete
   * in any order.
   */
  maxConcurrency(operations: number): this {
    this.#checkIdle('maxConcurrency');
    this.#maxConcurrency = checkCount('maxConcurrency', operations);
    return this;
  }

  /** `true`, the default: a failure stops everything at once. `false`: what is buffered is written first. */
  failFast(failFast: boolean): this {
    this.#checkIdle('failFast');
    this.#failFast = checkBoolean('failFast', failFast);
    return this;
  }

  /** How long an abort waits for what is outstanding, and again for the closing. Milliseconds, default 2000. */
  closeMs(ms: number): this {
    this.#checkIdle('closeMs');
    this.#closeMs = checkDuration('closeMs', ms);
    return this;
  }

  /** How many items may be accepted by the sink and not yet durable: then it is flushed. Default 100,000. */
  maxUncommitted(items: number): this {
    this.#checkIdle('maxUncommitted');
    this.#maxUncommitted = checkCount('maxUncommitted', items);
    return this;
  }

  /** Positions are committed after so many items became durable, or so long after one did. Default 10,000 and 1000 ms. */
  commitEvery(policy: { readonly items?: number; readonly ms?: number }): this {
    this.#checkIdle('commitEvery');
    const { items, ms } = checkOptions('commitEvery', policy, ['items', 'ms']);
    this.#commitEvery = {
      items: items === undefined ? this.#commitEvery.items : checkCount('commitEvery.items', items),
      ms: ms === undefined ? this.#commitEvery.ms : checkDuration('commitEvery.ms', ms),
    };
    return this;
  }

  /**
   * Keeps the positions of the source in `store` under `name`, and resumes from there. With a sink that keeps positions,
   * they are kept there, together with the items, and each is written exactly once. A position wins in this order: the
   * sink's own, the store's, the source's.
   */
  checkpoint(store: CheckpointStore, name: string): this {
    this.#checkIdle('checkpoint');
    checkMethod('checkpoint store', store, 'load');
    checkMethod('checkpoint store', store, 'save');
    this.#checkpoint = { store, name: checkText('checkpoint.name', name) };
    return this;
  }

  /**
   * A batch whose write failed is written again, after a wait that grows. `attempts` counts the first write. An error
   * that says `retryable: false` is not retried: its items are at fault, and go to the dead letter. Without it, and
   * without a breaker, the first failure fails the run.
   */
  retry(options: RetryOptions): this {
    return this.#setPolicy('retry', { retry: options });
  }

  /**
   * Where items go that the sink refuses for what they are (`retryable: false`), and those that `map` and `validate`
   * send there: as `{ item, error, stage, attempts, lane, after, upTo }`. It is opened, flushed and closed with the run,
   * and the position passes an item only when the dead letter has it durably. An outage of the sink never sends anything
   * there. If it fails itself, the run stops.
   */
  deadLetter(sink: SinkLike<DeadLetter>): this {
    this.#checkIdle('deadLetter');
    this.#deadLetter = toSink(sink);
    return this;
  }

  /**
   * So many failures in a row stop the writing; after a while one write is tried, and so on. Meanwhile the buffer fills
   * and the source waits; no item fails for it. A batch whose attempts are used up keeps its place until the sink is
   * back. Without `retry` a failed write is tried again until the breaker opens.
   */
  circuitBreaker(options: CircuitBreakerOptions = {}): this {
    return this.#setPolicy('circuitBreaker', { circuitBreaker: options });
  }

  /** How many items are written in a second. A limit may be shared by several pipelines and changed while they run. */
  rateLimit(limit: RateLimit): this {
    return this.#setPolicy('rateLimit', { rateLimit: limit });
  }

  /**
   * A write that takes longer, in milliseconds, counts as failed with SW_WRITE_TIMEOUT, and may be tried again. Its own
   * signal aborts. It may still land: its items can then be written twice.
   */
  writeTimeout(ms: number): this {
    return this.#setPolicy('writeTimeout', { writeTimeout: ms });
  }

  get state(): PipelineState {
    return this.#run?.state ?? 'idle';
  }

  /**
   * Runs until the source ends, and settles only when every task has ended and every resource is closed. Rejects with
   * the first failure: a StreamWeldError whose `cause` is what was thrown and whose `suppressed` holds what failed after
   * it, or the very error that an abort was given.
   * @throws StreamWeldError SW_PIPELINE_STARTED when it was run before.
   */
  async run(options?: { readonly signal?: AbortSignal | undefined }): Promise<RunReport> {
    const { signal } = checkOptions('run', options, ['signal']);
    const checked = checkSignal('run.signal', signal);
    this.#checkIdle('run');
    const run = new Run<T>(this.#flow, this.#sink, {
      name: this.#name,
      bufferSize: this.#bufferSize,
      maxConcurrency: this.#maxConcurrency,
      failFast: this.#failFast,
      closeMs: this.#closeMs,
      maxUncommitted: this.#maxUncommitted,
      commitEvery: this.#commitEvery,
      checkpoint: this.#checkpoint,
      policies: this.#policies,
      deadLetter: this.#deadLetter,
      observers: this.#observers,
    });
    // Known before it begins: whatever it opens may already drain, pause or abort it.
    this.#run = run;
    run.start(checked);
    const ended = (): void => this.#ended?.resolve();
    if (this.#ended !== undefined) void run.result.then(ended, ended);
    return run.result;
  }

  /** No new pulls and no new writes. Resolves when the writes that were outstanding have ended. */
  pause(): Promise<void> {
    return this.#started('pause').pause();
  }

  resume(): void {
    this.#started('resume').resume();
  }

  /**
   * Stops the source, delivers what it has handed out, and ends the run well. Past `deadlineMs` the run is aborted with
   * SW_DRAIN_TIMEOUT. Settles as `run()` does; a second call answers the first's promise.
   */
  drain(options?: { readonly deadlineMs?: number | undefined }): Promise<RunReport> {
    const { deadlineMs } = checkOptions('drain', options, ['deadlineMs']);
    if (deadlineMs !== undefined) checkDuration('drain.deadlineMs', deadlineMs);
    if (this.#draining === undefined) {
      const run = this.#started('drain');
      run.drain(deadlineMs);
      this.#draining = run.result;
    }
    return this.#draining;
  }

  /**
   * Discards what is buffered, waits `closeMs` for what is outstanding, and closes everything. `run()` rejects with the
   * reason. Resolves when the run has ended; a second call answers the first's promise.
   */
  abort(reason?: unknown): Promise<void> {
    if (this.#aborting === undefined) {
      const run = this.#started('abort');
      run.abort(abortError(reason));
      this.#aborting = run.result.then(noReport, noReport);
    }
    return this.#aborting;
  }

  /** What the run has come to so far, or came to. @throws StreamWeldError SW_PIPELINE_IDLE before it runs. */
  get report(): RunReport {
    return this.#started('report').report();
  }

  /** What it looks like now, before it runs too: a plain object, built when asked for. */
  snapshot(): PipelineSnapshot {
    return this.#run?.snapshot() ?? this.#idle();
  }

  #idle(): PipelineSnapshot {
    return idleSnapshot(this.#flow, this.#name, this.#sink.name ?? 'sink', this.#bufferSize);
  }

  /**
   * How far each ordered part of its sources has come.
   * @param max the most of each source: some have one for every file. Default 100.
   * @throws StreamWeldError SW_PIPELINE_IDLE before it runs.
   */
  lanes(max: number = 100): LaneSnapshot[] {
    return this.#started('lanes').lanes(checkCount('lanes max', max));
  }

  /** Is told of each pull and each write from now on, before or while it runs. @returns what ends it */
  observe(observer: OperationObserver): () => void {
    return this.#observers.add(checkFunction('observe', observer));
  }

  /** Resolves when the run has ended, well or not. It may be asked before it runs. */
  ended(): Promise<void> {
    if (this.#run !== undefined) return this.#run.result.then(noReport, noReport);
    this.#ended ??= new Deferred();
    return this.#ended.promise;
  }

  /** The dispatcher that it feeds, if it does, by the id of its sink. */
  behind(): ReadonlyMap<string, Watchable> {
    const { inside } = this.#sink;
    if (inside === undefined) return new Map();
    return new Map([[this.#run?.sinkId ?? (this.#idle().stages.at(-1)?.id as string), inside]]);
  }

  /** Aborts a run that has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run !== undefined && this.#run.state !== 'done') await this.abort();
  }

  #setPolicy(what: string, policy: WritePolicyOptions<unknown>): this {
    this.#checkIdle(what);
    checkPolicies('', policy);
    if (Object.values(policy)[0] === undefined) throw new OptionError(what, 'given', undefined);
    this.#policies = { ...this.#policies, ...policy };
    return this;
  }

  #checkIdle(what: string): void {
    if (this.#run === undefined) return;
    throw new StreamWeldError(
      'SW_PIPELINE_STARTED',
      what === 'run'
        ? 'A pipeline runs once. Make a new one to run again.'
        : `${what} cannot be changed after the pipeline was started. Set it before run().`,
    );
  }

  #started(what: string): Run<T> {
    if (this.#run !== undefined) return this.#run;
    throw new StreamWeldError(
      'SW_PIPELINE_IDLE',
      `${what} needs a pipeline that was started. Call run() first.`,
    );
  }
}

function noReport(): void {}
