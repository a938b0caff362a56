/** What a failed send means to the producer that made it, whichever client it is of. */

import type { StreamWeldError } from '@streamweld/core/connector';
import { isTransient, KafkaError } from './errors.ts';

/** What a broker says of a batch that it has, when it has others of the producer behind it. */
export const WRITTEN = 'DUPLICATE_SEQUENCE_NUMBER';

/** How long a topic may be unknown that was there before: its brokers tell each other of it. */
export const UNKNOWN_MS = 10_000;

/** What may pass, and does not for this producer: another has to go on, or begin the transaction again. */
const NOT_HERE: readonly string[] = ['SW_KAFKA_SEQUENCE_LOST', 'SW_KAFKA_TRANSACTION_FAILED'];

export function mayBeRepeated(error: StreamWeldError): boolean {
  return isTransient(error) && !NOT_HERE.includes(error.code);
}

/** Without a transaction there is nobody who could have taken its place: the broker has lost its state. */
export function withoutFence(
  error: StreamWeldError,
  transactionalId: string | undefined,
  stage: string,
): StreamWeldError {
  if (error.code !== 'SW_CHECKPOINT_FENCED' || transactionalId !== undefined) return error;
  return new KafkaError(
    'SW_KAFKA_SEQUENCE_LOST',
    'Could not write to Kafka: the broker does not know what this producer wrote before. Another producer goes on.',
    { stage, isTransient: true },
  );
}
