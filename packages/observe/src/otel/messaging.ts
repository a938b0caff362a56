/** What OpenTelemetry's conventions for messaging want to know of a stage that reads or writes messages. */

import type { Attributes } from '@opentelemetry/api';
import type { Operation } from '@streamweld/core';
import { checkOptions, checkText } from '@streamweld/core/connector';
import { CONVENTIONS } from './names.ts';

/** Where the messages of a stage come from or go to. */
export interface MessagingOptions {
  /** As the conventions call it: `'kafka'`, `'rabbitmq'`, … */
  readonly system: string;
  /** The topic or queue, where it is one. */
  readonly destination?: string | undefined;
  /** The group that a source reads as a member of. */
  readonly consumerGroup?: string | undefined;
}

/** By the name of the stage or of the subscription, as `streamweld.stage` tells it. */
export type MessagingStages = Readonly<Record<string, MessagingOptions>>;

/** @throws OptionError */
export function checkMessaging(value: MessagingStages): MessagingStages {
  checkOptions('otel.messaging', value, Object.keys(Object(value)));
  for (const [stage, given] of Object.entries(value)) {
    const option = `otel.messaging.${stage}`;
    const { system, destination, consumerGroup } = checkOptions(option, given, [
      'system',
      'destination',
      'consumerGroup',
    ]);
    checkText(`${option}.system`, system);
    if (destination !== undefined) checkText(`${option}.destination`, destination);
    if (consumerGroup !== undefined) checkText(`${option}.consumerGroup`, consumerGroup);
  }
  return value;
}

/** Of one operation of such a stage, the same for spans and metrics. */
export interface MessagingOperation {
  /** As the system itself calls it. */
  readonly name: string;
  readonly destination: string | undefined;
  readonly attributes: Attributes;
}

export function messagingOf(stage: MessagingOptions, kind: Operation['kind']): MessagingOperation {
  const { system, destination, consumerGroup } = stage;
  const type = kind === 'pull' ? 'receive' : 'send';
  const name = kind === 'pull' && system === 'kafka' ? 'poll' : type;
  const attributes: Attributes = {
    [CONVENTIONS.ATTR_MESSAGING_SYSTEM_NAME]: system,
    [CONVENTIONS.ATTR_MESSAGING_OPERATION_NAME]: name,
    [CONVENTIONS.ATTR_MESSAGING_OPERATION_TYPE]: type,
  };
  if (destination !== undefined) attributes[CONVENTIONS.ATTR_MESSAGING_DESTINATION_NAME] = destination;
  if (consumerGroup !== undefined && kind === 'pull')
    attributes[CONVENTIONS.ATTR_MESSAGING_CONSUMER_GROUP_NAME] = consumerGroup;
  return { name, destination, attributes };
}
