/** The policies of one sink: how it is written to, and what follows when a write fails. */

import { OptionError, StreamWeldError } from '../errors.ts';
import { checkDuration } from '../options.ts';
import type { SinkLike } from '../sink.ts';
import { CircuitBreaker, type BreakerState, type CircuitBreakerOptions } from './circuit-breaker.ts';
import type { DeadLetter, DeadLetterBox } from './dead-letter.ts';
import type { RateLimit, RateLimitUser } from './rate-limit.ts';
import { type RetryOptions, RetryPolicy } from './retry.ts';
import { blamesData } from './write-failure.ts';

/** What a pipeline's methods and the options of a subscription have in common. */
export interface WritePolicyOptions<T> {
  /** How often a batch whose write failed is written again, and when. Default: not at all. */
  readonly retry?: RetryOptions | undefined;
  /** Where items go that the sink refuses for what they are. Default: the run fails. */
  readonly deadLetter?: SinkLike<DeadLetter<T>> | undefined;
  /** Stops writing to a sink that fails again and again, and tries it again now and then. */
  readonly circuitBreaker?: CircuitBreakerOptions | undefined;
  /** How many items are written in a second. */
  readonly rateLimit?: RateLimit | undefined;
  /** How long a write may take, in milliseconds, before it counts as failed. */
  readonly writeTimeout?: number | undefined;
}

/** Which state the policies are in, for snapshots. */
export interface BreakerStatus {
  readonly state: BreakerState;
  /** How often it has opened. */
  readonly openings: number;
}

export interface WriteCounts {
  /** Items that went to the dead-letter sink. */
  readonly deadLettered: number;
  /** Writes that were tried again after a failure that may pass. */
  readonly retried: number;
  /** Writes that took longer than `writeTimeout`. */
  readonly timedOut: number;
  /** Of its circuit breaker, where there is one. */
  readonly breaker?: BreakerStatus | undefined;
}

/** What one run, or one subscription with all its seats, goes by. */
export class WritePolicies {
  readonly retry: RetryPolicy;
  readonly breaker: CircuitBreaker | undefined;
  readonly limit: RateLimitUser | undefined;
  readonly timeoutMs: number | undefined;
  readonly deadLetter: DeadLetterBox | undefined;
  deadLettered = 0;
  retried = 0;
  timedOut = 0;

  /** @param options checked before. */
  constructor(options: WritePolicyOptions<never>, box: DeadLetterBox | undefined) {
    const { retry, circuitBreaker, rateLimit, writeTimeout } = options;
    this.retry = new RetryPolicy('retry', retry);
    this.breaker =
      circuitBreaker === undefined ? undefined : new CircuitBreaker('circuitBreaker', circuitBreaker);
    this.limit = rateLimit?.join();
    this.timeoutMs = writeTimeout;
    this.deadLetter = box;
    // A breaker without retries goes on trying until it opens.
    this.attempts =
      retry === undefined && this.breaker !== undefined ? Number.POSITIVE_INFINITY : this.retry.attempts;
  }

  /** The most writes of one batch, those that only isolate bad items not counted. */
  readonly attempts: number;

  get counts(): WriteCounts {
    const { breaker, deadLettered, retried, timedOut } = this;
    return {
      deadLettered,
      retried,
      timedOut,
      ...(breaker === undefined ? {} : { breaker: { state: breaker.state, openings: breaker.openings } }),
    };
  }

  /** Whether the items are at fault, not the sink. @throws what the user's `retryable` throws */
  isData(error: unknown): boolean {
    return blamesData(error) || this.retry.isRetryable?.(error) === false;
  }

  timeoutError(sink: string): StreamWeldError {
    return new StreamWeldError(
      'SW_WRITE_TIMEOUT',
      `A write to '${sink}' took longer than ${this.timeoutMs} ms. It was given up, and may still land. Give writeTimeout longer, or find out what holds the sink.`,
      { stage: sink },
    );
  }
}

/** Of a sink without policies. */
export const NO_COUNTS: WriteCounts = { deadLettered: 0, retried: 0, timedOut: 0 };

/** Nothing, where none was asked for: a write that fails is then lost. */
export function createPolicies(
  options: WritePolicyOptions<never>,
  box: DeadLetterBox | undefined,
): WritePolicies | undefined {
  const { retry, circuitBreaker, rateLimit, writeTimeout } = options;
  const isAsked = [retry, circuitBreaker, rateLimit, writeTimeout, box].some(
    (policy) => policy !== undefined,
  );
  return isAsked ? new WritePolicies(options, box) : undefined;
}

/** Checks all but the dead letter, which is whatever toSink takes. @throws OptionError */
export function checkPolicies(what: string, options: WritePolicyOptions<never>): void {
  const { retry, circuitBreaker, rateLimit, writeTimeout } = options;
  if (retry !== undefined) void new RetryPolicy(`${what}retry`, retry);
  if (circuitBreaker !== undefined) void new CircuitBreaker(`${what}circuitBreaker`, circuitBreaker);
  // By its shape: it may come from another copy of the package.
  if (rateLimit !== undefined && typeof (rateLimit as Partial<RateLimit> | null)?.join !== 'function') {
    throw new OptionError(
      `${what}rateLimit`,
      'a RateLimit',
      rateLimit,
      'Make one: new RateLimit({ perSecond }).',
    );
  }
  if (writeTimeout !== undefined && checkDuration(`${what}writeTimeout`, writeTimeout) === 0) {
    throw new OptionError(`${what}writeTimeout`, 'a duration above 0 milliseconds', writeTimeout);
  }
}
