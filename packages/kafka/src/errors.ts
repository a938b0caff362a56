/**
 * What can go wrong with Kafka, as errors of ours: one table of codes, and one place that turns what a broker or the client
 * said into a code.
 *
 * The client wraps its errors several deep, and the outermost may say of a failure that passes that it does not: so the
 * whole chain of causes is looked at, innermost first.
 */

import { isStreamWeldError, StreamWeldError, WriteError } from '@streamweld/core/connector';
import { NETWORK, PROTOCOL, type Verdict } from './error-verdicts.ts';

/** The one table of codes of this package. */
export const KAFKA_ERROR_CODES = {
  SW_KAFKA_UNREACHABLE: 'No broker could be reached.',
  SW_KAFKA_DENIED: 'The brokers refused the user, or what the user wanted to do.',
  SW_KAFKA_CONNECTION_LOST: 'A connection ended, or a broker did not answer, while it was in use.',
  SW_KAFKA_BUSY: 'The brokers could not do it now, and may be able to later.',
  SW_KAFKA_TIMEOUT: 'Something that was asked of the brokers took longer than it may.',
  SW_KAFKA_TOPIC_UNKNOWN: 'A topic is not there, or has a name that no topic can have.',
  SW_KAFKA_TOPIC_INVALID: 'A topic does not have what is asked of it.',
  SW_KAFKA_RECORD_TOO_LARGE: 'A record is larger than its topic takes.',
  SW_KAFKA_RECORD_INVALID: 'An item cannot be a record, or the broker refused the record.',
  SW_KAFKA_SEQUENCE_LOST: 'A broker and an idempotent producer do not agree on what was written.',
  SW_KAFKA_TRANSACTION_FAILED: 'A transaction could not be carried through.',
  SW_KAFKA_COMPRESSION_MISSING: 'A compression was asked for whose package is not installed.',
  SW_KAFKA_OFFSET_OUT_OF_RANGE:
    'The records that come next in a partition are not there any more, or never were.',
  SW_KAFKA_POSITION_INVALID: 'What is to be resumed from is no position of this source.',
  SW_KAFKA_FAILED: 'A broker or the client failed in a way that has no code of its own here.',
} as const;

export type KafkaErrorCode = keyof typeof KAFKA_ERROR_CODES;

/** What is known of a failure that holds no data. */
export interface KafkaFields {
  /** Kafka's own name for it: `NOT_LEADER_FOR_PARTITION`. */
  readonly kafkaError?: string | undefined;
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
}

export interface KafkaErrorDetails extends KafkaFields {
  /** The name of the source or sink. */
  readonly stage?: string | undefined;
  readonly cause?: unknown;
  /** The same again may succeed. */
  readonly isTransient?: boolean | undefined;
}

/** A failure that Kafka, or the way there, is the cause of. */
export class KafkaError extends StreamWeldError implements KafkaFields {
  override readonly name: string = 'KafkaError';
  /** Whether the same again may succeed. It is not called `retryable`: that would blame the items of a write. */
  readonly isTransient: boolean;
  readonly kafkaError: string | undefined;
  readonly topic: string | undefined;
  readonly partition: number | undefined;

  constructor(code: KafkaErrorCode, message: string, details: KafkaErrorDetails = {}) {
    super(code, message, {
      stage: details.stage,
      details: known(details),
      ...('cause' in details ? { cause: details.cause } : undefined),
    });
    this.isTransient = details.isTransient ?? false;
    this.kafkaError = details.kafkaError;
    this.topic = details.topic;
    this.partition = details.partition;
  }
}

/** Items that cannot be written whatever happens: a WriteError, so the policies know which to take out. */
export class KafkaRecordError extends WriteError implements KafkaFields {
  override readonly name: string = 'KafkaRecordError';
  override readonly code: string;
  readonly kafkaError: string | undefined;
  readonly topic: string | undefined;
  readonly partition: number | undefined;

  constructor(
    code: KafkaErrorCode,
    message: string,
    failed: readonly number[] | undefined,
    details: KafkaErrorDetails = {},
  ) {
    super(message, {
      stage: details.stage,
      details: known(details),
      failed,
      retryable: false,
      ...('cause' in details ? { cause: details.cause } : undefined),
    });
    this.code = code;
    this.kafkaError = details.kafkaError;
    this.topic = details.topic;
    this.partition = details.partition;
  }
}

/** What is known of them, for programs; a dead letter carries it. */
function known({ kafkaError, topic, partition }: KafkaFields): Record<string, unknown> | undefined {
  const told = Object.entries({ kafkaError, topic, partition }).filter(([, value]) => value !== undefined);
  return told.length === 0 ? undefined : Object.fromEntries(told);
}

export interface Translation {
  /** What was being done, for the sentence `Could not … `. */
  readonly action: string;
  readonly stage: string;
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
}

/** What a broker or the client threw, as an error of ours. */
export function toKafkaError(error: unknown, translation: Translation): StreamWeldError {
  // One of ours may have gone through the client, which wraps what it cannot help.
  const own = chainOf(error).find(isStreamWeldError);
  if (own !== undefined) return own;
  const { action, stage, topic, partition } = translation;
  const { verdict, kafkaError, cause } = judge(error);
  const places = [
    topic === undefined ? undefined : `topic ${JSON.stringify(topic)}`,
    partition === undefined ? undefined : `partition ${partition}`,
    kafkaError,
  ].filter((place) => place !== undefined);
  const where = places.length === 0 ? '' : ` (${places.join(', ')})`;
  const sentence = `Could not ${action}: ${verdict.words}${where}`;
  const message = sentence.endsWith('?') ? sentence : `${sentence}.`;
  if (verdict.code === 'SW_CHECKPOINT_FENCED') return new StreamWeldError(verdict.code, message, { stage });
  const details = { stage, kafkaError, topic, partition, ...(cause === undefined ? undefined : { cause }) };
  return verdict.isOfData === true
    ? new KafkaRecordError(verdict.code, message, undefined, details)
    : new KafkaError(verdict.code, message, { ...details, isTransient: verdict.isTransient });
}

/** Some of a write is written, and the rest may be when it is tried again. It is an error of the brokers, and no item's. */
export class KafkaPartError extends WriteError {
  override readonly name: string = 'KafkaPartError';
  override readonly code: string;
  readonly isTransient: boolean;

  constructor(error: StreamWeldError, failed: readonly number[]) {
    super(error.message, {
      stage: error.stage,
      details: error.details,
      failed,
      retryable: true,
      cause: error.cause,
    });
    this.code = error.code;
    this.isTransient = isTransient(error);
  }
}

/** The same error, which names the items that it is about. */
export function namingFailed(error: StreamWeldError, failed: readonly number[]): KafkaRecordError {
  const { kafkaError, topic, partition } = error as Partial<KafkaRecordError>;
  const isOne = failed.length === 1;
  return new KafkaRecordError(error.code as KafkaErrorCode, error.message, failed, {
    stage: error.stage,
    kafkaError,
    topic,
    partition: isOne ? partition : undefined,
  });
}

/** Whether the same again may succeed. What is of nobody we know is not tried again. */
export function isTransient(error: unknown): boolean {
  return (error as Partial<KafkaError> | null | undefined)?.isTransient === true;
}

/** Whether the broker refused the records for what they are. */
export function isRefusal(error: unknown): error is KafkaRecordError {
  return (error as Partial<KafkaRecordError> | null | undefined)?.retryable === false;
}

interface Judged {
  readonly verdict: Verdict;
  readonly kafkaError?: string | undefined;
  readonly cause?: unknown;
}

const DEPTH = 8;

/** Innermost first. */
function chainOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let at = error; typeof at === 'object' && at !== null && chain.length < DEPTH; ) {
    if (chain.includes(at)) break;
    chain.unshift(at);
    at = (at as { readonly cause?: unknown }).cause;
  }
  return chain;
}

function judge(error: unknown): Judged {
  const chain = chainOf(error);
  for (const each of chain) {
    const { type } = each as { readonly type?: unknown };
    if (typeof type !== 'string') continue;
    const verdict = PROTOCOL[type];
    if (verdict !== undefined) return { verdict, kafkaError: type };
    if (/^[A-Z_]+$/.test(type)) return { verdict: unknownOf(each), kafkaError: type };
  }
  for (const each of chain) {
    const found = NETWORK.find(({ fits }) =>
      fits(fieldOf(each, 'name'), fieldOf(each, 'code'), fieldOf(each, 'message')),
    );
    // What Node says of a connection names addresses alone.
    if (found !== undefined)
      return { verdict: found, ...(found.tellsCause === true ? { cause: each } : undefined) };
  }
  return { verdict: unknownOf(chain.at(-1)) };
}

function unknownOf(error: unknown): Verdict {
  return {
    code: 'SW_KAFKA_FAILED',
    isTransient: (error as { retriable?: unknown } | undefined)?.retriable === true,
    words: 'it failed in a way that is not known here',
  };
}

function fieldOf(error: unknown, name: 'name' | 'code' | 'message'): string {
  const value = (error as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : '';
}
