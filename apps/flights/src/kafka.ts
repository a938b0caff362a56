/** The Kafka that the alerts go to, where there is one. Nothing of Kafka is loaded here: most runs have none. */

/** Where they go. */
export const ALERTS_TOPIC = 'streamweld-flights-alerts';

/** What was given cannot be written to. Its message says why, and what can be done. */
export class KafkaUnavailable extends Error {
  readonly code = 'FLIGHTS_KAFKA_UNAVAILABLE';

  /** @param remedy what else can be done. */
  constructor(which: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(
      `${which}: ${reason}
${remedy}, or run the demo without
STREAMWELD_KAFKA_BROKERS: then the alerts go into their file alone.`,
      options,
    );
  }
}
