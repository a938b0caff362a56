/** What a failure means to a member of a group: whether coming back may put it right, and what is told where it did not. */

import { isTransient, KafkaError, type KafkaErrorCode, toKafkaError } from './errors.ts';

/** What joining again puts right, or looks at more closely. */
const BY_JOINING = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'OFFSET_OUT_OF_RANGE',
]);

/** How long it is waited before something is tried again: doubled each time. */
const FIRST_BACKOFF_MS = 100;
const MOST_BACKOFF_MS = 2000;

/** @param before none the first time */
export function backoffMs(before?: number): number {
  return before === undefined ? FIRST_BACKOFF_MS : Math.min(before * 2, MOST_BACKOFF_MS);
}

export function mayPass(error: unknown): boolean {
  const { kafkaError, code } = error as Partial<KafkaError>;
  if (code === 'SW_KAFKA_OFFSET_OUT_OF_RANGE') return false;
  return isTransient(error) || (kafkaError !== undefined && BY_JOINING.has(kafkaError));
}

/** Kafka's name for it, if it comes from a broker. */
export function refusalOf(error: unknown, stage: string): string | undefined {
  if (error === undefined) return undefined;
  return (toKafkaError(error, { action: 'read from Kafka', stage }) as Partial<KafkaError>).kafkaError;
}

/** What passes has not passed: says that the member was there before, and for how long it has tried. */
export function lostFor(
  ms: number,
  failure: unknown,
  { name, reconnectMs }: { readonly name: string; readonly reconnectMs: number },
): unknown {
  if (!(failure instanceof KafkaError) || !failure.isTransient) return failure;
  const { code, message, kafkaError, topic, partition, stage, cause } = failure;
  return new KafkaError(
    code as KafkaErrorCode,
    `'${name}' lost its place in the group, and did not come back within ${Math.round(ms)} ms (reconnectMs is ${reconnectMs}). ${message}`,
    {
      stage,
      kafkaError,
      topic,
      partition,
      isTransient: true,
      ...(cause === undefined ? undefined : { cause }),
    },
  );
}
