/** The Kafka that the alerts go to, where there is one. Nothing of Kafka is loaded here: most runs have none. */

import { Refusal } from '@streamweld/app-kit';

/** Where they go. */
export const ALERTS_TOPIC = 'streamweld-flights-alerts';

/** What was given cannot be written to. Its message says why, and what can be done. */
export class KafkaUnavailable extends Refusal {
  /** @param remedy what else can be done. */
  constructor(which: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(
      'FLIGHTS_KAFKA_UNAVAILABLE',
      `${which}: ${reason}
${remedy}, or run the demo without
STREAMWELD_KAFKA_BROKERS: then the alerts go into their file alone.`,
      options,
    );
  }
}
