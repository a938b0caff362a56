/**
 * Every error of StreamWeld's own: one table of codes, one class per kind of catch.
 *
 * An error is a small letter: what happened, to which stage, what was expected, and what to do now. What was
 * thrown by somebody else is never copied into our message (it may quote an item or a secret); it is the `cause`.
 */

/** The one table of codes. docs/errors.md has a heading for each; a test holds the two together. */
export const ERROR_CODES = {
  SW_OPTION_INVALID: 'An option or argument has a value that cannot work.',
  SW_SOURCE_INVALID: 'What was given as a source is none.',
  SW_SINK_INVALID: 'What was given as a sink is none.',
  SW_SOURCE_IN_USE: 'A source was given to a run while another one read it.',
  SW_SOURCE_FAILED: 'A source threw or rejected.',
  SW_SOURCE_OVERANSWERED: 'A source answered more items than it was asked for.',
  SW_SOURCE_UNDERANSWERED: 'A source answered a batch without items and without a position.',
  SW_POSITION_INVALID: 'What is to be resumed from is no position of this source.',
  SW_OPERATOR_FAILED: 'A function given to an operator of a flow threw or rejected.',
  SW_ITEM_INVALID: 'An item does not fit the schema it was validated against.',
  SW_SINK_FAILED: 'A sink threw or rejected.',
  SW_WRITE_TIMEOUT: 'A write took longer than its sink was given.',
  SW_DEAD_LETTER_FAILED: 'A dead-letter sink failed.',
  SW_DEAD_LETTER_MISSING: 'Items are to go to a dead letter, and the pipeline has none.',
  SW_COMMIT_FAILED: 'Positions could not be committed, to the checkpoint store or to the source.',
  SW_CHECKPOINT_FAILED: 'A checkpoint store could not be read.',
  SW_POSITION_UNSTORABLE: 'A position holds something that no store can give back as it was.',
  SW_CHECKPOINT_FENCED: 'Another run has taken the name of this checkpoint over.',
  SW_CHECKPOINT_NO_POSITIONS: 'A run with a checkpoint has a source without positions.',
  SW_EXACTLY_ONCE_IMPOSSIBLE: 'Something in the run excludes exactly once.',
  SW_BATCH_TOO_LARGE: 'A source batch outgrew the buffer, and had to be written whole.',
  SW_DELIVERY_UNSETTLED: 'Everything was written and flushed, and still some items were never settled.',
  SW_RECEIPT_SETTLED: 'A receipt was settled more often than it has pieces.',
  SW_CHANNEL_CLOSED: 'Something was sent to a channel that is closed.',
  SW_CHANNEL_ABORTED: 'A channel was aborted; what was in it was discarded.',
  SW_CHANNEL_FULL: "A channel with overflow 'fail' had no room.",
  SW_PIPELINE_STARTED: 'A pipeline was run twice, or changed after it was started.',
  SW_PIPELINE_IDLE: 'A pipeline that was never run cannot be drained or paused.',
  SW_PIPELINE_ABORTED: 'A run was aborted before its source had ended.',
  SW_DRAIN_TIMEOUT: 'A drain passed its deadline, and the run was aborted.',
  SW_PROGRAM_INTERRUPTED: 'A second signal aborted what the first had begun to drain.',
  SW_PROCESS_MISSING: 'There is no process whose signals could be listened to.',
  SW_FLOW_USED: 'A flow whose source can be read once was read a second time.',
  SW_KEY_INVALID: 'A key is of a kind that cannot be hashed.',
  SW_PARTITION_UNKNOWN: 'An item or a subscription names a partition that does not exist.',
  SW_PARTITION_TAKEN: 'A partition already has its sink.',
  SW_PARTITION_MISSING: 'A subscription to a partition dispatcher names no partition.',
  SW_SUBSCRIPTION_EXISTS: 'The same sink is already subscribed.',
  SW_SUBSCRIPTION_CYCLE: 'A dispatcher would feed itself.',
  SW_DISPATCHER_CLOSED: 'A dispatcher that has closed or failed was used again.',
  SW_STRATEGY_INVALID: 'A dispatch strategy gave an answer that breaks its contract.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Branded by the global registry, so that two copies of core in one process recognise each other's errors. */
const BRAND: unique symbol = Symbol.for('streamweld.error') as never;

export interface ErrorDetails {
  /** The name of the source, operator or sink it happened in. */
  readonly stage?: string | undefined;
  /** What was thrown, whatever it is: an Error, a string, `undefined`. */
  readonly cause?: unknown;
  /**
   * What a program can go by, beside the code: `{ sqlState: '23505' }`. Plain data that JSON can hold, for it goes into the
   * dead letter; no secret, and nothing of an item that the message would not tell.
   */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * An error of StreamWeld. `code` is stable and has a heading in docs/errors.md; `stage` names where it happened;
 * `cause` is what was thrown; `suppressed` holds what failed after it, while the run was coming to its end.
 */
export class StreamWeldError extends Error {
  override readonly name: string = 'StreamWeldError';
  readonly code: string;
  readonly stage: string | undefined;
  /** Plain data that says more than the code; the dead letter carries it. */
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** Failures that came after this one, in the order they came. */
  readonly suppressed: unknown[] = [];

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.stage = details.stage;
    this.details = details.details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // A subclass asks for its own prototype; only the base class is recognised by its brand.
    if (this !== StreamWeldError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return isStreamWeldError(value);
  }
}

/** Whether a value is an error of StreamWeld, also one from another copy of the package. */
export function isStreamWeldError(value: unknown): value is StreamWeldError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/**
 * An option or argument that cannot work (`SW_OPTION_INVALID`). It is a RangeError, as the language's own are,
 * and counts as a StreamWeldError.
 */
export class OptionError extends RangeError {
  override readonly name: string = 'OptionError';
  readonly code = 'SW_OPTION_INVALID';
  readonly stage: string | undefined;
  readonly details: undefined;
  readonly suppressed: unknown[] = [];
  /** The option's name as the user wrote it. */
  readonly option: string;

  constructor(option: string, expected: string, got: unknown, advice = '') {
    super(`${option} must be ${expected}, got ${describe(got)}.${advice === '' ? '' : ` ${advice}`}`);
    this.option = option;
    this.stage = undefined;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

export interface WriteErrorDetails extends ErrorDetails {
  /**
   * The indexes in the batch that failed. With `retryable: false` they are bad, and the others are written again without
   * them. Otherwise they are written again; the others are taken as written, unless the sink is `atomic`.
   */
  readonly failed?: readonly number[] | undefined;
  /** `false`: the items are at fault, and writing the same again cannot succeed. Default `true`. */
  readonly retryable?: boolean | undefined;
}

/** What a sink throws to say more about a write that failed: which items, and whether trying again can help. */
export class WriteError extends StreamWeldError {
  override readonly name: string = 'WriteError';
  readonly failed: readonly number[] | undefined;
  readonly retryable: boolean;

  constructor(message: string, details: WriteErrorDetails = {}) {
    super('SW_SINK_FAILED', message, details);
    this.failed = details.failed;
    this.retryable = details.retryable ?? true;
  }
}

/** What somebody else threw, as an error of ours: the very same if it is one already. */
export function wrapError(code: ErrorCode, stage: string, message: string, cause: unknown): StreamWeldError {
  return isStreamWeldError(cause) ? cause : new StreamWeldError(code, message, { stage, cause });
}

/** Notes a later failure on the first; a frozen error keeps its silence, the first cause is what matters. */
export function suppress(first: unknown, later: unknown): void {
  if (first === later || !isStreamWeldError(first)) return;
  if (Object.isFrozen(first.suppressed) || first.suppressed.includes(later)) return;
  first.suppressed.push(later);
}

/** A value for a message: its kind and, where it cannot hold anybody's data, its content. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${value}n`;
    case 'string':
      return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    default:
      if (value === null) return 'null';
      return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  }
}
