/** What `@platformatic/kafka` fails with, in the words of `error-verdicts.ts`. */

import { isStreamWeldError } from '@streamweld/core/connector';
import { DeadlinePassed } from './deadline.ts';

/** Names that Kafka has changed since `error-verdicts.ts` calls them so, and what comes to the same. */
const FORMER: Readonly<Record<string, string>> = {
  NOT_LEADER_OR_FOLLOWER: 'NOT_LEADER_FOR_PARTITION',
  COORDINATOR_LOAD_IN_PROGRESS: 'GROUP_LOAD_IN_PROGRESS',
  COORDINATOR_NOT_AVAILABLE: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  NOT_COORDINATOR: 'NOT_COORDINATOR_FOR_GROUP',
  UNKNOWN_TOPIC_ID: 'UNKNOWN_TOPIC_OR_PARTITION',
  INCONSISTENT_TOPIC_ID: 'UNKNOWN_TOPIC_OR_PARTITION',
  OFFSET_NOT_AVAILABLE: 'LEADER_NOT_AVAILABLE',
};

/** What a broker answered, by the name of the protocol. */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal';
  readonly type: string;
  readonly retriable: boolean;
  /** What came with it. */
  readonly response: unknown;

  constructor(id: string, canRetry: boolean, response?: unknown) {
    const type = FORMER[id] ?? id;
    super(`The broker answered ${type}.`);
    this.type = type;
    this.retriable = canRetry;
    this.response = response;
  }
}

/** Of an error of its own, what is looked at. */
interface Foreign {
  readonly code?: unknown;
  readonly apiId?: unknown;
  readonly canRetry?: unknown;
  readonly errors?: readonly unknown[];
  readonly response?: unknown;
  readonly cause?: unknown;
}

const DEPTH = 8;

/** What a broker says of what it would have done, had it not been for another error. */
const BYSTANDER = 'OPERATION_NOT_ATTEMPTED';

/** The first error of the protocol in it that says something: an answer may have several, and may be wrapped. */
function protocolError(error: unknown, depth = DEPTH): Foreign | undefined {
  if (typeof error !== 'object' || error === null || depth === 0) return undefined;
  const { apiId, errors, cause } = error as Foreign;
  if (typeof apiId === 'string') return error as Foreign;
  let bystander: Foreign | undefined;
  for (const each of [...(Array.isArray(errors) ? (errors as unknown[]) : []), cause]) {
    const found = protocolError(each, depth - 1);
    if (found !== undefined && found.apiId !== BYSTANDER) return found;
    bystander ??= found;
  }
  return bystander;
}

export function foreignError(error: unknown): unknown {
  if (error instanceof BrokerRefusal || error instanceof DeadlinePassed || isStreamWeldError(error))
    return error;
  const found = protocolError(error);
  if (found !== undefined)
    return new BrokerRefusal(found.apiId as string, found.canRetry === true, (error as Foreign).response);
  const { code } = (error ?? {}) as Foreign;
  if (code === 'PLT_KFK_AUTHENTICATION') return new BrokerRefusal('SASL_AUTHENTICATION_FAILED', false);
  return error;
}

/** The name of the protocol's error, where there is one. */
export function refusalOf(error: unknown): string | undefined {
  return error instanceof BrokerRefusal ? error.type : undefined;
}

/** Whoever is asked is not the one that was known, or its connection is gone: to be looked up anew. */
export function isElsewhere(error: unknown): boolean {
  const type = refusalOf(error);
  return type === undefined ? (error as Foreign).code !== CODEC_MISSING : ELSEWHERE.has(type);
}

/** What it has no codec for is the same everywhere. */
const CODEC_MISSING = 'PLT_KFK_UNSUPPORTED_COMPRESSION';

const ELSEWHERE = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
  'BROKER_NOT_AVAILABLE',
]);

/** A connection that was not made in its time. */
export function timedOut(error: unknown): Error | undefined {
  const { code, message, cause } = (error ?? {}) as { code?: unknown; message?: unknown; cause?: unknown };
  const isLate =
    cause === undefined && /timed out/.test(String(message)) && String(code).startsWith('PLT_KFK_');
  return isLate
    ? Object.assign(new Error('The host did not answer in time.'), { code: 'ETIMEDOUT' })
    : undefined;
}

/** A topic that is not there, or is another one by now. */
export function isGone(error: unknown): boolean {
  return refusalOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
}
