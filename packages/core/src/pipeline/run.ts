/**
 * One run of a pipeline, from opening to done.
 *
 *     source ─► operators ─► [ SourceTask ] ─► channel ─► [ SinkTask ] ─► sink
 *
 *     opening ─► running ⇄ paused ─► draining ─► closing ─► done
 *        └──────────┴─────────┴─────────┴─► aborting ─┘
 *
 * Every transition is in this file, and each goes one way only.
 */

import { onAbort } from '../abort.ts';
import { AwaitedSink } from '../awaited-sink.ts';
import { BatchChannel } from '../channel/batch-channel.ts';
import { Deferred } from '../deferred.ts';
import type { Committer, CommitPolicy } from '../delivery/committer.ts';
import { Persistence } from '../delivery/persistence.ts';
import type { LaneBook } from '../delivery/lane.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { isStreamWeldError, StreamWeldError, suppress, wrapError } from '../errors.ts';
import type { Flow } from '../flow/flow.ts';
import type { SourceStage } from '../flow/source-stage.ts';
import type { FlowRun, Stage, StageLetters } from '../flow/stage.ts';
import { DeadLetterBox, type DeadLetter } from '../policy/dead-letter.ts';
import type { Observers } from '../observe.ts';
import {
  createPolicies,
  NO_COUNTS,
  type WritePolicies,
  type WritePolicyOptions,
} from '../policy/write-policies.ts';
import { runtime, Turn } from '../runtime.ts';
import type { Sink } from '../sink.ts';
import { DeadlineGuard, GivenUp } from '../task/deadline-guard.ts';
import { ChannelIntake } from '../task/intake.ts';
import { SinkTask } from '../task/sink-task.ts';
import { SourceTask } from '../task/source-task.ts';
import { Checkpoint, type CheckpointPlan, labelLanes, shareOut } from './checkpoint.ts';
import { createCommitter } from './commits.ts';
import { ExactlyOnce } from './exactly-once.ts';
import { FlowLetters } from './flow-letters.ts';
import type { RunCounts, RunReport } from './report.ts';
import type { LaneSnapshot, PipelineSnapshot, PipelineState } from './snapshot.ts';
import { idsOf, lanesOf, sinkIdOf, snapshotOf } from './view.ts';

export interface RunOptions {
  readonly name: string;
  readonly bufferSize: number;
  readonly maxConcurrency: number;
  readonly failFast: boolean;
  readonly closeMs: number;
  readonly maxUncommitted: number;
  readonly commitEvery: CommitPolicy;
  readonly checkpoint: CheckpointPlan | undefined;
  readonly policies: WritePolicyOptions<unknown>;
  readonly deadLetter: Sink<DeadLetter> | undefined;
  readonly observers: Observers;
}

export class Run<T> {
  readonly #options: RunOptions;
  readonly #sink: Sink<T>;
  readonly #sinkName: string;
  readonly #stage: Stage<T>;
  readonly #flow: FlowRun;
  readonly #channel: BatchChannel<Parcel<T>>;
  readonly #source: SourceTask<T>;
  readonly #writer: SinkTask<T>;
  readonly #policies: WritePolicies | undefined;
  readonly #deadLetter: DeadLetterBox | undefined;
  readonly #committers: Committer[] = [];
  readonly #persistence = new Persistence();
  readonly #checkpoint: Checkpoint | undefined;
  /** Where the sink keeps the positions itself, in one step with the items: each is written exactly once. */
  readonly #exact: ExactlyOnce<T> | undefined;
  readonly #guard = new DeadlineGuard();
  readonly #controller = new AbortController();
  readonly #startedAt = runtime.now();
  /** Resolves when everything was written; rejects when the run must not go on. */
  readonly #written = new Deferred();
  #state: PipelineState = 'opening';
  #stopListening: () => void = () => {};
  #failure: { error: unknown } | undefined;
  #drainTimer: unknown;
  #isDrainWanted = false;
  #isPauseWanted = false;
  #wasDrained = false;
  #dropped = 0;
  #endedAt: number | undefined;
  /** What was opened, or tried to, and is still to be closed. */
  #isSinkOpen = false;
  readonly #openStages = new Set<Stage<unknown>>();

  readonly #result = new Deferred<RunReport>();
  /** Why it was to be ended, when it was closing already. */
  #hurriedBy: { error: unknown } | undefined;

  constructor(flow: Flow<T>, sink: Sink<T>, options: RunOptions) {
    this.#options = options;
    this.#sink = sink;
    this.#sinkName = sink.name ?? 'sink';
    this.#deadLetter = options.deadLetter === undefined ? undefined : new DeadLetterBox(options.deadLetter);
    this.#flow = {
      concurrency: options.maxConcurrency,
      sources: [],
      stages: [],
      isCautious: () => this.#exact?.isCautious === true,
      dropped: (items) => {
        this.#dropped += items;
      },
      deadLetter: this.#deadLetter === undefined ? undefined : this.#createStageLetters(this.#deadLetter),
    };
    this.#stage = flow.build(this.#flow);
    labelLanes(this.#flow.sources);
    this.#watchable(options.observers);
    this.#channel = new BatchChannel<Parcel<T>>(options.bufferSize);
    const turn = new Turn();
    const books = this.#books();
    const { checkpoint } = options;
    this.#checkpoint =
      checkpoint === undefined ? undefined : new Checkpoint(checkpoint, books, this.#persistence);
    this.#exact =
      checkpoint === undefined || sink.keepsPositions !== true
        ? undefined
        : new ExactlyOnce<T>({
            sink,
            sinkName: this.#sinkName,
            flow: this.#flow,
            channel: this.#channel,
            hasFailed: () => this.#failure !== undefined,
            letters: () => this.#letters,
            onFail: this.#failed,
          });
    const concurrency =
      this.#exact !== undefined
        ? 1
        : Math.min(options.maxConcurrency, sink.concurrency ?? Number.POSITIVE_INFINITY);
    this.#policies = createPolicies(options.policies, this.#deadLetter);
    const share = Math.max(1, Math.floor(options.bufferSize / (concurrency + 1)));
    this.#writer = new SinkTask<T>({
      name: this.#sinkName,
      sink,
      intake: this.#exact?.intake ?? new ChannelIntake(this.#channel),
      concurrency,
      maxUncommitted: options.maxUncommitted,
      patienceMs: options.closeMs,
      policies: this.#policies,
      writesWhole: this.#exact !== undefined,
      observers: options.observers,
      id: this.sinkId,
      signal: this.#controller.signal,
      turn,
      onFail: this.#failed,
      onKept: this.#exact?.kept,
      onQuiet: this.#quiet,
    });
    this.#writer.maxItems = Math.min(share, sink.batching?.maxItems ?? share);
    this.#source = new SourceTask<T>({
      stage: this.#stage,
      channel: this.#channel,
      turn,
      onFail: this.#failed,
      // A source batch that has to be written whole is pulled to its last item.
      isGreedy: this.#exact !== undefined,
    });
    if (this.#exact !== undefined) for (const book of books) book.onSettled = this.#writer.pump;
    this.#channel.onItems = this.#writer.pump;
    this.#channel.onRoom = this.#source.pump;
    // Exactly once, the sink keeps the positions, and no store has to.
    const keeper = this.#exact === undefined ? this.#checkpoint : undefined;
    for (const stage of this.#flow.sources) {
      const committer = createCommitter(stage, {
        policy: options.commitEvery,
        checkpoint: keeper,
        persistence: this.#persistence,
        onFail: this.#failed,
      });
      if (committer !== undefined) this.#committers.push(committer);
    }
  }

  /** Settles when every task has ended and every resource is closed. */
  get result(): Promise<RunReport> {
    return this.#result.promise;
  }

  start(signal: AbortSignal | undefined): void {
    this.#run(signal).then(this.#result.resolve, this.#result.reject);
  }

  get state(): PipelineState {
    return this.#state;
  }

  /** No new pulls and no new writes; resolves when the writes that were outstanding have ended. */
  pause(): Promise<void> {
    if (this.#state === 'opening') this.#isPauseWanted = true;
    if (this.#state === 'running') {
      this.#state = 'paused';
      this.#source.pause();
      for (const source of this.#flow.sources) source.pause();
      this.#writer.pause();
    }
    const paused = new Deferred();
    void this.#writer.idle().then(paused.resolve);
    this.result.then(
      () => paused.resolve(),
      () => paused.resolve(),
    );
    return paused.promise;
  }

  resume(): void {
    this.#isPauseWanted = false;
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#resumeTasks();
  }

  /** Stops the source and delivers what it has handed out; past the deadline it aborts. */
  drain(deadlineMs: number | undefined): void {
    if (this.#isDrainWanted || this.#isEnding()) return;
    this.#isDrainWanted = true;
    this.#wasDrained = true;
    if (deadlineMs !== undefined) this.#drainTimer = runtime.setTimer(this.#drainTimedOut, deadlineMs);
    if (this.#state !== 'opening') this.#beginDrain();
  }

  abort(reason: unknown): void {
    if (this.#state === 'closing' && this.#failure === undefined && this.#hurriedBy === undefined) {
      // Too late to abandon anything; but what does not close cannot hold the run any more.
      this.#hurriedBy = { error: reason };
      this.#persistence.hurry();
      this.#guard.setDeadline(this.#options.closeMs);
    }
    if (this.#isEnding()) return;
    this.#failure ??= { error: reason };
    this.#abandon();
  }

  #isEnding(): boolean {
    return this.#state === 'aborting' || this.#state === 'closing' || this.#state === 'done';
  }

  async #run(signal: AbortSignal | undefined): Promise<RunReport> {
    if (signal !== undefined)
      this.#stopListening = onAbort(signal, (reason) => this.abort(abortError(reason)));
    try {
      await this.#open();
      await this.#written.promise;
      await this.#flush();
      await this.#finish();
    } catch (error) {
      this.#note(error);
      await this.#closeAfterFailure();
    }
    this.#stopListening();
    this.#clearDrainTimer();
    this.#guard.clear();
    this.#endedAt = runtime.now();
    this.#state = 'done';
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.report();
  }

  async #open(): Promise<void> {
    const { signal } = this.#controller;
    this.#throwIfAborted();
    this.#exact?.checkOrder();
    for (const stage of this.#flow.stages) if (stage.inputs.length > 0) this.#openStages.add(stage);
    if (this.#deadLetter !== undefined) await this.#openDeadLetter(this.#deadLetter, signal);
    this.#isSinkOpen = true;
    await this.#guard.wait(`opening the sink '${this.#sinkName}'`, () =>
      this.#sink.open?.({
        signal,
        fail: this.#sinkFailed,
        checkpoint: this.#exactName,
        closeMs: this.#options.closeMs,
        ...(this.#exact === undefined ? {} : { comparePositions: this.#exact.comparePositions }),
      }),
    );
    const positions = await this.#resume();
    for (const [index, source] of this.#flow.sources.entries()) {
      this.#throwIfAborted();
      this.#openStages.add(source);
      source.needsPositions = this.#checkpoint !== undefined;
      const share = positions[index] ?? new Map<string, unknown>();
      source.lanes.resume(share);
      await this.#guard.wait(`opening the source '${source.name}'`, () =>
        source.open(share, signal, this.#failed, this.#checkpoint?.name),
      );
    }
    this.#throwIfAborted();
    this.#state = 'running';
    if (this.#isDrainWanted) this.#beginDrain();
    else if (this.#isPauseWanted) void this.pause();
    this.#source.pump();
  }

  /** Before the sink, whose first write may need it. */
  async #openDeadLetter(box: DeadLetterBox, signal: AbortSignal): Promise<void> {
    // A sink that keeps positions moves them past an item only when the dead letter has that durably.
    box.isEager = this.#exact !== undefined;
    await this.#guard.wait(`opening the dead-letter sink '${box.name}'`, () =>
      box.open({ signal, fail: this.#failed }),
    );
    this.#throwIfAborted();
  }

  get #exactName(): string | undefined {
    return this.#exact !== undefined ? this.#checkpoint?.name : undefined;
  }

  /** Where each source resumes: the sink's own positions, else those of the store; else the source's own, if it has any. */
  async #resume(): Promise<readonly ReadonlyMap<string, unknown>[]> {
    const checkpoint = this.#checkpoint;
    if (checkpoint === undefined) return [];
    let held: ReadonlyMap<string, unknown> | undefined;
    if (this.#exact !== undefined) {
      held = await this.#guard.wait(`reading the positions of the sink '${this.#sinkName}'`, () =>
        this.#sink.positions?.(),
      );
    }
    this.#throwIfAborted();
    const saved = await this.#guard.wait(`loading the checkpoint '${checkpoint.name}'`, () =>
      checkpoint.load(),
    );
    this.#throwIfAborted();
    const from = this.#exact?.resumeFrom(held ?? new Map<string, unknown>(), saved) ?? saved;
    return shareOut(from, this.#books(), checkpoint.name);
  }

  /** Everything that was accepted becomes durable, and every receipt settled. */
  async #flush(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'paused') this.#state = 'draining';
    // A sink without flush settles what it accepted by itself, and is given some time for it.
    const what = this.#sink.flush === undefined ? 'receipts that the sink holds: ' : 'flushing the sink ';
    await this.#guard.wait(`${what}'${this.#sinkName}'`, () => this.#writer.flush());
    const box = this.#deadLetter;
    if (box !== undefined) {
      await this.#guard.wait(`flushing the dead-letter sink '${box.name}'`, () =>
        box.flush(this.#options.closeMs),
      );
    }
    // What the flush made durable is settled by promises of the sink's own, which have their turn first.
    if (this.#openLanes().length > 0 || this.#writer.uncommitted > 0 || this.#letters > 0) {
      await new Promise<void>((resolve) => runtime.yield(resolve));
    }
    const isUnsettled = this.#openLanes().length > 0 || this.#writer.uncommitted > 0 || this.#letters > 0;
    if (this.#failure === undefined && isUnsettled) throw this.#unsettledError();
    this.#throwIfAborted();
    if (this.#failure === undefined && this.#exact !== undefined) await this.#keepTheRest(this.#exact);
  }

  /** What was dropped behind the last item brought no write that could keep its position. */
  async #keepTheRest(exact: ExactlyOnce<T>): Promise<void> {
    const rest = exact.notKept(this.#positions());
    if (rest.size === 0) return;
    await this.#guard.wait(`keeping positions in the sink '${this.#sinkName}'`, () =>
      this.#sink.keep?.(rest),
    );
    this.#throwIfAborted();
  }

  #unsettledError(): StreamWeldError {
    const { uncommitted } = this.#writer;
    const lanes = this.#openLanes().map((lane) => `'${lane}'`);
    const box = this.#letters > 0 ? this.#deadLetter : undefined;
    const letters =
      box === undefined ? '' : `; letters that '${box.name}' has not made durable: ${box.pending}`;
    return new StreamWeldError(
      'SW_DELIVERY_UNSETTLED',
      `Everything was written and flushed, and still items are not settled (lanes: ${lanes.join(', ') || 'none'}${letters}). A sink that defers must settle every piece, and what it calls durable must be so after flush.`,
      { stage: uncommitted > 0 ? this.#sinkName : (box?.name ?? this.#sinkName) },
    );
  }

  /** Those in the dead letter that are not durable. */
  get #letters(): number {
    return this.#deadLetter?.pending ?? 0;
  }

  #throwIfAborted(): void {
    if (this.#state === 'aborting' && this.#failure !== undefined) throw this.#failure.error;
  }

  /** The good end. What fails here fails the run. */
  async #finish(): Promise<void> {
    this.#state = 'closing';
    // One that was drained before is no reason (S10); of what fails from here on, those that are closed later are told.
    const drained = this.#failure;
    const reason = (): unknown => (this.#failure === drained ? undefined : this.#failure?.error);
    for (const committer of this.#committers)
      await this.#guard.wait('the last commit', () => committer.last());
    this.#isSinkOpen = false;
    await this.#guard.wait(`closing the sink '${this.#sinkName}'`, () => this.#sink.close?.(reason()));
    await this.#closeDeadLetter(reason());
    await this.#closeStages(reason);
    if (this.#failure !== undefined) throw this.#failure.error;
    const [stuck] = this.#guard.stuck;
    if (stuck !== undefined && this.#hurriedBy !== undefined) throw new GivenUp(stuck);
  }

  async #closeAfterFailure(): Promise<void> {
    this.#abandon();
    const reason = this.#failure?.error;
    await this.#attempt(`writing to '${this.#sinkName}'`, () => this.#writer.idle());
    const box = this.#deadLetter;
    if (box !== undefined) await this.#attempt(`writing to '${box.name}'`, () => box.halt());
    this.#state = 'closing';
    // What a sink deferred may still be outstanding where it was passed on to: its close waits for that first.
    this.#guard.setDeadline(this.#options.closeMs * (this.#writer.hasDeferred ? 2 : 1));
    for (const committer of this.#committers) await this.#attempt('the last commit', () => committer.last());
    if (this.#isSinkOpen) {
      this.#isSinkOpen = false;
      await this.#attempt(`closing the sink '${this.#sinkName}'`, () => this.#sink.close?.(reason));
    } else if (this.#sink instanceof AwaitedSink) {
      const sink = this.#sink;
      await this.#attempt(`closing the sink '${this.#sinkName}'`, () => sink.giveUp(reason));
    }
    await this.#closeDeadLetter(reason);
    await this.#closeStages(() => reason);
    if (this.#guard.stuck.length > 0) this.#noteStuck();
  }

  #createStageLetters(box: DeadLetterBox): StageLetters {
    return new FlowLetters(box, {
      accepted: (items) => {
        if (this.#policies !== undefined) this.#policies.deadLettered += items;
      },
      failed: this.#failed,
    });
  }

  async #closeDeadLetter(reason: unknown): Promise<void> {
    const box = this.#deadLetter;
    if (box === undefined) return;
    await this.#attempt(`closing the dead-letter sink '${box.name}'`, () => box.close(reason));
  }

  /** Operators and sources, the last first: all are closed, whatever fails. */
  async #closeStages(reason: () => unknown): Promise<void> {
    for (const stage of [...this.#flow.stages].reverse()) {
      if (this.#openStages.delete(stage))
        await this.#attempt(`closing '${stage.name}'`, () => stage.close(reason()));
    }
  }

  async #attempt(what: string, call: () => void | PromiseLike<void>): Promise<void> {
    try {
      await this.#guard.wait(what, call);
    } catch (error) {
      this.#note(error);
    }
  }

  /** The first failure is the run's; later ones are noted on it. */
  #note(error: unknown): void {
    if (error instanceof GivenUp) {
      this.#failure ??= this.#hurriedBy;
      this.#guard.noteStuck(error.what);
      if (error.failure !== undefined) this.#note(error.failure.error);
      return;
    }
    if (this.#failure !== undefined && error === this.#failure.error) return;
    const known = this.#asOurs(error);
    if (this.#failure === undefined) this.#failure = { error: known };
    else suppress(this.#failure.error, known);
  }

  #asOurs(error: unknown): unknown {
    if (isStreamWeldError(error)) return error;
    return wrapError(
      'SW_SINK_FAILED',
      this.#sinkName,
      `The sink '${this.#sinkName}' failed to open, flush or close; its error is the cause.`,
      error,
    );
  }

  readonly #sinkFailed = (error: unknown): void => this.#writer.lost(error);

  readonly #failed = (error: unknown): void => {
    if (this.#failure !== undefined || this.#isEnding()) {
      this.#note(error);
    } else {
      this.#failure = { error };
      if (this.#options.failFast || this.#state === 'opening' || isImpossible(error)) {
        this.#abandon();
        return;
      }
      this.#beginDrain();
    }
    // A source that failed is not asked for its end. Any other is, and hands on first what its operators hold.
    if (this.#source.isHalted) this.#channel.close();
  };

  /** Stops everything at once; what is buffered is discarded. */
  #abandon(): void {
    if (this.#isEnding()) return;
    this.#state = 'aborting';
    const reason = this.#failure?.error;
    // Before anything else: a retry that is called off leaves nothing to write, and that is no good end, with a flush.
    this.#written.reject(reason);
    this.#clearDrainTimer();
    this.#source.halt();
    this.#writer.halt();
    this.#channel.clear();
    for (const stage of this.#flow.stages) stage.abandon();
    for (const committer of this.#committers) committer.stop();
    this.#persistence.hurry();
    this.#guard.setDeadline(this.#options.closeMs);
    this.#controller.abort(reason);
  }

  #beginDrain(): void {
    if (this.#state !== 'running' && this.#state !== 'paused') return;
    this.#state = 'draining';
    for (const source of this.#flow.sources) {
      void this.#stop(source);
    }
    this.#resumeTasks();
    this.#source.pump();
  }

  async #stop(source: SourceStage<unknown>): Promise<void> {
    try {
      await this.#guard.wait(`stopping the source '${source.name}'`, () => source.stop());
    } catch (error) {
      if (!(error instanceof GivenUp)) this.#failed(error);
    }
  }

  #resumeTasks(): void {
    this.#writer.resume();
    for (const source of this.#flow.sources) source.resume();
    this.#source.resume();
  }

  readonly #drainTimedOut = (): void => {
    this.#drainTimer = undefined;
    const waiting = this.#guard.waiting.join(' and ');
    this.abort(
      new StreamWeldError(
        'SW_DRAIN_TIMEOUT',
        `The drain passed its deadline with ${this.#channel.queued} items in the buffer and ${this.#writer.inFlightItems} being written to '${this.#sinkName}'${this.#source.isPulling ? ', and a pull unanswered' : ''}${waiting === '' ? '' : `, while it waited for ${waiting}`}${this.#hindrance()}. Give it longer, or find out what holds it.`,
        { stage: this.#sinkName },
      ),
    );
  };

  #hindrance(): string {
    const { retrying } = this.#writer;
    const breaker = this.#policies?.breaker;
    const isOpen = breaker !== undefined && breaker.state !== 'closed';
    const letters =
      this.#letters === 0
        ? ''
        : `; letters that '${this.#deadLetter?.name}' has not made durable: ${this.#letters}`;
    return `${retrying === 0 ? '' : `; batches that wait to be written again: ${retrying}`}${isOpen ? `; its circuit breaker is ${breaker.state}` : ''}${letters}`;
  }

  #clearDrainTimer(): void {
    if (this.#drainTimer !== undefined) runtime.clearTimer(this.#drainTimer);
    this.#drainTimer = undefined;
  }

  readonly #quiet = (): void => {
    if (this.#channel.isClosed) this.#written.resolve();
  };

  #books(): LaneBook[] {
    return this.#flow.sources.map((source) => source.lanes);
  }

  #openLanes(): string[] {
    return this.#flow.sources.flatMap((source) => source.lanes.openLanes());
  }

  /** Names who did not end, on the failure; an error that is not ours has no place for it, and becomes the cause. */
  #noteStuck(): void {
    const first = this.#failure?.error;
    if (!isStreamWeldError(first)) this.#failure = { error: abortError(first, true) };
    suppress(this.#failure?.error, this.#stuckError());
  }

  #stuckError(): StreamWeldError {
    return new StreamWeldError(
      'SW_PIPELINE_ABORTED',
      `Given up after ${this.#options.closeMs} ms, because they did not heed the abort: ${this.#guard.stuck.join(', ')}. They may still have an effect.`,
    );
  }

  #counts(): RunCounts {
    return {
      read: this.#read(),
      written: this.#writer.written,
      dropped: this.#dropped,
      ...(this.#policies?.counts ?? NO_COUNTS),
      batches: this.#writer.batches,
      highWaterMark: this.#channel.highWater,
    };
  }

  report(): RunReport {
    return {
      outcome: this.#wasDrained ? 'drained' : 'completed',
      ...this.#counts(),
      durationMs: this.#elapsedMs(),
      positions: this.#positions(),
    };
  }

  #read(): number {
    let read = 0;
    for (const source of this.#flow.sources) read += source.emitted;
    return read;
  }

  #elapsedMs(): number {
    return (this.#endedAt ?? runtime.now()) - this.#startedAt;
  }

  #positions(): ReadonlyMap<string, unknown> {
    return new Map(this.#books().flatMap((book) => [...book.positions()]));
  }

  get sinkId(): string {
    return sinkIdOf(this.#sinkName, this.#flow.stages);
  }

  #watchable(observers: Observers): void {
    const ids = idsOf(this.#flow.stages);
    for (const source of this.#flow.sources) {
      source.observers = observers;
      source.observedAs = ids.get(source as Stage<unknown>) as string;
    }
  }

  /** @param max of each source */
  lanes(max: number): LaneSnapshot[] {
    const exact = this.#exact;
    return lanesOf({
      stages: this.#flow.stages,
      sources: this.#flow.sources,
      max,
      keptAt: exact === undefined ? undefined : (label) => exact.keptAt(label),
      isOpen: this.#state === 'running' || this.#state === 'paused' || this.#state === 'draining',
    });
  }

  snapshot(): PipelineSnapshot {
    return snapshotOf<T>({
      name: this.#options.name,
      state: this.#state,
      elapsedMs: this.#elapsedMs(),
      counts: this.#counts(),
      failure: this.#failure,
      stages: this.#flow.stages,
      last: this.#stage,
      source: this.#source,
      channel: this.#channel,
      writer: this.#writer,
    });
  }
}

/** Nothing more may be written: what the sink holds would be wrong. */
function isImpossible(error: unknown): boolean {
  return isStreamWeldError(error) && error.code === 'SW_EXACTLY_ONCE_IMPOSSIBLE';
}

/** What a run that was aborted rejects with: the very error it was given, or one of ours around anything else. */
export function abortError(reason: unknown, always: boolean = false): Error {
  if (reason instanceof Error && !always) return reason;
  return new StreamWeldError(
    'SW_PIPELINE_ABORTED',
    'The run was aborted before its source had ended. What was acknowledged is safe; run it again to go on.',
    reason === undefined ? {} : { cause: reason },
  );
}
