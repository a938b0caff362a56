/**
 * The contract of a source: where items come from.
 *
 * A run calls `open` once, then `pull` again and again, never two at a time; `commit` now and then in between;
 * `stop` when no more pulls will come; and `close` last.
 *
 *     open ──► pull ◄─┐ ──► (stop) ──► commit ──► close
 *                └────┘  commit
 *
 * The rules (a test that proves one begins with its number):
 *  S1  `open` is called once, before anything else. If it throws, only `close` follows.
 *  S2  `pull` is never called again before the last one has settled.
 *  S3  `pull(demand)` answers 1 to `demand` items, or `undefined` at the end. Answering more is
 *      SW_SOURCE_OVERANSWERED, an empty plain array is SW_SOURCE_UNDERANSWERED.
 *  S4  It does not wait to fill the demand: what is there is answered.
 *  S5  After `undefined` it is never pulled again.
 *  S6  The array handed out belongs to the run: the source does not change it any more.
 *  S7  Within a lane, positions come in order. A position says where to resume *after* its batch.
 *  S8  `commit` is only ever given positions up to which every item is durable in every sink, or was dropped on
 *      purpose. It holds only the lanes that moved since the last commit. One commit at a time.
 *  S9  `stop` may come while a pull is outstanding, and that pull must then settle soon, with what there is.
 *  S10 `close` is called once, also after a failure, and nothing is called after it. A reason means that the run failed
 *      or was aborted; a run that drained before it failed, with failFast(false), gives none.
 *  S11 What a pull answers after the run was aborted is discarded and stays unacknowledged.
 *  S12 Opened with a position that it gave in a lane, of whichever batch, it answers what came after that batch: all of it,
 *      in the same order, and nothing from before. A lane without a position begins at its beginning.
 *  S13 A position that it cannot have given is refused, by `open` or by the first pull, with an error that has a code. It
 *      never guesses: neither what to skip nor what to repeat. Where it gave the position, and what that led to is gone, it may
 *      begin the lane anew, if it tells so with a code.
 *  S14 `comparePositions` orders the positions of a lane as they came; zero says that nothing lies between.
 *  S15 A position is plain data and does not change: null, booleans, numbers, bigints, strings, dates, bytes, and arrays,
 *      maps, sets and plain objects of such. What a store gives back is as good as what it was given.
 *  S16 Once the signal of its context aborts, an outstanding `open` or `pull` settles soon, one way or the other.
 *  S17 After `close` nothing of it is left: no handle, connection, listener or timer, and no promise that nobody handles. So
 *      too where `open` failed, and where a pull was outstanding.
 *  S18 Of what nobody asked for it holds a bounded amount, however much there is and however long nobody pulls.
 *  S19 What it throws has a code and says what to do. No secret of its options and no item is in it, nor along its `cause`.
 *  S20 One that was never closed, as after a kill, does not keep the next from S12.
 *  S21 `commit` may bring a position of any batch it answered, after `stop` too. A source that keeps its positions itself
 *      resumes, when it is opened without any, after what was last committed to it.
 */

export type Awaitable<T> = T | PromiseLike<T>;

/** What a run gives its source when it opens it. */
export interface SourceContext<P = unknown> {
  /** Where to resume, by lane; empty on a first run. */
  readonly positions: ReadonlyMap<string, P>;
  /** Aborts when the run does. It is the run's own: it has few listeners and lives as long as the run. */
  readonly signal: AbortSignal;
  /** The name of the run's checkpoint: positions are kept under it. Undefined where nobody keeps any but the source itself. */
  readonly checkpoint?: string | undefined;
  /** Settles when all that was handed out in this lane so far is settled. For a source that must give a lane up. */
  settled(lane: string): Promise<void>;
  /** The lane is no longer ours: what is still open in it is never committed. */
  endLane(lane: string): void;
  /** For a source that learns between two pulls that it cannot go on: fails the run. */
  fail(error: unknown): void;
}

/**
 * A batch with a place in its source. `position` is where to resume after this batch; `lane` names an ordered
 * sub-stream (a Kafka partition, a file), default `''`. Without items it says: nothing to write, but done up to here.
 */
export interface Positioned<T, P = unknown> {
  readonly items: readonly T[];
  readonly position: P;
  readonly lane?: string | undefined;
}

export interface Source<T, P = unknown> {
  /** Shown in errors, reports and drawings. */
  readonly name?: string | undefined;
  open?(context: SourceContext<P>): Awaitable<void>;
  /** Answers demand with 1 to `demand` items, or `undefined` at the end (rules S2 to S6). */
  pull(demand: number): Awaitable<readonly T[] | Positioned<T, P> | undefined>;
  /** No more pulls will come: answer the outstanding one, keep the connection, a last commit follows. */
  stop?(): Awaitable<void>;
  /** All items up to these positions are durable in every sink. Holds only the lanes that moved. */
  commit?(positions: ReadonlyMap<string, P>): Awaitable<void>;
  /** Negative where `a` lies before `b`: lets a sink that is ahead skip what it has. */
  comparePositions?(a: P, b: P): number;
  /**
   * How many items it knows of and has not handed out, in each lane of which it can tell at once. Only for whoever watches the
   * run, and only between the end of `open` and the beginning of `close`.
   */
  lag?(): readonly LaneLag[];
  close?(reason?: unknown): Awaitable<void>;
}

/** How far a source is behind, in one lane. */
export interface LaneLag {
  readonly lane: string;
  /** Items that wait to be handed out. */
  readonly lag: number;
}

/** A readable stream of Node, by its shape. */
export interface NodeReadableLike<T = unknown> extends AsyncIterable<T> {
  readonly readableEnded?: boolean | undefined;
  readonly destroyed?: boolean | undefined;
  readonly errored?: unknown;
  read(size?: number): T | null;
  on(event: string, listener: (...args: never[]) => void): unknown;
  destroy(error?: Error): unknown;
}

/** A readable stream of the web, by its shape (lib.dom's and Node's own types differ in what we do not use). */
export interface WebReadableLike<T = unknown> {
  getReader(): {
    read(): Promise<{ done: boolean; value?: T | undefined }>;
    cancel(reason?: unknown): Promise<void>;
    releaseLock(): void;
  };
}

/** Wherever a source is taken, so are these. */
export type SourceLike<T> =
  | Source<T>
  | Iterable<T>
  | AsyncIterable<T>
  | WebReadableLike<T>
  | NodeReadableLike<T>;

/**
 * A stage that turns a batch into another. `process` may hold items back (the half of a line) and hand them on later;
 * then it has `flush`, which answers what is left at the end. Positions stay before what is held back: as long as
 * `holdsBack` answers true, nothing it was given counts as done. Without `holdsBack` a processor that has a `flush` is
 * taken to hold back until the end.
 */
export interface Processor<I, O> {
  readonly name?: string | undefined;
  process(batch: readonly I[]): Awaitable<readonly O[]>;
  flush?(): Awaitable<readonly O[]>;
  /** Whether something it was given has not come out yet. */
  holdsBack?(): boolean;
  close?(reason?: unknown): Awaitable<void>;
}

/** What a processor that works on several batches at once is given with each. */
export interface ProcessContext {
  /** Aborts when nobody waits for the answer any more: the run was aborted, or a stage after this one has enough. */
  readonly signal: AbortSignal;
  /**
   * The item at this index of the batch is given up, for this error: what becomes of it, the option `onError` of `through`
   * says. The answer is what became of the others. Called before `process` has settled.
   */
  readonly refuse: (index: number, error: unknown) => void;
}

/**
 * A stage that works on several batches at once, each for itself. A batch is done when what it became is, so nothing of it
 * is held back. `through` shares out what it pulls, and hands results on in the order of the batches, or as they come.
 */
export interface ConcurrentProcessor<I, O> {
  readonly name?: string | undefined;
  /** How many batches it works on at once. */
  readonly concurrency: number;
  /** The most items in a batch. Default: what one pull answered is shared out to all calls that could be made. */
  readonly maxItems?: number | undefined;
  /** Never called with more than `concurrency` of its answers outstanding. If it rejects, the run fails. */
  process(batch: readonly I[], context: ProcessContext): Awaitable<readonly O[]>;
  /** Called once, last. What it still works on is wanted by nobody. */
  close?(reason?: unknown): Awaitable<void>;
}
