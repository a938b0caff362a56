/**
 * What a case of propagation says: who fails, when, in what arrangement, and all that is seen of it.
 *
 * Steps are sentences of a few forms (see `World.step`):
 *
 *     let sink.flush reject E1      from now on; also: throw, hold, answer
 *     source.pull gives 1 2         the oldest call that waits; also: ends, answers, rejects E1, accepts, breaks
 *     sink fails E1                 reports it between two calls
 *     user aborts E1                the signal given to run(); also: run aborts, drains, pauses, resumes; dispatcher aborts
 *     wait 2000                     so many milliseconds
 *
 * Two of them joined by ` & ` happen at once: nobody has a turn in between.
 */

export type Shape =
  | 'source to sink'
  | 'source to map to sink'
  | 'merge of two'
  | 'broadcast of two'
  | 'demand of two'
  | 'partition of two'
  | 'nested dispatcher'
  | 'web streams'
  | 'Node streams'
  | 'loop over a flow';

export type Moment =
  | 'before the run'
  | 'while opening'
  | 'with an empty buffer'
  | 'with a write outstanding'
  | 'with items buffered'
  | 'with a retry pending'
  | 'while paused'
  | 'while draining'
  | 'while flushing'
  | 'while committing'
  | 'while closing'
  | 'after an error'
  | 'after an abort';

/** What is thrown under the name of `E1`. */
export type Thrown = 'an error' | 'undefined' | 'a frozen object';

export interface Settings {
  readonly failFast?: boolean;
  /** Has a dead letter. */
  readonly letters?: boolean;
  /** Attempts of a write, 100 ms apart. */
  readonly retry?: number;
  readonly maxConcurrency?: number;
  /** Sinks whose loss is consented to. */
  readonly detach?: readonly string[];
}

export interface Case {
  readonly of: string;
  readonly at: Moment;
  readonly seen: string;
  readonly shape: Shape;
  readonly with?: Settings;
  /** What went before. The run begins after the first `let`s. */
  readonly given?: readonly string[];
  readonly when: readonly string[];
  /**
   * Every call that somebody gets from then on, in order. The reason of a close follows it: `!` is the very value that
   * `run()` rejects with, `E1` what was thrown under that name, nothing is the good end.
   */
  readonly calls: readonly string[];
  /** How `run()` settles: `completed`, `drained`, `goes on`, or what it rejects with: `code stage cause`, or `E1` itself. */
  readonly run: string;
  /** What the failure has in `suppressed`. */
  readonly suppressed?: readonly string[];
  /**
   * What the signal of everybody who was opened ended with. Default: `!` where the run failed, otherwise
   * `quiet`. `by place`: the sinks of a dispatcher hear of its end, not of the run's, and `calls` says how.
   */
  readonly signal?: string;
  /** Whether it holds whatever is thrown. Default: where it is not the reason of an abort. */
  readonly forAll?: boolean;
}

/** Says of each case which it is. */
export function titleOf({ of, at, seen, shape }: Case): string {
  return `${of}, ${at}, ${shape}: ${seen}`;
}
