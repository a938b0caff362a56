/**
 * What things are called. Those that begin with `streamweld.` are our own; the others are copied from
 * @opentelemetry/semantic-conventions 1.45.0 (`/incubating`; messaging is in development there), which is 10 MB for these
 * few strings. A test compares them.
 */

export const SCOPE = '@streamweld/observe';

export const METRICS = {
  items: 'streamweld.stage.items',
  duration: 'streamweld.stage.duration',
  bufferItems: 'streamweld.buffer.items',
  bufferCapacity: 'streamweld.buffer.capacity',
  demand: 'streamweld.demand',
  lag: 'streamweld.lag.items',
  retries: 'streamweld.retries',
  deadLetters: 'streamweld.dead_letters',
} as const;

export const ATTRIBUTES = {
  pipeline: 'streamweld.pipeline',
  stage: 'streamweld.stage',
  partition: 'streamweld.partition',
  direction: 'streamweld.direction',
  lane: 'streamweld.lane',
  /** Of items in a buffer. */
  state: 'streamweld.state',
  operation: 'streamweld.operation',
  /** Of spans alone. */
  items: 'streamweld.items',
  attempt: 'streamweld.attempt',
} as const;

export const CONVENTIONS = {
  METRIC_MESSAGING_CLIENT_OPERATION_DURATION: 'messaging.client.operation.duration',
  METRIC_MESSAGING_CLIENT_SENT_MESSAGES: 'messaging.client.sent.messages',
  METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES: 'messaging.client.consumed.messages',
  ATTR_MESSAGING_SYSTEM_NAME: 'messaging.system.name',
  ATTR_MESSAGING_OPERATION_NAME: 'messaging.operation.name',
  ATTR_MESSAGING_OPERATION_TYPE: 'messaging.operation.type',
  ATTR_MESSAGING_DESTINATION_NAME: 'messaging.destination.name',
  ATTR_MESSAGING_CONSUMER_GROUP_NAME: 'messaging.consumer.group.name',
  ATTR_MESSAGING_BATCH_MESSAGE_COUNT: 'messaging.batch.message_count',
  ATTR_ERROR_TYPE: 'error.type',
} as const;

/** Of durations, in seconds: those that the conventions ask for. */
export const SECONDS: number[] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
